"""Passes rows between this process and Spark as bytes of Avro, so that neither a plan nor its log contains them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro, to_avro

#: Rows of one piece: it is one value in Spark.
_MOST_ROWS: Final = 50_000
#: Days and times are what they say; Spark refuses those before 1582 or 1900 otherwise, because older versions wrote
#: them in another calendar.  It takes the same option for writing from the session (`spark.session`).
_AS_IT_IS: Final = {"datetimeRebaseMode": "CORRECTED"}


def schema_of(frame: DataFrame) -> str:
    """Return the Avro schema of a list of a frame's rows."""
    jvm: Any = frame.sparkSession._jvm
    kind = jvm.org.apache.spark.sql.types.ArrayType(frame._jdf.schema(), False)
    return str(jvm.org.apache.spark.sql.avro.SchemaConverters.toAvroType(kind, False, "rows", "").toString())


def pack(frame: DataFrame, count: int, schema: str) -> list[bytes]:
    """Return all rows of a frame in pieces.

    Args:
        count: about how many it has.
        schema: that of `schema_of`.
    """
    row = F.struct(*(F.col(f"`{name}`") for name in frame.columns))
    pieces = max(1, math.ceil(count / _MOST_ROWS))
    piece = F.pmod(F.hash(*(F.col(f"`{name}`") for name in frame.columns)), F.lit(pieces)).alias("piece")
    packed = frame.groupBy(piece).agg(F.collect_list(row).alias("some")).select(to_avro("some", schema).alias("raw"))
    return [bytes(one.raw) for one in packed.collect()]


def unpack(spark: SparkSession, pieces: Iterable[bytes], schema: str) -> DataFrame | None:
    """Return the rows of some pieces in a column `one`; None if there are no pieces."""
    frames = [_unpacked(spark, raw, schema) for raw in pieces]
    return reduce(DataFrame.unionAll, frames) if frames else None


def _unpacked(spark: SparkSession, raw: bytes, schema: str) -> DataFrame:
    jvm: Any = spark._jvm
    gateway: Any = spark.sparkContext._gateway
    cells = gateway.new_array(jvm.java.lang.Object, 1)
    cells[0] = raw
    row = jvm.org.apache.spark.sql.RowFactory.create(cells)
    schema_of_cell = jvm.org.apache.spark.sql.types.StructType.fromDDL("raw binary")
    frame = DataFrame(
        spark._jsparkSession.createDataFrame(jvm.java.util.Collections.singletonList(row), schema_of_cell), spark
    )
    return frame.select(F.explode(from_avro("raw", schema, _AS_IT_IS)).alias("one"))
