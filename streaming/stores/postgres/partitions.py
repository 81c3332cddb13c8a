"""Creates the partitions of a table by time: some ahead, and those that the rows of a batch need."""

from __future__ import annotations

from typing import Any, Final

import psycopg
import structlog
from psycopg import sql

from avro_data_contracts.contracts.errors import Refused
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec

log = structlog.get_logger("streaming")

#: The most partitions that the rows of one batch may need: PostgreSQL locks each of them.
MOST_OF_A_BATCH: Final = 500
# How the name of a partition ends; one that begins elsewhere, beside partitions of another size, has minutes.
_NAMES: Final = {"hour": "YYYY_MM_DD_HH24", "day": "YYYY_MM_DD", "month": "YYYY_MM", "year": "YYYY"}
# Times are compared in UTC, as `timestamp`.
_UTC: Final = {
    "timestamp with time zone": "({} AT TIME ZONE 'UTC')",
    "timestamp without time zone": "({})",
    "date": "({}::timestamp)",
}
_BACK: Final = {
    "timestamp with time zone": "({} AT TIME ZONE 'UTC')::text",
    "timestamp without time zone": "({})::text",
    "date": "({}::date)::text",
}
# What is missing in the partitions that hold these times.  Somebody who has a default partition manages them.
_MISSING: Final = """
WITH bounds AS (
    SELECT pg_get_expr(relpartbound, c.oid) AS bound FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = {table}::regclass
), parts AS (
    SELECT regexp_match(bound, $$FROM \\((?:'([^']*)'|MINVALUE)\\) TO \\((?:'([^']*)'|MAXVALUE)\\)$$) AS m FROM bounds
), known AS (
    SELECT range_agg(tsrange({low}, {high})) AS times FROM parts
), wanted AS (
    SELECT DISTINCT date_trunc({every}, moment) AS begins FROM ({moments}) AS moments (moment)
), missing AS (
    SELECT begins, unnest(tsmultirange(tsrange(begins, begins + {step}))
        - coalesce((SELECT times FROM known), '{{}}'::tsmultirange)) AS gap FROM wanted
    WHERE NOT EXISTS (SELECT FROM bounds WHERE bound = 'DEFAULT')
)
SELECT CASE WHEN extract(year FROM lower(gap)) NOT BETWEEN 1 AND 9999
        THEN 'e' || translate(trunc(extract(epoch FROM lower(gap)) / 60)::text, '-', 'm')
        ELSE to_char(lower(gap), CASE WHEN lower(gap) = begins THEN {name} ELSE 'YYYYMMDDHH24MI' END) END,
    {from_}, {to} FROM missing ORDER BY lower(gap)
"""


def create(connection: psycopg.Connection, spec: PostgresSpec, column_type: str, loaded: str = "") -> list[str]:
    """Create the partitions that are missing, in the connection's transaction, and return their names.

    Args:
        column_type: of the column that the table is partitioned by.
        loaded: a table in the same schema whose rows need a partition; empty: create those ahead.

    Raises:
        Refused: the rows need more than `MOST_OF_A_BATCH`.
    """
    by = spec.partition_by
    assert by is not None
    step = sql.Literal(f"1 {by.every.value}")

    def in_utc(value: str) -> sql.SQL:
        return sql.SQL(_UTC[column_type].format(value))

    if loaded:
        column = sql.SQL(_UTC[column_type]).format(sql.Identifier(by.column))
        moments = sql.SQL("SELECT {} FROM {}").format(column, sql.Identifier(spec.schema_name, loaded))
    else:
        moments = sql.SQL(
            "SELECT (now() AT TIME ZONE 'UTC') + number * {}::interval FROM generate_series(0, {}) AS number"
        ).format(step, sql.Literal(by.ahead))
    query = sql.SQL(_MISSING).format(
        table=sql.Literal(spec.quoted),
        low=in_utc(f"(m[1]::{column_type})"),
        high=in_utc(f"(m[2]::{column_type})"),
        every=sql.Literal(by.every.value),
        step=sql.SQL("{}::interval").format(step),
        moments=moments,
        name=sql.Literal(_NAMES[by.every.value]),
        from_=sql.SQL(_BACK[column_type].format("lower(gap)")),
        to=sql.SQL(_BACK[column_type].format("upper(gap)")),
    )
    found = connection.execute(query).fetchall()
    if loaded and len(found) > MOST_OF_A_BATCH:
        raise Refused(
            f"the rows of one batch need {len(found):,} new partitions, a {by.every.value} of {by.column} each; "
            f"{MOST_OF_A_BATCH} are possible",
            where=f"postgres table {spec.qualified}",
            fix="choose a longer `every` in partition_by, and start the stream again",
            server="postgres",
        )
    return [_created(connection, spec, *one) for one in found]


def tell(spec: PostgresSpec, names: list[str], why: str) -> None:
    """Log partitions, once their transaction is done."""
    for name in names:
        log.info("partition created", sink=spec.kind, table=spec.qualified, partition=name, why=why)


def _created(connection: psycopg.Connection, spec: PostgresSpec, ending: str, from_: str, to: str) -> str:
    name = f"{spec.table}_p{ending}"
    parts: dict[str, Any] = {
        "name": sql.Identifier(spec.schema_name, name),
        "table": sql.Identifier(spec.schema_name, spec.table),
        "from_": sql.Literal(from_),
        "to": sql.Literal(to),
    }
    # `PARTITION OF` in the first statement would keep out everybody who reads the table.
    for statement in (
        "CREATE TABLE {name} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)",
        "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from_}) TO ({to})",
    ):
        connection.execute(sql.SQL(statement).format(**parts))
    return name
