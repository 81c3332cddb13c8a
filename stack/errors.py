"""The errors of the embedded stack: what happened, where, how to fix it.

    StackError              exit 2
    ├── UsageError          2   a wrong flag, environment variable or file of stack/
    └── ServerError         3   a server, its port, its disk or a download failed
        ├── PortTaken       3
        └── Cancelled       130 Ctrl-C or SIGTERM

The same shape as `contracts/errors.py`, repeated here because stack/ imports no other package of the project.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_SERVICE = 3
EXIT_BUG = 70
EXIT_CANCELLED = 130


class StackError(Exception):
    """Base of all errors that a user reads.

    Args:
        what: what happened, in one sentence without a full stop.
        where: the server with its address, or the file; empty if there is neither.
        fix: what the reader can do about it, as a command if possible.
        detail: the end of a log, printed between `what` and `fix`.
    """

    exit_code = EXIT_USAGE

    def __init__(self, what: str, *, where: str = "", fix: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.detail = detail

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines.extend(f"  | {line}" for line in self.detail.splitlines())
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class UsageError(StackError):
    """A flag, the environment or the installation is wrong.  Exit code 2."""


class ServerError(StackError):
    """A server did not start, died, or could not be fetched.  Exit code 3."""

    exit_code = EXIT_SERVICE


class PortTaken(ServerError):
    """Another process listens on a port that the stack needs.  Exit code 3."""


class Cancelled(ServerError):
    """Ctrl-C or SIGTERM stopped this run and the servers that it had started.  Exit code 130."""

    exit_code = EXIT_CANCELLED


def of_bug(error: Exception) -> str:
    """The message for an unexpected error: where it was raised, and how to see its traceback.

    Raises:
        Exception: the error itself, if CONTRACTS_DEBUG is set.
    """
    if os.environ.get("CONTRACTS_DEBUG"):
        raise error
    place = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{place.filename}:{place.lineno}"
    return (
        f"error: {at}: {type(error).__name__}: {error}\n  fix: this is a bug; CONTRACTS_DEBUG=1 shows the traceback"
    )


def exit_code(command: Callable[[], int]) -> int:
    """Run a command, print what it raises, and return the exit code."""
    try:
        return command()
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the edge of the process
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    except Exception as error:
        print(of_bug(error), file=sys.stderr)  # noqa: T201
        return EXIT_BUG
