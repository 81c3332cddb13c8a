"""Read a batch with a plain consumer, in pieces, when Spark's Kafka source cannot read it.

The source converts each record's timestamp to microseconds, through a calendar that changes in 1582.  A timestamp
more than 290,000 years away (nanoseconds sent as milliseconds, for example) fails the whole batch, and one before
1582 becomes a different time.  This module reads such a rare batch instead and keeps each timestamp as a number.
`decode.timestamps` rejects the records whose timestamp Spark cannot hold; all others are decoded as usual.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import fastavro
from confluent_kafka import Message
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import packed, topic
from avro_data_contracts.streaming.decode.timestamps import FAR_MILLIS, LEAST_MILLIS, MOST_MILLIS
from avro_data_contracts.streaming.portions import portions
from avro_data_contracts.streaming.topic import Ranges

# A piece is one value on its way to the JVM.
_MOST_BYTES = 16 * 1024 * 1024
_MOST_RECORDS = 10_000
_HEADER = {
    "type": "record",
    "name": "Header",
    "fields": [{"name": "key", "type": "string"}, {"name": "value", "type": ["null", "bytes"]}],
}
_RECORDS = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "Record",
        "fields": [
            {"name": "key", "type": ["null", "bytes"]},
            {"name": "value", "type": ["null", "bytes"]},
            {"name": "partition", "type": "int"},
            {"name": "offset", "type": "long"},
            {"name": "millis", "type": "long"},
            {"name": "headers", "type": ["null", {"type": "array", "items": _HEADER}]},
        ],
    },
}
_TEXT, _PARSED = json.dumps(_RECORDS), fastavro.parse_schema(_RECORDS)


def read(spark: SparkSession, settings: Settings, name: str, ranges: Ranges) -> Iterator[DataFrame]:
    """Yield the records of a batch as frames, in the order of each partition.

    They have the columns of `source.stream` except `timestampType`, and `far_millis`: the timestamp of a record when
    Spark cannot hold it; `timestamp` is null in that row.

    Args:
        name: of the topic.
        ranges: partition -> first and last offset.

    Raises:
        ServiceError: Kafka does not answer.
    """
    messages = topic.read(settings, name, ranges)
    for some in portions(messages, _size, most=_MOST_RECORDS, most_bytes=_MOST_BYTES):
        yield _frame(spark, name, some)


def _size(message: Message) -> int:
    own = sum(len(name) + len(value or b"") for name, value in topic.headers(message))
    return own + len(message.key() or b"") + len(message.value() or b"")


def _frame(spark: SparkSession, name: str, messages: list[Message]) -> DataFrame:
    """Pass the records to Spark as one Avro value, so that neither a plan nor a log of it contains them."""
    raw = io.BytesIO()
    fastavro.schemaless_writer(raw, _PARSED, [_record(message) for message in messages])
    one = packed.unpack(spark, [raw.getvalue()], _TEXT)
    assert one is not None
    held = F.col("one.millis").between(LEAST_MILLIS, MOST_MILLIS)
    return one.select(
        F.col("one.key").alias("key"),
        F.col("one.value").alias("value"),
        F.lit(name).alias("topic"),
        F.col("one.partition").alias("partition"),
        F.col("one.offset").alias("offset"),
        F.when(held, F.timestamp_millis("one.millis")).alias("timestamp"),
        F.col("one.headers").alias("headers"),
        F.when(~held, F.col("one.millis")).alias(FAR_MILLIS),
    )


def _record(message: Message) -> dict[str, object]:
    headers = topic.headers(message)
    return {
        "key": message.key(),
        "value": message.value(),
        "partition": message.partition(),
        "offset": message.offset(),
        "millis": message.timestamp()[1],
        "headers": headers and [{"key": name, "value": value} for name, value in headers],
    }
