"""Decides, for a repository of schemas, which types get a contract, and which files nobody can use.  Pure.

A record that no other schema uses gets one.  Everything that another schema uses is a shared type.  What the loader
refuses is set aside, one refusal after the other, until the rest can be read: so the rest is valid by construction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from avro_data_contracts.contracts.avro import outline
from avro_data_contracts.contracts.avro.outline import Outline
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import (
    CONTRACT_ENDING,
    Folder,
    contract_name,
    is_head,
    is_schema_file,
    join,
)
from avro_data_contracts.contracts.catalog.heads import files_of, names_in
from avro_data_contracts.contracts.catalog.loading import Loaded
from avro_data_contracts.contracts.catalog.shared_types import SharedTypes
from avro_data_contracts.contracts.errors import ConfigurationError

#: Folders of copies: what a build or a package manager wrote, unless it is below a folder of sources.
COPIES = frozenset({"target", "build", "out", "bin", "obj", "dist", "node_modules", "site-packages", "vendor"})
SOURCES = "src"
_NOT_IN_TOPICS, _LONGEST = re.compile(r"[^a-zA-Z0-9._-]"), 249


@dataclass(frozen=True)
class Made:
    """A contract to write.

    Args:
        path: of its file, below the root.
        type: full name of the record.
        topic: a guess, as no schema names its topic.
        file: of the schema that defines the record.
        value: a file to write beside it, which only names the record; empty if the contract has `file` itself.
    """

    path: str
    type: str
    topic: str
    file: str
    value: str = ""

    @property
    def name(self) -> str:
        return contract_name(self.path)


@dataclass(frozen=True)
class Layout:
    """What to write.

    Args:
        made: the new contracts.
        shared: types that other schemas use, or that are not records.
        ignored: path -> why nobody can use the file.
        loaded: everything that can be read, with the new contracts.
        files: what `loaded` was read from.
    """

    made: tuple[Made, ...]
    shared: tuple[str, ...]
    ignored: Mapping[str, str]
    loaded: Loaded
    files: Folder


@dataclass(frozen=True)
class Writing:
    """How new contracts are written.  `keys`: those that contracts.toml has no default for."""

    keys: Mapping[str, str] = field(default_factory=dict)

    def text(self, of: str, topic: str, why: str, *more: str) -> str:
        """A contract file.

        Args:
            of: what it is a contract for, in words.
            why: what the topic was guessed from.
            more: further lines.
        """
        keys = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in self.keys.items())
        head = f"# Written by `contracts init` for {of}.  All keys: contracts docs reference/contract"
        return "\n".join([head, f"topic: {topic}  # a guess: {why}", *keys, *more]) + "\n"

    def files(self, made: tuple[Made, ...]) -> dict[str, str]:
        """The files of the contracts: path -> text."""
        found = {one.path: self._text(one) for one in made}
        return found | {one.value: f"{json.dumps(one.type)}\n" for one in made if one.value}

    def _text(self, one: Made) -> str:
        more = ["kafka: external  # `register` creates no topic; without this line it does"]
        if one.value:
            name = PurePosixPath(one.value).name
            more.append(f"value: {name}  # only names the type, which other schemas can use")
        return self.text(one.type, one.topic, "no schema names its topic", *more)


@dataclass(frozen=True)
class _Type:
    path: str
    names: Outline
    kind: str


def of(files: Folder, root: str, writing: Writing) -> Layout:
    """Decide.

    Args:
        files: everything below the root.
        root: for the places in messages.

    Raises:
        ConfigurationError: no schema can be used.
    """
    ignored = dict(_copies(files.texts))
    for fault in files.faults:
        ignored[PurePosixPath(fault.file).relative_to(root).as_posix()] = fault.what
    while True:
        texts = {path: text for path, text in files.texts.items() if not _is_within(path, ignored)}
        twice = dict(_twice(texts))
        if twice:
            ignored |= twice
            continue
        made, shared = _contracts(texts)
        everything = replace(files, texts=dict(sorted({**texts, **writing.files(made)}.items())), faults=())
        if not any(map(is_head, everything.texts)):
            faults = SharedTypes({path: text for path, text in texts.items() if is_schema_file(path)}).faults()
            raise _nothing(root, ignored | {one.file: one.what for one in faults})
        loaded = loading.read(everything, root)
        refused = _refused(loaded, root, texts, made)
        if not refused:
            return Layout(made, shared, dict(sorted(ignored.items())), loaded, everything)
        ignored |= refused


def without_copies(texts: Mapping[str, str]) -> dict[str, str]:
    """The files that are not in a folder of built or copied ones."""
    ignored = dict(_copies(texts))
    return {path: text for path, text in texts.items() if not _is_within(path, ignored)}


def _nothing(root: str, ignored: Mapping[str, str]) -> ConfigurationError:
    reasons = "; ".join(f"{path}: {why}" for path, why in list(ignored.items())[:3])
    return ConfigurationError(
        "there is no Avro record that a contract could be about" + (f" ({reasons})" if reasons else ""),
        where=root,
        fix="name a folder with .avsc or .avpr files, or a sample: contracts init --from FILE.jsonl",
    )


def _is_within(path: str, ignored: Mapping[str, str]) -> bool:
    return path in ignored or any(one.as_posix() in ignored for one in PurePosixPath(path).parents)


def _copies(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path in filter(is_schema_file, texts):
        folders = PurePosixPath(path).parts[:-1]
        at = next((number for number, one in enumerate(folders) if one in COPIES), None)
        if at is not None and SOURCES not in folders[:at]:
            yield join(*folders[: at + 1]), "a folder of built or copied files"


def _types(texts: Mapping[str, str]) -> list[_Type]:
    found = []
    for path in filter(is_schema_file, texts):
        for names in outline.parts(texts[path]) or ():
            found.append(_Type(path, names, _kind(outline.document(texts[path], names.part).value)))
    return found


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else ""
    return kind if isinstance(kind, str) else ""


def _owned(texts: Mapping[str, str]) -> dict[str, str]:
    """The schemas that contracts name already: path -> the contract's file."""
    return {file: path for path in filter(is_head, texts) for file in files_of(texts[path], path)}


def _twice(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Files that define a name which another file defines too.  Protocols may repeat each other's types: compilers of
    IDL write into each what it imports."""
    first: dict[str, _Type] = {}
    owned = _owned(texts)
    uses = _Uses(texts)
    types = [one for one in uses.types if one.names.name and one.path not in owned]
    for one in sorted(types, key=lambda one: (_is_for_tests(one.path), one.path)):
        other = first.setdefault(one.names.name, one)
        if other is not one and not one.path.endswith(".avpr") and not other.path.endswith(".avpr"):
            values = [outline.document(texts[each.path], each.names.part).value for each in (one, other)]
            equal = values[0] == values[1]
            if equal or not all(map(uses.is_alone, (one, other))):
                how = "equally" if equal else "differently"
                yield one.path, f"{one.names.name} is already defined in {other.path}, {how}"
            if not equal:
                for path in uses.users(one.names.name):
                    if path not in owned and _near(path, one.path) > _near(path, other.path):
                        yield path, f"it means {one.names.name} of {one.path}, which is ignored"


def _near(path: str, other: str) -> int:
    """How many folders the two paths share."""
    pairs = zip(PurePosixPath(path).parts[:-1], PurePosixPath(other).parts[:-1], strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _is_for_tests(path: str) -> bool:
    return any(part.lower().startswith("test") for part in PurePosixPath(path).parts[:-1])


class _Uses:
    """Which types the schemas define, and which other schemas use these."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.types = _types(texts)
        self._used: dict[str, set[str]] = {}  # name -> where it is used
        for one in self.types:
            self._note(one.names, one)
        for path in texts:
            if path.endswith(".avpr") and (sent := outline.outline(texts[path])):
                self._note(sent, None)

    def _note(self, names: Outline, user: _Type | None) -> None:
        for name in {each for both in names.used for each in both}:
            self._used.setdefault(name, set()).add(user.names.name if user else "")

    def is_used(self, name: str, one: _Type) -> bool:
        """Whether a schema other than `one` uses the name."""
        return bool(self._used.get(name, set()) - {one.names.name})

    def users(self, name: str) -> list[str]:
        """The files that use the name, and do not define it."""
        using = {one.path for one in self.types if any(name in both for both in one.names.used)}
        return sorted(using - {one.path for one in self.types if name in one.names.defined})

    def is_top(self, one: _Type) -> bool:
        """Whether it is a record that no other schema uses."""
        return one.kind == "record" and not self.is_used(one.names.name, one)

    def is_alone(self, one: _Type) -> bool:
        """Whether its file has nothing that other schemas use."""
        return one.names.part is None and not any(self.is_used(name, one) for name in one.names.defined)


def _contracts(texts: Mapping[str, str]) -> tuple[tuple[Made, ...], tuple[str, ...]]:
    uses, owned = _Uses(texts), _owned(texts)
    topics = {named.topic for path in filter(is_head, texts) if (named := names_in(texts[path], path))}
    taken = set(texts)
    made: list[Made] = []
    shared: set[str] = set()
    covered = {one.names.name for one in uses.types if one.path in owned}
    for one in uses.types:
        if not one.names.name or one.path in owned:
            continue
        if not uses.is_top(one) or (one.path.endswith(".avpr") and one.names.name in covered):
            shared.add(one.names.name)
            continue
        new = _made(one, one.names.part is None, topics, taken)
        topics.add(new.topic)
        taken |= {new.path, new.value}
        covered.add(new.type)
        made.append(new)
    return tuple(made), tuple(sorted(shared))


def _made(one: _Type, alone: bool, topics: Collection[str], taken: Collection[str]) -> Made:
    folder, name = PurePosixPath(one.path).parent, one.names.name
    path, value = "", ""
    for stem in [PurePosixPath(one.path).stem] if alone else [name.rpartition(".")[2], name]:
        path = join(folder.as_posix(), f"{stem}{CONTRACT_ENDING}")
        value = "" if alone else join(folder.as_posix(), f"{stem}.value.avsc")
        if not {path, value} & set(taken):
            break
    # Several services may each have their own definition of one record.
    guesses = [name, *(f"{name}-{part}" for part in folder.parts), "-".join(PurePosixPath(contract_name(path)).parts)]
    words = [_NOT_IN_TOPICS.sub("_", guess)[:_LONGEST] for guess in guesses]
    topic = next((one for one in words if one not in topics), f"{words[-1][: _LONGEST - 9]}-{len(topics)}")
    return Made(path, name, topic, one.path, value)


def _refused(loaded: Loaded, root: str, texts: Mapping[str, str], made: tuple[Made, ...]) -> dict[str, str]:
    """The schemas that cannot be read, and why; not those of contracts that were there before."""
    origins = {path: one.file for one in made for path in (one.path, one.value) if path}
    there = set(_owned(texts))
    found: dict[str, str] = {}
    for fault in loaded.faults:
        path = PurePosixPath(fault.error.file).relative_to(root).as_posix() if fault.error.file else ""
        path = origins.get(path, path)
        if is_schema_file(path) and path in texts and path not in there:
            found.setdefault(path, fault.error.what)
    return found
