"""The history of the contracts of a folder, commit by commit, by subject.

A subject is identified by its name; the contract.yaml of each commit says which file it is in, and that file the
record that it may be named after.  So a renamed folder or file keeps its history, and a contract that was removed and
is back has its old one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from avro_data_contracts.contracts.avro import outline, parsing
from avro_data_contracts.contracts.catalog.choices import SubjectStrategy
from avro_data_contracts.contracts.catalog.contract import Contract, ContractSpec, Role, Subject
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.catalog.folder import beside, contract_name, is_head, is_schema_file
from avro_data_contracts.contracts.catalog.heads import may_have, names_in
from avro_data_contracts.contracts.catalog.shared_types import SharedTypes
from avro_data_contracts.contracts.catalog.spec import parse_spec
from avro_data_contracts.contracts.catalog.subject_names import subject_name
from avro_data_contracts.contracts.errors import ConfigurationError, InvalidSchema
from avro_data_contracts.contracts.history import files as file_history
from avro_data_contracts.contracts.history.git import Commit, Repository
from avro_data_contracts.contracts.stores.spec import SinkSpec

#: In the names of strategies that name a subject after its record, which the contract file does not say.
_BY_RECORD: Final = "RecordName"

#: To search for more subjects takes longer than to read all contract files.
_FEW: Final = 30


@dataclass
class Version:
    """A text that a subject had, before parsing.

    Attributes:
        label: the first commit that had it, in words.
        path: from the contracts' folder.
        shared: the types that it may refer to.
        sinks: the tables that it was stored in, by store and name; None if no contract.yaml says so.
    """

    label: str
    path: str
    text: str
    shared: SharedTypes
    sinks: dict[tuple[str, str], SinkSpec] | None = None

    def parsed(self) -> Earlier | None:
        """Parse the text; None if it is not a schema, because then it was never registered."""
        try:
            schema = parsing.parse_stored(self.text, where=self.path, named=self.shared.named(self.text))
        except InvalidSchema:
            return None
        return Earlier(self.label, schema, None if self.sinks is None else tuple(self.sinks.values()))


@dataclass(frozen=True)
class Former:
    """A contract in the last state that can be read, and the versions of its subjects up to then.

    Args:
        label: the commit from which its value was so, in words.
    """

    contract: Contract
    versions: Mapping[str, list[Version]]
    label: str


@dataclass(frozen=True)
class _Head:
    """The part of a contract.yaml that matters.  `spec`: all of it; None if today's rules refuse it."""

    path: str
    topic: str
    files: Mapping[Role, str]
    spec: ContractSpec | None

    @property
    def of_record(self) -> bool:
        """Whether the value's subject is named after its record."""
        spec = self.spec
        return bool(spec and spec.subject is None and spec.subject_strategy is not SubjectStrategy.TopicName)

    def name_of(self, role: Role, record: str) -> str:
        """The name of a subject; empty if it needs the name of a record that there is none.  `record`: that name."""
        return f"{self.topic}-{role}" if self.spec is None else subject_name(self.spec, role, record)

    @property
    def contract(self) -> str:
        """Its name."""
        name = contract_name(self.path)
        return name if name != "." else self.topic


class _Seen(NamedTuple):
    """A subject in one commit."""

    name: str
    path: str
    blob: str
    head: _Head


class Timeline:
    """The history of the contracts of one folder up to a commit, by first parents.

    Args:
        below: the folder, from the top of the repository.
        shown: the name of the folder in messages.
        defaults: see `Folder`.
    """

    def __init__(
        self,
        repository: Repository,
        commit: Commit,
        below: str,
        shown: str,
        defaults: Mapping[str, str],
    ) -> None:
        self.repository = repository
        self.commit = commit
        self.below = below
        self.shown = shown
        self.defaults = frozenset(defaults.items())

    def versions(self, names: Collection[str]) -> dict[str, list[Version]]:
        """Return every text that these subjects had, oldest first.

        A text that came back is at its last place, so the last text is that of the commit if the subject still
        exists.
        """
        found = self._versions(names, ())
        used = {name for versions in found.values() for one in versions for name in _foreign(one.text)}
        return self._versions(names, self._defining(used)) if used else found

    def _versions(self, names: Collection[str], types: Collection[str]) -> dict[str, list[Version]]:
        """`types`: the paths of the files with types that the texts use."""
        moments = list(self._moments(names, types))
        wanted = {blob for _, seen, others in moments for blob in (*others.values(), *(one.blob for one in seen))}
        texts = self._texts(wanted)
        found: dict[str, dict[tuple[str, ...], Version]] = {name: {} for name in names}
        known: Mapping[str, str] = {}
        shared = SharedTypes({})
        for commit, seen, others in moments:
            if others is not known:
                known, shared = others, SharedTypes({path: texts[blob] for path, blob in others.items()})
            for one in seen:
                text = texts[one.blob]
                key = (text, *shared.texts(text))
                version = found[one.name].pop(key, None)
                if version is None:
                    version = Version(f"{commit.short} of {commit.day}", one.path, text, shared)
                found[one.name][key] = version
                if one.head.spec is not None:
                    named = {(sink.kind, sink.qualified): sink for sink in one.head.spec.tables}
                    version.sinks = (version.sinks or {}) | named
        return {name: list(versions.values()) for name, versions in found.items()}

    def _defining(self, names: Collection[str]) -> frozenset[str]:
        """The paths of the files that ever had one of these types, or one that such a file uses."""
        ever: dict[str, set[str]] = {}
        for _, changed in self._steps:
            for path, blob in changed.items():
                if blob and is_schema_file(path):
                    ever.setdefault(path, set()).add(blob)
        texts = self._texts({blob for blobs in ever.values() for blob in blobs})
        wanted, found, waiting = set(names), set[str](), set(names)
        while waiting:
            words = {name.rpartition(".")[2] for name in waiting}
            waiting = set()
            for path, blobs in ever.items():
                if path in found:
                    continue
                several = [texts[blob] for blob in blobs]
                if not any("\\u" in text or any(word in text for word in words) for text in several):
                    continue
                parts = [one for text in several for one in outline.parts(text) or ()]
                if any(not wanted.isdisjoint(one.defined) for one in parts):
                    found.add(path)
                    waiting |= {name for text in several for name in _foreign(text)} - wanted
            wanted |= waiting
        return frozenset(found)

    def former(self, topic: str) -> Former | None:
        """Return the last contract of a topic that today's rules can read; None if there is none."""
        head = self._newest(topic)
        if head is None or head.spec is None:
            return None
        record = _record(self._last_text(head.files["value"])) if head.of_record else ""
        names = {role: head.name_of(role, record) for role in head.files}
        versions = self.versions(list(names.values()))
        subjects: dict[str, Subject] = {}
        for role, path in head.files.items():
            texts = versions[names[role]]
            newest = None
            while texts and (newest := texts[-1].parsed()) is None:
                texts.pop()
            if newest is None:
                return None
            where = posixpath.join(self.shown, path)
            subjects[role] = Subject(names[role], role, where, texts[-1].text, newest.schema)
        file = posixpath.join(self.shown, head.path)
        contract = Contract(head.contract, file, head.spec, subjects.get("key"), subjects["value"])
        return Former(contract, versions, versions[names["value"]][-1].label)

    def _last_text(self, path: str) -> str:
        """The last text that a file had; empty if it never was there."""
        blobs = [blob for _, changed in self._steps if (blob := changed.get(path))]
        return self._texts(blobs[-1:])[blobs[-1]] if blobs else ""

    # -- commits -----------------------------------------------------------------------------------------------------

    @cached_property
    def _steps(self) -> list[tuple[Commit, dict[str, str]]]:
        return list(file_history.read(self.repository, self.commit, self.below))

    @cached_property
    def _head_texts(self) -> list[tuple[Commit, dict[str, str]]]:
        """For each step, the contract files that it changed: path -> text; empty for a removed file."""
        by_step = [{path: blob for path, blob in changed.items() if is_head(path)} for _, changed in self._steps]
        texts = self._texts({blob for files in by_step for blob in files.values() if blob})
        return [
            (commit, {path: texts[blob] if blob else "" for path, blob in files.items()})
            for (commit, _), files in zip(self._steps, by_step, strict=True)
        ]

    def _heads(self, wanted: Callable[[str], bool]) -> Iterator[tuple[Commit, dict[str, _Head | None]]]:
        """For each step, the contract files that it changed, by path; None for one that is removed, broken, or not
        `wanted` by its text."""
        for commit, files in self._head_texts:
            yield (
                commit,
                {
                    path: _head(text, path, posixpath.join(self.shown, path), self.defaults)
                    if text and wanted(text)
                    else None
                    for path, text in files.items()
                },
            )

    def _newest(self, topic: str) -> _Head | None:
        """The last contract file of a topic, if possible one that today's rules accept."""
        told = self._heads(lambda text: may_have([topic], text))
        heads = [head for _, files in told for head in files.values() if head and head.topic == topic]
        return sorted(heads, key=lambda head: head.spec is not None)[-1] if heads else None

    def _moments(
        self, names: Collection[str], types: Collection[str]
    ) -> Iterator[tuple[Commit, list[_Seen], Mapping[str, str]]]:
        """Each commit that concerns these subjects, with those subjects, and path -> blob of the `types`."""
        told_by_step = list(self._heads(_mention(names, self.defaults)))
        records = self._records(head for _, told in told_by_step for head in told.values() if head)
        files: dict[str, str] = {}
        heads: dict[str, _Head] = {}  # by path
        owners: dict[str, tuple[str, _Head]] = {}  # subject -> path
        own: dict[str, list[str]] = {}  # path -> subjects
        others: dict[str, str] = {}
        for (commit, changed), (_, told) in zip(self._steps, told_by_step, strict=True):
            files |= changed
            for path in [path for path, blob in changed.items() if not blob]:
                del files[path]
            touched: set[str] = set()
            if told or not records.keys().isdisjoint(changed.values()):
                heads |= {path: head for path, head in told.items() if head}
                heads = {path: head for path, head in heads.items() if told.get(path, head)}
                named = {head_path: _subjects(head, files, records) for head_path, head in heads.items()}
                touched = {name for path in told if path in named for name in named[path]}
                owners = {name: (path, heads[at]) for at, each in named.items() for name, path in each.items()}
                own = {}
                for name, (path, _) in owners.items():
                    own.setdefault(path, []).append(name)
            if types and (told or not changed.keys().isdisjoint(types)):
                # A shared type wins over one that a contract lends.
                paths = sorted((path for path in files if path in types), key=lambda path: (path in own, path))
                now = {path: files[path] for path in paths}
                if now != others:
                    others, touched = now, set(names)
            touched |= {name for path in changed for name in own.get(path, ())}
            seen = [
                _Seen(name, path, files[path], head)
                for name in touched.intersection(names)
                if name in owners
                for path, head in [owners[name]]
                if path in files
            ]
            if seen:
                yield commit, seen, others

    def _records(self, heads: Iterable[_Head]) -> dict[str, str]:
        """The full names of records that are subjects, by the blobs of their files."""
        paths = {head.files["value"] for head in heads if head.of_record}
        blobs = {blob for _, changed in self._steps for path, blob in changed.items() if blob and path in paths}
        return {blob: _record(text) for blob, text in self._texts(blobs).items()}

    def _texts(self, blobs: Collection[str]) -> dict[str, str]:
        return {blob: data.decode("utf-8", "replace") for blob, data in self.repository.blobs(blobs).items()}


def _mention(names: Collection[str], defaults: Iterable[tuple[str, str]]) -> Callable[[str], bool]:
    """Whether the text of a contract file may have one of these subjects; never wrongly not."""
    if len(names) > _FEW or any(_BY_RECORD in value for _, value in defaults):
        return lambda text: True
    return lambda text: _BY_RECORD in text or may_have(names, text)


def _subjects(head: _Head, files: Mapping[str, str], records: Mapping[str, str]) -> dict[str, str]:
    """Name -> path."""
    record = records.get(files.get(head.files["value"], ""), "") if head.of_record else ""
    return {name: path for role, path in head.files.items() if (name := head.name_of(role, record))}


def _record(text: str) -> str:
    """The full name of the type that a schema is; empty if it has none."""
    found = outline.outline(text)
    if found is None:
        return ""
    return found.name or next((written for (_, written), at in found.used.items() if at == ()), "")


def _foreign(text: str) -> set[str]:
    """The names, as their namespace completes them and as written, that a schema uses and does not define."""
    parts = outline.parts(text) or ()
    return {name for one in parts for both in one.used if one.defined.isdisjoint(both) for name in both}


def _head(text: str, path: str, where: str, defaults: frozenset[tuple[str, str]]) -> _Head | None:
    """Parse a contract file as leniently as all history; None if it names no topic."""
    spec: ContractSpec | None = None
    try:
        spec = parse_spec(text, where, defaults)
        topic, named = spec.topic, {"key": spec.key, "value": spec.value}
    except ConfigurationError:
        names = names_in(text, path)
        if names is None:
            return None
        topic, named = names.topic, {"key": names.key, "value": names.value}
    roles: tuple[Role, ...] = ("key", "value")
    files = {role: beside(posixpath.dirname(path), file) for role in roles if (file := named[role])}
    return _Head(path, topic, files, spec)
