"""Timestamps of Kafka records, including those that Spark cannot hold (`run.pieces` reads these)."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from avro_data_contracts.streaming.decode.reasons import Reason

#: A record's timestamp, ms since the epoch; null where the column `timestamp` has it.
FAR_MILLIS = "far_millis"
#: The range of Spark's timestamps, µs in 64 bits.
LEAST_MILLIS, MOST_MILLIS = -(2**63) // 1000 + 1, (2**63 - 1) // 1000


def judged(decoded: DataFrame) -> DataFrame:
    """Reject the records of a decoded frame whose timestamp Spark cannot hold; other frames stay as they are."""
    if FAR_MILLIS not in decoded.columns:
        return decoded
    far = F.col(FAR_MILLIS).isNotNull()
    words = "its Kafka timestamp, %d ms, is more than 290,000 years away; perhaps it is in nanoseconds"
    detail = F.format_string(words, FAR_MILLIS)
    told: dict[str, Column] = {
        name: F.when(~far, F.col(name)) for name in ("record", "tombstone") if name in decoded.columns
    }
    told["reason"] = F.when(far, F.lit(Reason.TIMESTAMP_OUT_OF_RANGE.value)).otherwise(F.col("reason"))
    told["detail"] = F.when(far, detail).otherwise(F.col("detail"))
    return decoded.withColumns(told)


def millis(frame: DataFrame) -> Column:
    """Return the timestamps of any frame's records, in ms since the epoch."""
    held = F.unix_millis("timestamp")
    return F.coalesce(held, FAR_MILLIS) if FAR_MILLIS in frame.columns else held
