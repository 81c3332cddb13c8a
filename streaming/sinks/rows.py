"""Turns decoded records into rows of a table: for each primary key, the row of the newest event."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro.nodes import Field, Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.stores.table import (
    DELETED,
    EVENT_OFFSET,
    EVENT_ORDER,
    EVENT_PARTITION,
    EVENT_TIMESTAMP,
    Table,
)
from avro_data_contracts.streaming.decode.batches import TOMBSTONE
from avro_data_contracts.streaming.sinks.cells import Cell


def of(decoded: DataFrame, contract: Contract, table: Table, cell_of: Callable[[Schema, Field], Cell]) -> DataFrame:
    """Return the rows of the good records with `table.all_columns`; a primary key may occur several times.

    When tombstones delete rows, there is also the column `DELETED`; a row to delete has only its primary key.

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
    """Return the newest row of each primary key, by `EVENT_ORDER`."""
    key = [F.col(name) for name in table.sink.primary_key]
    order = [F.col(name).desc() for name in EVENT_ORDER]
    ranked = rows.withColumn("_rank", F.row_number().over(Window.partitionBy(*key).orderBy(*order)))
    return ranked.where("_rank = 1").drop("_rank")
