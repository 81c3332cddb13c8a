"""Measure how long `python -m stack up` takes, and how much memory all servers use."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import servers

ROUNDS = 3


def measure() -> dict[str, Any]:
    """Seconds of a first start (empty data folder) and of later ones, and resident MiB of all servers after each."""
    rounds = []
    root = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        for number in range(ROUNDS + 1):
            start = time.perf_counter()
            servers.stack(root, "up", "--ports", "auto")
            seconds = time.perf_counter() - start
            rounds.append({"first": not number, "up_s": round(seconds, 1), "mib": servers.resident_mib(root)})
            servers.stack(root, "down")
    finally:
        servers.stack(root, "down")
        shutil.rmtree(root, ignore_errors=True)
    return {"rounds": rounds}
