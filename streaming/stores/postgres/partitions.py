"""Creates the partitions of a table by time: some ahead, and those that the rows of a batch need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import psycopg
import structlog
from psycopg import sql

from avro_data_contracts.contracts.stores.postgres import names
from avro_data_contracts.contracts.stores.postgres.spec import PartitionSpec, PostgresSpec

log = structlog.get_logger("streaming")

#: The most partitions of one transaction: it locks each of them, and the server's table of locks is limited.
MOST_AT_ONCE: Final = 100
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


# The first moment of each portion of the partitions that hold these times.
_PORTIONS: Final = """
SELECT begins::text FROM (
    SELECT begins, row_number() OVER (ORDER BY begins) AS number
    FROM (SELECT DISTINCT date_trunc({every}, moment) AS begins FROM ({moments}) AS moments (moment)) AS all_of_them
) AS numbered WHERE number % {most} = 1 ORDER BY begins
"""


@dataclass(frozen=True)
class Partitions:
    """The partitions of a table.

    Attributes:
        column_type: of the column that the table is partitioned by.
    """

    spec: PostgresSpec
    column_type: str

    def create_ahead(self, connection: psycopg.Connection) -> list[str]:
        """Create those that are missing from now on, and return their names (see `create_for`)."""
        by = self._by
        moments = sql.SQL(
            "SELECT (now() AT TIME ZONE 'UTC') + number * {}::interval FROM generate_series(0, {}) AS number"
        ).format(self._step, sql.Literal(by.ahead))
        return self._create(connection, moments)

    def create_for(self, connection: psycopg.Connection, loaded: str, *, without: str = "") -> list[str]:
        """Create the partitions that the rows of a table in the same schema need, and return their names.

        Args:
            connection: in no transaction: each portion of the partitions is created in its own.
            without: a boolean column; its rows need no partition.
        """
        return self._create(connection, self._moments(loaded, without))

    def portions(self, connection: psycopg.Connection, loaded: str) -> list[sql.Composable]:
        """Return conditions that divide the rows of a table: the rows of one belong to `MOST_AT_ONCE` partitions."""
        query = sql.SQL(_PORTIONS).format(
            every=sql.Literal(self._by.every.value),
            moments=self._moments(loaded, ""),
            most=sql.Literal(MOST_AT_ONCE),
        )
        with connection.transaction():
            begins = [one for (one,) in connection.execute(query)][1:]
        if not begins:
            return [sql.SQL("true")]
        moment = self._in_utc(sql.Identifier(self._by.column))
        since = [sql.SQL("{} >= {}::timestamp").format(moment, sql.Literal(one)) for one in begins]
        until = [sql.SQL("{} < {}::timestamp").format(moment, sql.Literal(one)) for one in begins]
        both = [sql.SQL("{} AND {}").format(*pair) for pair in zip(since, until[1:], strict=False)]
        return [until[0], *both, since[-1]]

    @property
    def _by(self) -> PartitionSpec:
        assert self.spec.partition_by is not None
        return self.spec.partition_by

    @property
    def _step(self) -> sql.Literal:
        return sql.Literal(f"1 {self._by.every.value}")

    def _in_utc(self, value: sql.Composable) -> sql.Composed:
        return sql.SQL(_UTC[self.column_type]).format(value)

    def _moments(self, loaded: str, without: str) -> sql.Composed:
        """Select the times of the rows of a table."""
        only = sql.SQL("WHERE NOT {}").format(sql.Identifier(without)) if without else sql.SQL("")
        column = self._in_utc(sql.Identifier(self._by.column))
        return sql.SQL("SELECT {} FROM {} {}").format(column, sql.Identifier(self.spec.schema_name, loaded), only)

    def _create(self, connection: psycopg.Connection, moments: sql.Composed) -> list[str]:
        query = sql.SQL(_MISSING).format(
            table=sql.Literal(self.spec.quoted),
            low=self._in_utc(sql.SQL(f"(m[1]::{self.column_type})")),
            high=self._in_utc(sql.SQL(f"(m[2]::{self.column_type})")),
            every=sql.Literal(self._by.every.value),
            step=sql.SQL("{}::interval").format(self._step),
            moments=moments,
            name=sql.Literal(_NAMES[self._by.every.value]),
            from_=sql.SQL(_BACK[self.column_type].format("lower(gap)")),
            to=sql.SQL(_BACK[self.column_type].format("upper(gap)")),
        )
        with connection.transaction():
            missing = connection.execute(query).fetchall()
        created = []
        for at in range(0, len(missing), MOST_AT_ONCE):
            with connection.transaction():
                some = missing[at : at + MOST_AT_ONCE]
                created += [_created(connection, self.spec, *one) for one in some]
        return created


def tell(spec: PostgresSpec, names: Sequence[str], why: str) -> None:
    """Log partitions, once their transaction is done."""
    for name in names:
        log.info("partition created", sink=spec.kind, table=spec.qualified, partition=name, why=why)


def _created(connection: psycopg.Connection, spec: PostgresSpec, ending: str, from_: str, to: str) -> str:
    """Create one partition and return its name: a detached partition, or another table, may have the usual one."""
    for number in count():
        name = _name(spec, ending, number)
        parts: dict[str, Any] = {
            "name": sql.Identifier(spec.schema_name, name),
            "table": sql.Identifier(spec.schema_name, spec.table),
            "from_": sql.Literal(from_),
            "to": sql.Literal(to),
        }
        # `PARTITION OF` in the first statement would keep out everybody who reads the table.
        made = sql.SQL("CREATE TABLE {name} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)").format(**parts)
        attached = "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from_}) TO ({to})"
        try:
            with connection.transaction():
                connection.execute(made)
        except (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject):
            continue
        connection.execute(sql.SQL(attached).format(**parts))
        return name
    raise AssertionError("there is always another number")


def _name(spec: PostgresSpec, ending: str, number: int) -> str:
    """Return the name of a partition, of at most 63 bytes.  `number`: how many such names are taken."""
    name = f"{spec.table}_p{ending}"
    return names.with_digest(name, name, number) if number else name
