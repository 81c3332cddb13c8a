"""The contracts of a folder, read and made into pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from avro_data_contracts.console.pages import contract as contract_page
from avro_data_contracts.console.pages import overview
from avro_data_contracts.console.pages.contract import ContractPage
from avro_data_contracts.console.pages.overview import Overview
from avro_data_contracts.console.pages.versions import Versions, timelines
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.catalog.loading import Loaded
from avro_data_contracts.contracts.check.commits import History
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.history import git


@dataclass(frozen=True)
class Catalogue:
    """Contracts and what the pages show of them.  `files`: the texts that they were read from."""

    loaded: Loaded
    files: Folder = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> Catalogue:
        """Read the contracts below `folder`, as far as they can be read.

        Raises:
            ConfigurationError: the folder does not exist, or has no contract.
        """
        return cls(*loading.load_folder(folder))

    @cached_property
    def pages(self) -> Mapping[str, ContractPage]:
        """The pages of the contracts that can be read, by name."""
        contracts = self.loaded.catalog.contracts
        shown = git.from_top(Path(self.loaded.catalog.root))
        return MappingProxyType({name: contract_page.of(contracts[name], shown) for name in sorted(contracts)})

    @cached_property
    def by_slug(self) -> Mapping[str, ContractPage]:
        """The same by their names in addresses."""
        return MappingProxyType({page.slug: page for page in self.pages.values()})

    @cached_property
    def index(self) -> list[dict[str, Any]]:
        """What a search reads."""
        return overview.index(self.pages.values(), self.loaded.broken)

    def prepare(self) -> None:
        """Make what all pages need, so that nobody waits for it."""
        _ = self.by_slug, self.index

    def overview(self, versions: Versions) -> Overview:
        """The list of contracts."""
        return overview.of(self.pages, self.loaded, versions)


@dataclass(frozen=True)
class Past:
    """The versions of the contracts, by name, the newest first.  `notes`: why there are none, or not all."""

    versions: Versions = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, files: Folder) -> Past:
        """Read every version that git has of the contracts in `folder`, and what is not committed."""
        try:
            history = History(folder, tuple(files.texts))
            steps = list(history.steps(working_tree=True))
        except ConfigurationError as error:
            return cls(notes=(f"There are no versions: {error}",))
        titles = history.titles([step.commit for step in steps if step.commit is not None])
        return cls(timelines(steps, titles), told_shallow() if history.is_shallow else ())


def told_shallow() -> tuple[str, ...]:
    """What the versions of a shallow clone lack, in words."""
    return ("This clone is shallow, so its older versions are missing: git fetch --unshallow origin brings them.",)
