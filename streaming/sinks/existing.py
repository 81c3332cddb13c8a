"""A sink's table as it stands in its store, and how it becomes what the contract wants."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
import structlog
from cassandra.cluster import Session

from contracts.errors import ConfigurationError, Refused
from contracts.stores.cassandra.sink import CassandraSink
from contracts.stores.postgres.sink import PostgresSink
from contracts.stores.table import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP, RESERVED, Column, Table
from contracts.tables import layout

log = structlog.get_logger("streaming")

_POSTGRES_COLUMNS = """\
SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, array_position(i.indkey::int2[], a.attnum)
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# What depends on a column and is not altered with it, as its index and its default are; and the views of such views.
_POSTGRES_USERS = """\
WITH RECURSIVE users AS (
    SELECT d.classid, d.objid, d.refobjid, r.ev_class
    FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(%(table)s) AND a.attname = ANY(%(columns)s)
        AND (d.classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass,
            'pg_publication_rel'::regclass) OR f.adnum <> d.refobjsubid)
    UNION
    SELECT d.classid, d.objid, d.refobjid, r.ev_class
    FROM users u
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.ev_class AND d.deptype = 'n'
        AND u.ev_class <> u.refobjid
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
)
SELECT DISTINCT CASE WHEN ev_class <> refobjid THEN pg_describe_object('pg_class'::regclass, ev_class, 0)
    ELSE pg_describe_object(classid, objid, 0) END
FROM users ORDER BY 1
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


def bring_cassandra(session: Session, wanted: Table) -> None:
    """Creates the table, or alters it; each alteration is logged once it is done.

    Raises:
        ConfigurationError: no statement makes the table what the contract wants; nothing has been altered.
    """
    found = in_cassandra(session, wanted.sink)
    for statement in _migration(found, wanted):
        session.execute(statement)
        if found is not None:
            tell(wanted, [statement])


def bring_postgres(connection: psycopg.Connection, wanted: Table) -> list[str]:
    """Creates the table, or alters it; the alterations, to be told (`tell`) once the transaction is committed.

    Raises:
        ConfigurationError: no statement makes the table what the contract wants; nothing has been altered.
        Refused: a view, or something else that somebody made, needs a column as it is; names each of them.
    """
    found = in_postgres(connection, wanted.sink)
    statements = _migration(found, wanted)
    for statement in statements:
        try:
            with connection.transaction():  # a savepoint: after a refusal there is still a question to ask
                connection.execute(statement)
        except psycopg.errors.FeatureNotSupported:
            if found is None or not (users := _users_of_retyped(connection, found, wanted)):
                raise
            raise Refused(
                f"cannot be altered ({statement}): {', '.join(users)} would have to change too",
                where=f"postgres table {wanted.sink.qualified}",
                mend="keep their definitions (`pg_get_viewdef`, `pg_dump --schema-only`), drop them, start the stream"
                " (it alters the table), and create them again",
                server="postgres",
            ) from None
    return list(statements) if found is not None else []


def tell(table: Table, altered: Iterable[str]) -> None:
    """Logs statements that have altered the table."""
    for statement in altered:
        log.info("table altered", sink=table.sink.kind, statement=statement)


def _users_of_retyped(connection: psycopg.Connection, found: Table, wanted: Table) -> list[str]:
    """What keeps PostgreSQL from giving columns another type: views with those that read them, rules, triggers."""
    before = {column.name: column.type for column in found.columns}
    retyped = [column.name for column in wanted.columns if before.get(column.name, column.type) != column.type]
    rows = connection.execute(_POSTGRES_USERS, {"table": wanted.sink.quoted, "columns": retyped})
    return [description for (description,) in rows]


def _migration(existing: Table | None, wanted: Table) -> tuple[str, ...]:
    """Statements that bring the existing table to the wanted one.  Raises ConfigurationError when none can."""
    needed = layout.migrate(existing, wanted)
    if needed.refusals:
        first = needed.refusals[0]
        raise ConfigurationError(
            first.why, where=f"{wanted.sink.kind} table {wanted.sink.qualified}", mend=first.mend
        )
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
