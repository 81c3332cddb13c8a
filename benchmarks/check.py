"""Measure `contracts check` as an offline process: its start here, one change among many contracts, and its growth.

The generated repositories are the worst case: every contract has a transitive level, so that one that changed is
compared with all its versions in git, and all have changed, or one.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.catalog.folder import read_folder
from avro_data_contracts.contracts.check import states

CLONE = Path(__file__).parent.parent
COMMAND = Path(sys.executable).parent / "contracts"
FIELDS = 30
CONTRACTS = (250, 500, 1000)
VERSIONS = (1, 3, 5)
COLD_STARTS = 9
ROUNDS = 3
# In a small process of its own, because a program inherits the peak memory of its parent.
_STOPWATCH = """
import json, os, sys, time
start = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(process, 0)
seconds = time.perf_counter() - start
figures = {"s": seconds, "cpu_s": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024}
figures["exit"] = os.waitstatus_to_exitcode(status)
print(json.dumps(figures), file=sys.stderr)
"""
_KINDS: tuple[Any, ...] = (
    "string",
    "long",
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
    {"type": "string", "logicalType": "uuid"},
    "double",
)


def measure() -> dict[str, Any]:
    """Median seconds and maximum MiB of the cold start and of each size, and the cost of a contract and a version."""
    here = [_checked(CLONE) for _ in range(COLD_STARTS)]
    found: dict[str, Any] = {"cold_start": _median(here), "fields": FIELDS, "one_changed": _one_changed()}
    most, longest = CONTRACTS[-1], VERSIONS[-1]
    by_contracts = {str(count): _grown(count, longest) for count in CONTRACTS}
    by_versions = {str(count): _grown(most, count) for count in VERSIONS[:-1]}
    by_versions[str(longest)] = by_contracts[str(most)]
    found[f"contracts, {longest} versions each"] = by_contracts
    found[f"versions, {most} contracts"] = by_versions
    # From processor time, which other programs disturb less.  Equal figures mean linear growth.
    start = found["cold_start"]["cpu_s"]
    found["cpu_ms_per_contract"] = {
        count: round((one["cpu_s"] - start) / int(count) * 1000, 2) for count, one in by_contracts.items()
    }
    found["cpu_ms_per_version_more"] = {
        f"{few} to {many}": round(
            (by_versions[str(many)]["cpu_s"] - by_versions[str(few)]["cpu_s"]) / (many - few) / most * 1000, 2
        )
        for few, many in pairwise(VERSIONS)
    }
    return found


def _one_changed() -> dict[str, dict[str, float]]:
    """One contract changed, by the number of contracts, with the number of files that were parsed for it."""
    found = {}
    for contracts in CONTRACTS:
        with grown(contracts, VERSIONS[-1]) as root:
            _git(root, "stash", "--quiet")
            _write(root / "schemas" / "events_0000", 0, FIELDS)
            now = read_folder(root / "schemas")
            part = states.concerned(now, states.state("HEAD", root / "schemas", now.texts))
            runs = [_checked(root, 1) for _ in range(COLD_STARTS)]
            found[str(contracts)] = {**_median(runs), "parsed": len(part.now.texts), "files": len(now.texts)}
    return found


def _grown(contracts: int, versions: int) -> dict[str, float]:
    with grown(contracts, versions) as root:
        return _median([_checked(root, contracts) for _ in range(ROUNDS)])


def _median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {
        **{name: round(statistics.median(one[name] for one in runs), 2) for name in ("s", "cpu_s")},
        "mib": round(max(one["mib"] for one in runs)),
    }


def _checked(root: Path, changed: int | None = None) -> dict[str, float]:
    """Measure one run; asserts that it finds `changed` changed contracts and nothing wrong."""
    command = [sys.executable, "-S", "-c", _STOPWATCH, str(COMMAND), "check", "--against", "HEAD"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    assert figures.pop("exit") == 0, done.stderr
    assert changed is None or done.stdout.count("  changed\n") == changed, done.stdout[-2000:]
    return figures


@contextmanager
def grown(contracts: int, versions: int) -> Iterator[Path]:
    """A git repository with `versions` commits, each a new version of every contract, and one more in the work tree.

    The version in the work tree has `FIELDS` fields; each earlier version has one less.
    """
    root = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        _git(root, "init", "--quiet")
        for version in range(versions + 1):
            for number in range(contracts):
                _write(root / "schemas" / f"events_{number:04}", number, FIELDS - versions + version)
            if version < versions:
                _git(root, "add", "schemas")
                _git(root, "-c", "gc.auto=0", "commit", "--quiet", "--message", f"version {version}")
                _git(root, "repack", "-a", "-d", "-q")  # as in a clone
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _write(folder: Path, number: int, fields: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"name": "id", "type": "string", "doc": "Its id."}]
    for index in range(1, fields):
        kind = _KINDS[(number + index) % len(_KINDS)]
        listed.append({"name": f"field_{index}", "type": ["null", kind], "default": None, "doc": f"Number {index}."})
    value = {
        "type": "record",
        "name": f"Event{number}",
        "namespace": "com.example.bench",
        "doc": f"Event {number}.",
        "fields": listed,
    }
    (folder / "value.avsc").write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    contract = {
        "topic": folder.name,
        "owner": "bench",
        "compatibility": "FULL_TRANSITIVE",
        "sinks": {
            "cassandra": {"keyspace": "bench", "table": folder.name, "primary_key": ["id"]},
            "postgres": {"table": folder.name, "primary_key": ["id"]},
        },
        "consumers": [{"name": "reader", "fields": ["id", "field_1"]}],
    }
    (folder / "contract.yaml").write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")


def _git(root: Path, *arguments: str) -> None:
    author = {f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *arguments], cwd=root, env={**os.environ, **author, **alone}, check=True)
