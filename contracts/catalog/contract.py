"""The nouns of a data contract, frozen.

`Contract` is what the rest of the project reads; the `…Spec` models are the shape of `contract.yaml`, and an
unknown key in one of them is an error (see `spec`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    StringConstraints,
    ValidationInfo,
    create_model,
    field_validator,
)

from contracts.avro.nodes import Record, Schema
from contracts.avro.writing import to_json
from contracts.quality.rules import Rule, RuleSpec
from contracts.sources.known import model_of
from contracts.sources.spec import SourceSpec
from contracts.stores.known import STORES
from contracts.stores.spec import SinkSpec

# Any of these letters, but for `.` and `..`, which Kafka refuses.
TopicName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]*[a-zA-Z0-9_-][a-zA-Z0-9._-]*$|^\.{3,}$", max_length=249)
]
#: As many as Kafka's client library asks a broker for.
MOST_PARTITIONS, MOST_REPLICAS = 100_000, 10_000


class Compatibility(StrEnum):
    """The levels of Confluent Schema Registry."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


class Spec(BaseModel):
    """Base of everything that `contract.yaml` may hold: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TopicSpec(Spec):
    """Kafka settings of the topic.  `replication_factor` -1 is the broker's default."""

    partitions: int = Field(1, ge=1, le=MOST_PARTITIONS)
    replication_factor: int = Field(-1, ge=-1, le=MOST_REPLICAS)
    config: dict[str, str] = Field(default_factory=dict)

    @field_validator("config", mode="before")
    @classmethod
    def _as_kafka_writes_it(cls, value: object) -> object:
        return _config_as_kafka_writes_it(value)


class DeadLetterSpec(Spec):
    """Where records go that cannot be stored.  `topic` defaults to `<topic>.dlq`.

    A dead letter keeps its record's timestamp, so retention by age could delete it at once: without limit by default.
    `max_rate`: the share of a day's records that may come here before somebody is told (`dlq review`), 0 to 1.
    """

    topic: TopicName = ""
    partitions: int = Field(1, ge=1, le=MOST_PARTITIONS)
    replication_factor: int = Field(-1, ge=-1, le=MOST_REPLICAS)
    config: dict[str, str] = Field(default_factory=lambda: {"retention.ms": "-1"})
    max_rate: float = Field(0.01, ge=0, le=1)

    @field_validator("config", mode="before")
    @classmethod
    def _as_kafka_writes_it(cls, value: object) -> object:
        return _config_as_kafka_writes_it(value)


def _config_as_kafka_writes_it(value: object) -> object:
    """Numbers, truth values and lists as text; anything else stays, and pydantic says that it is none."""
    if not isinstance(value, dict):
        return value
    return {key: _setting(item) for key, item in value.items()}


def _setting(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return str(value) if isinstance(value, (int, float)) else value


#: Ends the name of the table that keeps which rows were deleted, and by which event.
DELETIONS = "__deleted"


class Tombstones(StrEnum):
    """What a record without a value does: it goes to the dead letters, or deletes the row of its key."""

    reject = "reject"
    delete = "delete"


#: The stores that the stream writes, each under its name; a contract may name none, one or several.
_stores: dict[str, Any] = {kind: (store.spec | None, None) for kind, store in STORES.items()}
SinksSpec: type[Spec] = create_model("SinksSpec", __base__=Spec, **_stores)


class SchemaIdPlace(StrEnum):
    """Where a record of the producer names its schema: in front of key and value, or in headers of the message."""

    prefix = "prefix"
    header = "header"


class ProducerSpec(Spec):
    """How `python -m producers` and `producers.publish` write records; the stream reads both ways."""

    schema_id: SchemaIdPlace = SchemaIdPlace.prefix


class ConsumerSpec(Spec):
    """Somebody who reads the topic.  `fields`: paths inside the value that they use; none means all of it."""

    name: str = Field(min_length=1)
    owner: str = ""
    fields: list[str] = Field(default_factory=list)


class ApprovalSpec(Spec):
    """A finding of `contracts check` that is wanted.  `until`: its last day.  `path`: that of the finding.

    `subject`: which schema's findings are meant; those of contract.yaml itself are no schema's, and meant by both.
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
            raise ValueError(f"{value} is no day: write one as 2026-06-30") from None

    def covers(self, rule: str, path: str, role: str = "") -> bool:
        """It is about such findings.  `role`: `key` or `value`, empty for those that are no schema's."""
        return (rule, path) == (self.rule, self.path) and role in ("", self.subject)

    def holds(self, today: date) -> bool:
        """It counts through its last day."""
        return today <= self.until


class ContractSpec(Spec):
    """`contract.yaml`, as written."""

    topic: TopicName
    owner: str = Field(min_length=1)
    description: str = ""
    compatibility: Compatibility
    key: str | None = None
    value: str = "value.avsc"
    source: SerializeAsAny[SourceSpec | None] = None
    producer: ProducerSpec = ProducerSpec()
    kafka: TopicSpec = TopicSpec()
    dead_letter: DeadLetterSpec = DeadLetterSpec()
    sinks: SinksSpec = SinksSpec()
    tombstones: Tombstones = Tombstones.reject
    rules: list[RuleSpec] = Field(default_factory=list)
    consumers: list[ConsumerSpec] = Field(default_factory=list)
    lint: dict[str, Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=dict)
    approvals: list[ApprovalSpec] = Field(default_factory=list)

    @property
    def tables(self) -> tuple[SinkSpec, ...]:
        """What it says of the tables, in the order of `STORES`."""
        named = (getattr(self.sinks, kind) for kind in STORES)
        return tuple(sink for sink in named if sink is not None)

    @field_validator("source", mode="before")
    @classmethod
    def _as_its_source_has_it(cls, value: object) -> object:
        return model_of(value).model_validate(value) if isinstance(value, dict) else value

    @field_validator("tombstones")
    @classmethod
    def _has_a_key(cls, value: Tombstones, info: ValidationInfo) -> Tombstones:
        if value is Tombstones.delete and not info.data.get("key"):
            raise ValueError("delete needs a key schema (key: key.avsc) that holds the primary key")
        return value


Role = Literal["key", "value", "type"]


@dataclass(frozen=True)
class Subject:
    """One subject of the registry as the repository wants it.

    Attributes:
        name: the subject's name; TopicNameStrategy for keys and values, the full name for a shared type.
        role: `key`, `value`, or `type` for a shared named type.
        file: path of the .avsc, relative to the repository where possible.
        text: the file's text.
        schema: the parsed schema, references resolved.
        types: the shared types that it uses itself; each is a subject of its own.
    """

    name: str
    role: Role
    file: str
    text: str
    schema: Schema
    types: tuple[Subject, ...] = ()

    @property
    def record(self) -> Record:
        """The schema's root, which is a record (`loading` refuses sinks for anything else)."""
        root = self.schema.resolve(self.schema.root)
        assert isinstance(root, Record)
        return root

    @property
    def schema_text(self) -> str:
        """Self-contained Avro JSON: references inlined."""
        return to_json(self.schema)

    @property
    def registered_text(self) -> str:
        """What the registry gets: shared types stay names, and go along as references."""
        return to_json(self.schema, inline=False)


@dataclass(frozen=True)
class Contract:
    """One folder of `schemas/`.

    Attributes:
        name: the folder's name.
        file: path of its contract.yaml.
        spec: what contract.yaml says.
        key: the key's subject, None when the topic has no key schema.
        value: the value's subject.
        rules: the quality rules of `spec`, understood.
    """

    name: str
    file: str
    spec: ContractSpec
    key: Subject | None
    value: Subject
    rules: tuple[Rule, ...] = ()

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
    def deletes(self) -> bool:
        """Whether a record without a value deletes the row of its key."""
        return self.spec.tombstones is Tombstones.delete and bool(self.sinks)

    @property
    def keys(self) -> Contract:
        """The contract with its key in the value's place: a tombstone's key is decoded as values are."""
        assert self.key is not None
        return replace(self, value=self.key, rules=())

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Key first, then value."""
        return (self.key, self.value) if self.key else (self.value,)

    @property
    def sinks(self) -> tuple[SinkSpec, ...]:
        return self.spec.tables
