"""`python -m streaming` of one contract or several, restarted whenever it ends, as systemd or Airflow would do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack

HALVES = ("both", "python", "java")
_WRITTEN = re.compile(r'event="batch written" contract=(\w+) sink=([\w.]+)')


class Stream:
    """The stream of one pipeline, in a separate process that is kept running.

    Args:
        every: stream all contracts beside the pipeline's, too.

    Attributes:
        log: the output of all its processes, one after another.
        gave_up: exit codes of processes that ended by themselves after they had begun to stream.
    """

    def __init__(self, stack: RunningStack, pipeline: Pipeline, log: Path, *, every: bool = False) -> None:
        configured = pipeline.settings
        self.log = log
        self.gave_up: list[int] = []
        named = ["--all"] if every else ["--contract", pipeline.folder.name]
        self._command = [sys.executable, "-m", "streaming", *named]
        self._environment = {
            **stack.environment,
            "CONTRACTS_DIR": str(configured.contracts_dir),
            "CHECKPOINT_DIR": str(configured.checkpoint_dir),
            "SPARK_LOG_FILE": str(configured.spark_log_file),
            # Batches back to back would keep both cores busy with a few records each.
            "STREAM_INTERVAL": "2",
            # A batch may hang in a dead node's session until it is abandoned, by default longer than a test waits.
            "STREAM_WRITE_TIMEOUT_S": "60",
        }
        self._killed = self._stopping = False
        self._started: list[int] = []
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def written(self) -> Counter[str]:
        """Return how many batches have been written so far, by query."""
        found: Counter[str] = Counter()
        for (_, query), number in self.of_each().items():
            found[query] += number
        return found

    def of_each(self) -> Counter[tuple[str, str]]:
        """Return how many batches have been written so far, by contract and query."""
        return Counter(_WRITTEN.findall(self.log.read_text(errors="replace")))

    def kill(self, half: str) -> int:
        """Kill Python's process, its JVM, or both at once with -9; return the pid, or 0 when none was running."""
        if self._process.poll() is not None:
            return 0
        self._killed = True
        pid = self._process.pid
        if half == "both":
            os.killpg(pid, signal.SIGKILL)
            return pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        if half == "java" and (java := children.read_text().split()):
            pid = int(java[0])
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self, seconds: float) -> int | None:
        """Stop the stream with SIGTERM; return its exit code, or None when it had to be killed."""
        self._stopping = True
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Kill all processes of the stream."""
        self._stopping = True
        for leader in self._started:
            with contextlib.suppress(ProcessLookupError):  # it has already ended
                os.killpg(leader, signal.SIGKILL)
        self._keeper.join()

    def finish(self) -> int:
        """Write everything in the topic and stop; return the exit code."""
        with self.log.open("ab") as out:
            command = [*self._command, "--available-now"]
            return subprocess.run(
                command, cwd=CLONE, env=self._environment, stdout=out, stderr=out, check=False
            ).returncode

    def reconcile(self) -> subprocess.CompletedProcess[str]:
        """Compare the topic with the stores, with `reconcile`.  A server that is too slow is asked again."""
        command = [*self._command, "reconcile"]
        for _ in range(3):
            done = subprocess.run(
                command, cwd=CLONE, env=self._environment, capture_output=True, text=True, check=False
            )
            if done.returncode != 3:
                break
        return done

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                self._command, cwd=CLONE, env=self._environment, stdout=out, stderr=out, start_new_session=True
            )
        self._started.append(process.pid)
        return process

    def _keep(self) -> None:
        since = self.written().total()
        while True:
            code = self._process.wait()
            if self._stopping:
                return
            if not self._killed and self.written().total() > since:
                self.gave_up.append(code)
            time.sleep(1)
            since, self._killed = self.written().total(), False
            # When only Python was killed, its JVM may still be running: the next stream has to cope with it.
            self._process = self._start()
