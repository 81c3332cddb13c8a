"""Measure the stream into both stores against each store alone and against the alternatives.

- `bare`: a Spark job with one schema that writes both stores without any of our guarantees.
- `python`: confluent-kafka's `DeserializingConsumer` and cassandra-driver's concurrent statements, Cassandra only.
- `json`: the job of the tutorials, `from_json` and the Cassandra connector's defaults, Cassandra only.

All read the same records into empty tables, in turns.  The first turns warm up servers and JVM and do not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.streaming.run import source
from avro_data_contracts.streaming.run.job import Job, prepare
from avro_data_contracts.streaming.sinks.sink import Sink
from avro_data_contracts.streaming.spark import session
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from benchmarks import batches, peers, producer, records, servers
from benchmarks.batches import Batch

RECORDS = 200_000
WARM_UPS = 1
ROUNDS = 2


def measure() -> dict[str, Any]:
    """Records per second of each, and the ratios within each round."""
    with servers.up() as (_, configured):
        own, contract = servers.registered(configured, "bench_stream")
        users = records.users(RECORDS)
        producer._ours(own, contract, users)
        peers.fill_json(own, contract, users)
        spark = session.start(own)
        rounds = []
        try:
            for number in range(WARM_UPS + ROUNDS):
                turn = own.model_copy(update={"checkpoint_dir": own.checkpoint_dir / str(number)})
                rounds.append(_round(spark, turn, contract))
        finally:
            spark.stop()
    return {"records": RECORDS, "warm_up": rounds[:WARM_UPS], "rounds": rounds[WARM_UPS:]}


def _round(spark: SparkSession, configured: Settings, contract: Contract) -> dict[str, Any]:
    def ours(*names: str) -> Callable[[Settings, list[Sink]], dict[str, list[Batch]]]:
        def run(own: Settings, sinks: list[Sink]) -> dict[str, list[Batch]]:
            wanted = [sink for sink in sinks if sink.name in names]
            return batches.listened(spark, lambda: Job(spark, own, contract, wanted).run(available_now=True))

        return run

    contestants = {
        "bare": lambda own, _: batches.listened(spark, lambda: _bare(spark, own, contract)),
        "ours": ours("cassandra", "postgres"),
        "cassandra": ours("cassandra"),
        "postgres": ours("postgres"),
        "json": lambda own, _: batches.listened(spark, lambda: peers.json_pipeline(spark, own, contract)),
        "python": lambda own, _: {"python": [peers.python_consumer(own, contract, RECORDS)]},
    }
    rates = {
        # Separate checkpoints: what one run records about its table is not true for the next.
        name: _rate(configured.model_copy(update={"checkpoint_dir": configured.checkpoint_dir / name}), contract, run)
        for name, run in contestants.items()
    }
    ratios = {
        "ours to bare": rates["ours"] / rates["bare"],
        "both to the slower alone": rates["ours"] / min(rates["cassandra"], rates["postgres"]),
        "cassandra to json": rates["cassandra"] / rates["json"],
        "cassandra to python": rates["cassandra"] / rates["python"],
    }
    return {**{name: round(rate) for name, rate in rates.items()}, **{k: round(v, 3) for k, v in ratios.items()}}


def _rate(configured: Settings, contract: Contract, run: Any) -> float:
    """Records per second, from the start of the first batch to the end of the slowest store's last batch."""
    sinks = prepare(configured, contract)
    with cassandra.connect(configured) as connected:
        connected.execute(f"TRUNCATE {contract.spec.sinks.cassandra.quoted}")
    with postgres.connect(configured) as connection:
        connection.execute(f"TRUNCATE {contract.spec.sinks.postgres.quoted}")
    written = run(configured, sinks)
    counts = {name: sum(batch.records for batch in store) for name, store in written.items()}
    assert set(counts.values()) == {RECORDS}, counts
    stores = list(written.values())
    return RECORDS / (max(store[-1].end for store in stores) - min(store[0].start for store in stores))


def _bare(spark: SparkSession, configured: Settings, contract: Contract) -> None:
    """Stream with one schema for all records: no dead letters, no event order, no retries, no wait for the disk."""
    spec = contract.spec.sinks
    url, account = postgres.jdbc(configured.postgres_dsn)
    # Text becomes uuid or date in the server, and a batch is one statement.
    inserts = {"stringtype": "unspecified", "reWriteBatchedInserts": "true"}
    properties = {"driver": "org.postgresql.Driver", **account, **inserts}

    def to_cassandra(rows: DataFrame, _: int) -> None:
        table = {"keyspace": spec.cassandra.keyspace, "table": spec.cassandra.table}
        rows.write.format("org.apache.spark.sql.cassandra").options(**table).mode("append").save()

    def to_postgres(rows: DataFrame, _: int) -> None:
        rows.write.jdbc(url, spec.postgres.quoted, mode="append", properties=properties)

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
