"""The nouns of a data contract, frozen.

The rest of the project reads `Contract`.  The `…Spec` models are the shape of `contract.yaml`; an unknown key in one
of them is an error (see `spec`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    StringConstraints,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from avro_data_contracts.contracts.avro import connect
from avro_data_contracts.contracts.avro.nodes import Record, Schema
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog import envelope
from avro_data_contracts.contracts.catalog.choices import (
    Compatibility,
    Envelope,
    LintLevel,
    Payload,
    SchemaIdPlace,
    SubjectStrategy,
    Tombstones,
)
from avro_data_contracts.contracts.masks.spec import MaskSpec
from avro_data_contracts.contracts.quality.rules import Rule, RuleSpec
from avro_data_contracts.contracts.sources.known import model_of
from avro_data_contracts.contracts.sources.spec import SourceSpec
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.spec import SinkSpec

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.view import View

# Any of these characters, except `.` and `..`, which Kafka refuses.
TOPIC_NAME: Final = r"^[a-zA-Z0-9._-]*[a-zA-Z0-9_-][a-zA-Z0-9._-]*$|^\.{3,}$"
TopicName = Annotated[str, StringConstraints(pattern=TOPIC_NAME, max_length=249)]
#: As many as Kafka's client library can ask a broker for.
MOST_PARTITIONS, MOST_REPLICAS = 100_000, 10_000


#: How long Kafka keeps dead letters where the contract says nothing: 30 days.
DEAD_LETTERS_STAY_MS: Final = 30 * 86_400_000


class Spec(BaseModel):
    """The base class of everything in `contract.yaml`: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_the_context_of_the_registry(name: str) -> str:
    if name.startswith(":.") and (end := name.find(":", 2)) > 0:
        context, own = name[1:end], name[end + 1 :]
        raise ValueError(
            f"{name} names a context, and a contract does not: write {own!r}, and set SCHEMA_REGISTRY_URL to the URL "
            f"of the context (…/contexts/{context})"
        )
    if not name.isprintable():
        raise ValueError(f"{name!r} has characters that cannot be printed")
    return name


#: A subject as contract.yaml may name it: without a context, which belongs to the registry's URL.
SubjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_in_the_context_of_the_registry)
]


class TopicSpec(Spec):
    """Kafka settings of the topic.  `replication_factor` -1 is the broker's default.

    `external`: somebody else creates the topic and its dead-letter topic, and decides their settings.
    """

    external: bool = False
    partitions: int = Field(1, ge=1, le=MOST_PARTITIONS)
    replication_factor: int = Field(-1, ge=-1, le=MOST_REPLICAS)
    config: dict[str, str] = Field(default_factory=dict)

    @field_validator("config", mode="before")
    @classmethod
    def _as_kafka_writes_it(cls, value: object) -> object:
        return _config_as_kafka_writes_it(value)

    @model_validator(mode="after")
    def _decides_nothing_of_others(self) -> TopicSpec:
        if self.external and (said := self.model_fields_set - {"external"}):
            raise ValueError(f"an external topic has its owner's settings: remove {', '.join(sorted(said))}")
        return self


class DeadLetterSpec(Spec):
    """The topic for records that cannot be stored.  `topic` defaults to `<topic>.dlq`.

    A dead letter has the time at which it was written, so by default it stays 30 days, however old its record is.
    `payload`: whether it has key, value and headers of the record.
    `max_rate`: the share of a day's records, 0 to 1, that may come here before `dlq review` reports a failure.
    """

    topic: TopicName = ""
    partitions: int = Field(1, ge=1, le=MOST_PARTITIONS)
    replication_factor: int = Field(-1, ge=-1, le=MOST_REPLICAS)
    config: dict[str, str] = Field(default_factory=lambda: {"retention.ms": str(DEAD_LETTERS_STAY_MS)})
    payload: Payload = Payload.keep
    max_rate: float = Field(0.01, ge=0, le=1)

    @field_validator("config", mode="before")
    @classmethod
    def _as_kafka_writes_it(cls, value: object) -> object:
        return _config_as_kafka_writes_it(value)


def _config_as_kafka_writes_it(value: object) -> object:
    """Convert numbers, booleans and lists to text; leave anything else for pydantic to refuse."""
    if not isinstance(value, dict):
        return value
    return {key: _setting(item) for key, item in value.items()}


def _setting(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return str(value) if isinstance(value, (int, float)) else value


class _Sinks(Spec):
    @property
    def tables(self) -> tuple[SinkSpec, ...]:
        """The tables, in the order of `STORES`."""
        named = (getattr(self, kind) for kind in STORES)
        return tuple(sink for sink in named if sink is not None)


#: The stores that the stream writes to, each under its name; a contract may name none, one or several.
_stores: dict[str, Any] = {kind: (store.spec | None, None) for kind, store in STORES.items()}
SinksSpec: type[_Sinks] = create_model("SinksSpec", __base__=_Sinks, **_stores)


class ProducerSpec(Spec):
    """How `python -m producers` and `producers.publish` write records; the stream reads both forms."""

    schema_id: SchemaIdPlace = SchemaIdPlace.prefix


class ConsumerSpec(Spec):
    """A consumer of the topic.  `fields`: the paths inside the value that it uses; none means all of them."""

    name: str = Field(min_length=1)
    owner: str = ""
    fields: list[str] = Field(default_factory=list)


class ApprovalSpec(Spec):
    """The approval of a finding of `contracts check`.  `until`: its last day.  `path`: the path of the finding.

    `subject`: the schema whose findings it covers; both cover findings about contract.yaml itself.
    """

    rule: str = Field(min_length=1)
    path: str = ""
    subject: Literal["key", "value"] = "value"
    reason: str = Field(min_length=1)
    until: date

    @field_validator("until", mode="before")
    @classmethod
    def _a_day(cls, value: object) -> object:
        try:
            if type(value) is date:
                return value
            return date.fromisoformat(value if isinstance(value, str) else "")
        except ValueError:
            raise ValueError(f"{value} is not a date: write one like 2026-06-30") from None

    def covers(self, rule: str, path: str, role: str = "") -> bool:
        """Whether it covers such findings.  `role`: `key` or `value`; empty for findings about contract.yaml."""
        return (rule, path) == (self.rule, self.path) and role in ("", self.subject)

    def holds(self, today: date) -> bool:
        """Whether it still applies, up to and including its last day."""
        return today <= self.until


def lint_level(value: object) -> object:
    """`off` without quotes is false in YAML."""
    return LintLevel.off if value is False else value


class LintSpec(Spec):
    """Another severity of a lint rule, and why.  `fields`: only there; none means everywhere."""

    severity: Annotated[LintLevel, BeforeValidator(lint_level)] = LintLevel.off
    fields: list[str] = Field(default_factory=list)
    reason: Annotated[str, StringConstraints(min_length=1)]


def _as_list(value: object) -> object:
    """A reason alone switches the rule off."""
    one = {"reason": value} if isinstance(value, str) else value
    return one if isinstance(one, list) else [one]


class ContractSpec(Spec):
    """`contract.yaml`, as written."""

    topic: TopicName
    owner: str = Field(min_length=1)
    description: str = ""
    compatibility: Compatibility
    key: str | None = None
    key_subject: SubjectName | None = None
    value: str = "value.avsc"
    subject: SubjectName | None = None
    subject_strategy: SubjectStrategy = SubjectStrategy.TopicName
    source: SerializeAsAny[SourceSpec | None] = None
    producer: ProducerSpec = ProducerSpec()
    kafka: TopicSpec = TopicSpec()
    dead_letter: DeadLetterSpec = DeadLetterSpec()
    sinks: SinksSpec = SinksSpec()
    tombstones: Tombstones = Tombstones.reject
    envelope: Envelope | None = None
    rules: list[RuleSpec] = Field(default_factory=list)
    masks: list[MaskSpec] = Field(default_factory=list)
    consumers: list[ConsumerSpec] = Field(default_factory=list)
    lint: dict[str, Annotated[list[LintSpec], BeforeValidator(_as_list)]] = Field(default_factory=dict)
    approvals: list[ApprovalSpec] = Field(default_factory=list)

    @property
    def tables(self) -> tuple[SinkSpec, ...]:
        """The tables that it declares, in the order of `STORES`."""
        return self.sinks.tables

    @field_validator("source", mode="before")
    @classmethod
    def _as_its_source_has_it(cls, value: object) -> object:
        return model_of(value).model_validate(value) if isinstance(value, dict) else value

    @field_validator("kafka", mode="before")
    @classmethod
    def _may_be_one_word(cls, value: object) -> object:
        return {"external": True} if value == "external" else value

    @field_validator("dead_letter")
    @classmethod
    def _is_as_external(cls, value: DeadLetterSpec, info: ValidationInfo) -> DeadLetterSpec:
        said = sorted(value.model_fields_set & {"partitions", "replication_factor", "config"})
        if said and (kafka := info.data.get("kafka")) is not None and kafka.external:
            raise ValueError(f"with `kafka: external`, its owner decides its settings too: remove {', '.join(said)}")
        return value

    @field_validator("tombstones")
    @classmethod
    def _has_a_key(cls, value: Tombstones, info: ValidationInfo) -> Tombstones:
        if value is Tombstones.delete and not info.data.get("key"):
            raise ValueError("delete needs a key schema (key: key.avsc) with the primary key in it")
        return value

    @field_validator("envelope")
    @classmethod
    def _has_the_key_of_its_rows(cls, value: Envelope | None, info: ValidationInfo) -> Envelope | None:
        if value is not None and not info.data.get("key"):
            raise ValueError(f"{value} needs the schema of its key (key: key.avsc): a delete has nothing but the key")
        if value is not None and info.data.get("source") is not None:
            raise ValueError(f"{value} and `source` exclude each other, because the connector sends the records")
        return value


Role = Literal["key", "value", "type"]


@dataclass(frozen=True)
class Subject:
    """A subject of the registry as the repository wants it.

    Attributes:
        name: the subject's name (see `subject_names`); the full name for a shared type.
        role: `key`, `value`, or `type` for a shared named type.
        file: path of the .avsc, relative to the repository where possible.
        text: the file's text.
        schema: the parsed schema, references resolved.
        types: the shared types that it uses directly; each has its own subject.
    """

    name: str
    role: Role
    file: str
    text: str
    schema: Schema
    types: tuple[Subject, ...] = ()

    @property
    def fullname(self) -> str:
        """The full name of the type; empty if it has none."""
        return self.schema.type.fullname if self.schema.type else ""

    @property
    def names(self) -> frozenset[str]:
        """The full name of the type, and its aliases."""
        return frozenset({self.schema.type.fullname, *self.schema.type.aliases} if self.schema.type else ())

    @property
    def record(self) -> Record:
        """The root of the schema, which is a record (`loading` refuses sinks for anything else)."""
        root = self.schema.resolve(self.schema.root)
        assert isinstance(root, Record)
        return root

    @property
    def schema_text(self) -> str:
        """The schema as self-contained Avro JSON, with references inlined."""
        return to_json(self.schema)

    @property
    def registered_text(self) -> str:
        """The text for the registry: shared types stay names, and are registered as references."""
        return to_json(self.schema, inline=False)


def types_of(subjects: Iterable[Subject]) -> tuple[Subject, ...]:
    """The shared types that the subjects use, directly or not, each once, dependencies first."""
    found: dict[str, Subject] = {}

    def add(subject: Subject) -> None:
        for one in subject.types:
            if one.name not in found:
                add(one)
                found[one.name] = one

    for subject in subjects:
        add(subject)
    return tuple(found.values())


@dataclass(frozen=True)
class Sibling:
    """Another contract of the same topic, as far as it matters for telling the records apart.

    Attributes:
        contract: its name.
        subject: of its value.
        names: the full name of its records, and their aliases.
        said: as for the contract.
    """

    contract: str
    subject: str
    names: frozenset[str]
    said: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Contract:
    """A contract: one folder of `schemas/`, or one `NAME.contract.yaml`.

    Attributes:
        name: the folder's name.
        file: path of its contract.yaml.
        spec: the content of contract.yaml.
        key: the subject of the key; None when the topic has no key schema.
        value: the subject of the value.
        rules: the quality rules of `spec`, parsed.
        siblings: the other contracts of the topic, each with a record of its own, by name.
        said: the keys that contract.yaml itself has; the others are defaults, or what a sibling says.
        views: of its records, by name.
        unwrapped: whether `value` is what was inside of the envelope that `spec` names (see `rows` and `keys`).
    """

    name: str
    file: str
    spec: ContractSpec
    key: Subject | None
    value: Subject
    rules: tuple[Rule, ...] = ()
    siblings: tuple[Sibling, ...] = ()
    said: frozenset[str] = frozenset()
    views: tuple[View, ...] = ()
    unwrapped: bool = False

    @property
    def topic(self) -> str:
        return self.spec.topic

    @property
    def compatibility(self) -> Compatibility:
        return self.spec.compatibility

    @property
    def dead_letter_topic(self) -> str:
        return self.spec.dead_letter.topic or f"{self.spec.topic}.dlq"

    @property
    def leads(self) -> bool:
        """Whether it is the first of the topic's contracts: its stream answers for the records that are nobody's."""
        return all(self.name < one.contract for one in self.siblings)

    @property
    def inherits_key(self) -> bool:
        """Whether the key is that of the topic, which a sibling names."""
        return self.key is not None and self.spec.key is None

    def answers_for(self, key: str) -> bool:
        """Whether the contract says `kafka` or `dead_letter` of its topic; if none does, the first one answers."""
        return key in self.said or (self.leads and not any(key in one.said for one in self.siblings))

    @property
    def deletes(self) -> bool:
        """Whether a record without a value deletes the row of its key; in an envelope, deletes do too."""
        return (self.spec.tombstones is Tombstones.delete or self.spec.envelope is not None) and bool(self.sinks)

    @property
    def envelope(self) -> Envelope | None:
        """What is around the rows in `value`; None if `value` is the row itself."""
        return None if self.unwrapped else self.spec.envelope

    @cached_property
    def rows(self) -> Contract:
        """The contract as its tables, rules and consumers see it: the row in place of its envelope."""
        if self.envelope is None:
            return self
        if not envelope.is_one(self.value.schema):  # a version of the registry from before the envelope
            return replace(self, unwrapped=True)
        key = replace(self.key, schema=connect.typed(self.key.schema)) if self.key else None
        value = replace(self.value, schema=envelope.row(self.value.schema))
        return replace(self, key=key, value=value, unwrapped=True)

    @cached_property
    def reader(self) -> Schema:
        """The schema that records are read with: that of the value, or the part of an envelope that makes rows."""
        return self.value.schema if self.envelope is None else envelope.reader(self.value.schema)

    @property
    def keys(self) -> Contract:
        """The contract with its key in place of the value, to decode the keys of tombstones as values."""
        key = self.rows.key
        assert key is not None
        return replace(self, value=key, rules=(), siblings=(), views=(), unwrapped=True)

    def rows_of(self, schema: Schema) -> Schema:
        """The rows' schema in another version of the value's; the version itself if it is not in the envelope."""
        return envelope.row(schema) if self.envelope and envelope.is_one(schema) else schema

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Key first, then value."""
        return (self.key, self.value) if self.key else (self.value,)

    @property
    def sinks(self) -> tuple[SinkSpec, ...]:
        return self.spec.tables
