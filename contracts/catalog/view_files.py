"""The views of each contract: found among the files, and read as far as their headers.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from avro_data_contracts.contracts.catalog.contract import ContractSpec
from avro_data_contracts.contracts.catalog.folder import Folder, heads_of_view, join
from avro_data_contracts.contracts.catalog.reference import Reference
from avro_data_contracts.contracts.catalog.spec import PATTERNS, parse_header
from avro_data_contracts.contracts.catalog.view import View, ViewSpec, name_of
from avro_data_contracts.contracts.catalog.view_references import beside_view, files_of
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.spec import NAME


def by_head(files: Folder, root: str) -> Mapping[str, Mapping[str, ConfigurationError | None]]:
    """Return contract file -> its views, each with the error if it, or a file that it names, cannot be read."""
    faults = {PurePosixPath(one.file).relative_to(root).as_posix(): one for one in files.faults}
    found: dict[str, dict[str, ConfigurationError | None]] = {}
    for path in sorted({*files.texts, *faults}):
        for head in heads_of_view(path):
            named = files_of(files.texts.get(path, ""), path) if faults else ()
            found.setdefault(head, {})[path] = next((faults[one] for one in (path, *named) if one in faults), None)
    return found


def read(
    paths: Mapping[str, ConfigurationError | None], texts: Mapping[str, str], root: str, head: str, spec: ContractSpec
) -> tuple[View, ...]:
    """Read the views of a contract.

    Args:
        paths: of `by_head`.
        head: the contract file.

    Raises:
        ConfigurationError: one of them cannot be read, or the contract cannot have any.
    """
    for error in paths.values():
        if error is not None:
            raise error
    if paths and not spec.tables:
        what = "the contract has views but no sinks, and the query of its first sink also sends the dead letters"
        raise ConfigurationError(what, file=join(root, head), line=1, fix="add sinks to the contract")
    return tuple(_views(paths, texts, root))


def _views(paths: Iterable[str], texts: Mapping[str, str], root: str) -> Iterable[View]:
    for path in paths:
        where, name = join(root, path), name_of(path)
        if not re.fullmatch(NAME, name):
            what = f"{name!r}, the name of the view, should have only {PATTERNS[NAME]}"
            raise ConfigurationError(what, file=where, line=1, fix="rename the file")
        spec = parse_header(texts[path], where)
        yield View(name, where, texts[path], spec, tuple(_references(path, spec, texts, root)))


def _references(view: str, spec: ViewSpec, texts: Mapping[str, str], root: str) -> Iterable[Reference]:
    for name, one in spec.reference.items():
        path = beside_view(view, one.csv) if one.csv is not None else ""
        yield Reference(name, one, join(root, path) if path else "", texts.get(path))
