"""The files of the contracts, while a process streams them: whether they have changed, and what is to be streamed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import structlog

from avro_data_contracts.contracts.catalog.contract import Contract, types_of
from avro_data_contracts.contracts.catalog.folder import Folder, read_folder
from avro_data_contracts.contracts.catalog.loading import Catalog, read
from avro_data_contracts.contracts.errors import ContractsError

log = structlog.get_logger("streaming")


class Watched:
    """The files of the contracts, and whether they have changed.

    Args:
        files: what was read from `folder` so far.
    """

    def __init__(self, folder: Path, files: Folder) -> None:
        self._folder = folder
        self._read = files
        self._seen = files

    def changed(self) -> Catalog | None:
        """Return the contracts, once the files differ and stay as they are for a look; None otherwise.

        Files that cannot be read change nothing: whoever edits them will correct them.
        """
        try:
            files = read_folder(self._folder)
        except (ContractsError, OSError) as error:  # a file may go between two calls of the system
            files = Folder({})
            if self._seen.texts:
                self._unreadable(error)
        before, self._seen = self._seen, files
        if _said(files) != _said(before) or _said(files) == _said(self._read) or not files.texts:
            return None
        self._read = files
        try:
            return read(files, str(self._folder)).whole()
        except Exception as error:  # a bug, perhaps; what streams goes on
            self._unreadable(error)
            return None

    def _unreadable(self, error: Exception) -> None:
        why = str(error) if isinstance(error, (ContractsError, OSError)) else repr(error)
        log.error("the contracts cannot be read; their streams go on as before", why=why, where=str(self._folder))


def _said(files: Folder) -> tuple[object, ...]:
    """What decides about the contracts: their files, and contracts.toml."""
    return files.texts, files.defaults, [str(one) for one in files.faults]


def same(one: Contract, other: Contract) -> bool:
    """Whether the files say the same about two contracts.

    `==` does not tell: the schemas and rules of two readings of one file are never equal.
    """
    return _words(one) == _words(other)


def _words(contract: Contract) -> tuple[object, ...]:
    schemas = [(one.name, one.file, one.text) for one in (*contract.subjects, *types_of(contract.subjects))]
    return contract.name, contract.file, contract.spec, contract.siblings, contract.views, schemas


def wanted_of(catalog: Catalog, names: Collection[str]) -> dict[str, Contract]:
    """Return the contracts with these names, or all that have sinks."""
    if names:
        return {name: catalog.contracts[name] for name in names if name in catalog.contracts}
    return {name: one for name, one in catalog.contracts.items() if one.sinks}
