"""Write a server's output into its log, and rotate the log when it is full.

Runs as a program without installed packages: `python -I -S rotation.py FILE`.  It reads the server's output from a
pipe, so that no server has to know how to rotate, and ends when the last process closes the other end.
"""

from __future__ import annotations

import os
import signal
import sys

LIMIT = 10_000_000  # bytes per file
KEPT = 3  # older files; FILE.1 is the newest of them


def command(log: str) -> list[str]:
    """The command line that writes the log at that path."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), log]


class Log:
    """A log file that rotates.

    Args:
        path: the current file; older ones have a number appended.
        limit: bytes per file; only a single longer line exceeds it.
        kept: how many older files to keep.
    """

    def __init__(self, path: str, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._path = path
        self._limit = limit
        self._kept = kept
        self._open()

    def write(self, chunk: bytes) -> None:
        """Append `chunk`; a full file ends at the end of a line.  Raises OSError."""
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
    """Copy the pipe to the log until the server at its other end is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    log = Log(path)
    while chunk := os.read(0, 65_536):
        try:
            log.write(chunk)
        except OSError as error:
            # The disk is full.  Keep reading: a server without a log is better than one blocked by a full pipe.
            sys.stderr.write(f"{path}: {error.strerror}\n")


if __name__ == "__main__":
    main(sys.argv[1])
