"""A batch that Spark's Kafka source cannot read, in pieces that a plain consumer brings.

The source makes microseconds of each record's timestamp, by way of a calendar that changes in 1582.  A timestamp that
lies more than 290,000 years away (nanoseconds taken for milliseconds, say) fails the whole batch, whatever is read
of it, and one before 1582 becomes another.  Such a batch is rare, and read here: every record as it is, its timestamp
a number.  What Spark cannot hold of them is a dead letter, and the others are records like any.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import fastavro
from confluent_kafka import Message
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from contracts.settings import Settings
from streaming import strict, topic
from streaming.reasons import Reason
from streaming.topic import Ranges

#: A record's timestamp, ms since the epoch; null where the column `timestamp` has it.
FAR_MILLIS = "far_millis"
# A piece is one value on its way to the JVM.
_MOST_BYTES = 16 * 1024 * 1024
_MOST_RECORDS = 10_000
# What Spark's timestamps, µs in 64 bits, can hold.
LEAST_MILLIS, MOST_MILLIS = -(2**63) // 1000 + 1, (2**63 - 1) // 1000
_HEADER = {"type": "record", "name": "Header", "fields": [{"name": "key", "type": "string"}]}
_HEADER["fields"].append({"name": "value", "type": ["null", "bytes"]})
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


def guarded(batch: DataFrame) -> DataFrame:
    """A batch of Spark's Kafka source; a timestamp that is not the record's fails the job that reads it."""
    return batch.withColumn("timestamp", strict.timestamp(batch.sparkSession))


def read(spark: SparkSession, settings: Settings, name: str, ranges: Ranges) -> Iterator[DataFrame]:
    """The records of a batch as frames, in the order of each partition.

    Columns as `source.stream` but for `timestampType`, and `far_millis`: of a record whose timestamp Spark cannot
    hold, which has null for it.

    Args:
        name: of the topic.
        ranges: partition -> first and last offset.

    Raises:
        ServiceError: Kafka does not answer.
    """
    for some in _portions(topic.read(settings, name, ranges)):
        yield _frame(spark, name, some)


def judged(decoded: DataFrame) -> DataFrame:
    """A frame that was decoded; of `read`, with a reason for each record whose timestamp Spark cannot hold."""
    if FAR_MILLIS not in decoded.columns:
        return decoded
    far = F.col(FAR_MILLIS).isNotNull()
    words = "its Kafka timestamp, %d ms, lies more than 290,000 years away: nanoseconds, perhaps"
    detail = F.format_string(words, FAR_MILLIS)
    told = {
        **{name: F.when(~far, F.col(name)) for name in ("record", "tombstone") if name in decoded.columns},
        "reason": F.when(far, F.lit(Reason.TIMESTAMP_OUT_OF_RANGE.value)).otherwise(F.col("reason")),
        "detail": F.when(far, detail).otherwise(F.col("detail")),
    }
    return decoded.withColumns(told)


def millis(frame: DataFrame) -> Column:
    """The records' timestamps, ms since the epoch, of any frame."""
    held = F.unix_millis("timestamp")
    return F.coalesce(held, FAR_MILLIS) if FAR_MILLIS in frame.columns else held


def _portions(messages: Iterator[Message]) -> Iterator[list[Message]]:
    some: list[Message] = []
    size = 0
    for message in messages:
        some.append(message)
        size += len(message.value() or b"") + len(message.key() or b"")
        size += sum(len(name) + len(value or b"") for name, value in topic.headers(message))
        if size > _MOST_BYTES or len(some) == _MOST_RECORDS:
            yield some
            some, size = [], 0
    if some:
        yield some


def _frame(spark: SparkSession, name: str, messages: list[Message]) -> DataFrame:
    """All of them as one value, which Spark decodes: a plan, and what is logged of it, holds none."""
    raw = io.BytesIO()
    fastavro.schemaless_writer(raw, fastavro.parse_schema(_RECORDS), [_record(message) for message in messages])
    jvm = spark._jvm
    cells = spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 1)
    cells[0] = raw.getvalue()
    row = jvm.org.apache.spark.sql.RowFactory.create(cells)
    schema = jvm.org.apache.spark.sql.types.StructType.fromDDL("raw binary")
    frame = DataFrame(
        spark._jsparkSession.createDataFrame(jvm.java.util.Collections.singletonList(row), schema), spark
    )
    one = frame.select(F.explode(from_avro("raw", json.dumps(_RECORDS))).alias("one"))
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
