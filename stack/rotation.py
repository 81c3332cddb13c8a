"""Writes what a server says into its log, and begins another file where that one is full.

Run as a program, without the environment's packages: `python -I -S rotation.py FILE`.  It reads the server's output
from a pipe, so no server has to know how to rotate, and it ends with the last process that holds the other end.
"""

from __future__ import annotations

import os
import signal
import sys

LIMIT = 10_000_000  # bytes of one file
KEPT = 3  # older files: FILE.1 is the newest of them


def command(log: str) -> list[str]:
    """The program, for the log at that path."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), log]


class Log:
    """
    Args:
        path: of the file that is written; the older ones get a number behind it.
        limit: bytes; a file is longer only where a single line is.
        kept: how many older files stay.
    """

    def __init__(self, path: str, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._path = path
        self._limit = limit
        self._kept = kept
        self._open()

    def write(self, chunk: bytes) -> None:
        """Appends; a full file ends with a line.  Raises OSError."""
        if self._size + len(chunk) > self._limit:
            line, end, rest = chunk.rpartition(b"\n")
            if end or self._at_line:
                self._append(line + end)
                self._rotate()
                chunk = rest
        self._append(chunk)

    def _append(self, chunk: bytes) -> None:
        while chunk:
            written = os.write(self._file, chunk)
            self._size += written
            self._at_line = chunk[:written].endswith(b"\n")
            chunk = chunk[written:]

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        self._at_line = True

    def _rotate(self) -> None:
        os.close(self._file)
        for number in range(self._kept, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            if os.path.exists(older):
                os.replace(older, f"{self._path}.{number}")
        self._open()


def main(path: str) -> None:
    """Until the pipe is closed.  Whoever ends the server ends this, by that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    log = Log(path)
    while chunk := os.read(0, 65_536):
        try:
            log.write(chunk)
        except OSError as error:
            # A full disk: the server goes on without a log, which is better than to stand because nobody reads.
            sys.stderr.write(f"{path}: {error.strerror}\n")


if __name__ == "__main__":
    main(sys.argv[1])
