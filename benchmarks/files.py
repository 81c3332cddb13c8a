"""Measure `producers --from` against a bare loop of json.loads, AvroSerializer and produce() over the same file.

BENCH_FILE_MB sets the size of the file of JSON lines (1000).  A tenth of it goes through both in turns.  Then ours
sends the whole file, and its memory must not be larger than for the tenth.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from benchmarks import records, servers
from benchmarks.bare import send

#: Users that are written again and again, with ids of their own.
DIFFERENT = 50_000
ROUNDS = 5


def measure() -> dict[str, Any]:
    """Records per second of both in turns, the median of the ratios, and peaks of memory."""
    size = int(os.environ.get("BENCH_FILE_MB", "1000"))
    rounds = []
    with servers.up() as (root, configured):
        own, contract = servers.registered(configured, "bench_files")
        file = root / "users.jsonl"
        count = _write(file, size * 10**5)
        for _ in range(ROUNDS):
            bare = count / _bare(own, contract, file)
            report = _ours(own, contract, file)
            assert report["produced"] == count
            ours = count / report["seconds"]
            rounds.append({"bare": round(bare), "ours": round(ours), "ratio": round(ours / bare, 3)})
        peak = report["peak_mib"]
        whole = _write(file, size * 10**6)
        report = _ours(own, contract, file)
        assert report["produced"] == whole
    return {
        "records": count,
        "rounds": rounds,
        "ratio": statistics.median(one["ratio"] for one in rounds),
        "peak_mib": peak,
        "whole": {
            "mb": size,
            "records": whole,
            "ours": round(whole / report["seconds"]),
            "peak_mib": report["peak_mib"],
        },
    }


def _write(file: Path, size: int) -> int:
    """Write users as plain JSON lines; returns how many."""
    users = [_plain(user) for user in records.users(DIFFERENT)]
    count = written = 0
    with file.open("w", encoding="utf-8") as lines:
        while written < size:
            user = users[count % DIFFERENT]
            number = f"{count:012x}"
            user["id"] = f"{user['id'][:24]}{number}"
            written += lines.write(json.dumps(user, ensure_ascii=False) + "\n")
            count += 1
    return count


def _plain(user: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, dt.date) else value for key, value in user.items()}


def _ours(configured: Settings, contract: Contract, file: Path) -> dict[str, Any]:
    """The report of `python -m producers --from`, and the peak of its memory."""
    variables = {
        "CONTRACTS_DIR": str(configured.contracts_dir),
        "KAFKA_BOOTSTRAP_SERVERS": configured.kafka_bootstrap_servers,
        "SCHEMA_REGISTRY_URL": configured.schema_registry_url,
        "XDG_STATE_HOME": str(file.parent),
    }
    command = [sys.executable, "-m", "producers", "--contract", contract.name, "--from", str(file), "--json"]
    done = subprocess.run(
        command, cwd=servers.CLONE, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True
    )
    # Of all children so far; the stack's own command line is smaller.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    report: dict[str, Any] = json.loads(done.stdout)
    return {**report, "peak_mib": peak}


def _bare(configured: Settings, contract: Contract, file: Path) -> float:
    """Seconds of the loop that one would write."""
    start = time.perf_counter()
    with file.open("rb") as lines:
        send(configured, contract, map(_user, lines))
    return time.perf_counter() - start


def _user(line: bytes) -> dict[str, Any]:
    user: dict[str, Any] = json.loads(line)
    user["dob"] = user["dob"] and dt.date.fromisoformat(user["dob"])
    user["registered_date"] = user["registered_date"] and dt.datetime.fromisoformat(user["registered_date"])
    return user
