"""Decoded records -> rows of a table: one row per primary key, the newest event's."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.avro.nodes import Field, Schema
from contracts.catalog.contract import Contract
from contracts.stores.table import DELETED, EVENT_OFFSET, EVENT_ORDER, EVENT_PARTITION, EVENT_TIMESTAMP, Table
from streaming.decode.batches import TOMBSTONE
from streaming.sinks.cells import Cell


def of(decoded: DataFrame, contract: Contract, table: Table, cell_of: Callable[[Schema, Field], Cell]) -> DataFrame:
    """The rows of the good records, columns as `table.all_columns`; a primary key may occur several times.

    Where tombstones delete rows there is one column more, `DELETED`; of a row to be deleted only the primary key is
    there.

    Args:
        cell_of: the store's own `cells.of`.
    """
    deletes, schema = TOMBSTONE in decoded.columns, contract.value.schema
    fields = [(field.name, cell_of(schema, field)) for field in contract.value.record.fields]

    def value(name: str) -> Column:
        of_record = F.col("record").getField(name)
        if deletes and name in table.sink.primary_key:
            return F.coalesce(of_record, F.col(TOMBSTONE).getField(name))
        return of_record

    return decoded.where(F.col("reason").isNull()).select(
        *([F.col(TOMBSTONE).isNotNull().alias(DELETED)] if deletes else []),
        *(cell(value(name)).alias(name) for name, cell in fields),
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
