"""Earlier states to compare with: in git, in a folder, in the registry.

Each source has the baseline itself, and the histories of the subjects that need one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Compatibility, Contract, Subject
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.catalog.folder import CONTRACT_FILE, Folder, is_contract_file, is_head, read_folder
from avro_data_contracts.contracts.catalog.loading import Catalog, Fault, Loaded
from avro_data_contracts.contracts.catalog.predecessors import predecessors
from avro_data_contracts.contracts.check.comparison import Histories
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.compat.levels import LEVELS
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.history import files as file_history
from avro_data_contracts.contracts.history.git import Commit, Repository
from avro_data_contracts.contracts.history.timeline import Former, Timeline, Version, history_name
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.project import Project
from avro_data_contracts.contracts.registry.parallel import each
from avro_data_contracts.contracts.registry.registered import RegisteredSchema, comparable
from avro_data_contracts.contracts.settings import Settings

if TYPE_CHECKING:
    from avro_data_contracts.contracts.registry.snapshot import Snapshot


class Source(Protocol):
    """A place from which a baseline comes."""

    def baseline(self) -> Baseline:
        """The contracts as they were before."""

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        """Earlier versions of these subjects of the baseline; `current` has the levels that now apply."""


class FolderSource:
    """Contracts in another folder, e.g. in a second clone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def baseline(self) -> Baseline:
        found = _read(read_folder(self.folder), str(self.folder))
        return Baseline(str(self.folder), _by_subject(found.catalog), unread=found.faults)

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        return {name: (Earlier(str(self.folder), subject.schema),) for name, (_, subject) in wanted.items()}


class GitSource:
    """Contracts at a commit, and their versions before it, by first parents.

    A topic without a contract at the commit, but with one at an earlier commit, counts as it was last: the registry
    knows its subject.

    Args:
        label: the name of the commit in messages.
        is_merge_base: the commit is where HEAD branched off `label`.
        below: the folder of the contracts at the commit; None: the same as now, or where they were moved from.
    """

    def __init__(
        self,
        repository: Repository,
        folder: Path,
        commit: Commit,
        label: str,
        current: Catalog,
        below: str | None = None,
        *,
        is_merge_base: bool = False,
    ) -> None:
        self.repository = repository
        self.folder = folder
        self.commit = commit
        self.name = label
        self.is_merge_base = is_merge_base
        self.current = current
        self._below = below
        self._former: dict[str, Former] = {}  # by topic

    @classmethod
    def of(cls, folder: Path, ref: str | None, current: Catalog) -> GitSource:
        """At `ref`, or at `REF:DIR` if the folder had another name; None: where HEAD branched off the default branch
        of origin."""
        repository = Repository(folder)
        if ref is not None:
            name, colon, path = ref.partition(":")
            commit = repository.commit(name)
            label = _label(name, commit) + (f" in {path}" if path else "")
            return cls(repository, folder, commit, label, current, path.strip("/") if colon else None)
        base = repository.default_base()
        commit = repository.merge_base(base)
        return cls(repository, folder, commit, f"{base} ({commit.short})", current, is_merge_base=True)

    @property
    def label(self) -> str:
        """The name of the commit, and how it was found."""
        return f"the merge base with {self.name}" if self.is_merge_base else self.name

    @cached_property
    def below(self) -> str:
        """The folder of the contracts at the commit, from the top of the repository.

        Raises:
            ConfigurationError: the folder in `--against` has no contracts, or the folder had another name that
                cannot be found out.
        """
        if self._below is not None:
            if not self._has_contracts(self._below):
                raise ConfigurationError(
                    f"{self.label} has no {CONTRACT_FILE}{self._told_elsewhere()}",
                    where="--against",
                    fix="name a folder that has contracts: --against REF:DIR",
                )
            return self._below
        here = self.repository.relative(self.folder)
        if self._has_contracts(here):
            return here
        before = self.repository.files(self.commit, "", is_head)
        gone = sorted(path for path in before if not (self.repository.top / path).exists())
        root = PurePosixPath(self.current.root)
        present = {PurePosixPath(one.file).relative_to(root).as_posix() for one in self.current.contracts.values()}
        roots = file_history.moved_from(gone, present)
        if len(roots) == 1:
            self.name += f" in {roots[0] or 'its top folder'}"
            return roots[0]
        if gone:
            raise ConfigurationError(
                f"{self.label} has no contracts in {self.folder}, but has others that are gone now: {few(gone)}",
                where="--against",
                fix="name the folder they were in: --against REF:DIR; or use --against registry",
            )
        return here

    def baseline(self) -> Baseline:
        outside: list[ConfigurationError] = []
        files = self.repository.files(self.commit, self.below, is_contract_file, outside.append)
        found = _read(self._texts(files, outside), self.shown)
        contracts = dict(_by_subject(found.catalog))
        empty = "" if contracts else self._told_elsewhere()
        topics = {one.topic for one in contracts.values()}
        missing = [one.topic for one in self.current.contracts.values() if one.topic not in topics]
        broken = {topic: name for name, topic in found.broken.items() if topic}
        for topic in dict.fromkeys([*missing, *broken]):
            if former := self._timeline.former(topic):
                self._former[topic] = former
                contracts[f"{topic} {former.contract.value.name}"] = former.contract
                if former.contract.name in found.broken:
                    broken[topic] = former.contract.name
        return Baseline(
            self.label,
            MappingProxyType(contracts),
            empty=empty,
            back=frozenset(self._former.keys() - broken.keys()),
            unread=found.faults,
            instead={name: self._former[topic].label for topic, name in broken.items() if topic in self._former},
            elsewhere=tuple(
                PurePosixPath(self.shown, PurePosixPath(path).relative_to(self.below)).as_posix()
                for path in self.repository.submodules(self.commit, self.below)
            ),
        )

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        before = predecessors((old for old, _ in wanted.values()), current.contracts.values())
        new = {old.name: current.contracts[name] for name, old in before.items()}
        newest: dict[str, Earlier] = {}
        earlier: dict[str, list[Version]] = {}
        whole: dict[str, str] = {}
        for name, (old, subject) in wanted.items():
            newest[name] = Earlier(self.name, subject.schema, old.sinks)
            both = [one for one in (old, new.get(old.name)) if one]
            transitive = any(LEVELS[one.compatibility.value].transitive for one in both)
            if transitive and self.repository.is_shallow:
                raise ConfigurationError(
                    "a transitive level needs the whole history, but this clone is shallow",
                    where=str(self.repository.top),
                    fix="run: git fetch --unshallow origin",
                )
            if former := self._former.get(old.topic):
                earlier[name] = former.versions.get(history_name(old, subject), [])
            elif transitive or (subject.role == "value" and any(one.sinks for one in both)):
                whole[name] = history_name(old, subject)
        if whole:
            found = self._timeline.versions(whole.values())
            earlier |= {name: found[known] for name, known in whole.items()}
        for name, versions in earlier.items():
            if versions:
                # The last version is the baseline's own.  It also has the tables that this text had before.
                own, base = versions.pop(), newest[name]
                sinks = (own.sinks or {}) | {(one.kind, one.qualified): one for one in base.sinks or ()}
                label = own.label if wanted[name][0].topic in self._former else base.label
                newest[name] = Earlier(label, base.schema, tuple(sinks.values()))
        return _Parsed(newest, earlier)

    @cached_property
    def shown(self) -> str:
        """The name in messages of the folder at the commit."""
        if self.below == self.repository.relative(self.folder):
            return self.folder.as_posix()
        return Path(os.path.relpath(self.repository.top / self.below)).as_posix()

    @cached_property
    def _timeline(self) -> Timeline:
        root, current = PurePosixPath(self.current.root), self.current
        own = {one.file for contract in current.contracts.values() for one in contract.subjects}
        lent = [PurePosixPath(one.file).relative_to(root).as_posix() for one in current.types if one.file in own]
        return Timeline(self.repository, self.commit, self.below, self.shown, self._defaults, lent)

    @cached_property
    def _project(self) -> Project:
        return project.find(self.folder)

    @cached_property
    def _defaults(self) -> Mapping[str, str]:
        """What `contracts.toml` said at the commit: the nearest one around the folder.

        Of one that cannot be read, what it says now, so that a change can repair it.
        """
        below = PurePosixPath(self.below or ".")
        for path in (str(PurePosixPath(one, project.FILE)) for one in (below, *below.parents)):
            if data := self.repository.text(self.commit, path):
                try:
                    return project.parse(data, Path(f"{path} of {self.commit.short}")).defaults
                except ConfigurationError:
                    return self._project.defaults
        return {}

    def _has_contracts(self, below: str) -> bool:
        return bool(self.repository.files(self.commit, below, is_head))

    def _told_elsewhere(self) -> str:
        """The contracts in other folders, in words."""
        found = sorted(self.repository.files(self.commit, "", is_head))
        return f"; it has {few(found)}" if found else ""

    def _texts(self, files: Mapping[str, str], outside: Iterable[ConfigurationError]) -> Folder:
        """The files as they were.  `outside`: errors of links out of the repository, by the path from its top."""
        prefix = f"{self.below}/" if self.below else ""
        inside = {path[len(prefix) :]: blob for path, blob in sorted(files.items())}
        wanted = {path: blob for path, blob in inside.items() if not self._project.ignores(self.folder / path)}
        blobs = self.repository.blobs(wanted.values())
        shown = {one: PurePosixPath(self.shown, one.file[len(prefix) :]).as_posix() for one in outside}
        found, faults = {}, [ConfigurationError(one.what, file=file, fix=one.fix) for one, file in shown.items()]
        for path, blob in wanted.items():
            try:
                found[path] = blobs[blob].decode("utf-8")
            except UnicodeDecodeError:
                faults.append(
                    ConfigurationError("the file is not UTF-8", file=PurePosixPath(self.shown, path).as_posix())
                )
        return Folder(found, faults=tuple(faults), defaults=self._defaults)


class _Parsed(Mapping[str, tuple[Earlier, ...]]):
    """Histories, each parsed on request: all histories of a large repository at once would fill the memory."""

    def __init__(self, newest: Mapping[str, Earlier], earlier: Mapping[str, list[Version]]) -> None:
        self._newest = newest
        self._earlier = earlier

    def __getitem__(self, name: str) -> tuple[Earlier, ...]:
        newest = self._newest[name]
        return (*(one for text in self._earlier.get(name, ()) if (one := text.parsed())), newest)

    def __iter__(self) -> Iterator[str]:
        return iter(self._newest)

    def __len__(self) -> int:
        return len(self._newest)


class RegistrySource:
    """The newest versions in the registry, and every version of the subjects that changed."""

    def __init__(self, snapshot: Snapshot, current: Catalog) -> None:
        self.snapshot = snapshot
        self.registry = snapshot.registry
        self.current = current

    @property
    def label(self) -> str:
        return f"the registry {self.registry.url}"

    def baseline(self) -> Baseline:
        found = each(self._contract, self.current.contracts.values(), self.registry.parallel)
        contracts = _by_subject(Catalog(self.label, {one.name: one for one in found if one is not None}, ()))
        return Baseline(self.label, contracts, complete=False)

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        """Of a subject with a `compatibilityGroup`, versions of other groups count for tables only."""
        numbers = each(self.registry.versions, wanted, self.registry.parallel)
        asked = [(name, number) for name, listed in zip(wanted, numbers, strict=True) for number in listed]
        found = each(lambda one: self.registry.version(*one), asked, self.registry.parallel)
        kept: dict[str, list[RegisteredSchema]] = {}
        for (name, _), version in zip(asked, found, strict=True):
            if version is not None:
                kept.setdefault(name, []).append(version)
        return {name: self._earlier(name, versions) for name, versions in kept.items()}

    def _contract(self, contract: Contract) -> Contract | None:
        """The contract as the registry has it; None if the registry has neither its key nor its value."""
        key = self._newest(contract.key) if contract.key else None
        value = self._newest(contract.value)
        if value is None and key is None:
            return None
        name = contract.value.name
        level = self.snapshot.config(name).level or self.snapshot.global_config().level
        spec = contract.spec
        if level is not None and level in LEVELS:
            spec = spec.model_copy(update={"compatibility": Compatibility(level)})
        return replace(contract, spec=spec, key=key or contract.key, value=value or contract.value)

    def _newest(self, subject: Subject) -> Subject | None:
        """The subject with the newest version in the registry; itself if that is the repository's."""
        newest = self.snapshot.newest(subject.name)
        if newest is None:
            return None
        schema = self.snapshot.parse(newest)
        if self.snapshot.same(schema, subject.schema):
            return subject
        return replace(subject, schema=schema, text="", types=())

    def _earlier(self, name: str, versions: Sequence[RegisteredSchema]) -> tuple[Earlier, ...]:
        compared = {one.version for one in comparable(versions, self.snapshot.group(name))}
        return tuple(
            Earlier(f"version {one.version}", self.snapshot.parse(one), compared=one.version in compared)
            for one in versions
        )


def _read(files: Folder, root: str) -> Loaded:
    """As `loading.read`, but a baseline may have no contracts."""
    if not any(map(is_head, files.texts)):
        return Loaded(Catalog(root, MappingProxyType({}), ()), tuple(map(Fault, files.faults)))
    return loading.read(files, root, stored=True)


def _by_subject(found: Catalog) -> Mapping[str, Contract]:
    # Contracts of several topics may have one subject (RecordName).
    return MappingProxyType({f"{one.topic} {one.value.name}": one for one in found.contracts.values()})


def _label(ref: str, commit: Commit) -> str:
    return ref if commit.sha.startswith(ref) else f"{ref} ({commit.short})"


def source(against: str | None, folder: Path, current: Catalog, settings: Settings) -> Source:
    """The source that `--against` names: `registry`, a folder, a git ref, or `REF:DIR`.

    Raises:
        ConfigurationError: both a folder and a ref have that name, or it names nothing to compare with.
    """
    if against == "registry":
        from avro_data_contracts.contracts.registry.client import (
            Registry,  # loads an HTTP client: only where it is needed
        )
        from avro_data_contracts.contracts.registry.snapshot import Snapshot

        return RegistrySource(Snapshot(Registry.from_settings(settings)), current)
    if against is None:
        return GitSource.of(folder, None, current)
    if not against.strip():
        raise ConfigurationError(
            "the value is empty, so there is nothing to compare with",
            where="--against",
            fix="name a git ref, a folder, or registry",
        )
    other = Path(against)
    if not other.is_dir():
        return GitSource.of(folder, against, current)
    if ref := _ref_of(folder, against):
        raise ConfigurationError(
            f"{against} is both a folder and a git ref",
            where="--against",
            fix=f"choose one: ./{against} or {ref}",
        )
    if folder.resolve().is_relative_to(other.resolve()):
        raise ConfigurationError(
            f"{against} contains {folder} itself, so there is nothing to compare with",
            where="--against",
            fix="name a git ref, another folder, or registry",
        )
    return FolderSource(other)


def _ref_of(folder: Path, name: str) -> str:
    """The full name of the ref; empty if there is no such ref, or no git repository."""
    try:
        return Repository(folder).names(name)
    except ConfigurationError:
        return ""
