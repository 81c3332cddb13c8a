"""The dead-letter topic: rejected records as they were, with Kafka Connect's headers for where and why.

Spark's Kafka sink cannot keep a record's timestamp, so rejects are produced by a client of their own, from the
driver: key, value, headers and timestamp are those of the record, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, Message, Producer
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from contracts import dead_letter as headers
from contracts import kafka
from contracts.contract import Contract
from contracts.settings import Settings
from contracts.topics import Topics
from streaming import failures, refusals
from streaming.reasons import Reason

# The topic's limit is the broker's to say; this is the client's largest.
_MOST_BYTES = 1_000_000_000
# Of rejects that are brought to the driver together.
_MOST_AT_ONCE_BYTES = 32 * 1024 * 1024
# librdkafka's own limit of a batch.
_BATCH_BYTES = 1_000_000


class DeadLetterSink:
    """Produces the rejected records of a batch to the contract's dead-letter topic.

    A batch that is written again after a failure may put a record there twice; its position (topic, partition, offset
    headers) tells that it is the same one.
    """

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._settings = settings
        self._topic = contract.dead_letter_topic
        self._timeout_s = settings.kafka_max_block_ms / 1000

    def write(self, decoded: DataFrame, size: int, only: str | None = None) -> Mapping[str, int]:
        """Produces the rejects of a batch that was decoded to its end before, and says how many, by reason.

        Args:
            size: of the rejects' values together, bytes.
            only: the one reason whose records are sent; None: all.

        Raises:
            ServiceError: Kafka does not take them.
        """
        wanted = F.col("reason").isNotNull() if only is None else F.col("reason").eqNullSafe(only)
        rejected = decoded.where(wanted)
        # Spark brings a whole partition to the driver at a time.
        if size > _MOST_AT_ONCE_BYTES:
            rejected = rejected.repartition(-(-size // _MOST_AT_ONCE_BYTES))
        columns = ("key", "value", "topic", "partition", "offset", "headers", "reason", "detail")
        try:
            return self._produce_all(rejected.select(*columns, F.unix_millis("timestamp").alias("millis")))
        except failures.JAVA_ERRORS as error:
            raise failures.of_java("Kafka", self._settings.kafka_bootstrap_servers, error) from None

    def _produce_all(self, rows: DataFrame) -> Mapping[str, int]:
        producer = self._producer()
        reasons: Counter[str] = Counter()

        def counted(row: Row) -> dict[str, Any]:
            reasons[row.reason] += 1
            return _letter(row)

        letters = (counted(row) for row in rows.toLocalIterator(prefetchPartitions=False))
        too_large = self._send(producer, letters)
        # With its headers a record may be larger than the topic takes.  Its position is told, and why it is there.
        too_large = self._send(producer, (_without_value(letter) for letter in too_large))
        left = self._send(producer, (_without_key(letter) for letter in too_large))
        if left:
            raise self._failure(f"{self._topic} does not take {len(left)} letters, not even without key and value")
        return reasons

    def _send(self, producer: Producer, letters: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Produces them all, and waits; those that are too large for the topic."""
        too_large: list[dict[str, Any]] = []
        failed: list[KafkaError] = []

        def told(letter: dict[str, Any]) -> Callable[[KafkaError | None, Message], None]:
            def on_delivery(error: KafkaError | None, _: Message) -> None:
                if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    too_large.append(letter)
                elif error is not None:
                    failed.append(error)

            return on_delivery

        for letter in letters:
            while True:
                try:
                    producer.produce(self._topic, **letter, on_delivery=told(letter))
                    break
                except BufferError:
                    producer.poll(1.0)
            producer.poll(0)
        left = producer.flush(self._timeout_s)
        if failed or left:
            raise self._failure(failed[0].str() if failed else f"{left} records were not acknowledged in time")
        return too_large

    def _producer(self) -> Producer:
        return Producer(
            {
                **kafka.client(self._settings),
                "client.id": "streaming-dead-letter",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 20,
                "batch.size": topic_limit(self._settings, self._topic),
                "message.timeout.ms": self._settings.kafka_max_block_ms,
                "message.max.bytes": _MOST_BYTES,
                "log_level": 0,
            }
        )

    def _failure(self, words: str) -> Exception:
        return failures.service("Kafka", self._settings.kafka_bootstrap_servers, words)


def topic_limit(settings: Settings, name: str) -> int:
    """Most bytes of a batch: the broker refuses a larger one whole, though each record would be taken."""
    return min(_BATCH_BYTES, int(Topics(settings).setting(name, "max.message.bytes")))


def _letter(row: Row) -> dict[str, Any]:
    """Arguments of `Producer.produce`."""
    own = [(header.key, _bytes(header.value)) for header in row.headers or ()]
    letter = {"key": _bytes(row.key), "value": _bytes(row.value), "headers": own + _headers(row)}
    if row.millis > 0:
        return {**letter, "timestamp": row.millis}
    # The client takes 0 for now, and nothing before it.
    return _with(letter, headers.TIMESTAMP, row.millis)


def _without_value(letter: dict[str, Any]) -> dict[str, Any]:
    return _with({**letter, "value": None}, headers.LEFT_OUT, len(letter["value"] or b""))


def _without_key(letter: dict[str, Any]) -> dict[str, Any]:
    """Neither key nor headers of its own: of a letter that has no value already."""
    ours = letter["headers"][len(headers.own(letter["headers"]) or ()) :]
    return _with({**letter, "key": None, "headers": ours}, headers.KEY_LEFT_OUT, len(letter["key"] or b""))


def _with(letter: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    return {**letter, "headers": [*letter["headers"], (name, str(number).encode())]}


def _headers(row: Row) -> list[tuple[str, bytes]]:
    # Without a value it is a tombstone: what is wrong is its key.
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
