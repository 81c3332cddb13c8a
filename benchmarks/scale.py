"""Measure the stream on Spark's standalone cluster with 1, 2 and 4 executors: how it scales, and what does not.

An executor has one core of the cluster.  On this machine the executors share the cores with each other, the driver
and the stores, so the CPU that each takes for a record tells more than the rate: more executors do not make the
driver's part less.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.settings import Settings
from benchmarks import many, servers
from benchmarks.usage import Usage

EXECUTORS = (1, 2, 4)
# Those of the warm-up are written first; Java compiles meanwhile.
WARM_UP, RECORDS = 40_000, 100_000
# As many as the executors have at most, twice.
PARTITIONS = 8
# Several batches, so that the driver's share of each is in the figures.
_BATCH = 20_000
_WORKERS = ("spark-worker-1", "spark-worker-2")


def measure() -> dict[str, Any]:
    """For each number of executors: records per second into both stores, and CPU s per 100,000 records."""
    found: dict[str, Any] = {"records": RECORDS, "cpus": os.cpu_count()}
    with servers.up("--with", "spark-cluster") as (root, configured):
        for executors in EXECUTORS:
            found[str(executors)] = _of(configured, root, executors)
    return found


def _of(configured: Settings, root: Path, executors: int) -> dict[str, float]:
    own, names = many.contracts(configured, f"scale{executors}", 1, partitions=PARTITIONS)
    many.send(own, names, WARM_UP + RECORDS)
    submit = f"--conf spark.executor.cores=1 --conf spark.cores.max={executors} pyspark-shell"
    more = {"PYSPARK_SUBMIT_ARGS": submit, "STREAM_MAX_PER_BATCH": str(_BATCH)}
    with many.streaming(own, root, 2, more) as (process, log):
        pids = {"driver": [process.pid], "executors": [servers.pid_of(root, name) for name in _WORKERS]}
        least = many.await_records(log, WARM_UP, process)
        before, start = {name: _cpu_s(some) for name, some in pids.items()}, time.monotonic()
        written = many.await_records(log, WARM_UP + RECORDS, process) - least
        seconds = time.monotonic() - start
        cpu_s = {name: _cpu_s(some) - before[name] for name, some in pids.items()}
    return {
        "records/s": round(written / seconds),
        **{f"{name}, CPU s per 100,000": round(cpu_s[name] / written * 100_000, 2) for name in pids},
    }


def _cpu_s(pids: list[int]) -> float:
    return sum(Usage.of(pid).cpu_s for pid in pids)
