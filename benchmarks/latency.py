"""Measure how long an event takes to both rows at a steady rate, and where a batch spends its time.

It is short by default; BENCH_LATENCY_MINUTES=20 measures each rate for as long as the target says.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from typing import Any

from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.streaming.run.job import Job, prepare
from avro_data_contracts.streaming.spark import session
from benchmarks import batches, records, servers
from benchmarks.batches import Batch

RATES = (50, 150, 500)
MINUTES = float(os.environ.get("BENCH_LATENCY_MINUTES", "1"))
#: Before the first rate: Java compiles what a batch runs.
WARM_UP_S = 40
_TICKS = 20


def measure() -> dict[str, Any]:
    """Seconds from an event's Kafka timestamp to the end of the slower store's batch, for each rate; and the medians
    of what the batches of each store took, in ms, as Spark tells them."""
    with servers.up() as (_, configured):
        own, contract = servers.registered(configured, "bench_latency")
        spark = session.start(own)
        stopping = threading.Event()
        job = Job(spark, own, contract, prepare(own, contract), stopping)
        spans: dict[int, tuple[float, float]] = {}

        def load() -> None:
            publisher = Publisher(contract, own)
            publisher.open()
            steady(publisher, RATES[0], WARM_UP_S)
            for rate in RATES:
                _caught_up(job)
                began = time.time()
                steady(publisher, rate, MINUTES * 60)
                spans[rate] = (began, time.time())
            _caught_up(job)
            time.sleep(2)
            stopping.set()

        try:
            written = batches.beside(spark, lambda: job.run(available_now=False), load)
            found = batches.latencies(own, contract, written)
        finally:
            spark.stop()
    return {
        "minutes": MINUTES,
        "rates": {str(rate): _of(found, written, span) for rate, span in spans.items()},
    }


def _caught_up(job: Job) -> None:
    """Wait until both stores have everything, however long a busy machine takes."""
    deadline = time.monotonic() + 300
    while any((left := job.lag()).values()) or not left:
        if time.monotonic() > deadline:
            raise TimeoutError(f"records are left: {left}")
        time.sleep(0.5)


def steady(publisher: Publisher, rate: int, seconds: float) -> None:
    """Send so many records a second, evenly."""
    start, made = time.monotonic(), 0
    users = records.users(round(rate * seconds) or 1, seed=time.time_ns())
    for tick in range(round(seconds * _TICKS)):
        due = round((tick + 1) * rate / _TICKS)
        for user in users[made:due]:
            publisher.send(user)
        made = due
        publisher.flush()
        time.sleep(max(0.0, start + (tick + 1) / _TICKS - time.monotonic()))


def _of(
    found: list[tuple[float, float]], written: dict[str, list[Batch]], span: tuple[float, float]
) -> dict[str, Any]:
    of_rate = sorted(seconds for sent, seconds in found if span[0] <= sent < span[1])
    told: dict[str, Any] = {"records": len(of_rate)}
    told |= {name: round(of_rate[int(len(of_rate) * q)], 2) for name, q in (("p50", 0.5), ("p99", 0.99))}
    for store, all_of in written.items():
        some = [one for one in all_of if span[0] <= one.start < span[1]]
        parts = sorted(set().union(*(one.took_ms for one in some)))
        told[store] = {"batches": len(some), "records": statistics.median(one.records for one in some)}
        told[store] |= {part: statistics.median(one.took_ms.get(part, 0) for one in some) for part in parts}
    return told
