"""The dead-letter topic: rejected records as they were, with Kafka Connect's headers for where and why.

Spark's Kafka sink cannot keep a record's timestamp, so rejects are produced by a client of their own, from the
driver: key, value, headers and timestamp are those of the record, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, KafkaError, Message, Producer
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from contracts import dead_letter as headers
from contracts.contract import Contract
from contracts.settings import Settings
from streaming import failures


class DeadLetterSink:
    """Produces the rejected records of a batch to the contract's dead-letter topic.

    A batch that is written again after a failure may put a record there twice; its position (topic, partition, offset
    headers) tells that it is the same one.
    """

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._settings = settings
        self._topic = contract.dead_letter_topic
        self._timeout_s = settings.kafka_max_block_ms / 1000

    def write(self, decoded: DataFrame) -> None:
        """Produces the rejects of a decoded batch, all acknowledged.  Raises ServiceError."""
        rejected = decoded.where(F.col("reason").isNotNull())
        columns = ("key", "value", "topic", "partition", "offset", "headers", "reason", "detail")
        rows = rejected.select(*columns, F.unix_millis("timestamp").alias("millis")).persist()
        try:
            # Found before the first is produced: a batch that cannot be decoded to its end leaves none behind.
            if rows.count():
                self._produce_all(rows)
        except Py4JJavaError as error:
            raise failures.of_java("Kafka", self._settings.kafka_bootstrap_servers, error) from error
        finally:
            rows.unpersist()

    def _produce_all(self, rows: DataFrame) -> None:
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(error)

        producer = self._producer()
        for row in rows.toLocalIterator(prefetchPartitions=False):
            self._produce(producer, row, on_delivery)
        left = producer.flush(self._timeout_s)
        if failed or left:
            raise self._failure(failed[0].str() if failed else f"{left} records were not acknowledged in time")

    def _produce(
        self, producer: Producer, row: Row, on_delivery: Callable[[KafkaError | None, Message], None]
    ) -> None:
        kept = [(header.key, _bytes(header.value)) for header in row.headers or () if header.key not in headers.ALL]
        record = {
            "key": _bytes(row.key),
            "value": _bytes(row.value),
            "headers": kept + _headers(row),
            "on_delivery": on_delivery,
        }
        if row.millis is not None and row.millis > TIMESTAMP_NOT_AVAILABLE:
            record["timestamp"] = row.millis
        while True:
            try:
                producer.produce(self._topic, **record)
                break
            except BufferError:
                producer.poll(1.0)
        producer.poll(0)

    def _producer(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._settings.kafka_bootstrap_servers,
                "client.id": "streaming-dead-letter",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 20,
                "message.timeout.ms": self._settings.kafka_max_block_ms,
                "log_level": 0,
            }
        )

    def _failure(self, words: str) -> Exception:
        return failures.service("Kafka", self._settings.kafka_bootstrap_servers, words)


def _headers(row: Row) -> list[tuple[str, bytes]]:
    told = {
        headers.TOPIC: row.topic,
        headers.PARTITION: row.partition,
        headers.OFFSET: row.offset,
        headers.CONNECTOR: "streaming",
        headers.STAGE: "VALUE_CONVERTER",
        headers.CLASS: f"streaming.{row.reason}",
        headers.MESSAGE: row.detail,
        headers.REASON: row.reason,
    }
    return [(name, str(value).encode()) for name, value in told.items()]


def _bytes(value: bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)
