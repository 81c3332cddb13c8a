"""An operator that runs the project's commands as a person would type them, and fails with their error message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from avro_data_contracts.contracts.errors import (
    EXIT_BUG,
    EXIT_FINDINGS,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SERVICE,
    EXIT_USAGE,
)
from avro_data_contracts.contracts.lineage import runs

if TYPE_CHECKING:
    from airflow.sdk import Context

# A task that times out waits for its command, which first finishes the batch that it is writing.
GRACE_S = 60
_KEPT_LINES = 40
_KINDS: Final = {
    EXIT_FINDINGS: "findings",
    EXIT_USAGE: "wrong usage or configuration",
    EXIT_SERVICE: "a service failed",
    EXIT_BUG: "a bug",
    EXIT_INTERRUPTED: "interrupted",
}


class Command(BaseOperator):
    """Runs commands one after the other, each in its own process, and fails with the first that fails.

    Their output goes to the task's log.  After a failure of a server (exit 3) Airflow retries the task, as `retries`
    says.  Findings (1) and a wrong configuration (2) would not change, so they fail the task at once.

    Args:
        commands: the words after `python -m` of each command; templated.
        stdin: input of the last command; templated.
        as_json: whether the last command prints a JSON document, which becomes the task's XCom.
    """

    template_fields: Sequence[str] = ("commands", "stdin")
    template_fields_renderers = {"commands": "json", "stdin": "json"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#e6f2ee"
    # The running command.
    _process: subprocess.Popen[str] | None = None
    _told: runs.Told | None = None

    def __init__(
        self, *, commands: Sequence[Sequence[str]], stdin: str = "", as_json: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.commands = [list(command) for command in commands]
        self.stdin = stdin
        self.as_json = as_json

    def execute(self, context: Context) -> Any:
        """Run the commands; returns the document of the last one if `as_json`, otherwise None.

        Raises:
            AirflowFailException: a command exited with 1, 2 or 70.
            AirflowException: a command exited with any other code except 0.
        """
        *before, last = self.commands
        with runs.of_task(f"{self.dag_id}.{self.task_id}", self.owner) as told:
            self._told = told
            for command in before:
                self._run(command)
            printed = self._run(last, self.stdin, quiet=self.as_json)
        if not self.as_json:
            return None
        document = json.loads(printed)
        self.log.info("%s", json.dumps(document, ensure_ascii=False))
        return document

    def on_kill(self) -> None:
        """Ask the command to end when the task is marked failed or cleared.  The command finishes its batch on its
        own, because Airflow ends this process after a few seconds."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def _run(self, words: Sequence[str], stdin: str = "", *, quiet: bool = False) -> str:
        """Run one command; returns its stdout.

        Args:
            quiet: keep stdout, a document for the caller, out of the log.
        """
        line = " ".join(["python -m", *words])
        self.log.info("$ %s", line)
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, runs.PARENT: self._told.id} if self._told and self._told.id else None,
            # A session of its own, so that it can outlive this process and finish its batch.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        errors: deque[str] = deque(maxlen=_KEPT_LINES)
        reading = threading.Thread(target=self._log_lines, args=(process.stderr, errors), daemon=True)
        reading.start()
        printed: list[str] = []
        try:
            with suppress(BrokenPipeError):  # the command has already ended and says why
                process.stdin.write(stdin)
                process.stdin.close()
            for one in process.stdout:
                printed.append(one)
                if not quiet:
                    self.log.info("%s", one.rstrip())
            code = process.wait()
            reading.join()
        finally:
            _end(process)
        if code != EXIT_OK:
            if self._told:
                self._told.error = _without_data(code, words[0])
            raise _failure(code, line, errors, printed)
        return "".join(printed)

    def _log_lines(self, lines: IO[str], kept: deque[str]) -> None:
        for line in lines:
            kept.append(line.rstrip())
            self.log.info("%s", line.rstrip())


def _end(process: subprocess.Popen[str]) -> None:
    """End a command that is still running when the task times out."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _without_data(code: int, command: str) -> str:
    """What lineage says of a failure.  What the command printed may hold a value of a record, and so may its
    arguments."""
    kind = f"ended by signal {-code}" if code < 0 else _KINDS.get(code, "failed")
    return f"python -m {command}: {kind} (exit {code})"


def _failure(code: int, line: str, errors: Sequence[str], printed: Sequence[str]) -> AirflowException:
    """An exception with the command's error and fix in one line, or else the last line that it printed."""
    said = list(errors)
    begin = next((at for at in reversed(range(len(said))) if said[at].startswith("error: ")), None)
    if begin is not None:
        words = "; ".join(" ".join(one.split()) for one in said[begin:])
    else:
        lines = [one.strip() for one in [*said, *printed] if one.strip()]
        words = lines[-1] if lines else "it printed nothing"
    kind = AirflowFailException if code in (EXIT_FINDINGS, EXIT_USAGE, EXIT_BUG) else AirflowException
    return kind(f"{words.removeprefix('error: ')} (exit {code} of `{line}`)")
