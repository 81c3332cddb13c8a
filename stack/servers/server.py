"""What the stack needs to know of a server: one module each, behind this small protocol."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Steps(Protocol):
    """Runs the programs that prepare a server (`stack.launch.Launcher`)."""

    def run(self, server: str, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path) -> None:
        """Runs one to its end; its output goes to the server's log.

        Raises:
            ServerError: it failed; with the end of its output.
            Cancelled: the start was cancelled meanwhile; the step is ended.
        """


class Server(Protocol):
    """What the supervisor needs to know of a server.

    Attributes:
        name: as in `status`, and of its folder, log and pid file.
        version: of the server's software.
        depends_on: names of the servers that must be ready before this one starts.
        ports: number of each port of the stack, by name.
        port_names: keys of `stack.ports.FIXED`; the first is the public one.
        stop_signal: asks it to end in an orderly way.
        executable: the file its process runs.
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
        """Where clients find it."""

    @property
    def executable(self) -> Path: ...

    def prepare(self, steps: Steps) -> None:
        """Writes the configuration and, the first time, an empty store.  Safe to repeat after an interruption."""

    def command(self) -> list[str]:
        """What to run, with the server's own folder as working folder.  Holds no password."""

    def environment(self) -> Mapping[str, str]:
        """The whole environment of the process."""

    def ready(self) -> bool:
        """Whether it answers in its own protocol now; takes at most some seconds and never raises."""

    def provision(self) -> None:
        """Creates accounts and databases once it is ready for the first time.  Safe to repeat."""

    def exports(self, role: str) -> Mapping[str, str]:
        """Environment variables that a client of this server reads.

        Args:
            role: one of `stack.security.roles.ROLES`, whose account they hold where the stack is secure.
        """


def base_environment() -> dict[str, str]:
    """What a server may see of ours: nothing that its software could take for configuration."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}
