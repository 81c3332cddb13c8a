"""A task that runs the project's commands, as a person would type them, and fails with what they say."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from contracts.errors import EXIT_BUG, EXIT_FINDINGS, EXIT_OK, EXIT_USAGE

if TYPE_CHECKING:
    from airflow.sdk import Context

# A task whose time is up waits for its command's end: a batch that is being written is finished first.
GRACE_S = 60
_KEPT_LINES = 40


class Command(BaseOperator):
    """Runs commands one after the other, each in a process of its own, and fails with the first that does.

    What they print goes to the task's log, their numbers last.  A server that failed (exit 3) is tried again, as
    `retries` says; findings (1) and a wrong configuration (2) would be the same again, and fail at once.

    Args:
        commands: what stands after `python -m`, word by word; templated.
        stdin: what the last command reads; templated.
        as_json: the last one prints a JSON document, which becomes the task's XCom.
    """

    template_fields: Sequence[str] = ("commands", "stdin")
    template_fields_renderers = {"commands": "json", "stdin": "json"}  # noqa: RUF012 - Airflow declares it so
    ui_color = "#e6f2ee"
    # The command that is at work.
    _process: subprocess.Popen[str] | None = None

    def __init__(
        self, *, commands: Sequence[Sequence[str]], stdin: str = "", as_json: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.commands = [list(command) for command in commands]
        self.stdin = stdin
        self.as_json = as_json

    def execute(self, context: Context) -> Any:
        """Runs them; the last one's document when it prints one.

        Raises:
            AirflowFailException: exit 1 or 2.
            AirflowException: any other exit than 0.
        """
        *before, last = self.commands
        for command in before:
            self._run(command)
        printed = self._run(last, self.stdin, quiet=self.as_json)
        if not self.as_json:
            return None
        document = json.loads(printed)
        self.log.info("%s", json.dumps(document, ensure_ascii=False))
        return document

    def on_kill(self) -> None:
        """The task was marked failed, or cleared: the command is told to end, and finishes its batch without us, for
        Airflow ends this process some seconds later."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def _run(self, words: Sequence[str], stdin: str = "", *, quiet: bool = False) -> str:
        """What the command has printed.

        Args:
            quiet: its stdout is a document for us, and no line of the log.
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
            # It outlives this process by the batch that it writes.
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
            with suppress(BrokenPipeError):  # it has ended already, and says why
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
            raise _failure(code, line, errors, printed)
        return "".join(printed)

    def _log_lines(self, lines: IO[str], kept: deque[str]) -> None:
        for line in lines:
            kept.append(line.rstrip())
            self.log.info("%s", line.rstrip())


def _end(process: subprocess.Popen[str]) -> None:
    """Ends what is still at work when the task's time is up."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(code: int, line: str, errors: Sequence[str], printed: Sequence[str]) -> AirflowException:
    """The command's own words in one line: its error with the fix, or else the last line that it printed."""
    said = list(errors)
    begin = next((at for at in reversed(range(len(said))) if said[at].startswith("error: ")), None)
    if begin is not None:
        words = "; ".join(" ".join(one.split()) for one in said[begin:])
    else:
        lines = [one.strip() for one in [*said, *printed] if one.strip()]
        words = lines[-1] if lines else "it printed nothing"
    kind = AirflowFailException if code in (EXIT_FINDINGS, EXIT_USAGE, EXIT_BUG) else AirflowException
    return kind(f"{words.removeprefix('error: ')} (exit {code} of `{line}`)")
