"""Find detached server processes again, by pid and start time, never by name."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from avro_data_contracts.stack.site import Site

_PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """One process; another that gets the same pid later has a different identity.

    Args:
        pid: process id.
        started: start time in clock ticks after boot.
        boot: id of that boot.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The running process `pid`; None if there is none, or only a zombie."""
        fields = _stat(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return cls(pid, int(fields[19]), _boot_id())

    @property
    def alive(self) -> bool:
        return Identity.of(self.pid) == self

    @property
    def since(self) -> float:
        """Start time in seconds since the epoch."""
        up = float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
        return time.time() - up + self.started / os.sysconf("SC_CLK_TCK")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Wait up to `seconds` for the process to end; returns whether it did."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


@cache
def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; the command before them may contain spaces and brackets."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def record(site: Site, server: str, pid: int) -> None:
    """Write the pid file of a server that has just started."""
    identity = Identity.of(pid)
    if identity is not None:
        site.write(site.pid_file(server), asdict(identity))


def recorded(site: Site, server: str) -> Identity | None:
    """The server's process; None if it does not run, even if another process has its pid by now."""
    content = site.read(site.pid_file(server))
    if not isinstance(content, dict):
        return None
    identity = Identity(content["pid"], content["started"], content["boot"])
    return identity if identity.alive else None


def remnants(folder: Path, executable: Path) -> list[Identity]:
    """Processes of a server whose pid file or main process is gone: those that run `executable` in `folder`.

    Args:
        folder: the server's working folder, or one above it.
        executable: the file that they run, so that a person's shell in the folder is not taken for one.
    """
    found = []
    home = str(folder.resolve())
    wanted = str(executable.resolve())
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            at = os.readlink(entry / "cwd")
            if (at == home or at.startswith(home + "/")) and os.readlink(entry / "exe") == wanted:
                identity = Identity.of(int(entry.name))
                if identity:
                    found.append(identity)
        except OSError:  # it ended meanwhile, or belongs to another account
            continue
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of one process, bytes; 0 if it is gone."""
    try:
        return int((_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return 0
