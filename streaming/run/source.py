"""Reads the topic with Spark's Kafka source; decodes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import offset_watch

# How long the driver waits for an answer of the broker, and an executor for a record that exists, ms.  Short, because
# a stream that is asked to stop waits for its open requests; requests without an answer are repeated.
_ANSWER_WITHIN_MS = 10_000
_RECORD_WITHIN_MS = 15_000


def stream(spark: SparkSession, settings: Settings, topic: str, *, max_per_batch: int) -> DataFrame:
    """Return the topic as a stream, from its earliest offset; the offsets of an existing checkpoint win.

    Its columns are key, value, topic, partition, offset, timestamp, timestampType and headers.
    Data that Kafka deleted before it was read fails the query (`failOnDataLoss`): nothing is skipped silently.
    A broker that does not answer is asked again, at most once a second, for longer than `broker.Watch` waits for it.

    Args:
        max_per_batch: largest number of records in one micro-batch, over all partitions.
    """
    options = {
        **_options(settings, topic),
        "failOnDataLoss": "true",
        "maxOffsetsPerTrigger": str(max_per_batch),
        "fetchOffset.retryIntervalMs": "1000",
        "fetchOffset.numRetries": str(round(settings.stream_retry_for_s) + 60),
    }
    # With an interval, batches start at its multiples, and not when records come.
    source = "kafka" if settings.stream_interval else offset_watch.FORMAT
    return spark.readStream.format(source).options(**options).load()


def whole(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """Return everything that is in the topic now, with the same columns, as a batch."""
    return spark.read.format("kafka").options(**_options(settings, topic)).load()


def between(
    spark: SparkSession, settings: Settings, topic: str, first: Mapping[int, int], ends: Mapping[int, int]
) -> DataFrame:
    """Return some of the topic, with the same columns, as a batch.

    Args:
        first, ends: each partition of the topic -> its first offset, and the one after its last.
    """
    options = {
        **_options(settings, topic),
        "startingOffsets": json.dumps({topic: {str(one): offset for one, offset in first.items()}}),
        "endingOffsets": json.dumps({topic: {str(one): offset for one, offset in ends.items()}}),
    }
    return spark.read.format("kafka").options(**options).load()


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
