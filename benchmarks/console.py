"""Measure what the console costs while somebody watches 200 contracts: looks a second, and its share of a core.

`at rest`: nothing comes.  `ten are busy`: ten contracts get records all the time, and their groups move on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from confluent_kafka import Producer

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.run import groups
from avro_data_contracts.streaming.run.groups import Groups
from benchmarks import servers
from benchmarks.usage import Usage

CONTRACTS, BUSY = 200, 10
_SETTLES_S, _WATCHED_S = 30, 45
_STARTS_WITHIN_S = 60


def measure() -> dict[str, Any]:
    """For each case: looks a second, share of a core, milliseconds of CPU for a look, threads and MiB."""
    found: dict[str, Any] = {}
    with servers.up() as (root, configured):
        own, names = _contracts(configured)
        with _console(own, root) as (process, url):
            session = _signed_in(url, own.checkpoint_dir.parent / "secret")
            found["at rest"] = _watched(process, session, url)
            with _busy(own, names[:BUSY]):
                found["ten are busy"] = _watched(process, session, url)
    return found


def _contracts(configured: Settings) -> tuple[Settings, list[str]]:
    """Register copies of users_created; the groups of their stores are at the end of their topics."""
    names = [f"watched_{number:03}" for number in range(CONTRACTS)]
    for name in names:
        servers.copied(configured, name)
    own = configured.model_copy(update={"contracts_dir": configured.checkpoint_dir.parent / "schemas"})
    catalog = servers.register(own)
    # Ten at a time, because each group has a client of its own.
    for first in range(0, len(names), 10):
        asked = Groups(own, timeout_s=30)
        for name in names[first : first + 10]:
            contract = catalog.get(name)
            for sink in contract.sinks:
                asked.commit(groups.name(contract, sink.kind), contract.topic, {0: 0, 1: 0, 2: 0})
        asked.close()
    return own, names


@contextmanager
def _console(configured: Settings, root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    exports = servers.exports_of(root)
    told = {"CONTRACTS_DIR": str(configured.contracts_dir), "CHECKPOINT_DIR": str(configured.checkpoint_dir)}
    secret = configured.checkpoint_dir.parent / "secret"
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "--port", "0", "--dir", str(secret)],
        cwd=servers.CLONE,
        env={**os.environ, **exports, **told, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().removeprefix("console: ").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _signed_in(url: str, secret: Path) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    password = json.loads((secret / "accounts.json").read_text())["viewer"]
    form = {"name": "viewer", "password": password}
    session.post(f"{url}/login", form, headers={"Origin": url}, timeout=30).raise_for_status()
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while session.get(f"{url}/live.json", timeout=30).json()["state"] != "ok":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return session


def _watched(process: subprocess.Popen[str], session: requests.Session, url: str) -> dict[str, Any]:
    """Ask as the script of a page does: once a second, and only for what has changed."""
    _watch(session, url, _SETTLES_S)
    before, began = Usage.of(process.pid), time.monotonic()
    looks = len(_watch(session, url, _WATCHED_S))
    after, seconds = Usage.of(process.pid), time.monotonic() - began
    spent = after.cpu_s - before.cpu_s
    return {
        "looks/s": round(looks / seconds, 2),
        "share of a core": round(spent / seconds, 4),
        "CPU ms per look": round(1000 * spent / max(looks, 1), 1),
        "threads": after.threads,
        "MiB": round(after.mib),
    }


def _watch(session: requests.Session, url: str, seconds: float) -> set[str]:
    """Return the moments of the looks that were seen, also of those that found nothing new."""
    seen, tag = set(), ""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        answer = session.get(f"{url}/live.json", headers={"If-None-Match": tag} if tag else {}, timeout=30)
        tag = answer.headers["ETag"]
        seen.add(answer.headers["Looked-At"])
        time.sleep(1)
    return seen


@contextmanager
def _busy(configured: Settings, names: list[str]) -> Iterator[None]:
    """Send to these topics, and move their groups, until the block ends."""
    catalog, ended = servers.loaded(configured), threading.Event()
    producer = Producer({"bootstrap.servers": configured.kafka_bootstrap_servers})
    asked = Groups(configured, timeout_s=30)

    def send() -> None:
        while not ended.wait(0.5):
            for name in names:
                contract = catalog.get(name)
                for _ in range(10):
                    producer.produce(contract.topic, b"", partition=0)
                producer.flush(30)
                last = asked.ends(contract.topic)[1]
                for sink in contract.sinks:
                    asked.commit(groups.name(contract, sink.kind), contract.topic, last)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        asked.close()
