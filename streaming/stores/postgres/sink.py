"""Loads a batch into a staging table of PostgreSQL, then upserts the rows that are newer in one statement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import (
    DELETED,
    EVENT_OFFSET,
    EVENT_ORDER,
    EVENT_PARTITION,
    EVENT_TIMESTAMP,
)
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.stores.postgres.store import STAGING
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.portions import portions
from avro_data_contracts.streaming.sinks import refusals, rows
from avro_data_contracts.streaming.sinks.altering import tell
from avro_data_contracts.streaming.sinks.counts import Counts, counted
from avro_data_contracts.streaming.sinks.masks import Masks
from avro_data_contracts.streaming.sinks.observed import Observed
from avro_data_contracts.streaming.sinks.refusals import Coordinates, RowsRefused
from avro_data_contracts.streaming.stores.postgres import cells, copying, existing, partitions, phrases, replacing
from avro_data_contracts.streaming.stores.postgres.connection import address, connect, jdbc, kept, place
from avro_data_contracts.streaming.stores.postgres.failures import SERVER, of_driver
from avro_data_contracts.streaming.stores.postgres.partitions import Partitions

_LOCK_TIMEOUT_S = 60
# Most rows, and their characters or bytes, that are tried together when a batch has refused rows.
_AT_ONCE, _SIZE_AT_ONCE = 500, 16_000_000
# Format of an event's time, for PostgreSQL to parse.
_MOMENT = "yyyyyy-MM-dd HH:mm:ss.SSS G '+00'"
# The server ends the session of a vanished peer, and frees its lock, after 25 s; TCP's default is 2 hours.
_KEEPALIVES = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}


class PostgresSink:
    """Writes the contract's PostgreSQL table."""

    name = "postgres"

    def __init__(self, settings: Settings, contract: Contract, spec: PostgresSpec) -> None:
        self._settings = settings
        self.spec = spec
        self._contract = contract
        self._table = layout.of(contract, spec)
        self._masks = Masks.of(settings, contract, spec)
        self._deletions = layout.deletions(self._table) if contract.deletes else None
        self._staging = f"{spec.table}{STAGING}"
        self._partitions: Partitions | None = None
        if spec.partition_by is not None:
            types = {column.name: column.type for column in self._table.all_columns}
            self._partitions = Partitions(spec, types[spec.partition_by.column])
        self._url, self._properties = jdbc(settings.postgres_dsn)
        # So that no task of an abandoned attempt waits forever for a hanging server.
        self._properties["socketTimeout"] = str(math.ceil(settings.stream_write_timeout_s))

    def has_table(self) -> bool:
        with connect(self._settings) as connection:
            return existing.table(connection, self.spec) is not None

    def prepare(self) -> None:
        wanted = [table for table in (self._table, self._deletions) if table is not None]
        with connect(self._settings, autocommit=True) as connection:
            self._lock(connection)
            with connection.transaction():
                altered = [existing.bring(connection, table) for table in wanted]
                existing.note_key(connection, self.spec, self._masks.key)
                # Unlogged: after a crash its rows are loaded again with the batch.  New each time: the table may
                # differ.
                for statement in ("DROP TABLE IF EXISTS {staging}", "CREATE UNLOGGED TABLE {staging} (LIKE {table})"):
                    connection.execute(sql.SQL(statement).format(**self._names()))
                if self._deletions is not None:
                    connection.execute(self._room_for_tombstones())
            ahead = self._partitions.create_ahead(connection) if self._partitions else []
        for table, statements in zip(wanted, altered, strict=True):
            tell(table, statements)
        partitions.tell(self.spec, ahead, "ahead")

    def write(self, decoded: DataFrame) -> Counts:
        with place(self._settings), connect(self._settings, autocommit=True) as connection:
            self._lock(connection)
            try:
                connection.execute(self._empty())
                counts = self._load(decoded)
                # On the connection that holds the lock: without the lock, these statements fail too.
                if self._partitions:
                    partitions.tell(self.spec, self._partitions.create_ahead(connection), "ahead")
                self._apply(connection)
            except failures.RowRefused as error:
                told: ServiceError = error
            except psycopg.Error as error:
                told = of_driver(address(self._settings), error)
                if not isinstance(told, Refused):
                    raise
            else:
                return counts
            if not self.spec.groups and (refused := self._refused(connection, decoded)):
                raise RowsRefused(self.name, refused)
            raise told  # not about a single row

    def replace(self, groups: DataFrame) -> Counts:
        with place(self._settings), connect(self._settings, autocommit=True) as connection:
            self._lock(connection)
            connection.execute(self._empty())
            counts = self._load(groups)
            with connection.transaction():
                for statement in replacing.statements(self._table, **self._names()):
                    connection.execute(statement)
        return counts

    @property
    def direct(self) -> bool:
        return self._deletions is None

    def cells(self, decoded: DataFrame) -> DataFrame:
        return self._rows(decoded)

    def send(self, loaded: Sequence[Row]) -> bool:
        if not loaded:
            return True
        copy = sql.SQL("COPY {staging} ({columns}) FROM STDIN").format(
            **self._names(), columns=phrases.listed(loaded[0].__fields__)
        )
        with place(self._settings), kept(self._settings, self._lock) as connection:
            try:
                with connection.transaction():
                    connection.execute(self._empty())
                    with connection.cursor() as cursor, cursor.copy(copy) as copying:
                        for row in loaded:
                            copying.write_row([_for_driver(value) for value in row])
                    if self._partitions is None:
                        self._apply(connection)
                if self._partitions is not None:
                    partitions.tell(self.spec, self._partitions.create_ahead(connection), "ahead")
                    self._apply(connection)
            except psycopg.Error as error:
                if isinstance(of_driver(address(self._settings), error), Refused):
                    return False
                raise
        return True

    def _load(self, decoded: DataFrame) -> Counts:
        try:
            loaded = Observed(self._rows(counted(decoded)))
            copying.load(loaded.rows, self._names()["staging"], self._url, self._properties)
            return Counts.of(loaded)
        except failures.JAVA_ERRORS as error:
            raise failures.of_java(SERVER, address(self._settings), error) from None

    def _rows(self, decoded: DataFrame) -> DataFrame:
        """Return the rows with the event's time as text, which PostgreSQL parses, in any year that it has."""
        moment = F.date_format(EVENT_TIMESTAMP, _MOMENT)
        return rows.of(decoded, self._contract, self._table, cells.of, self._masks).withColumn(
            EVENT_TIMESTAMP, moment
        )

    def _apply(self, connection: psycopg.Connection) -> None:
        """Apply the loaded rows to the table, in one transaction unless they have very many partitions."""
        portions: list[sql.Composable] = [sql.SQL("true")]
        if self._partitions:
            deleted = DELETED if self._deletions is not None else ""
            created = self._partitions.create_for(connection, self._staging, without=deleted)
            partitions.tell(self.spec, created, "for rows outside of the others")
            portions = self._partitions.portions(connection, self._staging)
        statements = [] if self._deletions is None else self._delete()
        for portion in portions:
            with connection.transaction():
                for statement in (*statements, self._upsert(portion)):
                    connection.execute(statement)
            statements = []

    def _empty(self) -> sql.Composed:
        return sql.SQL("TRUNCATE {staging}").format(**self._names())

    def _refused(self, connection: psycopg.Connection, decoded: DataFrame) -> dict[Coordinates, str]:
        """Find the rows that PostgreSQL refuses, and why, by halving; store the others.

        Rows are tried in the order of the batch: if two break a constraint only together, the later one is refused.
        What is stored is committed: a transaction of them all might lock more partitions than the server can.  The
        batch is written again, which changes nothing of it.
        """
        order = (EVENT_PARTITION, EVENT_OFFSET)
        frame = self._rows(decoded).repartitionByRange(refusals.PARTS, *order).sortWithinPartitions(*order)
        insert = sql.SQL("INSERT INTO {staging} ({columns}) VALUES ({values})").format(
            **self._names(),
            columns=phrases.listed(frame.columns),
            values=sql.SQL(", ").join([sql.Placeholder()] * len(frame.columns)),
        )
        at = (frame.columns.index(EVENT_PARTITION), frame.columns.index(EVENT_OFFSET))
        refused: dict[Coordinates, str] = {}
        taken = 0
        # A refusal whose condition is not about rows.  If other rows are accepted, a trigger or a policy refused one.
        others: Refused | None = None

        def attempt(some: list[list[Any]]) -> None:
            nonlocal taken, others
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.execute(self._empty())
                    cursor.executemany(insert, some)
                self._apply(connection)
                taken += len(some)
            except psycopg.Error as error:
                told = of_driver(address(self._settings), error)
                if not isinstance(told, Refused):
                    raise
                if not isinstance(told, failures.RowRefused):
                    others = told
                if others is not None and not taken and len(refused) >= refusals.TOO_MANY:
                    raise others from None
                if len(some) == 1:
                    refused[some[0][at[0]], some[0][at[1]]] = told.what
                    return
                half = len(some) // 2
                attempt(some[:half])
                attempt(some[half:])

        try:
            values = ([_for_driver(value) for value in row] for row in frame.toLocalIterator())
            for some in portions(values, _size, most=_AT_ONCE, most_bytes=_SIZE_AT_ONCE):
                attempt(some)
        except failures.JAVA_ERRORS as error:
            raise failures.of_java(SERVER, address(self._settings), error) from None
        if others is not None and not taken:
            raise others
        if words := refusals.of_the_table(taken, refused):
            raise failures.refused(SERVER, address(self._settings), words)
        return refused

    def _lock(self, connection: psycopg.Connection) -> None:
        """Lock the staging table until the connection is closed.  Raises when it is not free in time.

        It keeps out a second stream of the contract, one that starts, and an abandoned attempt of our own.
        """
        connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT_S}s'")
        for name, value in _KEEPALIVES.items():
            connection.execute(f"SET {name} = {value}")
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"stream of {self.spec.qualified}",))

    def _upsert(self, portion: sql.Composable) -> sql.Composed:
        """Return the statement for the loaded rows of a portion, a condition."""
        columns = [column.name for column in self._table.all_columns]
        key = list(self.spec.key)
        return sql.SQL(
            "INSERT INTO {table} AS stored ({columns}) "
            "SELECT DISTINCT ON ({key}) {columns} FROM {staging} AS loaded WHERE {portion} {only} "
            "ORDER BY {key}, {newest} "
            "ON CONFLICT ({key}) DO {change}"
        ).format(
            **self._names(),
            columns=phrases.listed(columns),
            key=phrases.listed(key),
            portion=portion,
            only=self._not_deleted() if self._deletions is not None else sql.SQL(""),
            newest=sql.SQL(", ").join(sql.SQL("{} DESC").format(sql.Identifier(name)) for name in self.spec.order),
            change=_if_newer([name for name in columns if name not in key], self.spec.order),
        )

    def _room_for_tombstones(self) -> sql.Composed:
        """Allow rows that have only a key: tombstones."""
        nullable = [column.name for column in self._table.columns if column.name not in self.spec.primary_key]
        changes = [sql.SQL("ALTER {} DROP NOT NULL").format(sql.Identifier(name)) for name in nullable]
        changes.append(sql.SQL("ADD {} boolean NOT NULL").format(sql.Identifier(DELETED)))
        return sql.SQL("ALTER TABLE {staging} {changes}").format(**self._names(), changes=sql.SQL(", ").join(changes))

    def _delete(self) -> list[sql.Composed]:
        """Record which rows the tombstones delete, and delete the older ones."""
        assert self._deletions is not None
        kept = [column.name for column in self._deletions.all_columns]
        key = self.spec.primary_key
        parts = {
            **self._names(),
            "key": phrases.listed(key),
            "kept": phrases.listed(kept),
            "deleted": sql.Identifier(DELETED),
            "newest": sql.SQL(", ").join(sql.SQL("{} DESC").format(sql.Identifier(name)) for name in EVENT_ORDER),
            "change": _if_newer([name for name in kept if name not in key], EVENT_ORDER),
            "stored": phrases.listed(EVENT_ORDER, "stored"),
            "gone": phrases.listed(EVENT_ORDER, "gone"),
            "same_row": phrases.same("stored", "gone", key),
            "in_batch": phrases.same("loaded", "gone", key),
        }
        keep = (
            "INSERT INTO {deletions} AS stored ({kept}) "
            "SELECT DISTINCT ON ({key}) {kept} FROM {staging} WHERE {deleted} ORDER BY {key}, {newest} "
            "ON CONFLICT ({key}) DO {change}"
        )
        delete = (
            "DELETE FROM {table} AS stored USING {deletions} AS gone WHERE {same_row} AND ({stored}) < ({gone}) "
            "AND EXISTS (SELECT FROM {staging} AS loaded WHERE {deleted} AND {in_batch})"
        )
        return [sql.SQL(keep).format(**parts), sql.SQL(delete).format(**parts)]

    def _not_deleted(self) -> sql.Composed:
        """Select the loaded rows that no newer tombstone deletes."""
        return sql.SQL(
            "AND NOT {deleted} AND NOT EXISTS "
            "(SELECT FROM {deletions} AS gone WHERE {same} AND ({loaded}) < ({gone}))"
        ).format(
            **self._names(),
            deleted=sql.Identifier(DELETED),
            same=phrases.same("loaded", "gone", self.spec.primary_key),
            loaded=phrases.listed(EVENT_ORDER, "loaded"),
            gone=phrases.listed(EVENT_ORDER, "gone"),
        )

    def _names(self) -> dict[str, sql.Identifier]:
        schema = self.spec.schema_name
        names = {"table": self.spec.table, "staging": self._staging}
        if self._deletions is not None:
            names["deletions"] = self._deletions.sink.table
        return {part: sql.Identifier(schema, name) for part, name in names.items()}


def _size(row: list[Any]) -> int:
    """Count the characters and bytes of a row's values."""
    return sum(len(value) for value in row if isinstance(value, (str, bytes)))


def _for_driver(value: Any) -> Any:
    return bytes(value) if isinstance(value, bytearray) else value


def _if_newer(names: list[str], order: Sequence[str]) -> sql.Composable:
    """Update these columns if the event is newer; nothing if the key has all of a row."""
    if not names:
        return sql.SQL("NOTHING")
    newer = sql.SQL("({}) < ({})").format(phrases.listed(order, "stored"), phrases.listed(order, "excluded"))
    return sql.SQL("UPDATE SET {} WHERE {}").format(phrases.assigned(names), newer)
