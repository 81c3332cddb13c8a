"""Tables in PostgreSQL: the SQL that creates and changes them, and what is impossible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

from avro_data_contracts.contracts.avro.nodes import AnyType, Record, Schema
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.postgres import columns, indexes, names, partitions, row_size
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.stores.store import FIX_TYPE, Changed, Store
from avro_data_contracts.contracts.stores.table import Column, ColumnType, Refusal, Table

if TYPE_CHECKING:
    from avro_data_contracts.contracts.settings import Settings

#: How the name ends of the table into which the stream loads a batch.
STAGING: Final = "__staging"
#: The most columns of a table.
MOST_COLUMNS: Final = 1600
#: Conversions in which every value stays the same.
_WIDER: Final = {
    ("integer", "bigint"),
    ("integer", "double precision"),
    ("real", "double precision"),
    ("uuid", "text"),
}
_TOO_WIDE: Final = "split the value into several topics, or remove PostgreSQL from the sinks"


class Postgres(Store):
    """PostgreSQL."""

    spec = PostgresSpec
    title = "PostgreSQL"
    # An index entry has at most 2,704 bytes, including numbers and dates of the key.
    most_key_bytes = 2_500

    def column_type(self, schema: Schema, node: AnyType) -> ColumnType:
        return columns.of(schema, node)

    def dataset(self, sink: PostgresSpec, settings: Settings) -> tuple[str, str]:
        url = urlsplit(settings.postgres_dsn)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        server = url.netloc.rpartition("@")[2].split(",")[0] or asked.get("host", "localhost")
        host, _, port = server.rpartition(":") if re.search(r":\d*$", server) else (server, "", "")
        port = port or asked.get("port", "5432")
        database = unquote(url.path.strip("/")) or asked.get("dbname", "") or unquote(url.username or "")
        return f"postgres://{host or 'localhost'}:{port}", f"{database}.{sink.schema_name}.{sink.table}"

    def create(self, table: Table) -> list[str]:
        sink = table.sink
        assert isinstance(sink, PostgresSpec)
        listed = ",\n  ".join(
            f'"{column.name}" {column.type}{"" if column.nullable else " NOT NULL"}' for column in table.all_columns
        )
        key = ", ".join(f'"{name}"' for name in sink.key)
        by = f' PARTITION BY RANGE ("{sink.partition_by.column}")' if sink.partition_by is not None else ""
        statements = [f"CREATE TABLE IF NOT EXISTS {sink.quoted} (\n  {listed},\n  PRIMARY KEY ({key})\n){by}"]
        if sink.schema_name != "public":
            statements.insert(0, f'CREATE SCHEMA IF NOT EXISTS "{sink.schema_name}"')
        return [*statements, *(indexes.create(sink, one) for one in sink.indexes)]

    def told_of_new(self, table: Table) -> tuple[str, ...]:
        sink = table.sink
        assert isinstance(sink, PostgresSpec)
        by = sink.partition_by
        if by is None:
            return ()
        one = f"one for each {by.every.value} of {by.column}"
        return (f"the stream creates the partitions of {sink.qualified}: {one}, {by.ahead} of them ahead",)

    def settings_changed(self, old: Table, new: Table) -> Iterator[Changed]:
        was, now = old.sink, new.sink
        assert isinstance(was, PostgresSpec)
        assert isinstance(now, PostgresSpec)
        yield from indexes.changed(was, now)
        if was.partition_by and now.partition_by and was.partition_by.every is not now.partition_by.every:
            words = f"new partitions hold {now.partition_by.every.value}s; existing ones stay as they are"
            yield Changed(notes=(words,))

    def table_refusals(self, table: Table) -> Iterator[Refusal]:
        yield from indexes.refusals(table)
        yield from partitions.refusals(table)

    def add(self, table: Table, column: Column) -> list[str]:
        return [f'ALTER TABLE {table.sink.quoted} ADD COLUMN IF NOT EXISTS "{column.name}" {column.type}']

    def retype(self, table: Table, old: Column, new: Column, since: str) -> list[str] | Refusal:
        what = f"{new.name} was {old.type}{since}, and is now {new.type}"
        by = table.sink.partition_by if isinstance(table.sink, PostgresSpec) else None
        if by is not None and new.name == by.column:
            return Refusal(new.name, f"{what}, but the table is partitioned by it", FIX_TYPE)
        if new.name in table.sink.key and new.type == "text":
            why = f"{what}, but is part of the primary key: case matters in text, but not in a uuid"
            return Refusal(new.name, why, FIX_TYPE)
        # This also works in the primary key: a number stays the same number, and PostgreSQL rebuilds the index.
        if (old.type, new.type) in _WIDER or _wider_numeric(old.type, new.type):
            return [f'ALTER TABLE {table.sink.quoted} ALTER COLUMN "{new.name}" TYPE {new.type}']
        return Refusal(new.name, f"{what}, but not every stored value can be converted", FIX_TYPE)

    def rewrites(self, old: Column, new: Column) -> bool:
        return not _longer_numeric(old.type, new.type)

    def drop_not_null(self, table: Table, column: Column) -> list[str]:
        return [f'ALTER TABLE {table.sink.quoted} ALTER COLUMN "{column.name}" DROP NOT NULL']

    def name_refusal(self, name: str) -> Refusal | None:
        if name in names.COLUMNS:
            why = f"field {name}: every table of PostgreSQL has its own column {name!r}"
        elif len(name.encode()) > names.MOST_BYTES:
            why = f"field {name[:20]}…: PostgreSQL truncates the name after {names.MOST_BYTES} bytes"
        else:
            return None
        return Refusal(name, why, "rename the field")

    def target_refusals(self, sink: PostgresSpec) -> Iterator[Refusal]:
        if names.is_own_schema(sink.schema_name):
            why = f"the schema {sink.schema_name} is PostgreSQL's own"
            yield Refusal("", why, "name another schema", ("schema",))
        if sink.table.endswith(STAGING):
            why = f"the stream of the table {sink.table.removesuffix(STAGING)} drops a table of this name"
            yield Refusal("", f"the table {sink.table}: {why}", "choose another name", ("table",))

    def size_refusals(self, sink: PostgresSpec, record: Record, schema: Schema) -> Iterator[Refusal]:
        most = MOST_COLUMNS - len(sink.bookkeeping)
        count = len(record.fields)
        if count > most:
            yield Refusal(
                "",
                f"the value has {count:,} fields{_with_paths(sink)}, but a PostgreSQL table has at most "
                f"{MOST_COLUMNS:,} columns, and the stream needs {MOST_COLUMNS - most} of them",
                _TOO_WIDE,
            )
        elif _has_columns(record, schema) and (size := row_size.least(record, schema, sink)) > row_size.MOST:
            why = f"even the smallest row has {size:,} bytes, but a row of PostgreSQL has at most {row_size.MOST:,}"
            yield Refusal("", why, _TOO_WIDE)

    def full_row_refusals(self, sink: PostgresSpec, record: Record, schema: Schema) -> Iterator[Refusal]:
        if not _has_columns(record, schema) or any(self.size_refusals(sink, record, schema)):
            return
        if (size := row_size.full(record, schema, sink)) > row_size.MOST:
            why = (
                f"a row with a value in every field has {size:,} bytes, but a row of PostgreSQL has at most "
                f"{row_size.MOST:,}, so such a record cannot be stored"
            )
            yield Refusal("", why, _TOO_WIDE)


def _with_paths(sink: PostgresSpec) -> str:
    return " and columns of paths" if sink.columns else ""


def _has_columns(record: Record, schema: Schema) -> bool:
    """Whether every field can be a column; otherwise there is no row to measure."""
    return not any(types.problem(schema, field) for field in record.fields)


def _wider_numeric(old: str, new: str) -> bool:
    before, after = _digits(old), _digits(new)
    if before is None or after is None:
        return False
    (precision, scale), (wide, fine) = before, after
    return fine >= scale and wide - fine >= precision - scale


def _longer_numeric(old: str, new: str) -> bool:
    """Whether only the digits grow and the scale stays: then PostgreSQL rewrites no row."""
    before, after = _digits(old), _digits(new)
    return before is not None and after is not None and before[1] == after[1]


def _digits(type_: str) -> tuple[int, int] | None:
    """The precision and scale of a `numeric`."""
    found = re.fullmatch(r"numeric\((\d+),(\d+)\)", type_)
    return (int(found[1]), int(found[2])) if found else None


STORE = Postgres()
