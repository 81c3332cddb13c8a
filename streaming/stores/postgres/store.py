"""PostgreSQL as a store of the stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.stores.table import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.streaming.stores.postgres.connection import address, connect
from avro_data_contracts.streaming.stores.postgres.sink import PostgresSink
from avro_data_contracts.streaming.stores.store import COUNT_FOR_S, Key, Rows, Store


class Postgres(Store):
    """PostgreSQL."""

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

    def positions(self, settings: Settings, spec: PostgresSpec, keys: Sequence[Key]) -> Iterator[tuple[Any, ...]]:
        millis = sql.SQL("(extract(epoch FROM {}) * 1000)::bigint").format(sql.Identifier(EVENT_TIMESTAMP))
        with connect(settings) as connection:
            columns = sql.SQL(", ").join(
                [
                    *map(sql.Identifier, spec.primary_key),
                    millis,
                    *map(sql.Identifier, (EVENT_PARTITION, EVENT_OFFSET)),
                ]
            )
            table = sql.Identifier(spec.schema_name, spec.table)
            kept = sql.SQL("CREATE TEMPORARY TABLE wanted ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
            key = sql.SQL(", ").join(map(sql.Identifier, spec.primary_key))
            connection.execute(kept.format(key, table))
            with connection.cursor() as cursor:
                with cursor.copy(sql.SQL("COPY wanted FROM STDIN")) as copy:
                    for one in keys:
                        copy.write_row(one)
                cursor.execute(sql.SQL("SELECT {} FROM {} JOIN wanted USING ({})").format(columns, table, key))
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
                query = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)"
                size = connection.execute(query, (spec.quoted,)).fetchone()
                if size is not None:
                    found[spec.qualified] = Rows(size[0], exact=False)
        return found


STORE = Postgres()
