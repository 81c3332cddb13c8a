"""Decoded records -> rows of a table: one row per primary key, the newest event's."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.contract import Contract
from contracts.tables import EVENT_OFFSET, EVENT_ORDER, EVENT_PARTITION, EVENT_TIMESTAMP, Table
from streaming import cells


def of(decoded: DataFrame, contract: Contract, table: Table) -> DataFrame:
    """The rows of the good records, columns as `table.all_columns`; a primary key may occur several times."""
    record, schema = F.col("record"), contract.value.schema
    fields = [(field.name, cells.of(schema, field, table.sink)) for field in contract.value.record.fields]
    return decoded.where(F.col("reason").isNull()).select(
        *(cell(record.getField(name)).alias(name) for name, cell in fields),
        F.col("timestamp").alias(EVENT_TIMESTAMP),
        F.col("partition").alias(EVENT_PARTITION),
        F.col("offset").alias(EVENT_OFFSET),
    )


def newest(rows: DataFrame, table: Table) -> DataFrame:
    """Of the rows with one primary key the newest, by `EVENT_ORDER`."""
    key = [F.col(name) for name in table.sink.primary_key]
    order = [F.col(name).desc() for name in EVENT_ORDER]
    ranked = rows.withColumn("_rank", F.row_number().over(Window.partitionBy(*key).orderBy(*order)))
    return ranked.where("_rank = 1").drop("_rank")
