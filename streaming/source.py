"""The topic as a stream: Spark's Kafka source, nothing decoded."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from contracts.settings import Settings


def stream(spark: SparkSession, settings: Settings, topic: str, *, max_per_batch: int) -> DataFrame:
    """Columns key, value, topic, partition, offset, timestamp, timestampType, headers; from the earliest offset on.

    Where a checkpoint exists its offsets win.  `max_per_batch`: most records of one micro-batch, all partitions.
    Data that Kafka deleted before it was read fails the query (`failOnDataLoss`): nothing is skipped in silence.
    """
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("includeHeaders", "true")
        .option("failOnDataLoss", "true")
        .option("kafka.isolation.level", "read_committed")
        .option("maxOffsetsPerTrigger", str(max_per_batch))
        .load()
    )
