"""Check that a long-running stream does not keep the records that it has written."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession

from avro_data_contracts.contracts.errors import ContractsError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.run import job
from contracts_tests.fuzz.contracts import SHAPES, prepare
from contracts_tests.fuzz.run import send

ROUNDS = 6
#: Allowed growth of the driver's heap after the second round, for bounded caches of Spark.
SLACK_BYTES = 64 * 1024 * 1024
_WITHIN_S = 600
_FETCHED_UNTIL_S = 420


def grown(
    settings: Settings, spark: SparkSession, folder: Path, *, seed: int, records: int, say: Callable[[str], None]
) -> str:
    """Feed one stream in rounds and return what is wrong; empty if the heap did not grow.

    Args:
        records: number of records of all rounds together.
    """
    fuzzed = prepare(SHAPES["changing"], settings, folder, spark)
    pipeline, stopping, ended = fuzzed.pipeline, threading.Event(), list[str]()
    sinks = job.prepare(pipeline.settings, pipeline.contract)

    def run() -> None:
        try:
            job.Job(spark, pipeline.settings, pipeline.contract, sinks, stopping).run(available_now=False)
        except ContractsError as error:
            ended.append(f"the long-running stream gave up: {error}")

    stream = threading.Thread(target=run, name="fuzzed", daemon=True)
    stream.start()
    used: list[int] = []
    try:
        for number in range(ROUNDS):
            send(fuzzed, seed + number, records // ROUNDS)
            if not _caught_up(spark, pipeline.contract.name, len(sinks), settings, pipeline.contract.topic, stream):
                return ended[0] if ended else f"the long-running stream did not catch up in {_WITHIN_S} s"
            used.append(_used(spark))
            say(f"heap after round {number + 1} of {ROUNDS}: {used[-1] / 1e6:.0f} MB")
        # For five minutes Spark's Kafka source keeps what it last fetched from each partition.
        deadline = time.monotonic() + _FETCHED_UNTIL_S
        while used[-1] - used[1] > SLACK_BYTES and time.monotonic() < deadline:
            time.sleep(15)
            used.append(_used(spark))
            say(f"heap while idle: {used[-1] / 1e6:.0f} MB")
    finally:
        stopping.set()
        stream.join(120)
    if ended:
        return ended[0]
    more = used[-1] - used[1]
    return f"the driver's heap grew by {more / 1e6:.0f} MB after the second round" if more > SLACK_BYTES else ""


def _caught_up(
    spark: SparkSession, name: str, queries: int, settings: Settings, topic_name: str, stream: threading.Thread
) -> bool:
    """Wait until all queries have written the whole topic, and return whether they did."""
    ends = {str(partition): last + 1 for partition, (_, last) in topic.whole(settings, topic_name).items()}
    deadline = time.monotonic() + _WITHIN_S
    while stream.is_alive() and time.monotonic() < deadline:
        done = 0
        for query in spark.streams.active:
            progress = query.lastProgress if query.name.startswith(f"{name}.") else None
            reached = progress and progress["sources"][0]["endOffset"]
            reached = json.loads(reached) if isinstance(reached, str) else reached
            done += bool(reached) and ends.items() <= reached[topic_name].items()
        if done == queries:
            return True
        time.sleep(0.5)
    return False


def _used(spark: SparkSession) -> int:
    """Return the bytes in use in the driver's heap after garbage collection."""
    jvm = spark.sparkContext._jvm
    runtime, found = jvm.java.lang.Runtime.getRuntime(), []
    for _ in range(4):
        jvm.java.lang.System.gc()
        time.sleep(0.5)
        found.append(runtime.totalMemory() - runtime.freeMemory())
    return min(found)
