"""PostgreSQL as a store of the stream."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import psycopg
from psycopg import sql
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.stores.postgres import comparison, copying, existing, reading
from avro_data_contracts.streaming.stores.postgres.connection import address, connect
from avro_data_contracts.streaming.stores.postgres.failures import SERVER
from avro_data_contracts.streaming.stores.postgres.sink import PostgresSink
from avro_data_contracts.streaming.stores.store import COUNT_FOR_S, Comparison, Key, Rows, Store

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TIME, _TIMESTAMP, _TIMESTAMPTZ = (psycopg.adapters.types[name].oid for name in ("time", "timestamp", "timestamptz"))
# A partitioned table has no rows itself.
_ESTIMATE = """\
SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE oid = to_regclass(%(table)s) AND relkind <> 'p'
    OR oid IN (SELECT relid FROM pg_partition_tree(to_regclass(%(table)s)) WHERE isleaf)
"""


class Postgres(Store):
    """PostgreSQL."""

    java: ClassVar = {copying.DRIVER: copying.SOURCE}

    def address(self, settings: Settings) -> str:
        return address(settings)

    def sink(self, settings: Settings, contract: Contract, spec: PostgresSpec) -> PostgresSink:
        return PostgresSink(settings, contract, spec)

    def rows(self, settings: Settings, spec: PostgresSpec, names: Sequence[str], count: int) -> list[tuple[Any, ...]]:
        query = sql.SQL("SELECT {} FROM {} ORDER BY {} DESC LIMIT {}").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.Identifier(spec.schema_name, spec.table),
            sql.Identifier(EVENT_TIMESTAMP),
            count,
        )
        with connect(settings) as connection:
            return connection.execute(query).fetchall()

    def positions(
        self, settings: Settings, spec: PostgresSpec, keys: Sequence[Key], columns: Sequence[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        since = sql.SQL("(extract(epoch FROM {}) * {})::bigint")
        moment = sql.Identifier(EVENT_TIMESTAMP)
        # The event's time is not needed to find its row, and Python has no year after 9999.
        names = [name for name in spec.key if name != EVENT_TIMESTAMP]
        key = sql.SQL(", ").join(map(sql.Identifier, names))
        selected = sql.SQL(", ").join(
            [
                *(since.format(moment, 1_000_000) if n == EVENT_TIMESTAMP else sql.Identifier(n) for n in spec.key),
                since.format(moment, 1_000),
                *map(sql.Identifier, (EVENT_PARTITION, EVENT_OFFSET, *columns)),
            ]
        )
        table = sql.Identifier(spec.schema_name, spec.table)
        with connect(settings) as connection, connection.cursor() as cursor:
            kept = sql.SQL("CREATE TEMPORARY TABLE wanted ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
            cursor.execute(kept.format(key, table))
            cursor.execute("SELECT * FROM wanted")
            assert cursor.description is not None
            types = [column.type_code for column in cursor.description]
            places = [spec.key.index(name) for name in names]
            with cursor.copy(sql.SQL("COPY wanted FROM STDIN")) as copy:
                for one in keys:
                    if any(isinstance(part, str) and "\0" in part for part in one):
                        continue  # no row of PostgreSQL has such a text
                    copy.write_row([_for_column(one[at], code) for at, code in zip(places, types, strict=True)])
            cursor.execute(sql.SQL("SELECT {} FROM {} JOIN wanted USING ({})").format(selected, table, key))
            yield from cursor

    def count(self, settings: Settings, specs: Iterable[PostgresSpec], slow: set[str]) -> dict[str, Rows]:
        found = {}
        with connect(settings, autocommit=True) as connection:
            connection.execute(f"SET statement_timeout = {round(COUNT_FOR_S * 1000)}")
            for spec in specs:
                table = sql.Identifier(spec.schema_name, spec.table)
                try:
                    if spec.qualified not in slow:
                        count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
                        assert count is not None
                        found[spec.qualified] = Rows(count[0], exact=True)
                        continue
                except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                    continue
                except psycopg.errors.QueryCanceled:
                    slow.add(spec.qualified)
                size = connection.execute(_ESTIMATE, {"table": spec.quoted}).fetchone()
                if size is not None and size[0] is not None:
                    found[spec.qualified] = Rows(size[0], exact=False)
        return found

    def outside(self, settings: Settings, spec: PostgresSpec, ranges: Mapping[int, tuple[int, int]]) -> int:
        kept = [list(part) for part in zip(*((p, *ends) for p, ends in ranges.items()), strict=True)] or [[], [], []]
        query = sql.SQL(
            "SELECT count(*) FROM {} AS stored WHERE NOT EXISTS (SELECT FROM unnest(%s::int[], %s::bigint[], "
            "%s::bigint[]) AS kept (at, first, last) WHERE stored.{} = at AND stored.{} BETWEEN first AND last)"
        ).format(
            sql.Identifier(spec.schema_name, spec.table),
            sql.Identifier(EVENT_PARTITION),
            sql.Identifier(EVENT_OFFSET),
        )
        with connect(settings) as connection:
            found = connection.execute(query, kept).fetchone()
        assert found is not None
        return int(found[0])

    def compared(
        self, settings: Settings, contract: Contract, spec: PostgresSpec, decoded: DataFrame
    ) -> AbstractContextManager[Comparison]:
        cells = self.sink(settings, contract, spec).cells(decoded)
        return comparison.compared(settings, layout.of(contract, spec), cells)

    def stored(
        self, spark: SparkSession, settings: Settings, spec: PostgresSpec, types: Mapping[str, str]
    ) -> DataFrame:
        return reading.rows(spark, settings, spec, types)

    def told(self, settings: Settings, error: Py4JJavaError | CapturedException) -> ServiceError:
        return failures.of_java(SERVER, address(settings), error)

    def empty(self, settings: Settings, spec: PostgresSpec) -> None:
        with connect(settings, autocommit=True) as connection:
            found = connection.execute("SELECT to_regclass(%s)", (spec.quoted,)).fetchone()
            if found is not None and found[0] is not None:
                connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(spec.schema_name, spec.table)))
                existing.forget_key(connection, spec)

    def remove(self, settings: Settings, spec: PostgresSpec) -> None:
        with connect(settings, autocommit=True) as connection:
            table = sql.Identifier(spec.schema_name, spec.table)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))


def _for_column(value: Any, code: int) -> Any:
    """Convert microseconds to what psycopg takes for a column of that type."""
    if code == _TIMESTAMPTZ:
        return _EPOCH + dt.timedelta(microseconds=value)
    if code == _TIMESTAMP:
        return _EPOCH.replace(tzinfo=None) + dt.timedelta(microseconds=value)
    return (_EPOCH + dt.timedelta(microseconds=value)).time() if code == _TIME else value


STORE = Postgres()
