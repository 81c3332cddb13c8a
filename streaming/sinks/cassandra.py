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
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.utils import AnalysisException

from contracts import tables
from contracts.contract import CassandraSink as CassandraSpec
from contracts.contract import Contract
from contracts.errors import ConfigurationError
from contracts.settings import Settings
from contracts.tables import EVENT_OFFSET, EVENT_ORDER, EVENT_TIMESTAMP, WRITE_TIME
from streaming import cells, failures, rows
from streaming.sinks import existing
from streaming.sinks.newest import NewestWritten

_FORMAT = "org.apache.spark.sql.cassandra"
_MICROS = 1000
# Older than every Kafka timestamp, in ms.
_BEFORE_ALL = -(2**53)
# What a node has answered is on its disk after this time, or the node is gone; see ADR 7.  Seconds.
_ON_DISK_AFTER_S = 0.1


class CassandraSink:
    """Writes the contract's Cassandra table.

    The write time of a row, in microseconds as everywhere in Cassandra, is its event's Kafka timestamp, so the server
    drops what is older.  Kafka counts milliseconds: events of one key and one millisecond that come in different
    batches are told apart by the last three digits, the later one takes the write time of the row that is there, plus
    one.  That row is read only for events that are not newer than everything written before (`NewestWritten`).  Nulls
    are written, not left out: a row is always one event's, never a mix of two.
    """

    name = "cassandra"

    def __init__(self, settings: Settings, contract: Contract, spec: CassandraSpec) -> None:
        self._settings = settings
        self._contract = contract
        self._table = tables.of(contract, spec)
        self._spec = spec
        self._newest = NewestWritten(
            settings.checkpoint_dir / contract.name / "cassandra-newest.json", spec.qualified
        )

    def prepare(self) -> None:
        with connect(self._settings) as session:
            for statement in existing.migration(existing.in_cassandra(session, self._spec), self._table):
                session.execute(statement)

    def write(self, decoded: DataFrame) -> None:
        before = _generation(self._settings)
        newest = self._upsert(decoded)
        time.sleep(_ON_DISK_AFTER_S)
        if _generation(self._settings) != before:
            words = (
                "it was restarted while the batch was written; what it answered last may not have reached its disk"
            )
            raise failures.service("Cassandra", self._settings.cassandra_hosts, words)
        self._newest.keep(newest)

    def _upsert(self, decoded: DataFrame) -> int:
        """The newest timestamp that the table may hold now, in ms."""
        rows_of_batch = rows.newest(rows.of(decoded, self._contract, self._table), self._table)
        millis = F.unix_millis(F.col(EVENT_TIMESTAMP))
        try:
            before = self._newest.read()
            if before is None:
                before = self._newest_stored(decoded.sparkSession)
            seen = Observation()
            late = F.count_if(millis <= before).alias("late")
            observed = rows_of_batch.observe(seen, F.max(millis).alias("newest"), late)
            self._save(observed.where(millis > before).withColumn(WRITE_TIME, millis * _MICROS))
            if seen.get["late"]:
                self._save(self._that_win(rows_of_batch.where(millis <= before)))
        except Py4JJavaError as error:
            self._forget_session(decoded.sparkSession)
            raise failures.of_java("Cassandra", self._settings.cassandra_hosts, error) from error
        except AnalysisException as error:
            # The session does not hear of new tables since the node that it listened to was restarted.
            self._forget_session(decoded.sparkSession)
            words = " ".join(str(error).split())[:400]
            raise failures.service("Cassandra", self._settings.cassandra_hosts, words) from error
        return max(before, seen.get["newest"] or before)

    def _forget_session(self, spark: SparkSession) -> None:
        """One that has lost its control connection may wait for its schema for ever; the next one is new."""
        spark._jvm.com.datastax.spark.connector.cql.CassandraConnector.evictCache()

    def _that_win(self, late: DataFrame) -> DataFrame:
        """Those of the rows that are newer than what is stored, each with the write time that makes it win."""
        key = self._spec.primary_key
        stored = self._stored(late.sparkSession).select(
            *key,
            *(F.col(name).alias(f"_{name}") for name in EVENT_ORDER),
            F.expr(f"writetime({EVENT_OFFSET})").alias("_write_time"),
        )
        mine, theirs = (F.struct(*(F.col(side + name).alias(name) for name in EVENT_ORDER)) for side in ("", "_"))
        missing = F.col(f"_{EVENT_TIMESTAMP}").isNull()
        tie = F.col(EVENT_TIMESTAMP) == F.col(f"_{EVENT_TIMESTAMP}")
        full = F.raise_error(F.lit("a thousand events of one key and one millisecond")).cast("bigint")
        after_it = F.when(F.col("_write_time") % _MICROS == _MICROS - 1, full).otherwise(F.col("_write_time") + 1)
        write_time = F.when(tie, after_it).otherwise(F.unix_millis(F.col(EVENT_TIMESTAMP)) * _MICROS)
        winners = late.join(stored, key, "left").where(missing | (mine > theirs))
        return winners.select(*late.columns, write_time.alias(WRITE_TIME))

    def _newest_stored(self, spark: SparkSession) -> int:
        """As `_upsert`, of a table that this checkpoint has not written: every row is read, once."""
        with connect(self._settings) as session:
            any_row = f"SELECT {EVENT_TIMESTAMP} FROM {self._spec.quoted} LIMIT 1"  # noqa: S608 - names of the contract
            if session.execute(any_row).one() is None:
                return _BEFORE_ALL
        newest = self._stored(spark).agg(F.max(F.unix_millis(F.col(EVENT_TIMESTAMP))).alias("newest")).first()
        return _BEFORE_ALL if newest is None or newest["newest"] is None else int(newest["newest"])

    def _stored(self, spark: SparkSession) -> DataFrame:
        options = {"keyspace": self._spec.keyspace, "table": self._spec.table, "directJoinSetting": "on"}
        return spark.read.format(_FORMAT).options(**options).load()

    def _save(self, timed: DataFrame) -> None:
        options = {"keyspace": self._spec.keyspace, "table": self._spec.table, "writetime": WRITE_TIME}
        cells.in_numbers(timed).write.format(_FORMAT).options(**options).mode("append").save()


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
