"""Apache ZooKeeper, one node, for the last version line of Kafka that uses it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.jars import cache, classes
from avro_data_contracts.stack.jars.java import java, server_java
from avro_data_contracts.stack.jars.pins import server_versions
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.site import Site

JARS = "kafka-zookeeper"
LOGGING = """\
log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %m (%c{1})%n
log4j.logger.kafka.server=INFO
"""


@dataclass(frozen=True)
class ZooKeeper:
    """The only ZooKeeper node."""

    site: Site
    ports: Mapping[str, int]

    name = "zookeeper"
    version = server_versions()["zookeeper"]
    depends_on = ()
    port_names = ("zookeeper",)
    stop_signal = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"{ports.HOST}:{self.ports['zookeeper']}"

    @property
    def executable(self) -> Path:
        return Path(java())

    def prepare(self, steps: Steps) -> None:
        folder = self.site.folder(self.name)
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "log4j.properties").write_text(LOGGING, encoding="utf-8")
        (folder / "zoo.cfg").write_text(self._configuration(), encoding="utf-8")

    def _configuration(self) -> str:
        return f"""\
dataDir={self.site.folder(self.name) / "data"}
clientPort={self.ports["zookeeper"]}
clientPortAddress={ports.HOST}
admin.enableServer=false
4lw.commands.whitelist=ruok
maxClientCnxns=20
"""

    def command(self) -> list[str]:
        folder = self.site.folder(self.name)
        return [
            *(
                *server_java(),
                "-Xms64m",
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
            ),
            *(*classes.base(), "-XX:+ExitOnOutOfMemoryError"),
            f"-Dlog4j.configuration={(folder / 'log4j.properties').as_uri()}",
            "-Dzookeeper.jmx.log4j.disable=true",
            *("-cp", os.pathsep.join(map(str, cache.paths(JARS)))),
            *("org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"),
        ]

    def environment(self) -> Mapping[str, str]:
        return base_environment()

    def ready(self) -> bool:
        try:
            with socket.create_connection((ports.HOST, self.ports["zookeeper"]), timeout=3) as connection:
                connection.sendall(b"ruok")
                return connection.recv(4) == b"imok"
        except OSError:
            return False

    def provision(self) -> None:
        """Do nothing: only Kafka writes to it."""

    def exports(self, role: str) -> Mapping[str, str]:
        return {}
