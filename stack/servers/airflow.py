"""Apache Airflow: four processes that keep their metadata in the stack's PostgreSQL."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import signal
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from dotenv import dotenv_values

from avro_data_contracts.stack import ports, process
from avro_data_contracts.stack.servers import handed_on
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.site import CLONE, IMPORTED_FROM, Site

USER = "admin"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Part:
    """One of Airflow's processes.

    Attributes:
        command: command of the `airflow` program, with flags.
        health: name of the process in the API server's health check.
    """

    command: tuple[str, ...]
    health: str


PARTS = {
    "airflow": Part(("api-server",), "metadatabase"),
    # The API server reads the logs from this machine's disk.  A log server would listen on all addresses.
    "airflow-scheduler": Part(("scheduler", "--skip-serve-logs"), "scheduler"),
    "airflow-dag-processor": Part(("dag-processor",), "dag_processor"),
    "airflow-triggerer": Part(("triggerer", "--skip-serve-logs"), "triggerer"),
}


@dataclass(frozen=True)
class Airflow:
    """One of Airflow's processes as a server of the stack.

    Args:
        name: a key of PARTS.
        clients: returns the variables with which the pipeline's commands find the other servers.
    """

    site: Site
    ports: Mapping[str, int]
    name: str
    clients: Callable[[], Mapping[str, str]]

    stop_signal = signal.SIGTERM

    @property
    def version(self) -> str:
        return version("apache-airflow")

    @property
    def depends_on(self) -> tuple[str, ...]:
        return ("postgres",) if self._serves else ("postgres", "airflow")

    @property
    def port_names(self) -> tuple[str, ...]:
        return {"airflow": ("airflow",), "airflow-scheduler": ("airflow-health",)}.get(self.name, ())

    @property
    def _serves(self) -> bool:
        return self.name == "airflow"

    @property
    def _url(self) -> str:
        return f"http://{ports.HOST}:{self.ports['airflow']}"

    @property
    def address(self) -> str:
        return self._url if self._serves else ""

    @property
    def executable(self) -> Path:
        return Path(sys.executable)

    @property
    def _home(self) -> Path:
        return self.site.folder("airflow")

    @property
    def _told(self) -> Path:
        return self._home / "environment.json"

    def remember(self, environment: Mapping[str, str]) -> None:
        """Save the variables that tasks inherit: a later `up`, after a crash, may run in another environment."""
        self._home.mkdir(mode=0o700, exist_ok=True)
        self.site.write(self._told, handed_on.of(environment))

    @property
    def _passwords(self) -> Path:
        return self._home / "passwords.json"

    def prepare(self, steps: Steps) -> None:
        self.site.folder(self.name).mkdir(mode=0o700, exist_ok=True)
        if not self._serves:
            return
        self.site.write(self._passwords, {USER: self.site.secrets()["airflow-admin"]})
        migrated = self._home / "migrated"
        if not migrated.exists() or migrated.read_text(encoding="ascii") != self.version:
            steps.run(self.name, [*self._program, "db", "migrate"], environment=self.environment(), cwd=self._home)
            migrated.write_text(self.version, encoding="ascii")

    @property
    def _program(self) -> list[str]:
        return [sys.executable, "-m", "airflow"]

    def command(self) -> list[str]:
        return [*self._program, *PARTS[self.name].command]

    def environment(self) -> Mapping[str, str]:
        secrets = self.site.secrets()
        password = secrets["postgres-airflow"]
        database = f"airflow:{password}@{ports.HOST}:{self.ports['postgres']}/airflow"
        settings = {
            "CORE__DAGS_FOLDER": CLONE / "dags",
            "CORE__LOAD_EXAMPLES": False,
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": 4,
            "CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(_bytes(secrets["airflow-connections"])).decode(),
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self._passwords,
            "CORE__LAZY_LOAD_PLUGINS": True,
            "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+psycopg_async://{database}",
            "LOGGING__BASE_LOG_FOLDER": self.site.root / "logs" / "airflow",
            "API__HOST": ports.HOST,
            "API__PORT": self.ports["airflow"],
            "API__WORKERS": 1,
            "API__BASE_URL": self._url,
            "API__SECRET_KEY": secrets["airflow-sessions"],
            "API_AUTH__JWT_SECRET": secrets["airflow-tasks"],
            # Seconds until a task whose process was killed is tried again; the default is five minutes.
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 45,
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 30,
            "SCHEDULER__ENABLE_HEALTH_CHECK": True,
            "SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": ports.HOST,
            "SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": self.ports["airflow-health"],
            "DAG_PROCESSOR__REFRESH_INTERVAL": 30,
            "USAGE_DATA_COLLECTION__ENABLED": False,
        }
        folders = {
            "CONTRACTS_DIR": CLONE / "schemas",
            "CHECKPOINT_DIR": self.site.root / "checkpoints",
            "SPARK_LOG_FILE": self.site.root / "logs" / "spark.log",
            "SPARK_LOCAL_DIRS": self.site.root / "scratch",
        }
        told = {**handed_on.of(dotenv_values(CLONE / ".env")), **(self.site.read(self._told) or {})}
        return {
            **base_environment(),
            **{name: str(value) for name, value in folders.items()},
            **self.clients(),
            **told,
            # In upper and lower case, because programs differ in which of the two they read.
            **dict.fromkeys(("NO_PROXY", "no_proxy"), _without_proxy(told)),
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW_COMMAND": (
                f"cd {CLONE} && {sys.executable} -m avro_data_contracts.stack airflow --dir {self.site.root}"
            ),
            "PYTHONPATH": str(IMPORTED_FROM),
            **{f"AIRFLOW__{name}": str(value) for name, value in settings.items()},
        }

    def ready(self) -> bool:
        if not ports.is_open(self.ports["airflow"]):
            return False
        if self.name == "airflow-scheduler" and not ports.is_open(self.ports["airflow-health"]):
            return False
        try:
            with _DIRECT.open(f"{self._url}/api/v2/monitor/health", timeout=5) as answer:
                found = json.load(answer)[PARTS[self.name].health]
            return found["status"] == "healthy" and (self._serves or self._beats(found))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _beats(self, found: Mapping[str, str]) -> bool:
        """Whether the last heartbeat is from this process and not from its predecessor."""
        identity = process.recorded(self.site, self.name)
        beat = dt.datetime.fromisoformat(found[f"latest_{PARTS[self.name].health}_heartbeat"])
        return identity is not None and beat.timestamp() > identity.since

    def provision(self) -> None:
        """Do nothing: the account is in the passwords file, and `Postgres` creates the database."""

    def exports(self, role: str) -> Mapping[str, str]:
        return {}

    @property
    def login(self) -> str:
        """Where to log in, and with which password."""
        return f"Airflow is at {self._url}. Log in as {USER} with the password in {self._passwords}"


def _without_proxy(environment: Mapping[str, str]) -> str:
    """NO_PROXY for Airflow, whose processes call each other on the loopback address, which a proxy cannot reach."""
    named = environment.get("no_proxy") or environment.get("NO_PROXY", "")
    return "*" if named.strip() == "*" else ",".join(filter(None, (named, ports.HOST, "localhost", "::1")))


def _bytes(secret: str) -> bytes:
    """32 bytes derived from a generated password, the size of a Fernet key."""
    return hashlib.sha256(secret.encode()).digest()
