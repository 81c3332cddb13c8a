"""Measure `python -m streaming` with 1, 5 and 20 contracts: what it costs while nothing comes, and how fast it is.

`idle` does the first part with two contracts that have a view each, and with ten without.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher
from benchmarks import records, servers
from benchmarks.usage import Usage

CONTRACTS = (1, 5, 20)
RECORDS = 40_000
_SETTLES_S, _IDLE_S, _ENDS_WITHIN_S = 20, 40, 300
_VIEW = """\
-- sinks:
--   postgres: {{table: {name}_seen, primary_key: [id]}}
--   cassandra: {{keyspace: spark_streams, table: {name}_seen, primary_key: [id]}}
SELECT id, lower(email) AS email, kafka_timestamp AS seen_at FROM {name}
"""
_WRITTEN = re.compile(r'event="batch written" contract=(\w+) sink=([\w.]+) batch=\d+ records=(\d+)')


def idle() -> dict[str, Any]:
    """Of two contracts with views, and of ten without: shares of a core and MiB, while nothing comes."""
    found = {}
    with servers.up() as (root, configured):
        found["kafka alone"] = _kafka(root)
        for name, number, view in (("2 contracts and their views", 2, True), ("10 contracts", 10, False)):
            own, _ = contracts(configured, f"idle{number}", number, view=view)
            with streaming(own, root, number * (4 if view else 2)) as (process, _log):
                found[name] = _at_rest(process, root)
    return found


def measure() -> dict[str, Any]:
    """For each number of contracts: cost at rest, and records per second into both stores, over all contracts."""
    found = {}
    with servers.up() as (root, configured):
        for number in CONTRACTS:
            own, names = contracts(configured, f"many{number}", number)
            with streaming(own, root, 2 * number) as (process, log):
                told = _at_rest(process, root)
                told["records/s"] = _caught_up(own, names, log)
                found[str(number)] = told
    return found


def contracts(
    configured: Settings, prefix: str, number: int, *, view: bool = False, partitions: int | None = None
) -> tuple[Settings, list[str]]:
    """Register copies of users_created in a folder of their own.

    Args:
        view: whether each gets a view.
        partitions: of each topic; None: as many as users_created has.
    """
    names = [f"{prefix}_{one:02}" for one in range(number)]
    home = configured.checkpoint_dir.parent / prefix
    own = configured.model_copy(update={"checkpoint_dir": home / "checkpoints"})
    for name in names:
        folder = servers.copied(own, name, partitions)
        if view:
            (folder / "views").mkdir()
            (folder / "views" / "seen.sql").write_text(_VIEW.format(name=name))
    own = own.model_copy(update={"contracts_dir": home / "schemas"})
    servers.register(own)
    return own, names


@contextmanager
def streaming(
    configured: Settings, root: Path, queries: int, more: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run the stream of all contracts until the block ends.  When it begins, each query has written a record.

    Args:
        queries: how many there are.
        more: other environment variables for it.
    """
    log = configured.checkpoint_dir.parent / "stream.log"
    told = {
        "CONTRACTS_DIR": str(configured.contracts_dir),
        "CHECKPOINT_DIR": str(configured.checkpoint_dir),
        "SPARK_LOG_FILE": str(log.with_name("spark.log")),
        "LOG_FORMAT": "logfmt",
    }
    exports = servers.exports_of(root)
    names = [one.name for one in configured.contracts_dir.iterdir()]
    send(configured, names, 1)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streaming", "--all"],
            cwd=servers.CLONE,
            env={**os.environ, **exports, **told, **(more or {})},
            stdout=out,
            stderr=out,
        )
        try:
            _wait(lambda: len(set(_written(log))) >= queries, process, log)
            yield process, log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_ENDS_WITHIN_S)
            shutil.rmtree(configured.checkpoint_dir, ignore_errors=True)


def send(configured: Settings, names: list[str], number: int) -> None:
    """Send so many records to each contract."""
    catalog = servers.loaded(configured)
    for name in names:
        publisher = Publisher(catalog.get(name), configured)
        publisher.open()
        for user in records.users(number, seed=time.time_ns()):
            publisher.send(user)
        publisher.flush()


def await_records(log: Path, number: int, process: subprocess.Popen[bytes]) -> int:
    """Wait until each query has written that many records; return how many the slowest has written."""
    _wait(lambda: min(_written(log).values(), default=0) >= number, process, log)
    return min(_written(log).values())


def _written(log: Path) -> dict[tuple[str, str], int]:
    """Return contract and sink -> records that the log says are written."""
    found: dict[tuple[str, str], int] = {}
    for contract, sink, number in _WRITTEN.findall(log.read_text(errors="replace")):
        found[contract, sink] = found.get((contract, sink), 0) + int(number)
    return found


def _at_rest(process: subprocess.Popen[bytes], root: Path) -> dict[str, Any]:
    time.sleep(_SETTLES_S)
    before, kafka = Usage.of(process.pid), Usage.of(servers.pid_of(root, "kafka"))
    time.sleep(_IDLE_S)
    after, later = Usage.of(process.pid), Usage.of(servers.pid_of(root, "kafka"))
    return {
        "ours, share of a core": round((after.cpu_s - before.cpu_s) / _IDLE_S, 3),
        "kafka, share of a core": round((later.cpu_s - kafka.cpu_s) / _IDLE_S, 3),
        "mib": round(after.mib),
        "threads": after.threads,
    }


def _kafka(root: Path) -> float:
    """Return the share of a core that Kafka takes with nobody there."""
    time.sleep(_SETTLES_S)
    before = Usage.of(servers.pid_of(root, "kafka"))
    time.sleep(_IDLE_S)
    return round((Usage.of(servers.pid_of(root, "kafka")).cpu_s - before.cpu_s) / _IDLE_S, 3)


def _caught_up(configured: Settings, names: list[str], log: Path) -> int:
    """Return how many records per second both stores get, with so many for all contracts together."""
    each = RECORDS // len(names)
    before = _written(log)
    start = time.monotonic()
    send(configured, names, each)
    _wait(lambda: all(_written(log)[key] >= number + each for key, number in before.items()), None, log)
    return round(each * len(names) / (time.monotonic() - start))


def _wait(done: Callable[[], bool], process: subprocess.Popen[bytes] | None, log: Path) -> None:
    deadline = time.monotonic() + 600
    while not done():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            raise SystemExit(f"the stream did not get so far:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.2)
