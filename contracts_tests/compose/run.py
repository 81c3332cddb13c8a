"""What is tried, each scenario from nothing: start, rows in both stores, restarts, volumes, accounts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose import commands, look, showing
from contracts_tests.compose.project import Project
from contracts_tests.compose.report import Report

# Control Center, which only runs with the published images, takes longest.
STARTS_WITHIN_S = 400.0
ROWS_WITHIN_S = 240.0
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

    def prepare(self) -> None:
        """Passwords, images and certificates."""
        project = self.project
        with self.step("make compose-env"):
            project.make("compose-env")
        with self.step("the project's images") as step:
            project.build()
            step.found = "three targets"
        if project.overlay == "secure":
            with self.step("make certs"):
                project.make("certs")

    def start(self) -> None:
        """Servers, jobs and the Spark cluster."""
        project = self.project
        if project.overlay == "secure":
            with self.step("the broker and its accounts"):
                project.up(["broker", "kafka-roles"])
                if not project.engine.real_images:
                    self._grant()
        servers = [name for name in project.services() if not name.startswith("airflow-")]
        with self.step("make compose-up") as step:
            project.up(servers)
            project.settle(STARTS_WITHIN_S)
            step.found = f"{len(project.status())} containers in order"
        self._source()

    def _grant(self) -> None:
        """Let the registry's stand-in use the topics of its schemas, which are not those of the original."""
        self.in_container("kafka-roles", _GRANT)

    def _source(self) -> None:
        network = f"{self.project_name}_pipeline"
        self.project.engine.docker(
            "run",
            "--detach",
            "--name",
            "source",
            "--restart",
            "always",
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
            project.settle(STARTS_WITHIN_S)
            step.found = "1,000 records"
        where = "from a container" if project.overlay == "secure" else "from outside"
        with self.step(f"rows in both stores, {where}") as step:
            step.found = told(project.reconcile(ROWS_WITHIN_S))
        showing.console(self, ["users_created"])
        with self.step("containers are as documented") as step:
            self.report.services += look.services(project, self.name, self.watch)
            problems = [*look.faults(project), *look.restarts(project)]
            if problems:
                raise ServerError("\n".join(problems), where="docker inspect", fix="correct the compose files")
            step.found = "accounts, limits, file systems, ports, passwords"

    def unchanged(self) -> None:
        """A second `compose-up` leaves alone what runs."""
        project = self.project
        with self.step("a second compose-up changes nothing") as step:
            before = {row["Name"]: row["ID"] for row in project.status() if row["State"] == "running"}
            project.up(["stream"], profiles=["stream"])
            project.settle(STARTS_WITHIN_S)
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
            project.settle(STARTS_WITHIN_S)
            output = self.in_container("stream", _SPREAD, profile="stream")
            hosts = json.loads(output.rpartition("hosts ")[2])
            if len(hosts) != 2 or sum(hosts.values()) != 24:
                raise ServerError(f"the tasks ran on {hosts}", where="spark-master", fix="see its page")
            step.found = f"24 tasks: {' and '.join(map(str, sorted(hosts.values())))}"

    def in_container(self, service: str, program: Path, *, profile: str = "") -> str:
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

    def again(self) -> None:
        """`compose-down` keeps the data, and with `--volumes` removes it."""
        project = self.project
        before = project.reconcile(ROWS_WITHIN_S)
        ids = self.ids()
        with self.step("make compose-down, then compose-up") as step:
            project.engine.docker("rm", "--force", "source")
            project.down()
            if project.status():
                raise ServerError("containers are left", where="docker ps", fix="see `docker ps --all`")
            project.up([name for name in project.services() if not name.startswith("airflow-")])
            project.settle(STARTS_WITHIN_S)
            after = project.reconcile(ROWS_WITHIN_S)
            if (before, ids) != (after, self.ids()):
                raise ServerError(f"before {before} {ids}, after {after}", where="volumes", fix="see the volumes")
            step.found = f"{told(after)}; schema ids are the same"

    def ids(self) -> dict[str, int]:
        outside = self.project.outside()
        user = outside.get("SCHEMA_REGISTRY_USER", "")
        account = (user, outside["SCHEMA_REGISTRY_PASSWORD"]) if user else None
        subjects = registry(outside, "/subjects", account).json()
        return {
            name: registry(outside, f"/subjects/{name}/versions/latest", account).json()["id"] for name in subjects
        }

    def remove(self) -> None:
        project = self.project
        with self.step("make compose-down -- --volumes") as step:
            project.engine.docker("rm", "--force", "source", check=False)
            project.down("--volumes")
            left = project.engine.docker("ps", "--all", "--quiet") + project.engine.docker("volume", "ls", "--quiet")
            if left.strip():
                raise ServerError(f"these are left: {left.split()}", where="docker", fix="see deploy/__main__.py")
            step.found = "no container, no volume"


def told(outcome: dict[str, Any]) -> str:
    rows = ", ".join(f"{stored['rows']:,} rows in {name}" for name, stored in outcome["stores"].items())
    return f"{outcome['events']:,} events, {rows}, {sum(outcome['dead_lettered'].values())} dead-lettered"


def registry(outside: dict[str, str], path: str, account: tuple[str, str] | None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.auth, session.verify = account, outside.get("SCHEMA_REGISTRY_CA_FILE", True)
        return session.get(outside["SCHEMA_REGISTRY_URL"] + path, timeout=20)
