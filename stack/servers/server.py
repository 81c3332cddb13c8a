"""The protocol behind which each server of the stack has a module of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Steps(Protocol):
    """Runs the programs that prepare a server (`stack.launch.Launcher`)."""

    def run(self, server: str, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path) -> None:
        """Run one program and wait for it; its output goes to the server's log.

        Raises:
            ServerError: the program failed; the error holds the end of its output.
            Cancelled: the start was cancelled meanwhile, and the program was ended.
        """


class Server(Protocol):
    """A server, as the supervisor sees it.

    Attributes:
        name: name in `status`, and of the server's folder, log and pid file.
        version: version of the server's software.
        depends_on: names of the servers that must be ready before this one starts.
        ports: number of each port of the stack, by name.
        port_names: keys of `stack.ports.FIXED`; the first is the public one.
        stop_signal: signal that makes the server end in an orderly way.
        executable: the file that its process runs.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def ports(self) -> Mapping[str, int]: ...

    @property
    def depends_on(self) -> tuple[str, ...]: ...

    @property
    def port_names(self) -> tuple[str, ...]: ...

    @property
    def stop_signal(self) -> signal.Signals: ...

    @property
    def address(self) -> str:
        """Address for clients."""

    @property
    def executable(self) -> Path: ...

    def prepare(self, steps: Steps) -> None:
        """Write the configuration and, the first time, an empty store.  Safe to repeat after an interruption."""

    def command(self) -> list[str]:
        """The command line, to run in the server's own folder.  Contains no password."""

    def environment(self) -> Mapping[str, str]:
        """The complete environment of the process."""

    def ready(self) -> bool:
        """Whether the server answers in its own protocol; takes a few seconds at most and never raises."""

    def provision(self) -> None:
        """Create accounts and databases once the server is ready.  Safe to repeat."""

    def exports(self, role: str) -> Mapping[str, str]:
        """Environment variables for clients of this server.

        Args:
            role: one of `stack.security.roles.ROLES`, whose account to use on a secure stack.
        """


def base_environment() -> dict[str, str]:
    """The variables that a server inherits; none that its software could read as configuration."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}
