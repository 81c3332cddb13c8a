"""The history of the contracts of a folder, commit by commit, by subject.

A subject is identified by its name; the contract.yaml of each commit says which file it is in.  So a renamed folder
or file keeps its history, and a contract that was removed and is back has its old one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from avro_data_contracts.contracts.avro import outline, parsing
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

#: Instead of the name of a record, which the contract file does not say.
_RECORD_OF: Final = "the record of "

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
    def subjects(self) -> dict[str, str]:
        """Name -> path."""
        return {self.name_of(role): path for role, path in self.files.items()}

    def name_of(self, role: Role) -> str:
        if self.spec is None:
            return f"{self.topic}-{role}"
        return subject_name(self.spec, role, _instead_of_a_name(self.contract))

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
        lent: the schemas of contracts that other schemas use too.
    """

    def __init__(
        self,
        repository: Repository,
        commit: Commit,
        below: str,
        shown: str,
        defaults: Mapping[str, str],
        lent: Collection[str] = (),
    ) -> None:
        self.repository = repository
        self.commit = commit
        self.below = below
        self.shown = shown
        self.defaults = frozenset(defaults.items())
        self.lent = frozenset(lent)

    def versions(self, names: Collection[str]) -> dict[str, list[Version]]:
        """Return every text that these subjects (see `history_name`) had, oldest first.

        A text that came back is at its last place, so the last text is that of the commit if the subject still
        exists.
        """
        found = self._versions(names, alone=True)
        if any(_uses_others(version.text) for versions in found.values() for version in versions):
            return self._versions(names, alone=False)
        return found

    def _versions(self, names: Collection[str], *, alone: bool) -> dict[str, list[Version]]:
        """`alone`: the texts use no types of other files, so that these do not matter, nor who owns them."""
        moments = list(self._moments(names, alone=alone))
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

    def former(self, topic: str) -> Former | None:
        """Return the last contract of a topic that today's rules can read; None if there is none."""
        head = self._newest(topic)
        if head is None or head.spec is None:
            return None
        versions = self.versions(list(head.subjects))
        subjects: dict[str, Subject] = {}
        for role, path in head.files.items():
            name = head.name_of(role)
            newest = None
            while versions[name] and (newest := versions[name][-1].parsed()) is None:
                versions[name].pop()
            if newest is None:
                return None
            where = posixpath.join(self.shown, path)
            found = Subject("", role, where, versions[name][-1].text, newest.schema)
            subjects[role] = replace(found, name=subject_name(head.spec, role, found.fullname))
        file = posixpath.join(self.shown, head.path)
        contract = Contract(head.contract, file, head.spec, subjects.get("key"), subjects["value"])
        return Former(contract, versions, versions[head.name_of("value")][-1].label)

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

    def _heads(self, wanted: Callable[[str, str], bool]) -> Iterator[tuple[Commit, dict[str, _Head | None]]]:
        """For each step, the contract files that it changed, by path; None for one that is removed, broken, or not
        `wanted` by its path and text."""
        for commit, files in self._head_texts:
            yield (
                commit,
                {
                    path: _head(text, path, posixpath.join(self.shown, path), self.defaults)
                    if text and wanted(path, text)
                    else None
                    for path, text in files.items()
                },
            )

    def _newest(self, topic: str) -> _Head | None:
        """The last contract file of a topic, if possible one that today's rules accept."""
        told = self._heads(lambda path, text: may_have([topic], text))
        heads = [head for _, files in told for head in files.values() if head and head.topic == topic]
        return sorted(heads, key=lambda head: head.spec is not None)[-1] if heads else None

    def _moments(
        self, names: Collection[str], *, alone: bool
    ) -> Iterator[tuple[Commit, list[_Seen], Mapping[str, str]]]:
        """Each commit that concerns these subjects, with those subjects, and path -> blob of the shared types."""
        told_by_step = self._heads(_mention(names) if alone else lambda path, text: True)
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
            if told:
                heads |= {path: head for path, head in told.items() if head}
                heads = {path: head for path, head in heads.items() if told.get(path, head)}
                touched = {name for head in told.values() if head for name in head.subjects}
                owners = {name: (path, head) for head in heads.values() for name, path in head.subjects.items()}
                own = {}
                for name, (path, _) in owners.items():
                    own.setdefault(path, []).append(name)
            if not alone and (told or not changed.keys() <= own.keys() - self.lent):
                now = {
                    path: blob
                    for path, blob in files.items()
                    if is_schema_file(path) and (path not in own or path in self.lent)
                }
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

    def _texts(self, blobs: Collection[str]) -> dict[str, str]:
        return {blob: data.decode("utf-8", "replace") for blob, data in self.repository.blobs(blobs).items()}


def _mention(names: Collection[str]) -> Callable[[str, str], bool]:
    """Whether a contract file, by its path and text, may have one of these subjects; never wrongly not."""
    contracts = {name.partition(_RECORD_OF)[2] for name in names if _RECORD_OF in name}
    subjects = [name for name in names if _RECORD_OF not in name]
    if len(subjects) > _FEW:
        return lambda path, text: True
    return lambda path, text: contract_name(path) in contracts or may_have(subjects, text)


def _uses_others(text: str) -> bool:
    """Whether a schema may use types of other files."""
    return any(one.defined.isdisjoint(both) for one in outline.parts(text) or () for both in one.used)


def history_name(contract: Contract, subject: Subject) -> str:
    """Return the name of a contract's subject in its history.

    The contract file of an old commit does not say the full name of its record, so a subject that is named after one
    is known by its contract.
    """
    role: Role = "key" if subject.role == "key" else "value"
    return subject_name(contract.spec, role, _instead_of_a_name(contract.name))


def _instead_of_a_name(contract: str) -> str:
    return f"{_RECORD_OF}{contract}"


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
