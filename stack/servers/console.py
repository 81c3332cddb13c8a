"""The console as a server of the stack: the contracts in a browser, beside the servers (docs/how-to/console.md)."""

from __future__ import annotations

import signal
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

import avro_data_contracts
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.servers import handed_on
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.site import CLONE, IMPORTED_FROM, Site

PARTS = ("console",)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_FOLDERS = ("CONTRACTS_DIR", "CHECKPOINT_DIR")


@dataclass(frozen=True)
class Console:
    """The console.

    Args:
        clients: returns the variables with which it finds the other servers.
    """

    site: Site
    ports: Mapping[str, int]
    clients: Callable[[], Mapping[str, str]]

    name = "console"
    version = avro_data_contracts.__version__
    # It shows servers that are down, but has no address of any before the first one runs.
    depends_on = ("kafka", "registry")
    port_names = ("console",)
    stop_signal = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"http://{ports.HOST}:{self.ports['console']}"

    @property
    def executable(self) -> Path:
        return Path(sys.executable)

    @property
    def _folder(self) -> Path:
        return self.site.folder(self.name)

    @property
    def _told(self) -> Path:
        return self._folder / "environment.json"

    def remember(self, environment: Mapping[str, str], working: Path) -> None:
        """Save the settings of whoever starts it: a later `up`, after a crash, may run in another environment.

        Args:
            working: the folder that their paths are relative to.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.site.write(self._told, _told(environment, working))

    def prepare(self, steps: Steps) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def command(self) -> list[str]:
        words = ["--host", ports.HOST, "--port", str(self.ports["console"]), "--dir", str(self._folder)]
        return [sys.executable, "-m", "avro_data_contracts.console", *words]

    def environment(self) -> Mapping[str, str]:
        folders = {"CONTRACTS_DIR": CLONE / "schemas", "CHECKPOINT_DIR": self.site.root / "checkpoints"}
        return {
            **base_environment(),
            **{name: str(value) for name, value in folders.items()},
            **self.clients(),
            **_told(dotenv_values(CLONE / ".env"), CLONE),
            **(self.site.read(self._told) or {}),
            "PYTHONPATH": str(IMPORTED_FROM),
            "PYTHONUNBUFFERED": "1",
        }

    def ready(self) -> bool:
        if not ports.is_open(self.ports["console"]):
            return False
        try:
            with _DIRECT.open(f"{self.address}/login", timeout=3) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    def provision(self) -> None:
        """Do nothing: it makes its accounts itself."""

    def exports(self, role: str) -> Mapping[str, str]:
        return {}

    @property
    def login(self) -> str:
        """Where to sign in, and with which passwords."""
        file = self._folder / "accounts.json"
        return f"The console is at {self.address}. Sign in as viewer or operator with the password in {file}"


def _told(variables: Mapping[str, str | None], working: Path) -> dict[str, str]:
    """Return what is handed on; it runs in another folder than the one that paths are relative to."""
    told = handed_on.of(variables)
    return told | {name: str(working / told[name]) for name in told if name in _FOLDERS or name.endswith("_FILE")}
