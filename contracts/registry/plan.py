"""From desired and actual state to one ordered list of steps, which is printed, counted and carried out.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog import sharing
from avro_data_contracts.contracts.catalog.contract import Contract, DeadLetterSpec, Subject, TopicSpec, types_of
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.compat.levels import check_schemas
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.registry import linted
from avro_data_contracts.contracts.registry.steps import (
    ApprovedBreak,
    ConfigureTopic,
    CreateTopic,
    DeleteSubject,
    RegisterSchema,
    SetLevel,
    Step,
    name_of,
)


@dataclass(frozen=True)
class SubjectState:
    """A subject in the registry.

    Attributes:
        level: its own compatibility level, None for none.
        versions: its versions, ascending, or only the newest if that is `found`; empty when it does not exist.
        found: the version with the schema of the repository, None when there is none.
        exact: whether that version has the same docs and aliases as the repository.
        references_differ: whether nothing is found, but the newest version differs only in its references.
        history: the schemas of the versions, if nothing is found and the contract has approvals, or the registry's
            verdict needs them; else empty.
        last: if nothing is found, the highest version that ever existed, even if deleted, because no number is used
            twice.
        lost_tags: in words, the tags of the newest version that the repository's schema lacks, unless the registry is
            asked to keep them.
        metadata: in words, what is stored with the schema of the newest version but in no contract.
        unasked: why the registry could not be asked whether it would refuse the new version; empty if it was, or if
            nobody wanted to know.
        refusals: why it would, in its own words, which may be empty.
    """

    level: str | None = None
    versions: tuple[int, ...] = ()
    found: int | None = None
    exact: bool = True
    references_differ: bool = False
    history: tuple[Schema, ...] = ()
    last: int = 0
    lost_tags: str = ""
    metadata: str = ""
    unasked: str = ""
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class TopicState:
    """A topic in the cluster.  `config`: the settings of the topic itself, without the broker's defaults."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Actual:
    """The state of the servers; subjects and topics by name.

    Attributes:
        extra: versions of the subjects that the repository owns but does not declare (see `undeclared`).
        topics: None if there is no broker to ask.
        global_level: the level of the registry, read only if an existing subject has none of its own.
        modes: the modes of subjects that will be written, if not READWRITE.
    """

    subjects: Mapping[str, SubjectState]
    topics: Mapping[str, TopicState | None] | None
    extra: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    global_level: str | None = None
    modes: Mapping[str, str] = field(default_factory=dict)


#: Modes of a registry or a subject: one forbids writes, the other registrations without an id.
READ_ONLY, IMPORT = ("READONLY", "READONLY_OVERRIDE"), "IMPORT"
KEEP_TAGS = "Copy them into the file, or set SCHEMA_REGISTRY_KEEP_TAGS=true to keep them in the registry"


@dataclass(frozen=True)
class Conflict:
    """A difference that no step can fix.

    Attributes:
        name: the topic or the subject.
        key: the setting of the topic that differs, as in contract.yaml; `mode` for a subject that cannot be written;
            `schema` for one whose new version the registry would refuse, `lint` for one with an error of lint.
    """

    name: str
    key: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}: {self.fix}"


Owners = frozenset[str]


@dataclass(frozen=True)
class Plan:
    """The steps from the actual state to the desired one.

    Attributes:
        steps: in the order in which they are carried out; empty means that nothing will change.
        unchanged: names of subjects and topics that already match the repository.
        notes: what a reader should know, although it needs no step.
        conflicts: differences that no step can fix.
        held: steps of contracts with a conflict; they are not carried out.
        owners: for each of `steps`, the names of the contracts that need it.
    """

    steps: tuple[Step, ...]
    unchanged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    held: tuple[Step, ...] = ()
    owners: tuple[Owners, ...] = ()


def make(
    desired: Catalog,
    actual: Actual,
    *,
    prune: bool = False,
    today: date | None = None,
    among: Catalog | None = None,
    errors: Callable[[], Sequence[Finding]] = tuple,
) -> Plan:
    """Make the plan from `actual` to `desired`: references first, then keys and values, then topics.

    A conflict holds up all steps of its contract, but none of other contracts.

    Args:
        prune: finally delete the subjects that the repository owns but does not declare.
        today: an approval applies up to and including its last day; with None, no approval applies.
        among: the whole repository, if `desired` is only a part of it.
        errors: returns those of lint; called only for a new schema.  One that is registered already stays, with all
            of its faults.
    """
    making = _Making(desired, actual, today, errors)
    for subject, contract in _subjects(desired):
        making.add_subject(subject, contract)
    making.add_topics(among or desired)
    for name, versions in actual.extra.items():
        if prune:
            making.add(DeleteSubject(name, versions), making.owners_of_extra(name))
        else:
            making.notes.append(
                f"{name} is in the registry, but no contract declares it: `register --prune` deletes it"
            )
    return making.made()


class _Making:
    """Collects the parts of a plan."""

    def __init__(
        self, desired: Catalog, actual: Actual, today: date | None, errors: Callable[[], Sequence[Finding]]
    ) -> None:
        self.desired = desired
        self.errors = cache(errors)
        self.actual = actual
        self.today = today
        self.steps: list[tuple[Step, Owners]] = []
        self.unchanged: list[str] = []
        self.notes: list[str] = []
        self.conflicts: list[tuple[Conflict, Owners]] = []
        self.users = _users(desired)

    def add(self, step: Step, owners: Owners) -> None:
        self.steps.append((step, owners))
        if isinstance(step, (RegisterSchema, SetLevel, DeleteSubject)):
            name = name_of(step)
            mode = self.actual.modes.get(name)
            # In IMPORT mode, levels can be set and subjects deleted.
            if mode in READ_ONLY or (mode == IMPORT and isinstance(step, RegisterSchema)):
                self.conflicts.append((_mode_conflict(name, mode), owners))

    def owners_of_extra(self, name: str) -> Owners:
        topic = name.rpartition("-")[0]
        return frozenset(one.name for one in self.desired.contracts.values() if one.topic == topic)

    def add_subject(self, subject: Subject, contract: Contract | None) -> None:
        name, state = subject.name, self.actual.subjects[subject.name]
        users = self.users.get(name, frozenset())
        new = _subject_steps(subject, contract, state, self.today)
        for step in new:
            self.add(step, users)
            if isinstance(step, RegisterSchema) and (told := linted.against(subject, contract, self.errors())):
                self.conflicts.append((Conflict(name, "lint", *told), users))
            if isinstance(step, RegisterSchema) and step.approved is None:
                self.conflicts += [(one, users) for one in _refusal(step, contract, state)]
                if state.unasked:
                    self.notes.append(
                        f"{name}: the registry cannot be asked for its verdict, because {state.unasked}"
                        + ("; its versions were compared here" if state.history else "")
                    )
        if not new:
            self.unchanged.append(name)
        if not state.exact:
            self.notes.append(
                f"{name}: version {state.found} has other docs or aliases than the repository, but this "
                "registry treats the two as the same schema, and keeps its own"
            )
        if state.found is not None and state.found != state.versions[-1]:
            self.notes.append(
                f"{name}: the repository's schema is already version {state.found}, but {state.versions[-1]} "
                "stays the latest one, because a schema registry cannot revert. Change the schema (its doc is "
                "enough) to get a new version"
            )
        if state.lost_tags:
            version = next((step.version for step in new if isinstance(step, RegisterSchema)), None)
            lost = f"version {version} will lack" if version else "the repository's schema lacks"
            self.notes.append(
                f"{name}: version {state.versions[-1]} has tags from the registry, and {lost}: {state.lost_tags}. "
                f"{KEEP_TAGS}"
            )

    def add_topics(self, among: Catalog) -> None:
        no_broker = self.actual.topics is None
        here = [one.topic for one in self.desired.contracts.values() if no_broker or one.spec.kafka.external]
        if here:
            why = "KAFKA_BOOTSTRAP_SERVERS is empty" if no_broker else "`kafka: external`"
            self.notes.append(f"topic {few(list(dict.fromkeys(here)))} was not checked ({why})")
        if self.actual.topics is None:
            return
        asked: dict[str, tuple[TopicSpec | DeadLetterSpec, Owners]] = {}
        for contract in among.contracts.values():
            for name, settings in _topics(contract):
                first, owners = asked.get(name, (settings, frozenset()))
                asked[name] = (first, owners | {contract.name})
                if owners:
                    self.conflicts += [(one, asked[name][1]) for one in _asked_twice(name, first, settings)]
        for name in topic_names(self.desired):
            self._add_topic(name, *asked[name])

    def _add_topic(self, name: str, settings: TopicSpec | DeadLetterSpec, owners: Owners) -> None:
        assert self.actual.topics is not None
        state = self.actual.topics[name]
        if state is None:
            self.add(CreateTopic(name, settings), owners)
            return
        self.conflicts += [(one, owners) for one in _topic_conflicts(name, settings, state)]
        changes = {
            key: (state.config.get(key), value)
            for key, value in settings.config.items()
            if not same_setting(state.config.get(key), value)
        }
        if changes:
            self.add(ConfigureTopic(name, changes), owners)
        else:
            self.unchanged.append(name)

    def made(self) -> Plan:
        """A step is held if no contract without a conflict needs it, or if it has a conflict and no contract."""
        here = set(self.desired.contracts)
        conflicts = [(one, owners) for one, owners in self.conflicts if owners & here or not owners]
        stuck = frozenset().union(*(owners for _, owners in conflicts))
        names = {one.name for one, owners in conflicts if not owners}
        goes: list[tuple[Step, Owners]] = []
        held: list[tuple[Step, Owners]] = []
        for step, owners in self.steps:
            is_held = owners <= stuck if owners else name_of(step) in names
            (held if is_held else goes).append((step, owners))
        return Plan(
            tuple(step for step, _ in goes),
            tuple(self.unchanged),
            tuple(self.notes),
            tuple(dict.fromkeys(one for one, _ in conflicts)),
            tuple(step for step, _ in held),
            tuple(owners for _, owners in goes),
        )


def topic_names(desired: Catalog) -> list[str]:
    """Return the names of all topics that the contracts decide about, including dead-letter topics."""
    return list(dict.fromkeys(name for contract in desired.contracts.values() for name, _ in _topics(contract)))


def same_setting(kept: str | None, wanted: str) -> bool:
    """Whether the setting `kept` means the same as `wanted`: Kafka writes numbers, booleans and lists in its own way
    (`0.50` as `0.5`, `compact, delete` as `compact,delete`)."""
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
    """Return the names of the subjects that the repository owns but does not declare.

    It owns the subject that Kafka's clients name after a topic of one of its contracts: `<topic>-key`, if the
    contract does not name another one.  It owns no others: somebody else may use a shared type, or send another
    record into a topic whose subjects are named after records, and a topic without a contract is unknown.
    """
    declared = {subject.name for subject in desired.subjects}
    owned = (f"{one.topic}-key" for one in desired.contracts.values() if one.spec.key_subject is None)
    return [name for name in dict.fromkeys(owned) if name not in declared]


def _users(desired: Catalog) -> dict[str, Owners]:
    """The names of the contracts that need each subject."""
    users: dict[str, set[str]] = {}
    for contract in desired.contracts.values():
        for subject in (*contract.subjects, *types_of(contract.subjects)):
            users.setdefault(subject.name, set()).add(contract.name)
    return {name: frozenset(names) for name, names in users.items()}


def _mode_conflict(name: str, mode: str) -> Conflict:
    return Conflict(
        name,
        "mode",
        f"the registry refuses {name}, because it or the subject is in {mode} mode",
        "have the registry's owner set it to READWRITE (`PUT /mode`), or set SCHEMA_REGISTRY_URL to another one",
    )


def _subjects(desired: Catalog) -> list[tuple[Subject, Contract | None]]:
    """Every subject with its contract; a shared type has none."""
    owners = sharing.owners(desired.contracts)
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
        # An existing subject gets its level first, so that the registry checks the new version at that level.
        steps = [*steps, register] if state.versions else [register, *steps]
    return steps


def _approved_break(
    subject: Subject, contract: Contract, history: Sequence[Schema], today: date
) -> ApprovedBreak | None:
    """None if the level refuses nothing, or if it refuses anything that is not approved: then the registry shall say
    so."""
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


def _refusal(step: RegisterSchema, contract: Contract | None, state: SubjectState) -> Iterator[Conflict]:
    """Why the registry would refuse the step: its own words, or the rules of the level that will hold."""
    level = contract.compatibility.value if contract else state.level
    found = check_schemas(step.subject.schema, state.history, level) if level else ()
    if not state.refusals and not (state.unasked and found):
        return
    words = list(filter(None, state.refusals)) or [*dict.fromkeys(one.message for one in found)]
    name = step.subject.name
    told = f"the registry would refuse version {step.version} of {name}" + (f" at level {level}" if level else "")
    fixes = [*dict.fromkeys(f"{one.path or 'the root'}: {one.fix}" for one in found)]
    fixes.append("`contracts check --against registry` shows where")
    yield Conflict(name, "schema", f"{told}: {'; '.join(words) or 'it gives no reason'}", "; ".join(fixes))


def _topics(contract: Contract) -> list[tuple[str, TopicSpec | DeadLetterSpec]]:
    if contract.spec.kafka.external:
        return []
    return [(contract.topic, contract.spec.kafka), (contract.dead_letter_topic, contract.spec.dead_letter)]


def _asked_twice(name: str, first: TopicSpec | DeadLetterSpec, second: TopicSpec | DeadLetterSpec) -> list[Conflict]:
    """Contracts may share a topic, or a topic for dead letters, if they agree on its settings."""
    shapes = [(one.partitions, one.replication_factor, one.config) for one in (first, second)]
    if shapes[0] == shapes[1] and type(first) is type(second):
        return []
    what = f"two contracts, or the topic and dead-letter topic of one, want different settings for topic {name}"
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
