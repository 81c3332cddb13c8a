"""Reads a PostgreSQL table as it exists, and creates or alters it to what the contract wants."""

from __future__ import annotations

import psycopg
from psycopg import sql

from avro_data_contracts.contracts.errors import Refused
from avro_data_contracts.contracts.masks.hashing import Key
from avro_data_contracts.contracts.stores.position import EVENT_TOPIC
from avro_data_contracts.contracts.stores.postgres.spec import Every, PartitionSpec, PostgresSpec
from avro_data_contracts.contracts.stores.spec import Mode
from avro_data_contracts.contracts.stores.table import Column, Table
from avro_data_contracts.streaming.sinks import altering, keyed

_COLUMNS = """\
SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, array_position(i.indkey::int2[], a.attnum)
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# The column by whose ranges a table is partitioned.  No contract says anything else, and then nothing is compared.
_PARTITIONED = """\
SELECT attname FROM pg_partitioned_table
JOIN pg_attribute ON attrelid = partrelid AND attnum = partattrs[0]
WHERE partrelid = to_regclass(%s) AND partstrat = 'r' AND partnatts = 1 AND partattrs[0] > 0
"""
_INDEXES = """\
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = to_regclass(%s)
"""
# What depends on a column and is not altered with it, unlike its index and default; and views on those views.
_USERS = """\
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


def table(connection: psycopg.Connection, spec: PostgresSpec) -> Table | None:
    """Return the table with its actual primary key, partitions and indexes; None when there is none."""
    found = connection.execute(_COLUMNS, (spec.quoted,)).fetchall()
    if not found:
        return None
    columns = [Column(name, type_, nullable) for name, type_, nullable, _ in found]
    key = [name for _, name in sorted((place, name) for name, _, _, place in found if place is not None)]
    return altering.as_found(_actual(connection, spec, key), columns)


def _actual(connection: psycopg.Connection, spec: PostgresSpec, key: list[str]) -> PostgresSpec:
    """Return the sink as a contract would say it for the table that exists."""
    by = connection.execute(_PARTITIONED, (spec.quoted,)).fetchone()
    names = {name for (name,) in connection.execute(_INDEXES, (spec.quoted,))}
    # Of an index, only its name is compared; every other one is somebody else's.
    own = [index for index in spec.indexes if spec.index_name(index) in names]
    every = spec.partition_by.every if spec.partition_by else Every.month
    actual = spec.model_copy(
        update={
            "mode": Mode.append if EVENT_TOPIC in key else Mode.upsert,
            "primary_key": [] if EVENT_TOPIC in key else key,
            "partition_by": PartitionSpec(column=by[0], every=every) if by else None,
            "indexes": own,
        }
    )
    if list(actual.key) == key:
        return actual
    return actual.model_copy(update={"mode": Mode.upsert, "primary_key": key})


def bring(connection: psycopg.Connection, wanted: Table) -> list[str]:
    """Create or alter the table; return the alterations, to be logged (`altering.tell`) after the commit.

    Raises:
        ConfigurationError: no statement makes the table what the contract wants; nothing has been altered.
        Refused: views or other objects need a column as it is; names each of them.
    """
    assert isinstance(wanted.sink, PostgresSpec)
    found = table(connection, wanted.sink)
    statements = altering.statements(found, wanted)
    for statement in statements:
        try:
            with connection.transaction():  # a savepoint, so that the connection works after a refusal
                connection.execute(statement)
        except psycopg.errors.FeatureNotSupported:
            if found is None or not (users := _users_of_retyped(connection, found, wanted)):
                raise
            raise Refused(
                f"cannot be altered ({statement}): {', '.join(users)} would have to change too",
                where=f"postgres table {wanted.sink.qualified}",
                fix="keep their definitions (`pg_get_viewdef`, `pg_dump --schema-only`), drop them, start the stream"
                " (it alters the table), and create them again",
                server="postgres",
            ) from None
    return list(statements) if found is not None else []


def note_key(connection: psycopg.Connection, spec: PostgresSpec, key: Key | None) -> None:
    """Keep the id of the key of the table's hashes in its comment.

    Raises:
        ConfigurationError: another key has hashed its rows.
    """
    if key is not None and (note := keyed.to_note(_comment(connection, spec), key, spec)) is not None:
        _comment_on(connection, spec, note)


def forget_key(connection: psycopg.Connection, spec: PostgresSpec) -> None:
    """Take the id of the key out of the comment of a table that is empty."""
    if keyed.noted(comment := _comment(connection, spec)):
        _comment_on(connection, spec, keyed.with_note(comment, None))


def _comment(connection: psycopg.Connection, spec: PostgresSpec) -> str:
    found = connection.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", (spec.quoted,)).fetchone()
    return (found and found[0]) or ""


def _comment_on(connection: psycopg.Connection, spec: PostgresSpec, words: str) -> None:
    table = sql.Identifier(spec.schema_name, spec.table)
    connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(words)))


def _users_of_retyped(connection: psycopg.Connection, found: Table, wanted: Table) -> list[str]:
    """Return what keeps PostgreSQL from changing column types: views, with views on them, rules and triggers."""
    before = {column.name: column.type for column in found.columns}
    retyped = [column.name for column in wanted.columns if before.get(column.name, column.type) != column.type]
    rows = connection.execute(_USERS, {"table": wanted.sink.quoted, "columns": retyped})
    return [description for (description,) in rows]
