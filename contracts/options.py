"""The options that several commands have, and where a command runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avro_data_contracts.contracts import project, report
from avro_data_contracts.contracts.catalog.findings import FailOn
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.rooms import ROOMS

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.loading import Loaded
    from avro_data_contracts.contracts.catalog.places import Texts
    from avro_data_contracts.contracts.formats import Result
    from avro_data_contracts.contracts.settings import Settings


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


#: The stores that can hold tables.
Store = StrEnum("Store", {room: room for room in ROOMS})  # type: ignore[misc]  # not literal: found by their rooms


_FOLDER = "The folder of the contracts. Default: that of CONTRACTS_DIR, or of contracts.toml, or schemas."
Folder = Annotated[Path | None, typer.Option("--schemas", help=_FOLDER)]


@dataclass(frozen=True)
class Here:
    """Where a command runs: the `obj` of its context.  `flag`: the folder of the contracts, if an option names it."""

    flag: Path | None = None

    @cached_property
    def folder(self) -> Path:
        return project.contracts_dir(self.flag)

    @cached_property
    def settings(self) -> Settings:
        """For the commands that talk to servers."""
        from avro_data_contracts.contracts import settings

        return settings.load(contracts_dir=self.folder)

    def current(self, names: Sequence[str] = ()) -> tuple[Loaded, Texts]:
        """The contracts of the working tree, as far as they can be read, and the texts of their files.

        Args:
            names: of the contracts that matter; none: all.
        """
        from avro_data_contracts.contracts.catalog import loading
        from avro_data_contracts.contracts.catalog.places import Texts

        loaded, files = loading.load_some(self.folder, names)
        return loaded, Texts.of(files.texts, str(self.folder))

    def show(self, found: Result, output: report.Format) -> None:
        """Print a result, in a format."""
        from avro_data_contracts.contracts.history import git

        from_top = git.from_top(self.folder) if output is not report.Format.text else str
        report.result(found, output, from_top)


def _schemas(context: typer.Context, folder: Path | None) -> None:
    """`--schemas` after the command, where the arguments of a pre-commit hook are."""
    if folder is not None:
        context.obj = Here(folder)


FolderHere = Annotated[
    Path | None,
    typer.Option("--schemas", callback=_schemas, expose_value=False, help=_FOLDER),
]


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """The contracts that a shell offers; none where the settings are wrong: the command itself says so."""
    from avro_data_contracts.contracts.catalog import folder

    try:
        here = context.obj or Here(context.find_root().params.get("schemas"))
        return [name for name in folder.contracts_below(here.folder) if name.startswith(incomplete)]
    except ConfigurationError:
        return []


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Names of contracts (their folders). Default: all.",
        autocompletion=complete_name,
    ),
]
Output = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]


def against_option(default: str) -> Any:
    """The option `--against` of a command: the earlier state to compare the contracts with."""
    words = f"What to compare with: a git ref, a folder, or the registry. Default: {default}."
    return typer.Option(metavar="REF|REF:DIR|DIR|registry", help=words)


FindingsFormat = Annotated[
    report.Format, typer.Option("--format", help="text for people; the others for programs, CI and pull requests.")
]
Fail = Annotated[
    FailOn,
    typer.Option(
        "--fail-on",
        help="The lowest severity that makes the exit code 1. An unreadable file makes it 2, except with never.",
    ),
]
