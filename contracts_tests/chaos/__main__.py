"""`make chaos`: kill the driver, Kafka, the registry, Cassandra and PostgreSQL with -9 while a producer writes."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from contracts_tests.chaos.run import TARGETS, Fate, Outcome, run
from contracts_tests.fixtures.stack import RunningStack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contracts_tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="repeat the run with this seed")
    parser.add_argument("--kills", type=int, default=25, help="total number of kills (default: %(default)s)")
    parser.add_argument(
        "--contracts", type=int, default=1, help="contracts that the one process streams (default: %(default)s)"
    )
    parser.add_argument("--no-views", action="store_true", help="stream the contracts without their views")
    parser.add_argument("--keep", action="store_true", help="keep the servers' data and logs even after a good run")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {arguments.seed}; servers, checkpoints and logs are in {folder}", flush=True)
    servers, begun = RunningStack(folder / "stack"), time.monotonic()
    good = False
    try:
        servers.run("up", "--ports", "auto")
        outcome = run(
            servers,
            folder,
            seed=arguments.seed,
            kills=arguments.kills,
            say=lambda line: print(line, flush=True),
            contracts=arguments.contracts,
            with_views=not arguments.no_views,
        )
        print(table(outcome, time.monotonic() - begun))
        good = not outcome.problems
    except pytest.fail.Exception as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopping: waiting for the servers to end", file=sys.stderr, flush=True)
    finally:
        servers.run("down", check=False)
        if good and not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


def table(outcome: Outcome, seconds: float) -> str:
    """Return the outcome as a table for people."""
    kills = ", ".join(f"{name} {outcome.kills[name]}" for name in TARGETS)
    lines = [("seed", outcome.seed, ""), ("kills", outcome.kills.total(), kills)]
    lines += [line for fate in outcome.fates for line in _lines(fate)]
    told = [f"{name:<34} {number:>12}  {note}" for name, number, note in lines]
    verdict = [f"PROBLEM  {problem}" for problem in outcome.problems] or ["nothing is lost, no row differs"]
    return "\n".join(["", *told, *verdict, f"{seconds / 60:.1f} minutes"])


def _lines(fate: Fate) -> list[tuple[str, int, str]]:
    found = fate.verdict
    return [
        ("acknowledged by Kafka", len(fate.acknowledged), f"and {fate.unacknowledged} not"),
        ("in the topic", found.produced, f"= {found.produced - found.bad} good + {found.bad} bad"),
        ("distinct ids", found.keys, "of the good ones"),
        ("rows in Cassandra", found.cassandra, "= distinct ids, each as its last event has it"),
        ("rows in PostgreSQL", found.postgres, "likewise"),
        *((f"  {table}", number, "= rows of its SQL as one batch") for table, number in fate.views.rows.items()),
        ("dead letters", found.dead, f"= bad; {found.letters - found.dead} of them twice"),
    ]


if __name__ == "__main__":
    sys.exit(main())
