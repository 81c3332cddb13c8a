"""Reads the actual state of the registry and the cluster: asks each question once, and many at a time."""

from __future__ import annotations

from collections.abc import Mapping

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.avro.writing import normalised
from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import InvalidSchema
from avro_data_contracts.contracts.registry import plan, tags
from avro_data_contracts.contracts.registry.client import MOST_LISTED, Registry
from avro_data_contracts.contracts.registry.parallel import each
from avro_data_contracts.contracts.registry.plan import Actual, SubjectState
from avro_data_contracts.contracts.registry.registered import RegisteredSchema, comparable, metadata_in_words
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.contracts.registry.topics import Topics

READWRITE = "READWRITE"


def read(registry: Registry, topics: Topics, desired: Catalog) -> Actual:
    """Read the actual state of everything that `desired` names.  Raises ServiceError.

    A subject whose newest version is the repository's schema needs two requests: for that version and its settings.
    """
    return _Reading(registry, topics, desired).read()


class _Reading:
    def __init__(self, registry: Registry, topics: Topics, desired: Catalog) -> None:
        self.registry = registry
        self.topics = topics
        self.desired = desired
        self.snapshot = Snapshot(registry)
        self.owners: Mapping[str, Contract] = {
            subject.name: contract for contract in desired.contracts.values() for subject in contract.subjects
        }

    def read(self) -> Actual:
        subjects = dict(
            zip(
                (subject.name for subject in self.desired.subjects),
                each(self._subject, self.desired.subjects, self.registry.parallel),
                strict=True,
            )
        )
        extra = self._extra()
        inherits = any(state.versions and state.level is None for state in subjects.values())
        global_level = self.snapshot.global_config().level if inherits else None
        topics = self.topics.read(plan.topic_names(self.desired))
        return Actual(subjects, topics, extra, global_level, self._modes(subjects, extra))

    def _extra(self) -> dict[str, tuple[int, ...]]:
        """The versions of subjects that the repository owns but does not declare."""
        owned = plan.undeclared(self.desired)
        if not owned:
            return {}
        listed = self.registry.subjects()
        if len(listed) != MOST_LISTED:  # otherwise there may be more
            owned = [name for name in owned if name in set(listed)]
        found = each(self.registry.versions, owned, self.registry.parallel)
        return {name: tuple(versions) for name, versions in zip(owned, found, strict=True) if versions}

    def _modes(self, subjects: Mapping[str, SubjectState], extra: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
        """The modes of what will be written; when nothing will be written, the registry is not asked."""
        wanted = [name for name, state in subjects.items() if state.found is None or self._level_differs(name, state)]
        wanted += extra
        if not wanted:
            return {}
        found = dict(zip(wanted, each(self.registry.mode, wanted, self.registry.parallel), strict=True))
        if not all(found.values()):
            everywhere = self.registry.mode()
            found = {name: mode or everywhere for name, mode in found.items()}
        return {name: mode for name, mode in found.items() if mode not in ("", READWRITE)}

    def _level_differs(self, name: str, state: SubjectState) -> bool:
        owner = self.owners.get(name)
        return owner is not None and state.level != owner.compatibility.value

    def _subject(self, subject: Subject) -> SubjectState:
        name = subject.name
        level = self.snapshot.config(name).level
        newest = self.snapshot.newest(name)
        if newest is None:
            return SubjectState(level, last=max(self.registry.versions(name, deleted=True), default=0))
        metadata = metadata_in_words(newest.metadata)
        found = self.snapshot.find(subject)
        if found is not None and found.version == newest.version:
            return SubjectState(
                level, (found.version,), found.version, self._is_exact(found, subject), metadata=metadata
            )
        versions = tuple(self.registry.versions(name))
        lost = self._lost_tags(newest, subject)
        if found is not None:
            exact = self._is_exact(found, subject)
            return SubjectState(level, versions, found.version, exact, lost_tags=lost, metadata=metadata)
        return SubjectState(
            level,
            versions,
            references_differ=self._is_same(newest, subject),
            history=self._history(name, versions) if self._approves(name) else (),
            last=max(self.registry.versions(name, deleted=True), default=0),
            lost_tags=lost,
            metadata=metadata,
        )

    def _approves(self, name: str) -> bool:
        owner = self.owners.get(name)
        return owner is not None and bool(owner.spec.approvals)

    def _is_exact(self, found: RegisteredSchema, subject: Subject) -> bool:
        return self.snapshot.same(self.snapshot.parse(found), subject.schema)

    def _is_same(self, newest: RegisteredSchema, subject: Subject) -> bool:
        try:
            return normalised(self.snapshot.parse(newest)) == normalised(subject.schema)
        except InvalidSchema:
            return False  # for example JSON Schema

    def _lost_tags(self, newest: RegisteredSchema, subject: Subject) -> str:
        if self.registry.keeps_tags:
            return ""
        try:
            return tags.told(tags.lost(self.snapshot.parse(newest), subject.schema))
        except InvalidSchema:
            return ""

    def _history(self, subject: str, versions: tuple[int, ...]) -> tuple[Schema, ...]:
        """The schemas of the versions that a new one is compared with; empty if one cannot be parsed, because then
        nothing can be said about breaks."""
        found = [self.registry.version(subject, number) for number in versions]
        kept = comparable([one for one in found if one is not None], self.snapshot.group(subject))
        try:
            return tuple(self.snapshot.parse(one) for one in kept)
        except InvalidSchema:
            return ()
