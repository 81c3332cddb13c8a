"""`contracts diff A B`: compare two files or two folders, from the working tree or from git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog import yaml_text
from avro_data_contracts.contracts.catalog.folder import (
    heads_of_view,
    is_contract_file,
    is_head,
    read_folder,
    references_among,
    views_among,
)
from avro_data_contracts.contracts.catalog.shared_types import schema_of
from avro_data_contracts.contracts.catalog.view_references import ENDING
from avro_data_contracts.contracts.compat import changes
from avro_data_contracts.contracts.compat.changes import Change, Kind
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.history.git import Repository


@dataclass(frozen=True)
class Side:
    """One of the two sides.

    Args:
        name: as the user wrote it.
        file: its path in `files` if it is one file; empty for a whole folder.
        files: path -> text, including files that it may refer to.
    """

    name: str
    file: str
    files: Mapping[str, str]

    def schema(self, path: str) -> Schema:
        others = {one: text for one, text in self.files.items() if one != path and one.endswith(".avsc")}
        return schema_of(self.files[path], f"{self.name}/{path}" if not self.file else self.name, others)


def compare(old: str, new: str) -> tuple[Change, ...]:
    """Every difference; the paths begin with the file if two folders are compared.

    Args:
        old, new: a file, a folder, or `REF:PATH`, with a path from the top of the repository.

    Raises:
        ConfigurationError: one of them does not exist, or one is a file and the other a folder.
        InvalidSchema: a file is not a valid schema.
    """
    before, after = _side(old), _side(new)
    if bool(before.file) != bool(after.file):
        one, other = (old, new) if before.file else (new, old)
        raise ConfigurationError(f"{one} is a file, and {other} is a folder", fix="compare two files, or two folders")
    if before.file:
        return changes.between(before.schema(before.file), after.schema(after.file))
    return tuple(_folders(before, after))


def _side(name: str) -> Side:
    path = Path(name)
    if path.is_dir():
        return Side(name, "", read_folder(path).readable())
    if path.is_file():
        # Shared types are in the folder of all contracts, one above the schema's own.
        around = path.absolute().parent.parent
        others = (
            read_folder(around).readable()
            if any(is_head(one.name) for one in path.absolute().parent.iterdir())
            else {}
        )
        inside = path.absolute().relative_to(around).as_posix()
        return Side(name, inside, {**others, inside: _read(path)})
    ref, colon, inner = name.partition(":")
    if not colon:
        raise ConfigurationError(
            f"no file or folder {name!r}", fix="pass a file, a folder, or REF:PATH (origin/main:schemas)"
        )
    return _in_git(name, ref, inner.strip("/"))


def _in_git(name: str, ref: str, path: str) -> Side:
    repository = Repository(Path())
    commit = repository.commit(ref)

    def is_read(one: str) -> bool:
        return is_contract_file(one) or one.endswith(ENDING) or bool(heads_of_view(one))

    here = repository.files(commit, path, is_read)
    if any(map(is_contract_file, here)):
        texts = _texts(repository, here, path)
        others = {*views_among(texts), *references_among(texts)}
        return Side(name, "", {one: text for one, text in texts.items() if is_contract_file(one) or one in others})
    around = PurePosixPath(path).parent.parent.as_posix()
    below = "" if around == "." else around
    files = repository.files(commit, below, lambda one: one == path or is_contract_file(one))
    if path not in files:
        raise ConfigurationError(
            f"{ref} has no file or folder {path!r}",
            where=str(repository.top),
            fix=f"git ls-tree -r --name-only {ref}",
        )
    texts = _texts(repository, files, below)
    return Side(name, path[len(below) + 1 :] if below else path, texts)


def _texts(repository: Repository, files: Mapping[str, str], below: str) -> dict[str, str]:
    start = len(below) + 1 if below else 0
    wanted = {path[start:]: blob for path, blob in files.items()}
    blobs = repository.blobs(wanted.values())
    return {path: blobs[blob].decode("utf-8", "replace") for path, blob in sorted(wanted.items())}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the file is not UTF-8: {error.reason}", where=str(path), fix="save it as UTF-8"
        ) from None


def _folders(old: Side, new: Side) -> Iterator[Change]:
    for path in sorted({*old.files, *new.files}):
        if path not in new.files:
            yield Change(Kind.removed, path, "", "", None)
        elif path not in old.files:
            yield Change(Kind.added, path, "", "", None)
        elif old.files[path] == new.files[path]:
            continue
        elif heads_of_view(path):
            was, now = (" ".join(side.files[path].split()) for side in (old, new))
            yield Change(Kind.setting, f"{path}: SQL", was, now, None)
        elif path.endswith(ENDING):
            before, after = (side.files[path].splitlines() for side in (old, new))
            words = f"{len(after):,} lines, {len({*after} - {*before}):,} of them new"
            yield Change(Kind.setting, f"{path}: reference data", f"{len(before):,} lines", words, None)
        elif path.endswith(".avsc"):
            for change in changes.between(old.schema(path), new.schema(path)):
                yield replace(change, path=f"{path}: {change.path or '(root)'}")
        else:
            where = f"{old.name}/{path}", f"{new.name}/{path}"
            for change in settings(old.files[path], new.files[path], *where):
                yield replace(change, path=f"{path}: {change.path}")


def settings(old: str, new: str, where: str = "before", where_new: str = "") -> Iterator[Change]:
    """Yield the differences between two texts of a contract.yaml, each at its path, e.g. `kafka.partitions`.

    Args:
        where, where_new: the names of the two in messages.

    Raises:
        ConfigurationError: one of them is not YAML.
    """
    before, after = _flat(old, where), _flat(new, where_new or where)
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield Change(Kind.setting, key, before.get(key, "none"), after.get(key, "none"), None)


def _flat(text: str, where: str) -> dict[str, str]:
    """Every value of a contract.yaml by its path, e.g. `kafka.partitions` -> `3`."""
    try:
        waiting: list[tuple[str, Any]] = [("", yaml_text.load(text))]
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"not YAML: {str(error).splitlines()[0]}", where=where, fix="correct the YAML"
        ) from None
    found: dict[str, str] = {}
    while waiting:
        at, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((f"{at}.{key}" if at else str(key), value[key]) for key in reversed(value))
        elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
            waiting.extend((f"{at}.{index}", one) for index, one in reversed(list(enumerate(value))))
        else:
            found[at] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found
