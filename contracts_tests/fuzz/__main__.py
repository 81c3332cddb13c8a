"""`make fuzz`: send mutated records through the real stream and check each row or dead letter."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from avro_data_contracts.streaming.spark import session
from contracts_tests.fixtures import processes
from contracts_tests.fixtures.pipeline import Pipeline, settings_for
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fuzz.heap import grown
from contracts_tests.fuzz.run import DIFFERENCES, SHARES, Outcome, run
from contracts_tests.fuzz.verdict import counted

_SHOWN = 3
_OF_ONE_STREAM = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contracts_tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="seed of an earlier run")
    parser.add_argument("--records", type=int, default=200_000, help="records in total (default: %(default)s)")
    parser.add_argument(
        "--contract", action="append", choices=list(SHARES), help="only this one, without the long-running stream"
    )
    parser.add_argument("--keep", action="store_true", help="keep data and logs of the servers after success too")
    parser.add_argument("--stack", type=Path, help="use the running stack in this folder, and leave it running")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    print(f"seed {arguments.seed}; servers, contracts and logs are in {folder}", flush=True)
    servers, begun, good = RunningStack(arguments.stack or folder / "stack"), time.monotonic(), False
    try:
        if arguments.stack is None:
            servers.run("up", "--ports", "auto")
        outcome = _outcome(servers, folder, arguments)
        print(table(outcome, time.monotonic() - begun, folder / DIFFERENCES))
        good = outcome.good
    except pytest.fail.Exception as error:
        print(f"error: {error}", file=sys.stderr)
    finally:
        if arguments.stack is None:
            servers.run("down", check=False)
        if good and not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


def _outcome(servers: RunningStack, folder: Path, arguments: argparse.Namespace) -> Outcome:
    def stream(pipeline: Pipeline) -> str:
        log = folder / f"{pipeline.folder.name}.log"
        done = processes.run(servers, pipeline, "--available-now")
        log.write_text(done.stdout + done.stderr)
        return "" if done.returncode == 0 else f"the stream ended with {done.returncode}; see {log}"

    def say(line: str) -> None:
        print(line, flush=True)

    configured, names = settings_for(servers, folder), arguments.contract or list(SHARES)
    of_one = 0 if arguments.contract else round(arguments.records * _OF_ONE_STREAM)
    with session.running(configured) as spark:
        outcome = run(
            configured, spark, folder, seed=arguments.seed, records=arguments.records - of_one, stream=stream,
            say=say, names=names,
        )  # fmt: skip
        if of_one and (problem := grown(configured, spark, folder, seed=arguments.seed, records=of_one, say=say)):
            outcome.problems.append(problem)
    return outcome


def table(outcome: Outcome, seconds: float, dump: Path) -> str:
    """Return the report as text."""
    heading = f"{'contract':<10} {'records':>8} {'good':>8} {'rows':>15} {'letters':>8} {'Java':>8}"
    lines = [f"seed {outcome.seed}", heading]
    for found in outcome.found:
        rows = " = ".join(str(count) for count in found.rows.values())
        numbers = f"{found.records:>8} {found.good:>8} {rows:>15} {found.letters:>8} {found.compared:>8}"
        lines.append(f"{found.name:<10} {numbers}")
        lines.append(" " * 11 + ", ".join(f"{reason} {count}" for reason, count in found.reasons.most_common()))
    for found in outcome.found:
        for what, count in counted(found.differences).most_common():
            lines.append(f"PROBLEM  {found.name}: {count} times {what}")
            lines += [f"  {one}"[:4_000] for one in found.differences if one.what == what][:_SHOWN]
    lines += [f"PROBLEM  {problem}" for problem in outcome.problems]
    lines.append("every record is where and as it should be" if outcome.good else f"all differences are in {dump}")
    return "\n".join(["", *lines, f"{seconds / 60:.1f} minutes"])


if __name__ == "__main__":
    sys.exit(main())
