"""Loads the rows of a frame with PostgreSQL's COPY: `java/CopyRows.java`, in Spark's executors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from psycopg import sql
from pyspark.sql import DataFrame

from avro_data_contracts.streaming.decode.compiled import of_driver

SOURCE: Final = Path(__file__).with_name("java") / "CopyRows.java"
#: A class of the driver that the source needs.
DRIVER: Final = "org.postgresql.Driver"


def load(frame: DataFrame, table: sql.Identifier, url: str, properties: Mapping[str, str]) -> None:
    """Append the rows of a frame to a table: a transaction for each of its partitions.

    Args:
        table: it has the columns of the frame, whose values are texts, numbers, booleans and bytes.

    Raises:
        Py4JJavaError: reading the frame fails, or the server; see `failures.of_java`.
    """
    jar = "the jar of org.postgresql:postgresql"
    copy_rows = of_driver(frame.sparkSession, "CopyRows", driver="driver of PostgreSQL", jars=jar)
    columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns).as_string()
    rows = frame._jdf.queryExecution().toRdd().toJavaRDD()
    rows.foreachPartition(copy_rows(url, dict(properties), statement, frame._jdf.schema()))
