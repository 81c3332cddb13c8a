"""The topic as a stream: Spark's Kafka source, nothing decoded."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from contracts.settings import Settings


def stream(spark: SparkSession, settings: Settings, topic: str, *, max_per_batch: int) -> DataFrame:
    """Columns key, value, topic, partition, offset, timestamp, timestampType, headers; from the earliest offset on.

    Where a checkpoint exists its offsets win.  `max_per_batch`: most records of one micro-batch, all partitions.
    Data that Kafka deleted before it was read fails the query (`failOnDataLoss`): nothing is skipped in silence.
    """
    options = {**_options(settings, topic), "failOnDataLoss": "true", "maxOffsetsPerTrigger": str(max_per_batch)}
    return spark.readStream.format("kafka").options(**options).load()


def whole(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """The same columns of everything that is in the topic now."""
    return spark.read.format("kafka").options(**_options(settings, topic)).load()


def _options(settings: Settings, topic: str) -> dict[str, str]:
    return {
        "kafka.bootstrap.servers": settings.kafka_bootstrap_servers,
        "subscribe": topic,
        "startingOffsets": "earliest",
        "includeHeaders": "true",
        "kafka.isolation.level": "read_committed",
    }
