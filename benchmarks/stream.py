"""The stream into both stores at once, beside a bare Spark job that does the same without any of our promises.

Both read the same topic into empty tables, in turns, in one Spark; the first two turns of each warm up the servers
and the JVM, and are left out.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.streaming import StreamingQueryListener

from benchmarks import producer, records, servers
from contracts.contract import Contract
from contracts.settings import Settings
from contracts.tables import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from streaming import session, source
from streaming.job import Job, prepare
from streaming.sinks import Sink, cassandra, postgres

RECORDS = 200_000
WARM_UPS = 2
ROUNDS = 3


class _Batches(StreamingQueryListener):
    """Start and end of every batch, seconds since 1970, and its size, by query."""

    def __init__(self) -> None:
        self.batches: dict[str, list[tuple[float, float, int]]] = {}

    def onQueryStarted(self, event: Any) -> None:  # noqa: N802 - Spark's name
        pass

    def onQueryProgress(self, event: Any) -> None:  # noqa: N802
        progress = event.progress
        if progress.numInputRows:
            start = dt.datetime.fromisoformat(progress.timestamp).timestamp()
            batch = (start, start + progress.batchDuration / 1000, progress.numInputRows)
            self.batches.setdefault(progress.name.rpartition(".")[2], []).append(batch)

    def onQueryIdle(self, event: Any) -> None:  # noqa: N802
        pass

    def onQueryTerminated(self, event: Any) -> None:  # noqa: N802
        pass


def measure() -> dict[str, Any]:
    """Records a second, each into both stores, from the first batch's start to the end of the slower store's last."""
    with servers.up() as (_, configured):
        own, contract = servers.registered(configured, "bench_stream")
        producer._ours(own, contract, records.users(RECORDS))
        spark = session.start(own)
        rounds = []
        try:
            for number in range(WARM_UPS + ROUNDS):
                turn = own.model_copy(update={"checkpoint_dir": own.checkpoint_dir / str(number)})
                bare = _timed(spark, turn, contract, _bare)
                ours = _timed(spark, turn, contract, _ours)
                rounds.append({"bare": round(bare), "ours": round(ours), "ratio": round(ours / bare, 3)})
        finally:
            spark.stop()
    return {"records": RECORDS, "warm_up": rounds[:WARM_UPS], "rounds": rounds[WARM_UPS:]}


def _timed(spark: SparkSession, configured: Settings, contract: Contract, run: Any) -> float:
    sinks = prepare(configured, contract)
    with cassandra.connect(configured) as connected:
        connected.execute(f"TRUNCATE {contract.spec.sinks.cassandra.qualified}")
    with postgres.connect(configured) as connection:
        connection.execute(f"TRUNCATE {contract.spec.sinks.postgres.qualified}")
    listener = _Batches()
    spark.streams.addListener(listener)
    run(spark, configured, contract, sinks)
    time.sleep(1)  # the listener hears of the last batch after the query has ended
    spark.streams.removeListener(listener)
    stores = [listener.batches[name] for name in ("cassandra", "postgres")]
    assert all(sum(rows for _, _, rows in batches) == RECORDS for batches in stores)
    return RECORDS / (max(batches[-1][1] for batches in stores) - min(batches[0][0] for batches in stores))


def _ours(spark: SparkSession, configured: Settings, contract: Contract, sinks: list[Sink]) -> None:
    Job(spark, configured, contract, sinks).run(available_now=True)


def _bare(spark: SparkSession, configured: Settings, contract: Contract, _: list[Sink]) -> None:
    """One schema for all records; no dead letters, no order of events, no second attempt, nothing waited for."""
    spec = contract.spec.sinks
    url, properties = postgres.jdbc(configured.postgres_dsn)

    def to_cassandra(rows: DataFrame, _: int) -> None:
        table = {"keyspace": spec.cassandra.keyspace, "table": spec.cassandra.table}
        rows.write.format("org.apache.spark.sql.cassandra").options(**table).mode("append").save()

    def to_postgres(rows: DataFrame, _: int) -> None:
        rows.write.jdbc(url, spec.postgres.qualified, mode="append", properties=properties)

    queries = []
    for name, write in (("cassandra", to_cassandra), ("postgres", to_postgres)):
        frame = source.stream(spark, configured, contract.topic, max_per_batch=configured.stream_max_per_batch)
        record = from_avro(F.expr("substring(value, 6)"), contract.value.schema_text).alias("record")
        rows = frame.select(
            record,
            F.col("timestamp").alias(EVENT_TIMESTAMP),
            F.col("partition").alias(EVENT_PARTITION),
            F.col("offset").alias(EVENT_OFFSET),
        ).select("record.*", EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET)
        checkpoint = (configured.checkpoint_dir / "bare" / name).absolute().as_uri()
        writer = rows.writeStream.queryName(f"bare.{name}").option("checkpointLocation", checkpoint)
        queries.append(writer.foreachBatch(write).trigger(availableNow=True).start())
    for query in queries:
        query.awaitTermination()
