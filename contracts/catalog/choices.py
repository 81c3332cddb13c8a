"""What contract.yaml can choose from.  Apart from its models, so that the command line need not load those."""

from __future__ import annotations

from enum import StrEnum


class Compatibility(StrEnum):
    """The levels of Confluent Schema Registry."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


class SubjectStrategy(StrEnum):
    """How the subject of a value is named; Confluent's serializers have the same three (`subject.name.strategy`)."""

    TopicName = "TopicName"
    TopicRecordName = "TopicRecordName"
    RecordName = "RecordName"


class Tombstones(StrEnum):
    """The effect of a record without a value: it becomes a dead letter, or deletes the row of its key."""

    reject = "reject"
    delete = "delete"


class Payload(StrEnum):
    """What dead letters have of their records: all of it, or only where and why."""

    keep = "keep"
    drop = "drop"


class Envelope(StrEnum):
    """What stands around the rows of a topic: Debezium's record of a change, with the row before and after it."""

    debezium = "debezium"


class SchemaIdPlace(StrEnum):
    """Where the producer puts the schema id: in front of key and value, or in headers of the message."""

    prefix = "prefix"
    header = "header"


class LintLevel(StrEnum):
    """What a lint rule does: nothing, or findings of a severity."""

    off = "off"
    warning = "warning"
    error = "error"
