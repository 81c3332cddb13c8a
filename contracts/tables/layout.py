"""Contract -> table definition and additive migration, CQL and SQL.  Pure.

Which column a field becomes, `contracts.tables.columns` says.  Every table also carries the position of the event
that wrote the row, so that a row leads back to its event and an older event can never overwrite a newer one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from contracts.avro import shapes
from contracts.avro.nodes import Field, Record, Schema
from contracts.catalog.contract import DELETIONS, CassandraSink, Contract, PostgresSink, Sink
from contracts.errors import ConfigurationError
from contracts.tables import columns, row_size, store_names

EVENT_TIMESTAMP = "kafka_timestamp"
EVENT_PARTITION = "kafka_partition"
EVENT_OFFSET = "kafka_offset"
#: Which of two events is the newer one: these, compared in this order.
EVENT_ORDER = (EVENT_TIMESTAMP, EVENT_OFFSET, EVENT_PARTITION)
WRITE_TIME = "kafka_write_time"  # no column of a table: what Cassandra keeps beside each cell
DELETED = "kafka_deleted"  # likewise: a row that is to be deleted
RESERVED = (EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET, WRITE_TIME, DELETED)

#: PostgreSQL's limits: bytes of a name, columns of a table, and the columns that every table has already.
POSTGRES_NAME_BYTES = 63
POSTGRES_COLUMNS = 1600


@dataclass(frozen=True)
class Column:
    """One column: its name, which is the field's, and its type in the store's own words.

    `is_json`: its text is JSON; None where nobody knows, for a store does not tell.
    """

    name: str
    type: str
    nullable: bool
    is_json: bool | None = None


@dataclass(frozen=True)
class Leftover:
    """A column whose field is gone.  `label`: the newest version that had the field, in words."""

    column: Column
    label: str


@dataclass(frozen=True)
class Written:
    """A version of a contract's value that was stored in a table.  `label`: what messages call the version."""

    label: str
    schema: Schema
    sink: Sink


@dataclass(frozen=True)
class Table:
    """A table of one store.

    Attributes:
        columns: the fields of the value, in their order, without the event's position.
        left: further columns that are there, and that no field writes any more.
    """

    sink: Sink
    columns: tuple[Column, ...]
    left: tuple[Leftover, ...] = ()

    @property
    def position(self) -> tuple[Column, ...]:
        """The bookkeeping columns: Kafka timestamp (ms precision), partition and offset of the row's event."""
        types = ("timestamp", "int", "bigint")
        if self.sink.kind == "postgres":
            types = ("timestamp with time zone", "integer", "bigint")
        names = (EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET)
        return tuple(Column(name, type_, nullable=False) for name, type_ in zip(names, types, strict=True))

    @property
    def all_columns(self) -> tuple[Column, ...]:
        return self.columns + self.position


def of(contract: Contract, sink: Sink) -> Table:
    """The table that `sink` asks for.

    Raises:
        ConfigurationError: there can be no such table (see `wanted`).
    """
    found = wanted(contract, sink)
    if isinstance(found, Table):
        return found
    raise ConfigurationError(found[0].why, where=place(contract, found[0]), mend=found[0].mend)


def wanted(contract: Contract, sink: Sink) -> Table | tuple[Refusal, ...]:
    """The table that `sink` asks for, or everything for which it cannot be made, or not be written by the stream.
    The stream, `check` and `tables` ask this; `lint` asks for each kind of refusal by itself."""
    return _wanted(contract.value.record, contract.value.schema, sink)


def _wanted(record: Record, schema: Schema, sink: Sink) -> Table | tuple[Refusal, ...]:
    found: list[Column] = []
    refused: list[Refusal] = []
    for field in record.fields:
        if refusal := _type_refusal(schema, field) or _name_refusal(field.name, sink):
            refused.append(refusal)
        else:
            found.append(_column(schema, field, sink))
    refused += [*size_refusals(record, schema, sink), *(one for _, one in place_refusals(sink))]
    for node in columns.recursions(schema):
        why = f"{node.fullname} contains itself, and Spark has no such type"
        refused.append(Refusal("", why, "put the id of the other one there instead"))
    return tuple(refused) or Table(sink, tuple(found))


def _column(schema: Schema, field: Field, sink: Sink) -> Column:
    found = columns.of(schema, field.type)
    _, nullable = shapes.nullability(schema, field.type)
    return Column(field.name, found.cql if sink.kind == "cassandra" else found.sql, nullable, found.is_json)


def place(contract: Contract, refusal: Refusal) -> str:
    """File, and line where it is a field's."""
    if not refusal.column:
        return contract.file
    return f"{contract.value.file}:{contract.value.record.by_name[refusal.column].line}"


def type_refusals(record: Record, schema: Schema) -> Iterator[Refusal]:
    """Fields of a type that no store can hold."""
    found = (_type_refusal(schema, field) for field in record.fields)
    return (one for one in found if one is not None)


def _type_refusal(schema: Schema, field: Field) -> Refusal | None:
    problem = columns.problem(schema, field)
    return problem and Refusal(field.name, f"field {field.name}: {problem.what}", problem.mend)


def name_refusals(record: Record, sink: Sink) -> Iterator[Refusal]:
    """Fields whose name cannot be a column's."""
    found = (_name_refusal(field.name, sink) for field in record.fields)
    return (one for one in found if one is not None)


def _name_refusal(name: str, sink: Sink) -> Refusal | None:
    if name.lower() in RESERVED:
        why = f"field {name}: the stream has a column {name!r} of its own"
    elif sink.kind != "postgres":
        return None
    elif name in store_names.POSTGRES_COLUMNS:
        why = f"field {name}: PostgreSQL has a column {name!r} of its own in every table"
    elif len(name.encode()) > POSTGRES_NAME_BYTES:
        why = f"field {name[:20]}…: PostgreSQL cuts the name off after {POSTGRES_NAME_BYTES} bytes"
    else:
        return None
    return Refusal(name, why, "rename the field")


_TOO_WIDE = "split the value into several topics, or leave PostgreSQL out of its sinks"


def size_refusals(record: Record, schema: Schema, sink: Sink) -> Iterator[Refusal]:
    """A table of more columns than the store takes, or one that can never have a row."""
    if not isinstance(sink, PostgresSink):
        return
    most = POSTGRES_COLUMNS - len((EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET))
    count = len(record.fields)
    if count > most:
        yield Refusal(
            "",
            f"the value has {count:,} fields, and a table of PostgreSQL has at most {POSTGRES_COLUMNS:,} columns, of "
            f"which the stream takes {POSTGRES_COLUMNS - most}",
            _TOO_WIDE,
        )
    elif _has_columns(record, schema) and (size := row_size.least(record, schema)) > row_size.MOST:
        why = f"even the smallest row takes {size:,} bytes, and a row of PostgreSQL has at most {row_size.MOST:,}"
        yield Refusal("", why, _TOO_WIDE)


def full_row_refusals(record: Record, schema: Schema, sink: Sink) -> Iterator[Refusal]:
    """A table, of those that `size_refusals` lets pass, that has no room for a row whose every field has a value."""
    if not isinstance(sink, PostgresSink) or not _has_columns(record, schema):
        return
    if not any(size_refusals(record, schema, sink)) and (size := row_size.full(record, schema)) > row_size.MOST:
        why = (
            f"a row with a value in every field takes {size:,} bytes, and a row of PostgreSQL has at most "
            f"{row_size.MOST:,}: such a record could not be stored"
        )
        yield Refusal("", why, _TOO_WIDE)


def _has_columns(record: Record, schema: Schema) -> bool:
    """Whether every field can be a column; for others there is no row to measure."""
    return not any(type_refusals(record, schema))


def place_refusals(sink: Sink) -> Iterator[tuple[str, Refusal]]:
    """Keys of the sink whose name cannot be used, and why."""
    if isinstance(sink, PostgresSink):
        if store_names.is_postgres_schema(sink.schema_name):
            why = f"the schema {sink.schema_name} is PostgreSQL's own"
            yield "schema", Refusal("", why, "name another schema")
        return
    if sink.keyspace in store_names.CASSANDRA_KEYSPACES:
        yield "keyspace", Refusal("", f"the keyspace {sink.keyspace} is Cassandra's own", "name another keyspace")
    for key, name in (("keyspace", sink.keyspace), ("table", sink.table)):
        if name in store_names.CQL_WORDS:
            why = f"the {key} {name} is a reserved word of CQL, which Spark's Cassandra connector cannot look up"
            yield key, Refusal("", why, f"name it otherwise, e.g. {name}_events")


def deletions(table: Table) -> Table:
    """The table that keeps of each deleted row its primary key and the position of the event that deleted it."""
    sink = table.sink.model_copy(update={"table": table.sink.table + DELETIONS})
    by_name = {column.name: column for column in table.columns}
    return Table(sink, tuple(by_name[name] for name in table.sink.primary_key))


def create(table: Table) -> list[str]:
    """Statements, without semicolon, that create the table (and its keyspace or schema) where it is not there."""
    return _create_cql(table, table.sink) if isinstance(table.sink, CassandraSink) else _create_sql(table, table.sink)


def _create_cql(table: Table, sink: CassandraSink) -> list[str]:
    replication = ", ".join(f"'{key}': {_cql_literal(value)}" for key, value in sink.replication.items())
    columns = ",\n  ".join(f'"{column.name}" {column.type}' for column in table.all_columns)
    key = ", ".join(f'"{name}"' for name in sink.primary_key)
    return [
        f'CREATE KEYSPACE IF NOT EXISTS "{sink.keyspace}" WITH replication = {{{replication}}}',
        f"CREATE TABLE IF NOT EXISTS {sink.quoted} (\n  {columns},\n  PRIMARY KEY ({key})\n)",
    ]


def _cql_literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _create_sql(table: Table, sink: PostgresSink) -> list[str]:
    columns = ",\n  ".join(
        f'"{column.name}" {column.type}{"" if column.nullable else " NOT NULL"}' for column in table.all_columns
    )
    key = ", ".join(f'"{name}"' for name in sink.primary_key)
    statements = [f"CREATE TABLE IF NOT EXISTS {sink.quoted} (\n  {columns},\n  PRIMARY KEY ({key})\n)"]
    if sink.schema_name != "public":
        statements.insert(0, f'CREATE SCHEMA IF NOT EXISTS "{sink.schema_name}"')
    return statements


@dataclass(frozen=True)
class Refusal:
    """A table, or a change of one, that no statement can bring about.  `column` is empty for the whole table."""

    column: str
    why: str
    mend: str


@dataclass(frozen=True)
class Migration:
    """What makes an existing table as the contract wants it.

    Attributes:
        statements: without semicolon; rows keep what they hold, and a second run changes nothing.
        refusals: what cannot be done; while there is one, the statements are not enough.
        notes: what a reader of the table should know.
    """

    statements: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


#: PostgreSQL's conversions in which every value stays what it is.
_WIDER = {
    ("integer", "bigint"),
    ("integer", "double precision"),
    ("real", "double precision"),
    ("uuid", "text"),
}
_MEND_TYPE = "add a field of the new type beside it; or name another table, and read the topic from its beginning"


def as_written(versions: Iterable[Written]) -> Table | None:
    """The table as it is: every column that a version gave it, with the newest type that it had.

    Args:
        versions: those that were stored in it, newest first.

    Returns:
        None where there is no table, for with none of the versions the stream would have started.
    """
    table: Table | None = None
    known: set[str] = set()
    left: list[Leftover] = []
    for one in versions:
        record = one.schema.resolve(one.schema.root)
        if not isinstance(record, Record) or (table is not None and record.by_name.keys() <= known):
            continue
        written = _wanted(record, one.schema, one.sink)
        if not isinstance(written, Table):
            continue  # the stream did not start with it
        if table is None:
            table = Table(one.sink, written.columns)
        else:
            # Where it went, it became nullable: the rows that came since have nothing for it.
            gone = (replace(column, nullable=True) for column in written.columns if column.name not in known)
            left += [Leftover(column, one.label) for column in gone]
        known |= record.by_name.keys()
    return replace(table, left=tuple(left)) if table is not None else None


def migrate(old: Table | None, new: Table) -> Migration:
    """Additive statements from `old`, the table as it is (None: there is none), to `new`."""
    if old is None:
        return Migration(tuple(create(new)))
    if old.sink.qualified != new.sink.qualified:
        note = f"{new.sink.qualified} is a new table, empty until the topic is read again; {old.sink.qualified} stays"
        return Migration(tuple(create(new)), notes=(note,))
    if list(old.sink.primary_key) != list(new.sink.primary_key):
        before, after = ", ".join(old.sink.primary_key), ", ".join(new.sink.primary_key)
        why = f"the primary key was ({before}), and is now ({after}); a key is fixed when its table is made"
        return Migration(
            refusals=(Refusal("", why, "keep the key; or name another table, and read the topic from its beginning"),)
        )
    statements: list[str] = []
    refusals: list[Refusal] = []
    notes: list[str] = []
    added: list[str] = []
    before_by_name = {column.name: column for column in old.columns}
    left = {one.column.name: one for one in old.left}
    for column in new.columns:
        before, since = before_by_name.pop(column.name, None), ""
        if before is None and column.name in left:
            before, label = left[column.name].column, left[column.name].label
            since = f" in {label}, whose column is still there"
            if before.type == column.type:
                notes.append(f"{column.name}: is there, with what {label} wrote, and is written again")
        if before is None:
            statements.append(_add(new, column))
            added.append(column.name)
            continue
        if before.type == column.type and {before.is_json, column.is_json} == {True, False}:
            was, now = ("JSON", "plain text") if before.is_json else ("plain text", "JSON")
            refusals.append(Refusal(column.name, f"{column.name} was {was}, and is now {now}", _MEND_TYPE))
        if before.type != column.type:
            change = _retype(new, before, column, since)
            if isinstance(change, Refusal):
                refusals.append(change)
            else:
                statements.append(change)
                if not _longer_numeric(before.type, column.type):
                    notes.append(f"{column.name}: PostgreSQL writes the whole table anew, which is locked meanwhile")
        if column.nullable and not before.nullable:
            statements += _drop_not_null(new, column)
    if added:
        notes.append(f"{', '.join(added)}: null in the rows that are there")
    if before_by_name:
        notes.append(f"{', '.join(before_by_name)}: stays as it is, and is no longer written")
    for column in before_by_name.values():
        if not column.nullable:
            statements += _drop_not_null(new, column)
    return Migration(tuple(statements), tuple(refusals), tuple(notes))


def _add(table: Table, column: Column) -> str:
    word = "ADD" if isinstance(table.sink, CassandraSink) else "ADD COLUMN"
    return f'ALTER TABLE {table.sink.quoted} {word} IF NOT EXISTS "{column.name}" {column.type}'


def _retype(table: Table, old: Column, new: Column, since: str) -> str | Refusal:
    what = f"{new.name} was {old.type}{since}, and is now {new.type}"
    if isinstance(table.sink, CassandraSink):
        return Refusal(new.name, f"{what}; Cassandra cannot alter the type of a column", _MEND_TYPE)
    if new.name in table.sink.primary_key and new.type == "text":
        why = f"{what}, and it is part of the primary key: text tells capitals from small letters, a uuid does not"
        return Refusal(new.name, why, _MEND_TYPE)
    # A column of the primary key too: a number stays the same number, and its index is built again.
    if (old.type, new.type) in _WIDER or _wider_numeric(old.type, new.type):
        return f'ALTER TABLE {table.sink.quoted} ALTER COLUMN "{new.name}" TYPE {new.type}'
    return Refusal(new.name, f"{what}; not every value that is stored could become one", _MEND_TYPE)


def _wider_numeric(old: str, new: str) -> bool:
    digits = _digits(old), _digits(new)
    if digits[0] is None or digits[1] is None:
        return False
    (precision, scale), (wide, fine) = digits
    return fine >= scale and wide - fine >= precision - scale


def _longer_numeric(old: str, new: str) -> bool:
    """More digits and the same scale: no row is written for it."""
    before, after = _digits(old), _digits(new)
    return before is not None and after is not None and before[1] == after[1]


def _digits(type_: str) -> tuple[int, int] | None:
    """Precision and scale of a `numeric`."""
    found = re.fullmatch(r"numeric\((\d+),(\d+)\)", type_)
    return (int(found[1]), int(found[2])) if found else None


def _drop_not_null(table: Table, column: Column) -> list[str]:
    if isinstance(table.sink, CassandraSink):
        return []
    return [f'ALTER TABLE {table.sink.quoted} ALTER COLUMN "{column.name}" DROP NOT NULL']
