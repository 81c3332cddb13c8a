"""`python -m streaming`, started again whenever it ends, as systemd or Airflow would."""

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
_WRITTEN = re.compile(r'event="batch written" .*?sink=(\w+)')


class Stream:
    """The stream of one pipeline, in a process of its own that is always there.

    Attributes:
        log: what all its processes have said, one after the other.
        gave_up: exit codes of those that nobody had killed, once they had begun to stream.
    """

    def __init__(self, stack: RunningStack, pipeline: Pipeline, log: Path) -> None:
        configured = pipeline.settings
        self.log = log
        self.gave_up: list[int] = []
        self._command = [sys.executable, "-m", "streaming", "--contract", pipeline.folder.name]
        self._environment = {
            **stack.environment,
            "CONTRACTS_DIR": str(configured.contracts_dir),
            "CHECKPOINT_DIR": str(configured.checkpoint_dir),
            "SPARK_LOG_FILE": str(configured.spark_log_file),
        }
        self._killed = self._stopping = False
        self._started: list[int] = []
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def written(self) -> Counter[str]:
        """How many batches were written until now, by store."""
        return Counter(_WRITTEN.findall(self.log.read_text(errors="replace")))

    def kill(self, half: str) -> int:
        """kill -9 of Python's process, of its JVM, or of both at once; the pid, 0 when there was none to kill."""
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
        """SIGTERM; its exit code, None when it had to be killed after all."""
        self._stopping = True
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Ends it, whatever it does."""
        self._stopping = True
        for leader in self._started:
            with contextlib.suppress(ProcessLookupError):  # as it should be
                os.killpg(leader, signal.SIGKILL)
        self._keeper.join()

    def finish(self) -> int:
        """Writes all that is there, and stops; its exit code."""
        with self.log.open("ab") as out:
            command = [*self._command, "--available-now"]
            return subprocess.run(
                command, cwd=CLONE, env=self._environment, stdout=out, stderr=out, check=False
            ).returncode

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
            # Of Python alone that was killed, the JVM may still be about: the next stream has to bear with it.
            self._process = self._start()
