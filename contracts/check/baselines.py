"""Earlier states to compare with: in git, in a folder, in the registry.

Each source has the baseline itself, and the histories of the subjects that need one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.choices import Compatibility
from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.catalog.folder import is_head, read_folder
from avro_data_contracts.contracts.catalog.loading import Catalog, Fault, Loaded
from avro_data_contracts.contracts.catalog.predecessors import predecessors
from avro_data_contracts.contracts.check import states
from avro_data_contracts.contracts.check.comparison import Histories
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.check.states import FolderState, GitState, Part, State
from avro_data_contracts.contracts.compat.levels import LEVELS
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.history.timeline import Former, Timeline, Version
from avro_data_contracts.contracts.registry.parallel import each
from avro_data_contracts.contracts.registry.registered import RegisteredSchema, comparable
from avro_data_contracts.contracts.settings import Settings

if TYPE_CHECKING:
    from avro_data_contracts.contracts.registry.snapshot import Snapshot


class Source(Protocol):
    """A place from which a baseline comes."""

    def baseline(self, part: Part, current: Catalog) -> Baseline:
        """The contracts of a part as they were before.  `current`: as they are now."""

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        """Earlier versions of these subjects of the baseline; `current` has the levels that now apply."""


class FolderSource:
    """Contracts in another folder, e.g. in a second clone."""

    def __init__(self, state: FolderState) -> None:
        self.state = state

    def baseline(self, part: Part, current: Catalog) -> Baseline:
        found = _read(part, self.state)
        return Baseline(self.state.label, _by_subject(found.catalog), unread=found.faults, was_empty=part.was_empty)

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        return {name: (Earlier(self.state.label, subject.schema),) for name, (_, subject) in wanted.items()}


class GitSource:
    """Contracts at a commit, and their versions before it, by first parents.

    A topic without a contract at the commit, but with one at an earlier commit, counts as it was last: the registry
    knows its subject.
    """

    def __init__(self, state: GitState) -> None:
        self.state = state
        self.repository = state.repository
        self._former: dict[str, Former] = {}  # by topic

    def baseline(self, part: Part, current: Catalog) -> Baseline:
        found = _read(part, self.state)
        contracts = dict(_by_subject(found.catalog))
        empty = self.state.told_elsewhere() if part.was_empty else ""
        topics = {one.topic for one in contracts.values()}
        missing = [one.topic for one in current.contracts.values() if one.topic not in topics]
        broken = {topic: name for name, topic in found.broken.items() if topic}
        for topic in dict.fromkeys([*missing, *broken]):
            if former := self._timeline.former(topic):
                self._former[topic] = former
                contracts[f"{topic} {former.contract.value.name}"] = former.contract
                if former.contract.name in found.broken:
                    broken[topic] = former.contract.name
        return Baseline(
            self.state.label,
            MappingProxyType(contracts),
            empty=empty,
            was_empty=part.was_empty,
            back=frozenset(self._former.keys() - broken.keys()),
            unread=found.faults,
            instead={name: self._former[topic].label for topic, name in broken.items() if topic in self._former},
            elsewhere=part.elsewhere,
        )

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        before = predecessors((old for old, _ in wanted.values()), current.contracts.values())
        new = {old.name: current.contracts[name] for name, old in before.items()}
        newest: dict[str, Earlier] = {}
        earlier: dict[str, list[Version]] = {}
        whole: list[str] = []
        for name, (old, subject) in wanted.items():
            newest[name] = Earlier(self.state.name, subject.schema, old.sinks)
            both = [one for one in (old, new.get(old.name)) if one]
            transitive = any(LEVELS[one.compatibility.value].transitive for one in both)
            if transitive and self.repository.is_shallow:
                raise ConfigurationError(
                    "a transitive level needs the whole history, but this clone is shallow",
                    where=str(self.repository.top),
                    fix="run: git fetch --unshallow origin",
                )
            if former := self._former.get(old.topic):
                earlier[name] = former.versions.get(name, [])
            elif transitive or (subject.role == "value" and any(one.sinks for one in both)):
                whole.append(name)
        if whole:
            earlier |= self._timeline.versions(whole)
        for name, versions in earlier.items():
            if versions:
                # The last version is the baseline's own.  It also has the tables that this text had before.
                own, base = versions.pop(), newest[name]
                sinks = (own.sinks or {}) | {(one.kind, one.qualified): one for one in base.sinks or ()}
                label = own.label if wanted[name][0].topic in self._former else base.label
                newest[name] = Earlier(label, base.schema, tuple(sinks.values()))
        return _Parsed(newest, earlier)

    @cached_property
    def _timeline(self) -> Timeline:
        state = self.state
        return Timeline(state.repository, state.commit, state.below, state.shown, state.project.defaults)


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

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.registry = snapshot.registry

    @property
    def label(self) -> str:
        return f"the registry {self.registry.url}"

    def baseline(self, part: Part, current: Catalog) -> Baseline:
        found = each(self._contract, current.contracts.values(), self.registry.parallel)
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


def _read(part: Part, state: State) -> Loaded:
    """As `loading.read`, but a baseline may have no contracts."""
    if not any(map(is_head, part.before.texts)):
        return Loaded(Catalog(state.shown, MappingProxyType({}), ()), tuple(map(Fault, part.before.faults)))
    return loading.read(part.before, state.shown, stored=True)


def _by_subject(found: Catalog) -> Mapping[str, Contract]:
    # Contracts of several topics may have one subject (RecordName).
    return MappingProxyType({f"{one.topic} {one.value.name}": one for one in found.contracts.values()})


def source(state: GitState | FolderState | None, settings: Callable[[], Settings]) -> Source:
    """The source of the contracts of a state; None: those of the registry, which `settings` name."""
    if state is None:
        # Loads an HTTP client.
        from avro_data_contracts.contracts.registry.client import Registry
        from avro_data_contracts.contracts.registry.snapshot import Snapshot

        return RegistrySource(Snapshot(Registry.from_settings(settings())))
    return GitSource(state) if isinstance(state, GitState) else FolderSource(state)


def whole(
    against: str | None, folder: Path, current: Catalog, settings: Callable[[], Settings]
) -> tuple[Source, Baseline]:
    """The source that `--against` names, and all contracts of it.  `current`: all contracts in the folder now."""
    now = read_folder(folder)
    state = states.state(against, folder, now.texts)
    found = source(state, settings)
    return found, found.baseline(states.whole(now, state), current).whole()
