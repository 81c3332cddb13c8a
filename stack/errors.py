"""The errors of the embedded stack: what happened, where, how to fix it.

    StackError              exit 2
    ├── UsageError          2   flags, environment, a file of stack/ that is not in order
    └── ServerError         3   a server, its port, its disk or a download failed
        ├── PortTaken       3
        └── Cancelled       130 Ctrl-C or SIGTERM

Of the same shape as `contracts/errors.py`; kept apart because stack/ imports no sibling.
"""

from __future__ import annotations

import os
import traceback

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_SERVICE = 3
EXIT_BUG = 70
EXIT_CANCELLED = 130


class StackError(Exception):
    """Base of all errors that a user is meant to read.

    Args:
        what: what happened, one sentence, no full stop.
        where: a server with its address, a file; empty when there is none.
        fix: what the reader can do about it, a command when there is one.
        detail: the end of a log; printed between the two.
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
    """A flag, the environment or the installation is not in order.  Exit code 2."""


class ServerError(StackError):
    """A server did not start, died, or could not be fetched.  Exit code 3."""

    exit_code = EXIT_SERVICE


class PortTaken(ServerError):
    """Another process listens where a server of the stack should.  Exit code 3."""


class Cancelled(ServerError):
    """Ctrl-C or SIGTERM; what this run had started is stopped.  Exit code 130."""

    exit_code = EXIT_CANCELLED


def of_bug(error: Exception) -> str:
    """What to print of an error that nobody foresaw: where it was raised, and how to see its traceback.

    Raises:
        Exception: the error itself, where CONTRACTS_DEBUG asks for its traceback.
    """
    if os.environ.get("CONTRACTS_DEBUG"):
        raise error
    place = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{place.filename}:{place.lineno}"
    return (
        f"error: {at}: {type(error).__name__}: {error}\n  fix: this is a bug; CONTRACTS_DEBUG=1 shows the traceback"
    )
