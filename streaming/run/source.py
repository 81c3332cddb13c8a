"""The topic as a stream: Spark's Kafka source, nothing decoded."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from contracts.registry import kafka
from contracts.settings import Settings

# How long the driver waits for one answer of the broker, and an executor for a record that is there, ms.  Short: a
# stream that is told to stop waits for what it has asked, and what was not answered is asked again.
_ANSWER_WITHIN_MS = 10_000
_RECORD_WITHIN_MS = 15_000


def stream(spark: SparkSession, settings: Settings, topic: str, *, max_per_batch: int) -> DataFrame:
    """Columns key, value, topic, partition, offset, timestamp, timestampType, headers; from the earliest offset on.

    Where a checkpoint exists its offsets win.  `max_per_batch`: most records of one micro-batch, all partitions.
    Data that Kafka deleted before it was read fails the query (`failOnDataLoss`): nothing is skipped in silence.
    A broker that does not answer is asked again, once a second at most, for longer than `broker.Watch` waits for it.
    """
    options = {
        **_options(settings, topic),
        "failOnDataLoss": "true",
        "maxOffsetsPerTrigger": str(max_per_batch),
        "fetchOffset.retryIntervalMs": "1000",
        "fetchOffset.numRetries": str(round(settings.stream_retry_for_s) + 60),
    }
    return spark.readStream.format("kafka").options(**options).load()


def whole(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """The same columns of everything that is in the topic now."""
    return spark.read.format("kafka").options(**_options(settings, topic)).load()


def _options(settings: Settings, topic: str) -> dict[str, str]:
    return {
        **{f"kafka.{name}": value for name, value in kafka.java(settings).items()},
        "subscribe": topic,
        "startingOffsets": "earliest",
        "includeHeaders": "true",
        "kafka.isolation.level": "read_committed",
        "kafka.default.api.timeout.ms": str(_ANSWER_WITHIN_MS),
        "kafka.request.timeout.ms": str(_ANSWER_WITHIN_MS),
        "kafkaConsumer.pollTimeoutMs": str(_RECORD_WITHIN_MS),
    }
