"""Measure the producer against a bare loop of AvroSerializer and produce(), in turns, with records in memory."""

from __future__ import annotations

import statistics
import time
from typing import Any

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher
from benchmarks import records, servers
from benchmarks.bare import send

RECORDS = 100_000
ROUNDS = 5


def measure() -> dict[str, Any]:
    """Records per second of both, and the median of the rounds' ratios."""
    users = records.users(RECORDS)
    rounds = []
    with servers.up() as (_, configured):
        own, contract = servers.registered(configured, "bench_producer")
        for _ in range(ROUNDS):
            bare = RECORDS / _timed(lambda: send(own, contract, users))
            ours = RECORDS / _timed(lambda: _ours(own, contract, users))
            rounds.append({"bare": round(bare), "ours": round(ours), "ratio": round(ours / bare, 3)})
    return {"records": RECORDS, "rounds": rounds, "ratio": statistics.median(r["ratio"] for r in rounds)}


def _timed(run: Any) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _ours(configured: Settings, contract: Contract, users: list[dict[str, Any]]) -> None:
    publisher = Publisher(contract, configured)
    publisher.open()
    for user in users:
        publisher.send(user)
    publisher.flush()
    assert publisher.produced == len(users)
