"""The indexes that a contract declares: which are possible, and the statements that create them.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts.contracts.stores.postgres.spec import IndexSpec, IndexType, PostgresSpec
from avro_data_contracts.contracts.stores.store import Changed
from avro_data_contracts.contracts.stores.table import Refusal, Table

#: The most columns of an index.
MOST_COLUMNS: Final = 32


def create(sink: PostgresSpec, index: IndexSpec) -> str:
    """Return the statement that creates an index unless it exists."""
    listed = ", ".join(f'"{name}"' for name in index.columns)
    using = f" USING {index.type.value}" if index.type is not IndexType.btree else ""
    return f'CREATE INDEX IF NOT EXISTS "{sink.index_name(index)}" ON {sink.quoted}{using} ({listed})'


def changed(was: PostgresSpec, now: PostgresSpec) -> Iterator[Changed]:
    """Yield the indexes that are new, and those that the contract no longer has."""
    before, after = ({one.index_name(index): index for index in one.indexes} for one in (was, now))
    for name, index in after.items():
        if name not in before:
            yield Changed((create(now, index),))
    for name in before:
        if name not in after:
            drop = f'DROP INDEX "{now.schema_name}"."{name}"'
            yield Changed(notes=(f"the index {name} stays: drop it if no query needs it ({drop})",))


def refusals(table: Table) -> Iterator[Refusal]:
    """Yield the indexes that PostgreSQL cannot have."""
    sink = table.sink
    assert isinstance(sink, PostgresSpec)
    types = {column.name: column.type for column in table.all_columns}
    seen: set[str] = set()
    for number, index in enumerate(sink.indexes):
        at = ("indexes", number)
        if why := _impossible(index, types):
            yield Refusal("", f"the index of {', '.join(index.columns)}: {why[0]}", why[1], at)
        elif sink.index_name(index) in seen:
            yield Refusal("", f"the index of {', '.join(index.columns)} is there twice", "keep one of the two", at)
        seen.add(sink.index_name(index))


def _impossible(index: IndexSpec, types: dict[str, str]) -> tuple[str, str] | None:
    unknown = [name for name in index.columns if name not in types]
    if unknown:
        return f"the table has no column {unknown[0]!r}", f"columns: {', '.join(types)}"
    if len(set(index.columns)) < len(index.columns) or len(index.columns) > MOST_COLUMNS:
        return "it has a column twice, or more than 32", "name each column once"
    kinds = [types[name] for name in index.columns]
    if index.type is IndexType.hash and len(kinds) > 1:
        return "a hash index has one column", "write an index for each column, or another type"
    if index.type is IndexType.gin and any(kind != "jsonb" for kind in kinds):
        return "a gin index is for JSON", "name columns that are jsonb, or another type"
    if index.type is IndexType.brin and (bad := [kind for kind in kinds if kind in ("jsonb", "boolean")]):
        return f"a brin index has no order for {bad[0]}", "name numbers, times or texts, or another type"
    return None
