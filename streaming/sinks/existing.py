"""A sink's table as it stands in its store, and what makes it as the contract wants it."""

from __future__ import annotations

import psycopg
import structlog
from cassandra.cluster import Session

from contracts import tables
from contracts.contract import CassandraSink, PostgresSink
from contracts.errors import ConfigurationError
from contracts.tables import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP, RESERVED, Column, Table

log = structlog.get_logger("streaming")

_POSTGRES_COLUMNS = """\
SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, array_position(i.indkey::int2[], a.attnum)
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def in_cassandra(session: Session, spec: CassandraSink) -> Table | None:
    """The table, with the primary key that it has; None when there is none."""
    found = list(
        session.execute(
            "SELECT column_name, type, kind, position FROM system_schema.columns"
            " WHERE keyspace_name = %s AND table_name = %s",
            (spec.keyspace, spec.table),
        )
    )
    kinds = ("partition_key", "clustering")
    key = sorted((kinds.index(row.kind), row.position, row.column_name) for row in found if row.kind in kinds)
    columns = [Column(row.column_name, row.type, nullable=row.kind not in kinds) for row in found]
    return _table(spec, columns, [name for _, _, name in key])


def in_postgres(connection: psycopg.Connection, spec: PostgresSink) -> Table | None:
    """The table, with the primary key that it has; None when there is none."""
    found = connection.execute(_POSTGRES_COLUMNS, (spec.quoted,)).fetchall()
    key = sorted((place, name) for name, _, _, place in found if place is not None)
    columns = [Column(name, type_, nullable) for name, type_, nullable, _ in found]
    return _table(spec, columns, [name for _, name in key])


def migration(existing: Table | None, wanted: Table) -> tuple[str, ...]:
    """Statements that bring the existing table to the wanted one, each of them logged.

    Raises:
        ConfigurationError: no statement can; nothing has been altered.
    """
    needed = tables.migrate(existing, wanted)
    if needed.refusals:
        first = needed.refusals[0]
        raise ConfigurationError(
            first.why, where=f"{wanted.sink.kind} table {wanted.sink.qualified}", mend=first.mend
        )
    if existing is not None:
        for statement in needed.statements:
            log.info("table altered", sink=wanted.sink.kind, statement=statement)
    return needed.statements


def _table(spec: CassandraSink | PostgresSink, columns: list[Column], key: list[str]) -> Table | None:
    if not columns:
        return None
    names = {column.name for column in columns}
    if missing := [name for name in (EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET) if name not in names]:
        raise ConfigurationError(
            f"it has no column {', '.join(missing)}: it was not made for this contract",
            where=f"{spec.kind} table {spec.qualified}",
            mend="name another table in contract.yaml, or move this one away",
        )
    return Table(
        spec.model_copy(update={"primary_key": key}),
        tuple(column for column in columns if column.name not in RESERVED),
    )
