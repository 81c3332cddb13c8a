"""Turns decoded records into rows of a table: for each primary key, the row of the newest event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro.nodes import Field, Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.stores import nested
from avro_data_contracts.contracts.stores.position import (
    DELETED,
    EVENT_OFFSET,
    EVENT_PARTITION,
    EVENT_TIMESTAMP,
    EVENT_TOPIC,
    EVENTS,
)
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.streaming.decode.batches import TOMBSTONE
from avro_data_contracts.streaming.sinks.cells import Cell
from avro_data_contracts.streaming.sinks.masks import Masks

#: The column of a batch with the id of its topic.
TOPIC_ID = "topic_id"


def of(
    decoded: DataFrame,
    contract: Contract,
    table: Table,
    cell_of: Callable[[Schema, Field], Cell],
    masks: Masks,
    more: Sequence[str] = (),
) -> DataFrame:
    """Return the rows of the good records with `table.all_columns`; a primary key may occur several times.

    If the table has a row for each event, the records have `TOPIC_ID`.

    When tombstones delete rows, there is also the column `DELETED`; a row to delete has only its primary key.

    Args:
        cell_of: the store's own `cells.of`.
        masks: those of the table.
        more: columns that the rows have too, as they are.
    """
    of_rows = contract.rows.value
    deletes, schema, record = TOMBSTONE in decoded.columns, of_rows.schema, of_rows.record
    named: list[tuple[str, tuple[str, ...], Field]] = [(field.name, (field.name,), field) for field in record.fields]
    for name, path in table.sink.columns.items():
        leaf = nested.leaf(schema, record, path)
        assert isinstance(leaf, nested.Leaf)  # the contract was read with it
        named.append((name, leaf.names, leaf.field))
    fields: list[tuple[str, tuple[str, ...], Cell, Cell]] = []
    for name, names, field in named:
        if (column := masks.column(field, names)) is not None:
            shown, mask = column
            fields.append((name, names, mask, cell_of(schema, shown)))

    def value(path: tuple[str, ...]) -> Column:
        of_record = reduce(Column.getField, path, F.col("record"))
        if deletes and path[0] in table.sink.primary_key:
            return F.coalesce(of_record, F.col(TOMBSTONE).getField(path[0]))
        return of_record

    return decoded.where(F.col("reason").isNull()).select(
        *([F.col(TOMBSTONE).isNotNull().alias(DELETED)] if deletes else []),
        *(cell(mask(value(path))).alias(name) for name, path, mask, cell in fields),
        F.col("timestamp").alias(EVENT_TIMESTAMP),
        *([F.col(EVENTS)] if table.sink.groups else [F.col("partition").alias(EVENT_PARTITION)]),
        *([] if table.sink.groups else [F.col("offset").alias(EVENT_OFFSET)]),
        *(F.col(name) for name in more),
        *([F.col(TOPIC_ID).alias(EVENT_TOPIC)] if table.sink.appends else []),
    )


def newest(rows: DataFrame, table: Table) -> DataFrame:
    """Return the newest row of each primary key, by `SinkSpec.order`."""
    if table.sink.appends or table.sink.groups:  # each row has a key of its own
        return rows
    key = [F.col(name) for name in table.sink.primary_key]
    order = [F.col(name).desc() for name in table.sink.order]
    ranked = rows.withColumn("_rank", F.row_number().over(Window.partitionBy(*key).orderBy(*order)))
    return ranked.where("_rank = 1").drop("_rank")
