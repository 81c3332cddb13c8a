"""What is tried, each scenario from nothing: start, rows in both stores, restarts, volumes, accounts."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import requests
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose import commands, look
from contracts_tests.compose.project import Project
from contracts_tests.compose.report import Report
from contracts_tests.fixtures.airflow import AirflowClient

_SERVERS = ("broker", "schema-registry", "cassandra", "postgres", "spark-master", "spark-worker")
_STARTS_WITHIN_S = 240.0
_ROWS_WITHIN_S = 240.0
_GRANT, _SPREAD = (Path(__file__).with_name(name) for name in ("grant.py", "spread.py"))


@dataclass
class Scenario:
    """One scenario in its own project.

    Args:
        name: its name in the report.
        watch: sees when containers get healthy.
    """

    name: str
    project: Project
    report: Report
    watch: look.Watch

    def step(self, name: str) -> Any:
        return self.report.step(self.name, name)

    def start(self) -> None:
        """Passwords, certificates, then the servers, the jobs and the Spark cluster."""
        project = self.project
        with self.step("make compose-env"):
            project.make("compose-env")
        with self.step("the project's images") as step:
            project.build()
            step.found = "three targets"
        if project.overlay == "secure":
            with self.step("make certs"):
                project.make("certs")
            with self.step("the broker and its accounts"):
                project.up(["broker", "kafka-roles"])
                self._grant()
        servers = [name for name in project.services() if not name.startswith("airflow-")]
        with self.step("make compose-up") as step:
            project.up(servers)
            project.settle(_STARTS_WITHIN_S)
            step.found = f"{len(project.status())} containers in order"
        self._source()

    def _grant(self) -> None:
        """Let the registry's stand-in use the topics of its schemas, which are not those of the original."""
        self._in_container("kafka-roles", _GRANT)

    def _source(self) -> None:
        network = f"{self.project_name}_pipeline"
        self.project.engine.docker(
            "run",
            "--detach",
            "--name",
            "source",
            "--network",
            network,
            "--network-alias",
            "source",
            "standins/source",
        )

    @property
    def project_name(self) -> str:
        return "avro-data-contracts"

    def produce_and_stream(self) -> None:
        project = self.project
        with self.step("producer and stream") as step:
            project.up(["producer", "stream"], profiles=["producer", "stream"])
            project.settle(_STARTS_WITHIN_S)
            step.found = "1,000 records"
        where = "from a container" if project.overlay == "secure" else "from outside"
        with self.step(f"rows in both stores, {where}") as step:
            step.found = _told(project.reconcile(_ROWS_WITHIN_S))
        with self.step("containers are as documented") as step:
            self.report.services += look.services(project, self.name, self.watch)
            problems = [*look.faults(project), *look.restarts(project)]
            if problems:
                raise ServerError("\n".join(problems), where="docker inspect", fix="correct the compose files")
            step.found = "accounts, limits, file systems, ports, secrets"

    def unchanged(self) -> None:
        """A second `compose-up` leaves alone what runs."""
        project = self.project
        with self.step("a second compose-up changes nothing") as step:
            before = {row["Name"]: row["ID"] for row in project.status() if row["State"] == "running"}
            project.up(["stream"], profiles=["stream"])
            project.settle(_STARTS_WITHIN_S)
            after = {row["Name"]: row["ID"] for row in project.status() if row["State"] == "running"}
            changed = sorted(name for name in before if before[name] != after.get(name))
            if changed:
                raise ServerError(
                    f"these were made again: {', '.join(changed)}", where="compose-up", fix="compare their images"
                )
            step.found = f"{len(before)} containers are the same"

    def scale(self) -> None:
        """A stream uses two cores, so a job of its own shows that both workers run tasks."""
        project = self.project
        with self.step("--scale spark-worker=2") as step:
            project.up(["spark-worker"], scale="spark-worker=2")
            project.settle(_STARTS_WITHIN_S)
            output = self._in_container("stream", _SPREAD, profile="stream")
            hosts = json.loads(output.rpartition("hosts ")[2])
            if len(hosts) != 2 or sum(hosts.values()) != 24:
                raise ServerError(f"the tasks ran on {hosts}", where="spark-master", fix="see its page")
            step.found = f"24 tasks: {' and '.join(map(str, sorted(hosts.values())))}"

    def _in_container(self, service: str, program: Path, *, profile: str = "") -> str:
        """Run a Python program in a container with the image, network and settings of a service."""
        command = self.project.compose(*(["--profile", profile] if profile else []))
        command += ["run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "python", service, "-"]
        with program.open("rb") as text:
            return commands.run(
                command,
                f"{program.name} failed in {service}",
                where="docker compose run",
                folder=self.project.folder,
                environment=self.project.environment,
                stdin=text,
            )

    def kill_each(self, count: int = 10_000) -> None:
        """Kill the main process of each service while a producer sends `count` records; Docker starts it again."""
        project = self.project
        command = project.compose("run", "--rm", "--no-deps", "--no-TTY", "producer", "producers")
        for service in (*_SERVERS, "stream"):
            with self.step(f"kill -9 of {service} under load") as step:
                name = project.container(service)
                before, known = json.loads(project.engine.docker("inspect", name))[0], self._records()
                with subprocess.Popen(
                    [*command, "--count", str(count)],
                    cwd=project.folder,
                    env=project.environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                ) as load:
                    # Its first records are in the topic: a producer that only starts would need the registry.
                    while self._records() == known and load.poll() is None:
                        time.sleep(0.1)
                    sending, begun = load.poll() is None, time.monotonic()
                    os.kill(before["State"]["Pid"], signal.SIGKILL)
                    self._back(name, before["RestartCount"])
                    healthy = time.monotonic() - begun
                    output, _ = load.communicate(timeout=_STARTS_WITHIN_S)
                if load.returncode != 0 or not sending:
                    raise ServerError(
                        "the producer failed" if load.returncode else "the producer ended before the kill",
                        where="producer",
                        detail=output[-1500:],
                        fix="see its messages",
                    )
                step.found = f"healthy again after {healthy:.0f} s, {count:,} more records"
        with self.step("rows after all kills") as step:
            step.found = _told(project.reconcile(_ROWS_WITHIN_S))

    def _records(self) -> int:
        """Number of records in the topic."""
        consumer = Consumer({"bootstrap.servers": self.project.outside()["KAFKA_BOOTSTRAP_SERVERS"], "group.id": "-"})
        try:
            partitions = consumer.list_topics("users_created", timeout=20).topics["users_created"].partitions
            found = (
                consumer.get_watermark_offsets(TopicPartition("users_created", number), timeout=20)
                for number in partitions
            )
            return sum(last for _, last in found)
        finally:
            consumer.close()

    def _back(self, name: str, restarts: int) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while True:
            (facts,) = json.loads(self.project.engine.docker("inspect", name))
            state = facts["State"]
            if facts["RestartCount"] > restarts and state.get("Health", {}).get("Status") == "healthy":
                return
            if time.monotonic() > deadline:
                raise ServerError(
                    f"not healthy again: {state['Status']}, {facts['RestartCount']} restarts",
                    where=name,
                    detail=self.project.failures(),
                    fix="see its log",
                )
            time.sleep(0.5)

    def airflow(self) -> None:
        project = self.project
        with self.step("Airflow starts") as step:
            # The service and the DAG share a checkpoint.
            project.engine.docker("stop", project.container("stream"))
            project.up([name for name in project.services() if name.startswith("airflow-")])
            project.settle(_STARTS_WITHIN_S)
            step.found = "five containers in order"
        with self.step("DAG user_automation") as step:
            client = _Airflow(project)
            client.log_in()
            run = client.trigger("user_automation", None)
            state = run.ended(300)
            tasks = {name: task["state"] for name, task in run.tasks().items()}
            if state != "success":
                raise ServerError(f"the run is {state}: {tasks}", where="user_automation", fix="see the tasks' logs")
            step.found = f"{len(tasks)} tasks, all green"
        with self.step("Airflow's containers are as documented") as step:
            self.report.services += [
                one for one in look.services(project, self.name, self.watch) if one.name.startswith("airflow")
            ]
            problems = look.faults(project)
            if problems:
                raise ServerError("\n".join(problems), where="docker inspect", fix="correct the compose files")

    def again(self) -> None:
        """`compose-down` keeps the data, and with `--volumes` removes it."""
        project = self.project
        before = project.reconcile(_ROWS_WITHIN_S)
        ids = self._ids()
        with self.step("make compose-down, then compose-up") as step:
            project.engine.docker("rm", "--force", "source")
            project.down()
            if project.status():
                raise ServerError("containers are left", where="docker ps", fix="see `docker ps --all`")
            project.up([name for name in project.services() if not name.startswith("airflow-")])
            project.settle(_STARTS_WITHIN_S)
            after = project.reconcile(_ROWS_WITHIN_S)
            if (before, ids) != (after, self._ids()):
                raise ServerError(f"before {before} {ids}, after {after}", where="volumes", fix="see the volumes")
            step.found = f"{_told(after)}; schema ids are the same"

    def _ids(self) -> dict[str, int]:
        outside = self.project.outside()
        user = outside.get("SCHEMA_REGISTRY_USER", "")
        account = (user, outside["SCHEMA_REGISTRY_PASSWORD"]) if user else None
        subjects = _registry(outside, "/subjects", account).json()
        return {
            name: _registry(outside, f"/subjects/{name}/versions/latest", account).json()["id"] for name in subjects
        }

    def refused(self) -> None:
        """Clients without an account, with a wrong one, or without TLS."""
        project, outside = self.project, self.project.outside()
        authority = outside["KAFKA_SSL_CA_FILE"]
        with self.step("refused clients") as step:
            kafka = {"bootstrap.servers": outside["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0}
            good = {
                "security.protocol": "SASL_SSL",
                "ssl.ca.location": authority,
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "stream",
                "sasl.password": outside["KAFKA_SASL_PASSWORD"],
            }
            checks: dict[str, tuple[Callable[[], bool], bool]] = {
                "Kafka with the stream's account": (lambda: _kafka({**kafka, **good}), True),
                "Kafka without TLS": (lambda: _kafka(kafka), False),
                "Kafka with a wrong password": (lambda: _kafka({**kafka, **good, "sasl.password": "wrong"}), False),
                "the registry with the stream's account": (lambda: bool(self._ids()), True),
                "the registry without an account": (lambda: _registry(outside, "/subjects", None).ok, False),
                "the registry with a wrong password": (
                    lambda: _registry(outside, "/subjects", ("stream", "wrong")).ok,
                    False,
                ),
                "PostgreSQL with the pipeline's account": (lambda: _postgres(outside["POSTGRES_DSN"]), True),
                "PostgreSQL without TLS": (
                    lambda: _postgres(outside["POSTGRES_DSN"].replace("sslmode=verify-full", "sslmode=disable")),
                    False,
                ),
                "PostgreSQL, Airflow's database": (
                    lambda: _postgres(outside["POSTGRES_DSN"].replace("/contracts?", "/airflow?")),
                    False,
                ),
                "Cassandra with the pipeline's account": (
                    lambda: _cassandra(project, outside["CASSANDRA_PASSWORD"], authority),
                    True,
                ),
                "Cassandra without TLS": (lambda: _cassandra(project, outside["CASSANDRA_PASSWORD"], ""), False),
                "Cassandra with a wrong password": (lambda: _cassandra(project, "wrong", authority), False),
                "Cassandra's well-known account": (
                    lambda: _cassandra(project, "cassandra", authority, user="cassandra"),
                    False,
                ),
            }
            wrong = [name for name, (opens, expected) in checks.items() if opens() != expected]
            if wrong:
                raise ServerError(f"not as expected: {', '.join(wrong)}", where="secure", fix="see the overlay")
            step.found = f"{sum(not expected for _, expected in checks.values())} refused, 4 accepted"

    def remove(self) -> None:
        project = self.project
        with self.step("make compose-down -- --volumes") as step:
            project.engine.docker("rm", "--force", "source", check=False)
            project.down("--volumes")
            left = project.engine.docker("ps", "--all", "--quiet") + project.engine.docker("volume", "ls", "--quiet")
            if left.strip():
                raise ServerError(f"these are left: {left.split()}", where="docker", fix="see deploy/__main__.py")
            step.found = "no container, no volume"


class _Airflow(AirflowClient):
    def __init__(self, project: Project):
        super().__init__(None, project.folder, None)  # type: ignore[arg-type]
        self._project = project

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._project.ports['PORT_AIRFLOW']}"

    @property
    def password(self) -> str:
        return self._project.secrets["DEPLOY_AIRFLOW_ADMIN_PASSWORD"]


def _told(outcome: dict[str, Any]) -> str:
    rows = ", ".join(f"{stored['rows']:,} rows in {name}" for name, stored in outcome["stores"].items())
    return f"{outcome['events']:,} events, {rows}, {sum(outcome['dead_lettered'].values())} dead-lettered"


def _kafka(config: dict[str, str | int]) -> bool:
    try:
        return bool(AdminClient({**config, "socket.timeout.ms": 4000}).list_topics(timeout=6).brokers)
    except KafkaException:
        return False


def _postgres(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=5).close()
        return True
    except psycopg.OperationalError:
        return False


def _registry(outside: dict[str, str], path: str, account: tuple[str, str] | None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.auth, session.verify = account, outside.get("SCHEMA_REGISTRY_CA_FILE", True)
        return session.get(outside["SCHEMA_REGISTRY_URL"] + path, timeout=20)


def _cassandra(project: Project, password: str, authority: str, user: str = "pipeline") -> bool:
    context = ssl.create_default_context(cafile=authority) if authority else None
    cluster = Cluster(
        ["127.0.0.1"],
        project.ports["PORT_CASSANDRA"],
        auth_provider=PlainTextAuthProvider(user, password),
        ssl_context=context,
        protocol_version=5,
        connect_timeout=5,
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )
    try:
        cluster.connect()
        return True
    except NoHostAvailable:
        return False
    finally:
        cluster.shutdown()
