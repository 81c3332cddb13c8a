"""Rows of the stores' tables: counted where that is quick, else what the store itself estimates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from cassandra import InvalidRequest, OperationTimedOut, ReadTimeout
from psycopg import sql

from contracts.settings import Settings
from contracts.stores.cassandra.sink import CassandraSink
from contracts.stores.postgres.sink import PostgresSink
from streaming.sinks import cassandra, postgres

# Both stores read a whole table to count it.
_COUNT_FOR_S = 2.0


@dataclass(frozen=True)
class Rows:
    """Of one table.  `exact` is False for the store's own estimate, which may be minutes old."""

    number: int
    exact: bool


class Counting:
    """Counts again and again.  A table that took longer than two seconds once is estimated from then on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slow: set[str] = set()

    def in_cassandra(self, sinks: Iterable[CassandraSink]) -> dict[str, Rows]:
        """Qualified name -> rows, of those tables that there are.  Raises ServiceError."""
        found = {}
        with cassandra.connect(self._settings) as session:
            for sink in sinks:
                try:
                    if sink.qualified not in self._slow:
                        count = session.execute(f"SELECT count(*) FROM {sink.quoted}", timeout=_COUNT_FOR_S)  # noqa: S608 - an identifier
                        found[sink.qualified] = Rows(count.one()[0], exact=True)
                        continue
                except InvalidRequest:  # no such table, or keyspace
                    continue
                except (OperationTimedOut, ReadTimeout):
                    self._slow.add(sink.qualified)
                # Of this node's part of the ring: where there are several, each knows its own only.
                sizes = session.execute(
                    "SELECT partitions_count FROM system.size_estimates WHERE keyspace_name = %s AND table_name = %s",
                    (sink.keyspace, sink.table),
                )
                found[sink.qualified] = Rows(sum(row.partitions_count for row in sizes), exact=False)
        return found

    def in_postgres(self, sinks: Iterable[PostgresSink]) -> dict[str, Rows]:
        """Qualified name -> rows, of those tables that there are.  Raises ServiceError."""
        found = {}
        with postgres.connect(self._settings, autocommit=True) as connection:
            connection.execute(f"SET statement_timeout = {round(_COUNT_FOR_S * 1000)}")
            for sink in sinks:
                table = sql.Identifier(sink.schema_name, sink.table)
                try:
                    if sink.qualified not in self._slow:
                        count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
                        assert count is not None
                        found[sink.qualified] = Rows(count[0], exact=True)
                        continue
                except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                    continue
                except psycopg.errors.QueryCanceled:
                    self._slow.add(sink.qualified)
                query = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)"
                size = connection.execute(query, (sink.quoted,)).fetchone()
                if size is not None:
                    found[sink.qualified] = Rows(size[0], exact=False)
        return found
