"""Measure `contracts plan`, `drift`, `check --against registry` and `register` for many unchanged contracts.

Counts requests, and seconds with the registry on this machine and 30 ms away.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from avro_data_contracts.contracts.settings import Settings
from benchmarks import servers
from contracts_tests.fixtures.gateway import Gateway, served
from contracts_tests.fixtures.proxy import Proxy

CONTRACTS = 200
FIELDS = 12
DELAY_S = 0.03
ROUNDS = 3
COMMANDS = (("plan",), ("drift",), ("check", "--against", "registry"), ("register",))


def measure() -> dict[str, Any]:
    """Requests and median seconds of each command as a process, without delay and behind `DELAY_S`."""
    with servers.up() as (root, configured):
        return measured(configured.model_copy(update={"contracts_dir": root / "schemas"}))


def measured(configured: Settings) -> dict[str, Any]:
    """Like `measure`, with running servers; writes the contracts to the settings' folder."""
    for number in range(CONTRACTS):
        _write(configured.contracts_dir, number)
    began = time.perf_counter()
    servers.register(configured)
    result: dict[str, Any] = {"contracts": CONTRACTS, "first_register_s": round(time.perf_counter() - began, 1)}
    address = urlsplit(configured.schema_registry_url)
    with Proxy(address.port or 80) as proxy, served(Gateway(configured.schema_registry_url)) as gateway:
        behind = f"http://127.0.0.1:{proxy.port}{address.path}"
        for command in COMMANDS:
            gateway.seen.clear()
            _seconds(configured, gateway.url, command)
            found: dict[str, Any] = {"requests": len(gateway.seen)}
            for name, delay in (("s", 0.0), (f"s_behind_{DELAY_S * 1000:.0f}_ms", DELAY_S)):
                proxy.delay(delay)
                rounds = [_seconds(configured, behind, command) for _ in range(ROUNDS)]
                found[name] = round(statistics.median(rounds), 2)
            result[" ".join(command)] = found
    return result


def _seconds(configured: Settings, registry: str, command: tuple[str, ...]) -> float:
    environment = {
        **os.environ,
        "SCHEMA_REGISTRY_URL": registry,
        "KAFKA_BOOTSTRAP_SERVERS": configured.kafka_bootstrap_servers,
        "CONTRACTS_DIR": str(configured.contracts_dir),
    }
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "contracts", *command],
        cwd=servers.CLONE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - began


def _write(folder: Path, number: int) -> None:
    name = f"bench_registry_{number:03}"
    (folder / name).mkdir(parents=True, exist_ok=True)
    fields: list[dict[str, Any]] = [{"name": "id", "type": "string"}]
    fields += [{"name": f"f{one}", "type": ["null", "string"], "default": None} for one in range(1, FIELDS)]
    value = {"type": "record", "name": f"Event{number}", "namespace": "com.example.bench", "fields": fields}
    (folder / name / "value.avsc").write_text(json.dumps(value), encoding="utf-8")
    letters = {"topic": "bench_registry.dlq"}
    contract = {"topic": name, "owner": "bench", "compatibility": "FULL", "dead_letter": letters}
    (folder / name / "contract.yaml").write_text(json.dumps(contract), encoding="utf-8")
