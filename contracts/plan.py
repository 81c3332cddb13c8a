"""Desired and actual state -> one ordered list of steps.  Pure.  It is what is printed, counted and carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import ClassVar

from contracts.catalog import Catalog
from contracts.compatibility import check_schemas
from contracts.contract import ApprovalSpec, Contract, DeadLetterSpec, Subject, TopicSpec
from contracts.nodes import Schema


@dataclass(frozen=True)
class SubjectState:
    """A subject as the registry has it.

    Attributes:
        level: its own compatibility level, None for none.
        versions: its versions, ascending; empty when it does not exist.
        found: the version that holds the schema of the repository, None when none does.
        exact: whether it holds docs and aliases as the repository has them.
        references_differ: where none is found: the newest version is the same but for its references.
        history: the schemas of the versions, where none is found and its contract has approvals; else empty.
        last: the highest version that there ever was, deleted ones included, where none is found: no number is
            given twice.
    """

    level: str | None = None
    versions: tuple[int, ...] = ()
    found: int | None = None
    exact: bool = True
    references_differ: bool = False
    history: tuple[Schema, ...] = ()
    last: int = 0


@dataclass(frozen=True)
class TopicState:
    """A topic as the cluster has it.  `config`: the settings made on the topic itself, not the broker's defaults."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Actual:
    """What the servers have; subjects and topics by name.

    Attributes:
        extra: versions of the subjects that the repository owns and does not declare (see `undeclared`).
        global_level: that of the registry, read only where an existing subject has none of its own.
    """

    subjects: Mapping[str, SubjectState]
    topics: Mapping[str, TopicState | None]
    extra: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    global_level: str | None = None


class Change(StrEnum):
    """What a step makes of the subject's schema, its level or the topic: something new, or what is there another."""

    new = "new"
    changed = "changed"
    deleted = "deleted"


@dataclass(frozen=True)
class SetLevel:
    """The subject's compatibility level becomes `new`."""

    subject: str
    old: str | None
    new: str

    @property
    def change(self) -> Change:
        return Change.changed if self.old else Change.new

    def __str__(self) -> str:
        return f"set level of {self.subject}: {self.old or 'none of its own'} -> {self.new}"


@dataclass(frozen=True)
class ApprovedBreak:
    """What the registry refuses at the contract's level, and contract.yaml approves: all of it.

    Attributes:
        level: the contract's, which the subject has again afterwards.
        approvals: those that cover it.
    """

    level: str
    approvals: tuple[ApprovalSpec, ...]

    def __str__(self) -> str:
        told = "; ".join(
            f"{one.rule}{' at ' + one.path if one.path else ''} until {one.until}: {' '.join(one.reason.split())}"
            for one in self.approvals
        )
        return f"as an approved break of {self.level}, with the level at NONE while it is registered ({told})"


@dataclass(frozen=True)
class RegisterSchema:
    """The repository's schema becomes version `version` of its subject; `exists`: it has others already."""

    subject: Subject
    version: int
    approved: ApprovedBreak | None = None
    exists: bool = False

    @property
    def change(self) -> Change:
        return Change.changed if self.exists else Change.new

    def __str__(self) -> str:
        told = f"register {self.subject.name} version {self.version} from {self.subject.file}"
        return f"{told}, {self.approved}" if self.approved else told


@dataclass(frozen=True)
class CreateTopic:
    """A topic that does not exist."""

    topic: str
    settings: TopicSpec | DeadLetterSpec
    change: ClassVar[Change] = Change.new

    def __str__(self) -> str:
        spec = self.settings
        factor = "the broker's default" if spec.replication_factor == -1 else spec.replication_factor
        config = "".join(f", {key}={value}" for key, value in sorted(spec.config.items()))
        return f"create topic {self.topic}: {spec.partitions} partitions, replication factor {factor}{config}"


@dataclass(frozen=True)
class ConfigureTopic:
    """Settings of an existing topic that differ: name -> (old, new)."""

    topic: str
    changes: Mapping[str, tuple[str | None, str]]
    change: ClassVar[Change] = Change.changed

    def __str__(self) -> str:
        told = ", ".join(f"{key}: {old or 'default'} -> {new}" for key, (old, new) in sorted(self.changes.items()))
        return f"configure topic {self.topic}: {told}"


@dataclass(frozen=True)
class DeleteSubject:
    """A subject of the repository's own that no contract declares any more goes, softly: its ids stay readable."""

    subject: str
    versions: tuple[int, ...]
    change: ClassVar[Change] = Change.deleted

    def __str__(self) -> str:
        word = "version" if len(self.versions) == 1 else "versions"
        return f"delete subject {self.subject}, softly: {word} {', '.join(map(str, self.versions))}"


Step = SetLevel | RegisterSchema | CreateTopic | ConfigureTopic | DeleteSubject


@dataclass(frozen=True)
class Conflict:
    """What no step can bring about.  `key`: the setting of the topic that differs, as contract.yaml calls it."""

    topic: str
    key: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what}: {self.mend}"


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
        steps: in the order in which they are carried out; empty means that nothing is to be changed.
        unchanged: names of subjects and topics that are as the repository wants them.
        notes: what a reader should know although no step comes of it.
        conflicts: what no step can bring about; while there is one, nothing is carried out.
    """

    steps: tuple[Step, ...]
    unchanged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


def make(desired: Catalog, actual: Actual, *, prune: bool = False, today: date | None = None) -> Plan:
    """The plan that makes `actual` as `desired`: references first, then keys and values, then topics.

    Args:
        prune: delete, last of all, the subjects that the repository owns and does not declare.
        today: an approval counts through its last day; None: none counts.
    """
    steps: list[Step] = []
    unchanged: list[str] = []
    notes: list[str] = []
    conflicts: list[Conflict] = []
    for subject, contract in _subjects(desired):
        state = actual.subjects[subject.name]
        new = _subject_steps(subject, contract, state, today)
        steps += new
        if not new:
            unchanged.append(subject.name)
        if not state.exact:
            notes.append(
                f"{subject.name}: version {state.found} has other docs or aliases than the repository, and this "
                "registry takes the two for the same schema; it keeps its own"
            )
        if state.found is not None and state.found != state.versions[-1]:
            notes.append(
                f"{subject.name}: the repository's schema is version {state.found} already, and {state.versions[-1]} "
                "stays the latest one: to revert is a no-op in a schema registry. Change the schema (its doc is "
                "enough) for a new version"
            )
    asked: dict[str, TopicSpec | DeadLetterSpec] = {}
    for contract in desired.contracts.values():
        for name, settings in _topics(contract):
            if name in asked:
                conflicts += _asked_twice(name, asked[name], settings)
                continue
            asked[name] = settings
            state = actual.topics[name]
            if state is None:
                steps.append(CreateTopic(name, settings))
                continue
            conflicts += _topic_conflicts(name, settings, state)
            changes = {
                key: (state.config.get(key), value)
                for key, value in settings.config.items()
                if not same_setting(state.config.get(key), value)
            }
            if changes:
                steps.append(ConfigureTopic(name, changes))
            else:
                unchanged.append(name)
    for name, versions in actual.extra.items():
        if prune:
            steps.append(DeleteSubject(name, versions))
        else:
            notes.append(f"{name} is in the registry, and no contract declares it: `register --prune` deletes it")
    return Plan(tuple(steps), tuple(unchanged), tuple(notes), tuple(conflicts))


def topic_names(desired: Catalog) -> list[str]:
    """Names of all topics that the contracts ask for, dead-letter topics included."""
    return list(dict.fromkeys(name for contract in desired.contracts.values() for name, _ in _topics(contract)))


def same_setting(kept: str | None, wanted: str) -> bool:
    """Whether a topic that has `kept` has what `wanted` asks for: Kafka writes numbers, truth values and lists its
    own way (`0.50` as `0.5`, `compact, delete` as `compact,delete`)."""
    return kept is not None and _as_kafka_writes(kept) == _as_kafka_writes(wanted)


def _as_kafka_writes(value: str) -> tuple[str | int | float, ...]:
    return tuple(_item(item.strip()) for item in value.strip().split(","))


def _item(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.lower() if text.lower() in ("true", "false") else text


def undeclared(desired: Catalog) -> list[str]:
    """Names of the subjects that the repository owns and does not declare.

    It owns what Kafka's clients name after a topic of one of its contracts: `<topic>-key` and `<topic>-value`.  Never
    another: a shared type may be somebody else's too, and a topic without a contract is not known here.
    """
    declared = {subject.name for subject in desired.subjects}
    owned = (f"{contract.topic}-{role}" for contract in desired.contracts.values() for role in ("key", "value"))
    return [name for name in owned if name not in declared]


def _subjects(desired: Catalog) -> list[tuple[Subject, Contract | None]]:
    """Every subject with its contract; a shared type has none of its own."""
    owners = {subject.name: contract for contract in desired.contracts.values() for subject in contract.subjects}
    return [(subject, owners.get(subject.name)) for subject in desired.subjects]


def _subject_steps(
    subject: Subject, contract: Contract | None, state: SubjectState, today: date | None
) -> list[Step]:
    steps: list[Step] = []
    level = contract.compatibility.value if contract else None
    if level is not None and state.level != level:
        steps.append(SetLevel(subject.name, state.level, level))
    if state.found is None:
        version = max((*state.versions, state.last), default=0) + 1
        approved = _approved_break(subject, contract, state.history, today) if contract and today else None
        register = RegisterSchema(subject, version, approved, exists=bool(state.versions))
        # An existing subject gets its level first, so that the new version is judged by it.
        steps = [*steps, register] if state.versions else [register, *steps]
    return steps


def _approved_break(
    subject: Subject, contract: Contract, history: Sequence[Schema], today: date
) -> ApprovedBreak | None:
    """None where the level refuses nothing, and where it refuses anything that is not approved: the registry is to
    say so."""
    level = contract.compatibility.value
    refused = {(one.rule, one.path) for one in check_schemas(subject.schema, history, level)}
    approvals = tuple(
        one
        for one in contract.spec.approvals
        if one.holds(today) and any(one.covers(*each, subject.role) for each in refused)
    )
    if not refused or refused - {(one.rule, one.path) for one in approvals}:
        return None
    return ApprovedBreak(level, approvals)


def _topics(contract: Contract) -> list[tuple[str, TopicSpec | DeadLetterSpec]]:
    return [(contract.topic, contract.spec.kafka), (contract.dead_letter_topic, contract.spec.dead_letter)]


def _asked_twice(name: str, first: TopicSpec | DeadLetterSpec, second: TopicSpec | DeadLetterSpec) -> list[Conflict]:
    """Contracts may share a topic for dead letters, as long as they agree on what it is like."""
    shapes = [(one.partitions, one.replication_factor, one.config) for one in (first, second)]
    if shapes[0] == shapes[1] and isinstance(first, DeadLetterSpec):
        return []
    what = f"two contracts, or topic and dead-letter topic of one, ask for topic {name}, and not for the same"
    return [Conflict(name, "topic", what, "name another `dead_letter.topic`, or give both the same settings")]


def _topic_conflicts(name: str, settings: TopicSpec | DeadLetterSpec, state: TopicState) -> list[Conflict]:
    conflicts = []
    if state.partitions != settings.partitions:
        conflicts.append(
            Conflict(
                name,
                "partitions",
                f"topic {name} has {state.partitions} partitions, the contract says {settings.partitions}",
                "another number moves keys to other partitions and breaks their order. Correct the contract, or use "
                "a new topic",
            )
        )
    if settings.replication_factor not in (-1, state.replication_factor):
        conflicts.append(
            Conflict(
                name,
                "replication_factor",
                f"topic {name} has replication factor {state.replication_factor}, the contract says "
                f"{settings.replication_factor}",
                "correct the contract, or reassign with kafka-reassign-partitions",
            )
        )
    return conflicts
