"""Apicurio Registry, spoken to as a Confluent Schema Registry; it keeps its schemas in PostgreSQL."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import classes, jars, ports
from stack.java import java
from stack.launch import Launcher
from stack.pins import server_versions
from stack.servers import base_environment
from stack.site import Site

# Straight to the loopback address, whatever HTTP_PROXY says.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Registry:
    site: Site
    ports: Mapping[str, int]

    name = "registry"
    version = server_versions()["registry"]
    depends_on = ("postgres",)
    port_names = ("registry", "registry-management")
    stop_signal = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"http://{ports.HOST}:{self.ports['registry']}/apis/ccompat/v7"

    @property
    def executable(self) -> Path:
        return Path(java())

    def prepare(self, launcher: Launcher) -> None:
        folder = self.site.folder(self.name)
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)

    def command(self) -> list[str]:
        settings = {
            "java.io.tmpdir": str(self.site.folder(self.name) / "tmp"),
            "java.util.logging.manager": "org.jboss.logmanager.LogManager",
            "vertx.disableDnsResolver": "true",
            "quarkus.http.host": ports.HOST,
            "quarkus.http.port": self.ports["registry"],
            "quarkus.management.host": ports.HOST,
            "quarkus.management.port": self.ports["registry-management"],
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "postgresql",
            "apicurio.datasource.url": f"jdbc:postgresql://{ports.HOST}:{self.ports['postgres']}/registry",
            "apicurio.datasource.username": "registry",
            "apicurio.rules.global.compatibility": "BACKWARD",
        }
        return [
            *(java(), "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"),
            "-XX:+ExitOnOutOfMemoryError",
            *classes.options(self.site, self.name),
            *(f"-D{key}={value}" for key, value in settings.items()),
            *("-jar", str(jars.paths("registry")[0] / "quarkus-run.jar")),
        ]

    def environment(self) -> Mapping[str, str]:
        # Not on the command line, where every account of this machine can read it.
        return base_environment() | {"APICURIO_DATASOURCE_PASSWORD": self.site.secrets()["postgres-registry"]}

    def ready(self) -> bool:
        if not ports.is_open(self.ports["registry"]):
            return False
        try:
            with _DIRECT.open(f"{self.address}/subjects", timeout=5) as answer:
                return isinstance(json.load(answer), list)
        except (OSError, ValueError):
            return False

    def provision(self) -> None:
        """Nothing: subjects are the contracts' business."""

    def exports(self) -> Mapping[str, str]:
        return {"SCHEMA_REGISTRY_URL": self.address}
