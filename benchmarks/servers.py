"""A separate stack for the benchmarks on free ports, and a contract with its own topic."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.registry import plan
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings

CLONE = Path(__file__).parent.parent


def stack(root: Path, *arguments: str) -> str:
    """Run `python -m stack ARGUMENTS --dir ROOT`; returns its output."""
    command = [sys.executable, "-m", "stack", *arguments, "--dir", str(root)]
    return subprocess.run(command, cwd=CLONE, stdout=subprocess.PIPE, text=True, check=True).stdout


def exports_of(root: Path) -> dict[str, str]:
    """Return the variables with which programs find the servers of a stack."""
    return dict(re.findall(r"^export (\w+)='(.*)'$", stack(root, "env"), flags=re.MULTILINE))


@contextmanager
def up(*more: str) -> Iterator[tuple[Path, Settings]]:
    """A running stack; yields its folder and settings that point to it.

    Args:
        more: other arguments of `python -m stack up`.
    """
    root = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        stack(root, "up", "--ports", "auto", *more)
        exports = exports_of(root)
        os.environ["JAVA_HOME"] = exports["JAVA_HOME"]
        # All servers are on this machine, and confluent-kafka's client reads these variables.
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            del os.environ[name]
        flags = {name.lower(): value for name, value in exports.items() if name.lower() in Settings.model_fields}
        yield root, settings.load(**flags, checkpoint_dir=root / "checkpoints", spark_log_file=root / "spark.log")
    except KeyboardInterrupt:
        print("stopping: waiting for the servers to end", file=sys.stderr, flush=True)
        raise
    finally:
        stack(root, "down")
        shutil.rmtree(root, ignore_errors=True)


def resident_mib(root: Path) -> int:
    """Resident memory of all servers of a stack and their child processes, MiB."""
    pids = {row["pid"] for row in json.loads(stack(root, "status", "--json"))}
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            pages[int(folder.name)] = int((folder / "statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):  # the process has ended meanwhile
            continue
    ours = {pid for pid in pages if pid in pids or parents[pid] in pids}
    return sum(pages[pid] for pid in ours) * os.sysconf("SC_PAGE_SIZE") // 2**20


def registered(configured: Settings, name: str) -> tuple[Settings, Contract]:
    """Register users_created under another name; returns settings that point to it, and the contract."""
    own = configured.model_copy(update={"contracts_dir": copied(configured, name).parent})
    return own, register(own).get(name)


def copied(configured: Settings, name: str, partitions: int | None = None) -> Path:
    """Copy users_created under another name, beside the settings' checkpoints; returns its folder.

    Args:
        partitions: of the topic; None: as many as users_created has.
    """
    folder = configured.checkpoint_dir.parent / "schemas" / name
    # Without its views: each of them would be another query.
    shutil.copytree(CLONE / "schemas" / "users_created", folder, ignore=shutil.ignore_patterns("views"))
    contract: dict[str, Any] = yaml.safe_load((folder / "contract.yaml").read_text())
    contract["topic"], contract["dead_letter"]["topic"] = name, f"{name}.dlq"
    if partitions is not None:
        contract["kafka"]["partitions"] = partitions
    for sink in contract["sinks"].values():
        sink["table"] = name
    (folder / "contract.yaml").write_text(yaml.safe_dump(contract))
    return folder


def loaded(configured: Settings) -> Catalog:
    """Return all contracts in the settings' folder."""
    return loading.load(configured.contracts_dir)


def pid_of(root: Path, server: str) -> int:
    """Return the process of a server of a stack."""
    rows = json.loads(stack(root, "status", "--json"))
    return next(int(row["pid"]) for row in rows if row["name"] == server)


def register(configured: Settings) -> Catalog:
    """Carry out the plan for all contracts in the settings' folder."""
    desired = loading.load(configured.contracts_dir)
    servers = Servers(Registry.from_settings(configured), Topics(configured))
    servers.carry_out(plan.make(desired, servers.read(desired)))
    return desired
