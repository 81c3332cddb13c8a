"""Processes that outlive us: found again by pid and start time, never by name."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from stack.site import Site

_PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """One process, and no other that gets its pid later.

    Args:
        pid: process id.
        started: clock ticks after boot.
        boot: id of that boot.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The running process `pid`; None when there is none, or only its corpse."""
        fields = _stat(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return cls(pid, int(fields[19]), _boot_id())

    @property
    def alive(self) -> bool:
        return Identity.of(self.pid) == self

    @property
    def since(self) -> float:
        """When it was started, seconds since the epoch."""
        up = float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
        return time.time() - up + self.started / os.sysconf("SC_CLK_TCK")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal if it is still that process."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Waits for the end of the process, up to `seconds`."""
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
    """Fields of /proc/PID/stat from the state on: the command before them may hold blanks and brackets."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def record(site: Site, server: str, pid: int) -> None:
    """Writes the pid file of a server that was just started."""
    identity = Identity.of(pid)
    if identity is not None:
        site.write(site.pid_file(server), asdict(identity))


def recorded(site: Site, server: str) -> Identity | None:
    """The server's process when it runs; None else, also when its pid belongs to another process by now."""
    content = site.read(site.pid_file(server))
    if not isinstance(content, dict):
        return None
    identity = Identity(content["pid"], content["started"], content["boot"])
    return identity if identity.alive else None


def remnants(folder: Path, executable: Path) -> list[Identity]:
    """Processes of a server that has lost its pid file or its head: those that run `executable` in `folder`.

    Args:
        folder: the server's own working folder, or one above it.
        executable: the file they run; a shell that a person has open in the folder is none of ours.
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
        except OSError:  # gone meanwhile, or another account's
            continue
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of one process; 0 when it is gone."""
    try:
        return int((_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return 0
