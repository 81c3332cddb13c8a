"""Measure the stream under a steady load: its latency into both stores, and whether the driver's memory grows."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

from pyspark.sql import SparkSession

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.streaming.run.job import Job, prepare
from avro_data_contracts.streaming.spark import session
from benchmarks import batches, records, servers

RATE = 500
MINUTES = 20
# The first batches are slow because they compile Spark's plans.
WARM_UP_S = 60


def measure() -> dict[str, Any]:
    """Seconds from an event's Kafka timestamp to the end of the slower store's batch; once a minute also MiB of the
    heap after a full garbage collection, and of the driver's Java and Python processes."""
    with servers.up() as (_, configured):
        own, contract = servers.registered(configured, "bench_soak")
        spark = session.start(own)
        stopping = threading.Event()
        sinks = prepare(own, contract)
        job = Job(spark, own, contract, sinks, stopping)
        memory: list[dict[str, int]] = []

        def load() -> None:
            _produce(own, contract, lambda: memory.append(_memory(spark)))
            time.sleep(10)
            stopping.set()

        try:
            written = batches.beside(spark, lambda: job.run(available_now=False), load)
            latencies = [seconds for _, seconds in batches.latencies(own, contract, written)]
        finally:
            spark.stop()
    counted = sorted(latencies[WARM_UP_S * RATE :])
    return {
        "rate": RATE,
        "minutes": MINUTES,
        "records": len(latencies),
        "latency_s": {name: round(counted[int(len(counted) * q)], 2) for name, q in (("p50", 0.5), ("p99", 0.99))},
        "batches": {name: len(all_of) for name, all_of in written.items()},
        "heap_mib": {
            "first five minutes": statistics.mean(one["heap"] for one in memory[:5]),
            "last five minutes": statistics.mean(one["heap"] for one in memory[-5:]),
        },
        "memory_mib": memory,
    }


def _produce(configured: Settings, contract: Contract, each_minute: Any) -> None:
    publisher = Publisher(contract, configured)
    publisher.open()
    start = time.monotonic()
    for second in range(MINUTES * 60):
        for user in records.users(RATE, seed=second):
            publisher.send(user)
        publisher.flush()
        if second % 60 == 59:
            each_minute()
        time.sleep(max(0.0, start + second + 1 - time.monotonic()))


def _memory(spark: SparkSession) -> dict[str, int]:
    jvm = spark._jvm
    jvm.System.gc()
    runtime = jvm.Runtime.getRuntime()
    heap = (runtime.totalMemory() - runtime.freeMemory()) // 2**20
    pid = jvm.ProcessHandle.current().pid()
    return {"heap": heap, "java": _resident_mib(str(pid)), "python": _resident_mib("self")}


def _resident_mib(process: str) -> int:
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmRSS"))
