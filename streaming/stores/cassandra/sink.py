"""Upserts rows into Cassandra with the write time of their event, so that an older event loses, cell by cell."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any
from uuid import UUID

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.cassandra.spec import MOST_TTL_S, CassandraSpec
from avro_data_contracts.contracts.stores.position import (
    DELETED,
    EVENT_OFFSET,
    EVENT_ORDER,
    EVENT_PARTITION,
    EVENT_TIMESTAMP,
    TTL,
    WRITE_TIME,
)
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.sinks import refusals, rows
from avro_data_contracts.streaming.sinks.counts import Counts, counted
from avro_data_contracts.streaming.sinks.masks import Masks
from avro_data_contracts.streaming.sinks.newest import NewestWritten
from avro_data_contracts.streaming.sinks.observed import Observed
from avro_data_contracts.streaming.sinks.refusals import RowsRefused
from avro_data_contracts.streaming.stores.cassandra import cells, existing, expiry, row_by_row, sessions
from avro_data_contracts.streaming.stores.cassandra.connection import Way, connect, node
from avro_data_contracts.streaming.stores.cassandra.direct import MICROS, DirectWriter, NotHere
from avro_data_contracts.streaming.stores.cassandra.failures import SERVER, may_have_broken_session
from avro_data_contracts.streaming.stores.cassandra.failures import of_driver as failures_of_driver
from avro_data_contracts.streaming.stores.cassandra.replacing import Refreshed

_FORMAT = "org.apache.spark.sql.cassandra"
# Deletions that go to the driver together.
_AT_ONCE = 1000
# Older than every Kafka timestamp, in ms.
_BEFORE_ALL = -(2**53)
# After this time a node has on its disk what it acknowledged, or it is gone; see ADR 7.  Seconds.
_ON_DISK_AFTER_S = 0.1


class CassandraSink:
    """Writes the contract's Cassandra table.

    The write time of a row, in microseconds as Cassandra counts, is its event's Kafka timestamp, so the server drops
    older events.  Kafka counts milliseconds, so the last three digits order events of one key and one millisecond in
    different batches: the later event gets the write time of the stored row, plus one.  That row is read only for
    events that are not newer than everything written before (`NewestWritten`).  Nulls are written too: a row always
    belongs to one event, and is never a mix of two.
    """

    name = "cassandra"

    def __init__(self, settings: Settings, contract: Contract, spec: CassandraSpec) -> None:
        self._settings = settings
        self._contract = contract
        self._table = layout.of(contract, spec)
        self._masks = Masks.of(settings, contract, spec)
        self.spec = spec
        self._deletions = layout.deletions(self._table) if contract.deletes else None
        self._newest = NewestWritten(
            settings.checkpoint_dir / contract.name / "cassandra-newest.json", spec.qualified
        )
        self._session = sessions.of(settings)
        self._node = node(Way.of(settings))
        self._failed_without_refusal = False
        self._last_expiry = expiry.LAST
        self._refreshed = Refreshed()
        self._direct = DirectWriter(self._table) if self.direct else None

    def has_table(self) -> bool:
        with connect(self._settings) as session:
            return existing.table(session, self.spec) is not None

    def prepare(self) -> None:
        with connect(self._settings) as session:
            self._last_expiry = expiry.last(session)
            self._check_ttl()
            existing.note_key(session, self.spec, self._masks.key)  # nothing is altered with another key
            for table in filter(None, (self._table, self._deletions)):
                existing.bring(session, table)
            existing.note_key(session, self.spec, self._masks.key)

    def _check_ttl(self) -> None:
        """Raise Refused if no row of today can stay as long as the contract says: the nodes would refuse each."""
        if self.spec.ttl and (words := expiry.too_long(self.spec.ttl, time.time(), self._last_expiry)):
            raise failures.refused(SERVER, self._settings.cassandra_hosts, words)

    def write(self, decoded: DataFrame) -> Counts:
        self._check_ttl()
        with self._healthy():
            newest, counts = self._upsert(decoded)
        if not self.spec.groups:
            self._newest.keep(newest)
        return counts

    def replace(self, groups: DataFrame) -> Counts:
        with self._healthy():
            moment = self._refreshed.next(self._settings, self.spec)
            counts = self._upsert_groups(groups.withColumn(WRITE_TIME, F.lit(moment)))
            self._refreshed.delete_older(self._settings, self.spec, moment)
        return counts

    @contextmanager
    def _healthy(self) -> Iterator[None]:
        """Choose the connector's session for a write.

        Raises:
            ServiceError: the node was restarted meanwhile, and may have lost what it had acknowledged (ADR 7).
        """
        before = self._node.generation()
        if not self._session.healthy or before != self._session.met:
            self._session.number += 1
        self._session.healthy, self._session.met = False, before
        yield
        self._session.healthy = True
        self._check_on_disk(before)

    @property
    def direct(self) -> bool:
        return self._deletions is None and not self.spec.ttl and not self.spec.groups

    def cells(self, decoded: DataFrame) -> DataFrame:
        timed = cells.in_numbers(_timed(self._rows(decoded)))
        return timed.select(*(f"`{column.name}`" for column in self._table.all_columns), WRITE_TIME)

    def send(self, loaded: Sequence[Row]) -> bool:
        assert self._direct is not None
        known = self._newest.read()
        if known is None:  # nothing was written yet, and the table may have rows
            return False
        before = self._node.generation()
        if not loaded:
            return True
        session = self._node.session()
        late = [row for row in loaded if row[-1] // MICROS <= known]
        new = [row for row in loaded if row[-1] // MICROS > known]
        try:
            self._direct.write(session, [*new, *self._direct.that_win(session, late)])
        except NotHere:
            return False
        except (NoHostAvailable, DriverException) as error:
            raise failures_of_driver(self._settings.cassandra_hosts, error) from None
        self._check_on_disk(before)
        self._newest.keep(max(row[-1] // MICROS for row in loaded))
        return True

    def _check_on_disk(self, before: int | None) -> None:
        """Raise ServiceError if the node was restarted since, and may have lost what it had acknowledged (ADR 7)."""
        if before is None:  # there are replicas
            return
        time.sleep(_ON_DISK_AFTER_S)
        if self._node.generation() != before:
            words = "it was restarted while the batch was written; acknowledged writes may not have reached its disk"
            raise failures.service(SERVER, self._settings.cassandra_hosts, words)

    def _upsert(self, decoded: DataFrame) -> tuple[int, Counts]:
        """Write the batch; return the newest timestamp that the table may hold now, in ms, and the counts."""
        if self.spec.groups:
            return _BEFORE_ALL, self._upsert_groups(decoded)
        millis = F.unix_millis(F.col(EVENT_TIMESTAMP))
        try:
            before = self._newest.read()
            if before is None:
                before = self._newest_stored(decoded.sparkSession)
            late = F.count_if(millis <= before).alias("late")
            deleted = F.count_if(F.col(DELETED) if self._deletions else F.lit(False)).alias("deleted")
            newest = F.max(millis).alias("newest")
            written = Observed(self._rows(counted(decoded)).observe("rows", newest, late, deleted))
            self._save(_timed(written.rows.where(millis > before)))
            seen, counts = written["rows"], Counts.of(written)
            # Few batches have any of these, so they are read again, and not counted.
            if seen["late"]:
                self._save(self._that_win(self._rows(decoded).where(millis <= before)))
            if seen["deleted"]:
                self._delete(_timed(self._rows(decoded).where(millis > before)))
            if seen["deleted"] and seen["late"]:
                self._delete(self._that_win(self._rows(decoded).where(millis <= before)))
        except failures.JAVA_ERRORS as error:
            raise self._told(error, decoded.sparkSession) from None
        return before if seen["newest"] is None else max(before, seen["newest"]), counts

    def _upsert_groups(self, decoded: DataFrame) -> Counts:
        """Write rows that say themselves when they were written: the one with more events is the later one."""
        try:
            of_groups = rows.of(counted(decoded), self._contract, self._table, cells.of, self._masks, [WRITE_TIME])
            written = Observed(of_groups)
            self._append(written.rows, self._table)
            return Counts.of(written)
        except failures.JAVA_ERRORS as error:
            raise self._told(error, decoded.sparkSession) from None

    def _told(self, error: Py4JJavaError | CapturedException, spark: SparkSession) -> ServiceError:
        """Return the error for one of Java's, after which the connector may need another session."""
        told = failures.of_java(SERVER, self._settings.cassandra_hosts, error)
        self._session.healthy = not may_have_broken_session(told)
        if not self._session.healthy:
            jvm: Any = spark._jvm
            jvm.com.datastax.spark.connector.cql.CassandraConnector.evictCache()
        return told

    def _rows(self, decoded: DataFrame) -> DataFrame:
        return rows.newest(rows.of(decoded, self._contract, self._table, cells.of, self._masks), self._table)

    def _that_win(self, late: DataFrame) -> DataFrame:
        """Return the late rows that are newer than the stored ones, each with the write time that makes it win."""
        key = list(self.spec.key)
        if self.spec.appends:  # an event has one row, which only the event itself has written
            # The connector reads the whole table for an anti join, and for one that asks only for the partition key.
            # It refuses one that asks twice for a column inside the key.
            some = EVENT_OFFSET if EVENT_TIMESTAMP in key else EVENT_TIMESTAMP
            stored = self._stored(late.sparkSession, self._table).select(*key, F.col(some).alias("_there"))
            return _timed(late.join(stored, key, "left").where(F.col("_there").isNull()).select(*late.columns))
        compared, theirs = late, []
        for table in filter(None, (self._table, self._deletions)):
            side = f"_{table.sink.table}_"
            stored = self._stored(late.sparkSession, table).select(
                *key,
                *(F.col(name).alias(side + name) for name in EVENT_ORDER),
                F.expr(f"writetime({EVENT_OFFSET})").alias(side + WRITE_TIME),
            )
            compared = compared.join(stored, key, "left")
            theirs.append(F.struct(*(F.col(side + name).alias(name) for name in (*EVENT_ORDER, WRITE_TIME))))
        compared = compared.withColumn("_last", F.greatest(*theirs) if len(theirs) > 1 else theirs[0])
        last, write_time = F.col("_last"), F.col(f"_last.{WRITE_TIME}")
        mine = F.struct(*(F.col(name) for name in EVENT_ORDER))
        missing = last.getField(EVENT_TIMESTAMP).isNull()
        tie = F.col(EVENT_TIMESTAMP) == last.getField(EVENT_TIMESTAMP)
        full = F.raise_error(F.lit("a thousand events of one key and one millisecond")).cast("bigint")
        after_it = F.when(write_time % MICROS == MICROS - 1, full).otherwise(write_time + 1)
        position = F.struct(*(last.getField(name) for name in EVENT_ORDER))
        # An earlier attempt recorded this tombstone, but may not have deleted its row.
        again = (F.col(DELETED) & (mine == position)) if self._deletions else F.lit(False)
        win_time = F.when(again, write_time).when(tie, after_it)
        win_time = win_time.otherwise(F.unix_millis(F.col(EVENT_TIMESTAMP)) * MICROS)
        winners = compared.where(missing | again | (mine > position))
        return winners.select(*late.columns, win_time.alias(WRITE_TIME))

    def _newest_stored(self, spark: SparkSession) -> int:
        """Return the newest timestamp of a table that this checkpoint has not written; reads every row once."""
        found = _BEFORE_ALL
        for table in filter(None, (self._table, self._deletions)):
            with connect(self._settings) as session:
                any_row = f"SELECT {EVENT_TIMESTAMP} FROM {table.sink.quoted} LIMIT 1"  # noqa: S608 - names
                if session.execute(any_row).one() is None:
                    continue
            of_all = F.max(F.unix_millis(F.col(EVENT_TIMESTAMP))).alias("newest")
            newest = self._stored(spark, table).agg(of_all).first()
            if newest is not None and newest["newest"] is not None:
                found = max(found, int(newest["newest"]))
        return found

    def _stored(self, spark: SparkSession, table: Table) -> DataFrame:
        return spark.read.format(_FORMAT).options(**self._options(table), directJoinSetting="on").load()

    def _save(self, timed: DataFrame) -> None:
        if self._deletions is not None:
            timed = timed.where(~F.col(DELETED)).drop(DELETED)
        self._append(timed, self._table)

    def _append(self, timed: DataFrame, table: Table) -> None:
        options = {**self._options(table), "writetime": WRITE_TIME}
        if self.spec.ttl:
            options["ttl"] = TTL
            timed = timed.withColumn(TTL, _left(self.spec.ttl))
        numbers = cells.in_numbers(timed)
        try:
            numbers.write.format(_FORMAT).options(**options).mode("append").save()
            self._failed_without_refusal = False
        except failures.JAVA_ERRORS as error:
            if failures.of_java(SERVER, self._settings.cassandra_hosts, error).server != "cassandra":
                raise
            if self.spec.groups or not self._taken_row_by_row(numbers, table):
                raise

    def _taken_row_by_row(self, numbers: DataFrame, table: Table) -> bool:
        """Write rows that the connector failed to write, one by one; return whether that settles them.

        Raises RowsRefused for rows that the nodes refuse.  If they refuse none, the failure was chance, and the next
        attempt counts its rows again.  If that fails too, the connector is the cause, and the rows count as written.
        """
        try:
            with connect(self._settings) as session:
                taken, refused = row_by_row.send(session, numbers, table)
        except ServiceError:
            return False  # the connector's own error is reported
        if words := refusals.of_the_table(taken, refused):
            raise failures.refused(SERVER, self._settings.cassandra_hosts, words)
        if refused:
            raise RowsRefused(self.name, refused)
        again, self._failed_without_refusal = self._failed_without_refusal, True
        return again

    def _options(self, table: Table) -> dict[str, str]:
        return {"keyspace": self.spec.keyspace, "table": table.sink.table, **sessions.options(self._settings)}

    def _delete(self, timed: DataFrame) -> None:
        """Record the deletions, then delete the rows, both with the tombstone's write time.

        The connector cannot delete from Python; tombstones are few, and their keys small.  The deletion is recorded
        first, so that another attempt finds the same write time.
        """
        assert self._deletions is not None
        key, kept = self.spec.key, self._deletions.sink.quoted
        which = " AND ".join(f'"{name}" = ?' for name in key)
        names = ", ".join(f'"{name}"' for name in (*key, EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET))
        marks = ", ".join("?" for _ in range(len(key) + 3))
        delete = f"DELETE FROM {self.spec.quoted} USING TIMESTAMP ? WHERE {which}"  # noqa: S608 - names
        keep = f"INSERT INTO {kept} ({names}) VALUES ({marks}) USING TIMESTAMP ?"  # noqa: S608 - names
        # Read once: after a row is gone, its tombstone would get another write time.
        position = (F.unix_millis(F.col(EVENT_TIMESTAMP)), F.col(EVENT_PARTITION), F.col(EVENT_OFFSET))
        gone = timed.where(F.col(DELETED)).select(WRITE_TIME, *key, *position).toLocalIterator()
        with connect(self._settings) as session:
            statements = [session.prepare(query) for query in (keep, delete)]
            types = [column.type.typename for column in statements[1].column_metadata[1:]]
            while some := list(islice(gone, _AT_ONCE)):
                rows_gone = [(row[0], _bound(row[1:-3], types), row[-3:]) for row in some]
                deletes = [[write_time, *row] for write_time, row, _ in rows_gone]
                keeps = [[*row, *place, write_time] for write_time, row, place in rows_gone]
                for statement, bound in zip(statements, (keeps, deletes), strict=True):
                    execute_concurrent_with_args(session, statement, bound, concurrency=64)


def _left(ttl: int) -> Column:
    """Return the seconds that a row stays, so that it goes `ttl` seconds after its event, whenever it is written.

    A row that should be gone stays for a second: so it takes with it what an older event has left.
    """
    age = F.unix_millis(F.current_timestamp()) - F.unix_millis(F.col(EVENT_TIMESTAMP))
    left = F.ceil((F.lit(ttl * 1000) - age) / 1000)
    return F.least(F.greatest(left, F.lit(1)), F.lit(MOST_TTL_S)).cast("int")


def _timed(rows_of_batch: DataFrame) -> DataFrame:
    return rows_of_batch.withColumn(WRITE_TIME, F.unix_millis(F.col(EVENT_TIMESTAMP)) * MICROS)


def _bound(values: Iterable[Any], types: Iterable[str]) -> list[Any]:
    """Convert Spark's values to what cassandra-driver takes."""
    return [
        UUID(value) if name == "uuid" else bytes(value) if isinstance(value, bytearray) else value
        for value, name in zip(values, types, strict=True)
    ]
