"""Start server processes, and remember them so that a failed or cancelled start can be undone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from avro_data_contracts.stack import process, rotation
from avro_data_contracts.stack.errors import Cancelled, ServerError
from avro_data_contracts.stack.servers.server import Server
from avro_data_contracts.stack.site import Site

_TAIL_LINES = 15
_MARK = "==== started by `stack up`,"
_FRAMES = ("at ", "... ")
_FULL_DISK = 100_000_000  # bytes
_LAST_WORDS_S = 5  # how long the last output of a dead server may take to reach its log


class Launcher:
    """The processes that one `up` has started.

    Args:
        site: where logs and pid files go.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        self._steps: set[subprocess.Popen[bytes]] = set()
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._writers: dict[str, subprocess.Popen[bytes]] = {}

    def open_log(self, server: str) -> None:
        """Write a line into a server's log that marks the beginning of this start."""
        with self.site.log(server).open("a", encoding="utf-8") as file:
            file.write(f"{_MARK} {time.strftime('%Y-%m-%d %H:%M:%S %z')}\n")

    def run(
        self,
        server: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
    ) -> None:
        """Run one step of a server's preparation and wait for it; its output goes to the server's log.

        Raises:
            ServerError: the step failed; the error holds the end of its output.
            Cancelled: the start was cancelled meanwhile, and the step was ended.
        """
        with self.site.log(server).open("ab") as log:
            step = self._spawn(command, environment, cwd, log.fileno(), server="")
        try:
            while True:
                try:
                    code = step.wait(timeout=0.1)
                    break
                except subprocess.TimeoutExpired:
                    self.check()
        finally:
            if step.poll() is None:
                os.killpg(step.pid, signal.SIGKILL)
                step.wait()
            with self._lock:
                self._steps.discard(step)
        if code != 0:
            raise self.failure(f"preparing its data failed (exit {code})", server, server)

    def start(self, server: Server) -> process.Identity:
        """Start a server, detached: it outlives this command and the terminal.

        Raises:
            ServerError: the program could not be run.
            Cancelled: the start was cancelled before the process existed.
        """
        with self._writer(server.name) as log:
            started = self._spawn(
                server.command(),
                server.environment(),
                self.site.folder(server.name),
                log.fileno(),
                server=server.name,
            )
        process.record(self.site, server.name, started.pid)
        identity = process.Identity.of(started.pid)
        if identity is None:
            raise self.died(server)
        return identity

    def _writer(self, server: str) -> BinaryIO:
        """The writing end of a pipe for a server's output; a process at the other end writes the log."""
        # Not in the server's folder: `process.remnants` takes every process there for the server's.
        writer = subprocess.Popen(
            rotation.command(str(self.site.log(server))),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with self._lock:
            self._writers[server] = writer
        return cast(BinaryIO, writer.stdin)

    @property
    def started(self) -> frozenset[str]:
        """Names of the servers that this run has started."""
        with self._lock:
            return frozenset(self._servers)

    def check(self) -> None:
        """Raise Cancelled once the start is cancelled."""
        if self.cancelled.is_set():
            raise Cancelled("stopped before all servers were up")

    def died(self, server: Server) -> ServerError:
        """The error for a server whose process ended during its start."""
        with self._lock:
            ours, writer = self._servers.get(server.name), self._writers.get(server.name)
        how = ""
        if ours:
            # The main thread may be gone a moment before the process is.
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = ours.wait(timeout=5)
                how = f" (signal {-code})" if code < 0 else f" (exit {code})"
        if writer:
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(timeout=_LAST_WORDS_S)
        return self.failure(f"ended while it was starting{how}", f"{server.name} {server.address}", server.name)

    def failure(self, what: str, where: str, server: str) -> ServerError:
        """An error about a server, with the end of its log; it names the disk when a full one is the likely cause."""
        log = self.site.log(server)
        fix = f"see the whole log: {log}"
        free = shutil.disk_usage(self.site.root).free
        if free < _FULL_DISK:
            fix = f"the disk is full ({free / 1e6:.0f} MB free): make room, then run the same command again; {fix}"
        return ServerError(what, where=where, detail=tail(log), fix=fix)

    def _spawn(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: int, *, server: str
    ) -> subprocess.Popen[bytes]:
        # Under the lock: a cancellation either sees the new process or prevents it.
        with self._lock:
            self.check()
            try:
                started = subprocess.Popen(
                    list(command),
                    cwd=cwd,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerError(
                    f"this program cannot be run ({error.strerror})", where=str(command[0]), fix="run `make setup`"
                ) from None
            if server:
                self._servers[server] = started
            else:
                self._steps.add(started)
        return started

    def cancel(self) -> None:
        """Prevent further starts and end the running steps; the caller stops the servers."""
        self.cancelled.set()
        with self._lock:
            steps = list(self._steps)
        for step in steps:
            if step.poll() is None:
                os.killpg(step.pid, signal.SIGKILL)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The end of a log since the last start, without the frames of Java's stack traces."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 65_536))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    _, mark, after = text.rpartition(_MARK)
    text = after.partition("\n")[2] if mark else text
    telling = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(_FRAMES)]
    return "\n".join(line[:400] for line in telling[-lines:])
