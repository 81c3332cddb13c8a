"""What to do about a dead letter, by its reason: the words of docs/how-to/dead-letters.md, which a test compares."""

from __future__ import annotations

from typing import Final

from avro_data_contracts.contracts.quality.rules import REASON_PREFIX
from avro_data_contracts.streaming.decode.reasons import ChangeReason, Reason
from avro_data_contracts.streaming.sinks import refusals

#: Reason -> what it means, and what to do.
_ADVICE: Final[dict[str, tuple[str, str]]] = {
    Reason.NULL_VALUE: (
        "the record has no value (with `tombstones: delete`: no key either)",
        "find out who sends tombstones to this topic, or let them delete",
    ),
    Reason.TOO_SHORT: (
        "fewer than 5 bytes: no room for the magic byte and the schema id",
        "use a registry serializer in the producer",
    ),
    Reason.BAD_MAGIC: (
        "the first byte is not 0; often the value is plain JSON",
        "use a registry serializer in the producer",
    ),
    Reason.BAD_SCHEMA_ID_HEADER: (
        "the header `__value_schema_id` (`__key_schema_id`) is neither 0x00 and an id of 4 bytes nor 0x01 and a GUID "
        "of 16 bytes",
        "fix the producer",
    ),
    Reason.NO_GUID_ENDPOINT: (
        "the header names the schema by GUID, and the registry cannot look up GUIDs (Confluent's can from 8.1 on, "
        "Apicurio cannot)",
        "send ids, or use a registry that supports GUIDs",
    ),
    Reason.UNKNOWN_SCHEMA_ID: (
        "the registry does not have the id or GUID",
        "find the producer that uses another registry, or the schema that was hard-deleted",
    ),
    Reason.WRONG_SUBJECT: (
        "the id belongs to another subject",
        "find the producer that sends records of another topic",
    ),
    Reason.INCOMPATIBLE_SCHEMA: (
        "the contract cannot read the writer schema",
        "register schemas under the contract's compatibility level",
    ),
    Reason.DECODE_ERROR: (
        "the body is not a valid record of its schema, or a value cannot be stored",
        "fix the field that the message names, in the producer",
    ),
    Reason.TIMESTAMP_OUT_OF_RANGE: (
        "the record's Kafka timestamp is more than 290,000 years away, which Spark cannot hold",
        "send milliseconds, and let the broker refuse such timestamps",
    ),
    ChangeReason.CHANGE_TRUNCATE: (
        "the Debezium record of a truncated table",
        "delete the rows yourself, or name another table and take a new snapshot",
    ),
    ChangeReason.CHANGE_MESSAGE: (
        "the Debezium record of a message in the database's log, which has no row",
        "leave such messages out in the connector",
    ),
    ChangeReason.CHANGE_UNKNOWN: (
        "the Debezium record has an `op` that nobody knows",
        "find out who else sends to the topic",
    ),
    ChangeReason.CHANGE_WITHOUT_ROW: (
        "a Debezium record of an insert, an update or a read has no row in `after`",
        "find out what took it out",
    ),
    ChangeReason.CHANGE_WITHOUT_KEY: (
        "the Debezium record of a delete has no key",
        "give the table a primary key, or set `message.key.columns` in the connector",
    ),
    ChangeReason.CHANGE_INCOMPLETE: (
        "a value in a Debezium record is the placeholder of one that the database did not log",
        "set the table's `REPLICA IDENTITY` to `FULL`, and take a new snapshot",
    ),
}
_OF_STORE: Final = (
    "that store refuses the row; the other store has it",
    "read the store's answer in the message, fix the record or the table, then replay, unless an aggregation has "
    "counted the event",
)
_OF_VIEW: Final = (
    "the SQL of the view fails for the event, or the store refuses its row; the contract's tables have it",
    "correct the SQL (`try_cast`), then replay, unless an aggregation has counted the event",
)
_OF_RULE: Final = (
    "the record breaks the contract's quality rule of that name",
    "fix the producer, or the rule",
)
_OF_SOURCE: Final = (
    "the producer refused what its source gave, so it was never sent; the example says what is wrong",
    "correct it at the source, and send it again",
)


def of_source(reason: str) -> tuple[str, str]:
    """Return the same as `of` for a letter that a producer wrote: there is no record to put back."""
    means, fix = _OF_SOURCE
    return (_OF_RULE[0], f"{fix}; or correct the rule") if reason.startswith(REASON_PREFIX) else (means, fix)


def of(reason: str) -> tuple[str, str]:
    """Return what a reason means, and what to do; both empty for a code of somebody else."""
    if reason.startswith(REASON_PREFIX):
        return _OF_RULE
    if store := refusals.store_of(reason):
        return _OF_VIEW if "." in store else _OF_STORE
    return _ADVICE.get(reason, ("", ""))
