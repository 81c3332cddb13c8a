"""The local source API as a server of the stack; the program is `stack.source.server`."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.site import IMPORTED_FROM, Site

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class DataSource:
    """The local source API.

    Args:
        replay: folder of recorded responses to serve; None to generate users.
    """

    site: Site
    ports: Mapping[str, int]
    replay: Path | None = None

    name = "source"
    version = "1.4"  # version of the API
    depends_on = ()
    port_names = ("source",)
    stop_signal = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"http://{ports.HOST}:{self.ports['source']}/api/"

    @property
    def executable(self) -> Path:
        return Path(sys.executable)

    def prepare(self, steps: Steps) -> None:
        self.site.folder(self.name).mkdir(mode=0o700, exist_ok=True)

    def command(self) -> list[str]:
        replay = ["--replay", str(self.replay)] if self.replay else []
        return [
            sys.executable,
            "-m",
            "avro_data_contracts.stack.source.server",
            "--port",
            str(self.ports["source"]),
            *replay,
        ]

    def environment(self) -> Mapping[str, str]:
        return base_environment() | {"PYTHONPATH": str(IMPORTED_FROM), "PYTHONUNBUFFERED": "1"}

    def ready(self) -> bool:
        if not ports.is_open(self.ports["source"]):
            return False
        try:
            with _DIRECT.open(f"http://{ports.HOST}:{self.ports['source']}/health", timeout=3) as answer:
                return bool(json.load(answer).get("status") == "ok")
        except (OSError, ValueError):
            return False

    def provision(self) -> None:
        """Do nothing: the source has no accounts."""

    def exports(self, role: str) -> Mapping[str, str]:
        # The second says that nobody chose the first: a contract with an address of its own keeps it.
        return {"DATASOURCE_URL": self.address, "DATASOURCE_DEFAULT_URL": self.address}
