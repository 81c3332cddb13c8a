"""Apache Spark's standalone cluster from the `pyspark` wheel: a master, and two workers that start executors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.jars import classes
from avro_data_contracts.stack.jars.java import java, java_home, package_dir, pyspark_jars, server_java
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.site import Site

MASTER = "spark-master"
WORKERS = ("spark-worker-1", "spark-worker-2")
PARTS = (MASTER, *WORKERS)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# The stream's tasks mostly wait for a store, so a worker offers more cores than it has.  An application gets half of
# them, spread evenly.  The other half replaces what it loses with a worker, or serves a second application.
_CORES_PER_APPLICATION = 4 * (os.cpu_count() or 1)
_MEMORY_OF_WORKER = "4g"  # what a worker may promise to executors, which take 1 GB by default


@dataclass(frozen=True)
class Spark:
    """The master or a worker.

    Args:
        name: one of PARTS.
    """

    site: Site
    ports: Mapping[str, int]
    name: str

    stop_signal = signal.SIGTERM

    @property
    def version(self) -> str:
        return version("pyspark")

    @property
    def depends_on(self) -> tuple[str, ...]:
        return () if self._leads else (MASTER,)

    @property
    def port_names(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}-ui")

    @property
    def _leads(self) -> bool:
        return self.name == MASTER

    @property
    def _master(self) -> str:
        return f"spark://{ports.HOST}:{self.ports[MASTER]}"

    @property
    def address(self) -> str:
        return self._master if self._leads else f"{ports.HOST}:{self.ports[self.name]}"

    @property
    def executable(self) -> Path:
        return Path(java())

    @property
    def _folder(self) -> Path:
        return self.site.folder(self.name)

    @property
    def _work(self) -> Path:
        """Folder with a subfolder for each executor: its log and its copies of the jars."""
        return self._folder / "work"

    def prepare(self, steps: Steps) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # Remove what a killed worker has left: both folders can contain records.
        for left in (self._work, self._folder / "tmp"):
            shutil.rmtree(left, ignore_errors=True)
        (self._folder / "tmp").mkdir(mode=0o700)

    def command(self) -> list[str]:
        at = ("--host", ports.HOST, "--port", str(self.ports[self.name]))
        page = ("--webui-port", str(self.ports[f"{self.name}-ui"]))
        if self._leads:
            settings: dict[str, str | int] = {"spark.deploy.defaultCores": _CORES_PER_APPLICATION}
            program = ["org.apache.spark.deploy.master.Master", *at, *page]
        else:
            settings = {"spark.worker.cleanup.enabled": "true", "spark.worker.cleanup.appDataTtl": 3600}
            offers = ("--cores", str(_CORES_PER_APPLICATION), "--memory", _MEMORY_OF_WORKER)
            program = ["org.apache.spark.deploy.worker.Worker", *at, *page, *offers]
            program += ["--work-dir", str(self._work), self._master]
        return [
            *(
                *server_java(),
                "-Xms64m",
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
            ),
            *(*classes.base(), "-XX:+ExitOnOutOfMemoryError", f"-Djava.io.tmpdir={self._folder / 'tmp'}"),
            *(f"-D{key}={value}" for key, value in settings.items()),
            *("-cp", str(pyspark_jars() / "*"), *program),
        ]

    def environment(self) -> Mapping[str, str]:
        # Executors inherit it.  Without SPARK_LOCAL_IP, Spark would serve its pages on all addresses of the machine.
        return base_environment() | {
            "JAVA_HOME": str(java_home()),
            "SPARK_HOME": str(package_dir("pyspark")),
            "SPARK_LOCAL_IP": ports.HOST,
            "SPARK_LOCAL_DIRS": str(self._folder / "tmp"),
            # Without it a worker looks for build folders, which the wheel does not have.
            "SPARK_SCALA_VERSION": "2.12",
        }

    def ready(self) -> bool:
        master = self._page(MASTER)
        if self._leads:
            return master.get("status") == "ALIVE"
        here = (ports.HOST, self.ports[self.name], "ALIVE")
        known = [(worker["host"], worker["port"], worker["state"]) for worker in master.get("workers", ())]
        return here in known and bool(self._page(self.name))

    def _page(self, name: str) -> dict[str, Any]:
        """The state that a process reports about itself; empty if it does not answer."""
        try:
            with _DIRECT.open(f"http://{ports.HOST}:{self.ports[f'{name}-ui']}/json/", timeout=3) as answer:
                return dict(json.load(answer))
        except (OSError, ValueError):
            return {}

    def provision(self) -> None:
        """Do nothing: applications bring what they need."""

    def exports(self, role: str) -> Mapping[str, str]:
        return {"SPARK_MASTER": self._master} if self._leads else {}
