"""Sends rejected records to the dead-letter topic, unaltered, with Kafka Connect's headers for where and why.

A separate client on the driver sends the rejects: key, value and headers are those of the record, byte for byte,
unless the contract drops them.  A header has the record's timestamp; the letter's own is the time at which it was
written, so that retention by age does not delete the letter of an old record at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, Message
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog import dead_letter as headers
from avro_data_contracts.contracts.catalog.choices import Payload
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.decode import timestamps
from avro_data_contracts.streaming.decode.reasons import OF_ANOTHER, Reason
from avro_data_contracts.streaming.sinks import refusals

# The broker decides with the topic's limit; this is the largest that the client allows.
_MOST_BYTES = 1_000_000_000
# Most bytes of rejects that come to the driver together.
_MOST_AT_ONCE_BYTES = 32 * 1024 * 1024
#: The broker's errors for a timestamp that it refuses, about the record or about all records of its batch.
INVALID_TIMESTAMP = (KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD)
#: Its error for the other records of that batch.
BESIDE_ANOTHER = KafkaError._INVALID_DIFFERENT_RECORD
# Errors about the letter itself, or about another one in its batch.
_OF_THE_LETTER = (KafkaError.MSG_SIZE_TOO_LARGE, BESIDE_ANOTHER)
# librdkafka's own limit for a batch.
_BATCH_BYTES = 1_000_000


class DeadLetterSink:
    """Sends the rejected records of a batch to the contract's dead-letter topic.

    A batch that is written again after a failure may send a record twice; its position (topic, partition, offset
    headers) shows that it is the same one.
    """

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._settings = settings
        self._topic = contract.dead_letter_topic
        self._drops = contract.spec.dead_letter.payload is Payload.drop

    def write(self, decoded: DataFrame, size: int, only: str | None = None) -> Mapping[str, int]:
        """Send the rejects of a completely decoded batch, and return how many, by reason.

        Args:
            size: total size of the rejects' values, bytes.
            only: send only records with this reason; None: all.

        Raises:
            ServiceError: Kafka does not acknowledge them.
        """
        every = F.col("reason").isNotNull() & (F.col("reason") != OF_ANOTHER)
        wanted = every if only is None else F.col("reason").eqNullSafe(only)
        rejected = decoded.where(wanted)
        # Spark brings a whole partition to the driver at a time.
        if size > _MOST_AT_ONCE_BYTES:
            rejected = rejected.repartition(-(-size // _MOST_AT_ONCE_BYTES))
        columns = ("key", "value", "topic", "partition", "offset", "headers", "reason", "detail")
        try:
            return self._produce_all(rejected.select(*columns, timestamps.millis(decoded).alias("millis")))
        except failures.JAVA_ERRORS as error:
            raise failures.of_java(failures.KAFKA, self._settings.kafka_bootstrap_servers, error) from None

    def _produce_all(self, rows: DataFrame) -> Mapping[str, int]:
        outbox = Outbox(self._settings, "streaming-dead-letter", size_limits(self._settings, self._topic))
        reasons: Counter[str] = Counter()

        def counted(row: Row) -> dict[str, Any]:
            reasons[row.reason] += 1
            letter = _letter(row)
            return _without_key(_without_value(letter)) if self._drops else letter

        letters = (counted(row) for row in rows.toLocalIterator(prefetchPartitions=False))
        refused = self._send(outbox, letters)
        while refused:
            refused = self._send(outbox, [self._less(*one) for one in refused])
        return reasons

    def _less(self, letter: dict[str, Any], code: int) -> dict[str, Any]:
        """Leave out what made the topic refuse a letter.  The record's position and the reason always stay."""
        left_out = headers.needed(letter["headers"])
        if code == BESIDE_ANOTHER:
            return letter
        if code == KafkaError.MSG_SIZE_TOO_LARGE and headers.KEY_LEFT_OUT not in left_out:
            return _without_key(letter) if headers.LEFT_OUT in left_out else _without_value(letter)
        words = "refuses a letter, even without the record's key and value"
        raise self._failure(f"{self._topic} {words}: {KafkaError(code).str()}")

    def _send(self, outbox: Outbox, letters: Iterable[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
        """Send them and wait.  Return the letters that the topic refuses as they are, with the error code."""
        refused: list[tuple[dict[str, Any], int]] = []

        def told(letter: dict[str, Any]) -> Callable[[KafkaError | None, Message], None]:
            def on_delivery(error: KafkaError | None, message: Message) -> None:
                if error is not None and error.code() in _OF_THE_LETTER:
                    refused.append((letter, error.code()))
                else:
                    outbox.count_failure(error, message)

            return on_delivery

        for letter in letters:
            outbox.send(self._topic, **letter, on_delivery=told(letter))
        why = outbox.flush(outbox.patience_s)
        if why is not None:
            raise self._failure(why)
        return refused

    def _failure(self, words: str) -> Exception:
        return failures.service(failures.KAFKA, self._settings.kafka_bootstrap_servers, words)


def size_limits(settings: Settings, *topics: str) -> dict[str, Any]:
    """Return a client's configuration that leaves it to the topics to refuse records for their size."""
    found = Topics(settings)
    # The broker refuses a larger batch whole, even when it would take each of its records.
    most = min(int(found.setting(name, "max.message.bytes")) for name in topics)
    return {"batch.size": min(_BATCH_BYTES, most), "message.max.bytes": _MOST_BYTES}


def _letter(row: Row) -> dict[str, Any]:
    """Return the arguments of `Outbox.send` for a rejected record."""
    # The client would cut a name off at U+0000.
    own: list[tuple[str, bytes | None]] = [
        (header.key.replace("\0", "\ufffd"), _bytes(header.value)) for header in row.headers or ()
    ]
    letter = {"key": _bytes(row.key), "value": _bytes(row.value), "headers": [*own, *_headers(row)]}
    return _with(letter, headers.TIMESTAMP, row.millis)


def _without_value(letter: dict[str, Any]) -> dict[str, Any]:
    return _with({**letter, "value": None}, headers.LEFT_OUT, len(letter["value"] or b""))


def _without_key(letter: dict[str, Any]) -> dict[str, Any]:
    """Leave out the key and the record's own headers too, after the value."""
    ours = letter["headers"][len(headers.own(letter["headers"]) or ()) :]
    return _with({**letter, "key": None, "headers": ours}, headers.KEY_LEFT_OUT, len(letter["key"] or b""))


def _with(letter: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    needed = headers.needed(letter["headers"])
    others = letter["headers"][: len(letter["headers"]) - len(needed)]
    needed[name] = number
    ours = [(one, str(needed[one]).encode()) for one in headers.NEEDED if one in needed]
    return {**letter, "headers": [*others, *ours]}


def _headers(row: Row) -> list[tuple[str, bytes]]:
    # A record without a value is a tombstone, and its key is what is wrong.
    of_key = row.value is None and row.reason != Reason.NULL_VALUE
    of_store = refusals.store_of(row.reason) is not None
    told = {
        headers.TOPIC: row.topic,
        headers.PARTITION: row.partition,
        headers.OFFSET: row.offset,
        headers.CONNECTOR: "streaming",
        headers.STAGE: "TASK_PUT" if of_store else "KEY_CONVERTER" if of_key else "VALUE_CONVERTER",
        headers.CLASS: f"streaming.{row.reason}",
        headers.MESSAGE: row.detail,
        headers.REASON: row.reason,
    }
    return [(name, str(told[name]).encode()) for name in headers.ADDED]


def _bytes(value: bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)
