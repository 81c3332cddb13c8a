"""Run the benchmarks (`make bench`), print the results, and with --keep save them with machine and commit."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import (
    check,
    console,
    decode,
    files,
    latency,
    many,
    plot,
    producer,
    registry,
    scale,
    soak,
    stack,
    stream,
)

RESULTS = Path(__file__).parent / "results"
CLONE = RESULTS.parent.parent
BENCHMARKS = {
    "check": check.measure,
    "registry": registry.measure,
    "stack": stack.measure,
    "producer": producer.measure,
    "files": files.measure,
    "decode": decode.measure,
    "stream": stream.measure,
    "latency": latency.measure,
    "idle": many.idle,
    "console": console.measure,
    "many": many.measure,
    "scale": scale.measure,
    "soak": soak.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--keep", action="store_true", help="save the result in benchmarks/results/")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"unknown benchmark: {', '.join(unknown)}; valid names: {', '.join(BENCHMARKS)}")
    result: dict[str, Any] = {"version": 1, **_circumstances()}
    print(json.dumps(result, indent=2))
    file = RESULTS / f"{result['at'][:10]}-{result['commit'][:10]}.json"
    for name in arguments.names or BENCHMARKS:
        result[name] = BENCHMARKS[name]()
        print(json.dumps({name: result[name]}, indent=2), flush=True)
        if arguments.keep:
            file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
            plot.draw()
            print(f"saved in {file.relative_to(CLONE)}")


def _circumstances() -> dict[str, Any]:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=CLONE, capture_output=True, text=True, check=True
        ).stdout.strip()

    cpus = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "name" in line
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else ""),
        "machine": {
            "cpus": len(cpus),
            "model": cpus[0] if cpus else platform.machine(),
            "memory_gib": round(memory / 2**30, 1),
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
        },
    }


if __name__ == "__main__":
    main()
