"""Partitions by time: which column they can have.  Pure; the stream creates the partitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.stores.table import Column, Refusal, Table

#: The column types that have a time.
TYPES: Final = ("date", "timestamp with time zone", "timestamp without time zone")


_NONE: Final = "add such a field to primary_key if no event of a key changes it; or use no partitions"


def _may_be_in_the_key(sink: PostgresSpec, column: Column) -> bool:
    """Whether the column may be that of the partitions, which the primary key has."""
    if column.nullable or column.name in sink.columns:
        return False
    return sink.appends or column.name in sink.primary_key


def refusals(table: Table) -> Iterator[Refusal]:
    """Yield why a table cannot have the partitions that its sink says."""
    sink = table.sink
    assert isinstance(sink, PostgresSpec)
    by = sink.partition_by
    if by is None:
        return
    at = ("partition_by", "column")
    column = next((one for one in table.all_columns if one.name == by.column), None)
    if column is None or column.nullable or column.type not in TYPES:
        usable = [one.name for one in table.all_columns if one.type in TYPES and _may_be_in_the_key(sink, one)]
        is_ = "is not there" if column is None else "may be null" if column.nullable else f"is {column.type}"
        why = f"the column {by.column} {is_}, and partitions need a date or a timestamp that is never null"
        yield Refusal("", why, f"name one of {', '.join(usable)}" if usable else _NONE, at)
    elif column.type == "date" and by.every.value == "hour":
        yield Refusal("", f"the column {by.column} is a date, which has no hours", "write every: day", at)
