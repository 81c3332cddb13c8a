"""Cassandra: every row an upsert with the write time of its event, so that an older event loses, cell by cell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import DriverException, ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import RoundRobinPolicy
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts import tables
from contracts.contract import CassandraSink as CassandraSpec
from contracts.contract import Contract
from contracts.errors import ConfigurationError
from contracts.settings import Settings
from contracts.tables import EVENT_OFFSET, EVENT_TIMESTAMP, WRITE_TIME
from streaming import failures, rows
from streaming.sinks import existing

_MICROS = 1000
# What a node has answered is on its disk after this time, or the node is gone; see ADR 7.  Seconds.
_ON_DISK_AFTER_S = 0.1


class CassandraSink:
    """Writes the contract's Cassandra table.

    The write time of a row, in microseconds as everywhere in Cassandra, is its event's Kafka timestamp (milliseconds)
    with the last three digits of its offset, which order the events of one partition within a millisecond.  Nulls
    are written, not left out: a row is always one event's, never a mix of two.
    """

    name = "cassandra"

    def __init__(self, settings: Settings, contract: Contract, spec: CassandraSpec) -> None:
        self._settings = settings
        self._table = tables.of(contract, spec)
        self._spec = spec

    def prepare(self) -> None:
        with connect(self._settings) as session:
            for statement in existing.migration(existing.in_cassandra(session, self._spec), self._table):
                session.execute(statement)

    def write(self, decoded: DataFrame) -> None:
        before = _generation(self._settings)
        self._upsert(decoded)
        time.sleep(_ON_DISK_AFTER_S)
        if _generation(self._settings) != before:
            words = (
                "it was restarted while the batch was written; what it answered last may not have reached its disk"
            )
            raise failures.service("Cassandra", self._settings.cassandra_hosts, words)

    def _upsert(self, decoded: DataFrame) -> None:
        newest = rows.newest(rows.of(decoded, self._table), self._table)
        millis = F.unix_millis(F.col(EVENT_TIMESTAMP))
        timed = newest.withColumn(WRITE_TIME, millis * _MICROS + F.col(EVENT_OFFSET) % _MICROS)
        try:
            (
                timed.write.format("org.apache.spark.sql.cassandra")
                .option("keyspace", self._spec.keyspace)
                .option("table", self._spec.table)
                .option("writetime", WRITE_TIME)
                .mode("append")
                .save()
            )
        except Py4JJavaError as error:
            # A session that has lost its control connection may wait for its schema for ever; the next one is new.
            decoded.sparkSession._jvm.com.datastax.spark.connector.cql.CassandraConnector.evictCache()
            raise failures.of_java("Cassandra", self._settings.cassandra_hosts, error) from error


def _generation(settings: Settings) -> int | None:
    """Another number after each start of the node; None where other nodes hold replicas."""
    with connect(settings) as session:
        if session.execute("SELECT peer FROM system.peers_v2 LIMIT 1").one() is not None:
            return None
        return int(session.execute("SELECT gossip_generation FROM system.local").one().gossip_generation)


@contextmanager
def connect(settings: Settings) -> Iterator[Session]:
    """A session of cassandra-driver.  Raises ServiceError when no host can be reached, or one fails meanwhile."""
    points, port = contact_points(settings.cassandra_hosts)
    profile = ExecutionProfile(RoundRobinPolicy(), request_timeout=30)
    cluster = Cluster(
        points,
        port=port,
        auth_provider=PlainTextAuthProvider(settings.cassandra_username, settings.cassandra_password),
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=10,
        protocol_version=ProtocolVersion.V5,
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )
    try:
        yield cluster.connect()
    except (NoHostAvailable, DriverException) as error:
        raise failures.of_cassandra(settings.cassandra_hosts, error) from error
    finally:
        cluster.shutdown()


def contact_points(hosts: str) -> tuple[list[str], int]:
    """`"a:9043,b"` -> `(["a", "b"], 9043)`; the port is the first one named, 9042 without any.

    Raises:
        ConfigurationError: not a list of host or host:port.
    """
    names, ports = [], []
    for part in filter(None, (part.strip() for part in hosts.split(","))):
        name, _, port = part.rpartition(":") if part.count(":") == 1 else (part, "", "")
        names.append(name)
        if port:
            ports.append(port)
    if not names or not all(port.isdigit() for port in ports):
        raise ConfigurationError(
            f"CASSANDRA_HOSTS is {hosts!r}", where="environment", mend="write host:port, several apart by commas"
        )
    return names, int(ports[0]) if ports else 9042
