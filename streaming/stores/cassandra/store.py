"""Cassandra as a store of the stream."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from cassandra import InvalidRequest, OperationTimedOut, ReadTimeout
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.util import Date, Time
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.sinks.readback import RAW
from avro_data_contracts.streaming.stores.cassandra import comparison, existing, options, reading, sessions
from avro_data_contracts.streaming.stores.cassandra.connection import Way, connect, node
from avro_data_contracts.streaming.stores.cassandra.failures import SERVER, may_have_broken_session
from avro_data_contracts.streaming.stores.cassandra.sink import CassandraSink
from avro_data_contracts.streaming.stores.store import COUNT_FOR_S, Comparison, Key, Rows, Store

# Partitions in one request.
_SLICE = 100


class Cassandra(Store):
    """Apache Cassandra."""

    java: ClassVar = {reading.CONNECTOR: reading.SOURCE}
    # Its driver logs a request that the server warns about, including values.
    java_options = "-Ddatastax-java-driver.advanced.request.log-warnings=false"

    def address(self, settings: Settings) -> str:
        return settings.cassandra_hosts

    def sink(self, settings: Settings, contract: Contract, spec: CassandraSpec) -> CassandraSink:
        return CassandraSink(settings, contract, spec)

    def rows(
        self, settings: Settings, spec: CassandraSpec, names: Sequence[str], count: int
    ) -> list[tuple[Any, ...]]:
        listed = ", ".join(f'"{name}"' for name in names)
        with connect(settings) as session:
            statement = f"SELECT {listed} FROM {spec.quoted} LIMIT {int(count)}"  # noqa: S608 - identifiers
            return [tuple(row) for row in session.execute(statement)]

    def positions(
        self, settings: Settings, spec: CassandraSpec, keys: Sequence[Key], columns: Sequence[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Read the partitions of `keys`, many in one request: a request for each costs ten times as much."""
        partition = spec.partition
        several = len(partition) > 1
        which = " AND ".join(f'"{name}" = ?' for name in partition) if several else f'"{partition[0]}" IN ?'
        with connect(settings) as session:
            moments = _moments(session, spec)
            wanted = (*spec.key, EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET, *columns)
            names = existing.selected(wanted, moments)
            statement = session.prepare(f"SELECT {names} FROM {spec.quoted} WHERE {which}")  # noqa: S608 - identifiers
            types = [column.type for column in statement.column_metadata]
            kinds = [one.typename for one in (types if several else types[0].subtypes)]
            found = dict.fromkeys(tuple(_for_column(*pair) for pair in zip(key, kinds, strict=False)) for key in keys)
            partitions = list(found)
            alone = [one for (one,) in partitions] if not several else []
            slices = [(alone[at : at + _SLICE],) for at in range(0, len(alone), _SLICE)]
            asked = execute_concurrent_with_args(
                session, statement, partitions if several else slices, concurrency=16
            )
            for _, result in asked:
                for row in result:
                    key = (
                        cell * 1000 if name in moments else _plain(cell)
                        for name, cell in zip(spec.key, row, strict=False)
                    )
                    yield (*key, *row[len(spec.key) :])

    def count(self, settings: Settings, specs: Iterable[CassandraSpec], slow: set[str]) -> dict[str, Rows]:
        found = {}
        with connect(settings) as session:
            for spec in specs:
                try:
                    if spec.qualified not in slow:
                        count = session.execute(f"SELECT count(*) FROM {spec.quoted}", timeout=COUNT_FOR_S)  # noqa: S608 - an identifier
                        found[spec.qualified] = Rows(count.one()[0], exact=True)
                        continue
                except InvalidRequest:  # no such table, or keyspace
                    continue
                except (OperationTimedOut, ReadTimeout):
                    slow.add(spec.qualified)
                # For this node's part of the ring: with several nodes, each knows only its own.
                sizes = session.execute(
                    "SELECT partitions_count FROM system.size_estimates WHERE keyspace_name = %s AND table_name = %s",
                    (spec.keyspace, spec.table),
                )
                found[spec.qualified] = Rows(sum(row.partitions_count for row in sizes), exact=False)
        return found

    def compared(
        self, settings: Settings, contract: Contract, spec: CassandraSpec, decoded: DataFrame
    ) -> AbstractContextManager[Comparison]:
        cells = self.sink(settings, contract, spec).cells(decoded)
        return comparison.compared(settings, layout.of(contract, spec), cells)

    def stored(
        self, spark: SparkSession, settings: Settings, spec: CassandraSpec, types: Mapping[str, str]
    ) -> DataFrame:
        generation = node(Way.of(settings)).generation()
        raw = {name: RAW[kind] for name, kind in types.items()}
        return reading.rows(spark, settings, spec, raw, sessions.options(settings, met=generation))

    def told(self, settings: Settings, error: Py4JJavaError | CapturedException) -> ServiceError:
        told = failures.of_java(SERVER, settings.cassandra_hosts, error)
        if may_have_broken_session(told):
            self.reconnect(settings)
        return told

    def reconnect(self, settings: Settings) -> None:
        sessions.of(settings).number += 1

    def empty(self, settings: Settings, spec: CassandraSpec) -> None:
        with connect(settings) as session:
            if existing.comment(session, spec) is not None:
                session.execute(f"TRUNCATE {spec.quoted}")
                existing.forget_key(session, spec)

    def outside(self, settings: Settings, spec: CassandraSpec, ranges: Mapping[int, tuple[int, int]]) -> int:
        """Read the positions of all rows, page by page: Cassandra cannot compare them itself."""
        with connect(settings) as session:
            statement = f'SELECT "{EVENT_PARTITION}", "{EVENT_OFFSET}" FROM {spec.quoted}'  # noqa: S608 - identifiers
            return sum(not _is_in(row, ranges) for row in session.execute(statement))

    def remove(self, settings: Settings, spec: CassandraSpec) -> None:
        with connect(settings) as session:
            if existing.comment(session, spec) is not None:
                session.execute(f"DROP TABLE {spec.quoted}")

    def spark_options(self, settings: Settings) -> Mapping[str, str]:
        return options.of(settings)

    def spark_secrets(self, settings: Settings) -> Mapping[str, str]:
        return {"spark.cassandra.auth.password": settings.cassandra_password}


def _is_in(row: Any, ranges: Mapping[int, tuple[int, int]]) -> bool:
    first, last = ranges.get(row[0], (0, -1))
    return bool(first <= row[1] <= last)


def _for_column(value: Any, kind: str) -> Any:
    """Convert a value of a key, where moments are microseconds, to what cassandra-driver takes."""
    match kind:
        case "uuid":
            return uuid.UUID(value)
        case "timestamp":
            return value // 1000
        case "time":
            return value * 1000
    return value


def _moments(session: Session, spec: CassandraSpec) -> set[str]:
    """Return the columns of a table that are a `timestamp`."""
    found = session.execute(
        "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s",
        (spec.keyspace, spec.table),
    )
    return {row.column_name for row in found if row.type == "timestamp"}


def _plain(value: Any) -> Any:
    """Convert cassandra-driver's own types to Python's, and times to microseconds."""
    if isinstance(value, Date):
        return value.date()
    if isinstance(value, Time):
        return value.nanosecond_time // 1000
    return value


STORE = Cassandra()
