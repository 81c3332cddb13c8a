"""`python -m streaming` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from contracts_tests.conftest import CLONE, RunningStack
from contracts_tests.integration.conftest import Pipeline


def environment(stack: RunningStack, pipeline: Pipeline, **changes: str) -> dict[str, str]:
    configured = pipeline.settings
    own = {"CONTRACTS_DIR": str(configured.contracts_dir), "CHECKPOINT_DIR": str(configured.checkpoint_dir)}
    return {**stack.environment, **own, "SPARK_LOG_FILE": str(configured.spark_log_file), **changes}


def command(pipeline: Pipeline, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "streaming", "--contract", pipeline.folder.name, *arguments]


def run(stack: RunningStack, pipeline: Pipeline, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(pipeline, *arguments),
        cwd=CLONE,
        env=environment(stack, pipeline, **changes),
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def running(stack: RunningStack, pipeline: Pipeline, log: Path, **changes: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command(pipeline),
            cwd=CLONE,
            env=environment(stack, pipeline, PYTHONFAULTHANDLER="1", **changes),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def ended(process: subprocess.Popen[bytes], log: Path, seconds: float) -> int:
    """Its exit code."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        why = f"it did not end within {seconds} s; the stream said"
        raise AssertionError(f"{why}:\n{log.read_text()}\nand its threads:\n{threads(process, log)}") from None


def noise(log: Path) -> list[str]:
    """What stands in a stream's output that is neither a line of its log nor its last words."""
    ours = ("timestamp=", "error: ", "  mend: ")
    return [line for line in log.read_text().splitlines() if not line.startswith(ours)]


def wait_for(what: Callable[[], bool], log: Path, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s; the stream said:\n{log.read_text()}"
        time.sleep(0.3)


def threads(process: subprocess.Popen[bytes], log: Path) -> str:
    """What those of a stream that hangs are at, in its JVM and in Python; ends it."""
    said = log.stat().st_size
    for pid in (int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()):
        with suppress(ProcessLookupError):
            if pid != process.pid and os.getpgid(pid) == process.pid:
                os.kill(pid, signal.SIGQUIT)
    time.sleep(3)
    process.send_signal(signal.SIGABRT)
    time.sleep(1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return log.read_bytes()[said:].decode(errors="replace")
