"""A copy of the clone in which the compose files are started; the clone's `.env` and `.certs/` stay untouched."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avro_data_contracts.deploy import compose, passwords
from avro_data_contracts.deploy.__main__ import in_order
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose import commands, images
from contracts_tests.compose.engine import Engine
from contracts_tests.fixtures.clone import CLONE

# There is no stand-in for these images, so their services do not start.
WITHOUT = ("confluentinc/cp-enterprise-control-center",)
# A line of `.env` and of the authorities' file: where it is found, one of them got.
MARK = f"compose-test {secrets.token_hex(20)}"
_SOURCE = "http://source:8000/api/"


@dataclass
class Project:
    """The copy, and the commands that a user types in it.

    Args:
        engine: the daemon.
        folder: the copy.
        overlay: `secure`, `zookeeper`, or nothing.
        ports: port of this machine, by the name of its variable.
    """

    engine: Engine
    folder: Path
    overlay: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(self.folder), "COMPOSE_PROGRESS": "plain"}
        # Variables of the caller's own servers would win over those of the copy's .env.
        mine = (
            "PORT_",
            "DEPLOY_",
            "KAFKA_",
            "SCHEMA_REGISTRY_",
            "CASSANDRA_",
            "POSTGRES_",
            "STACK_",
            "SPARK_",
        )
        kept = {name: value for name, value in self.engine.environment.items() if not name.startswith(mine)}
        return {**kept, **own}

    @property
    def secrets(self) -> dict[str, str]:
        return passwords.read(self.folder / ".env")

    @property
    def _flags(self) -> list[str]:
        return [f"--{self.overlay}"] if self.overlay else []

    def files(self) -> list[Path]:
        return compose.files([self.overlay] if self.overlay else [])

    def compose(self, *arguments: str) -> list[str]:
        """The command line of Docker Compose with these files; it runs in `folder`."""
        return ["docker", "compose", *(word for path in self.files() for word in ("--file", path.name)), *arguments]

    def services(self, profiles: Sequence[str] = ()) -> list[str]:
        """Services that can start here: those of these profiles whose images exist."""
        without = () if self.engine.real_images else WITHOUT
        return [
            name
            for name, keys in compose.services(self.files()).items()
            if not keys.get("image", "").startswith(without)
            and (not keys.get("profiles") or set(keys["profiles"]) & set(profiles))
        ]

    def make(self, target: str, *arguments: str, check: bool = True) -> str:
        """Run `make TARGET ARGS=…` in the copy; returns what it printed.

        Raises:
            ServerError: it failed.
        """
        done = self.attempt(target, *arguments)
        if check and done.returncode != 0:
            raise ServerError(
                f"`{' '.join(done.args[4:])}` failed (exit {done.returncode})",
                where=f"docker-compose{self.overlay and '.' + self.overlay}.yml",
                detail=(done.stdout[-1500:] + done.stderr[-3000:]).strip() + self.failures(),
                fix="see the messages above",
            )
        return done.stdout

    def attempt(self, target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `make TARGET ARGS=…` in the copy, whatever comes of it."""
        return subprocess.run(
            self.command(target, *arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, target: str, *arguments: str) -> list[str]:
        """The command line of `make TARGET ARGS=…`."""
        # `-o`: the environment is the clone's, and complete, whatever its age.
        command = ["make", "--no-print-directory", "-o", ".venv/.ready", target]
        return [*command, f"ARGS={' '.join(arguments)}"] if arguments else command

    def build(self) -> None:
        """Build the project's images.

        Raises:
            ServerError: it failed.
        """
        commands.run(
            self.compose("build"),
            "an image could not be built",
            where="deploy/Dockerfile",
            folder=self.folder,
            environment=self.environment,
        )

    def up(self, services: Sequence[str], *, profiles: Sequence[str] = (), scale: str = "") -> None:
        words = [*self._flags, *(word for profile in profiles for word in ("--profile", profile))]
        words += ["--scale", scale] if scale else []
        self.make("compose-up", *words, "--", *services)

    def down(self, *arguments: str) -> None:
        self.make("compose-down", *(["--", *arguments] if arguments else []))

    def status(self) -> list[dict[str, Any]]:
        """One row for each container, as `make compose-status` has it."""
        text = self.make("compose-status", *self._flags, "--json", check=False)
        return list(json.loads(text)) if text.startswith("[") else []

    def settle(self, seconds: float, *, healthy: Sequence[str] = ()) -> None:
        """Wait until `make compose-status` finds everything in order, or these services.

        Raises:
            ServerError: it does not within that time.
        """
        deadline = time.monotonic() + seconds
        while True:
            # `make compose-status` takes a second of one core, which the servers need while they start.
            while self.starting() and time.monotonic() < deadline:
                time.sleep(1)
            rows = [row for row in self.status() if not healthy or row["Service"] in healthy]
            bad = [
                row
                for row in rows
                if not in_order(row) or (row["Service"] == "producer" and row["State"] != "exited")
            ]
            if rows and not bad:
                return
            if time.monotonic() > deadline:
                told = ", ".join(f"{row['Service']}: {row['State']} {row.get('Health') or ''}" for row in bad)
                raise ServerError(
                    f"not in order after {seconds:.0f} s: {told or 'no container exists'}",
                    where="docker compose",
                    detail=self.failures(),
                    fix="see the containers' logs above",
                )
            time.sleep(1)

    def starting(self) -> bool:
        """Whether a container of this daemon has yet to become healthy."""
        states = self.engine.docker("ps", "--all", "--format", "{{.Status}}", check=False)
        return any(word in states for word in ("health: starting", "Restarting", "unhealthy"))

    def failures(self) -> str:
        """The end of the log of each container that is not in order."""
        told = ""
        for row in self.status():
            if not in_order(row):
                done = subprocess.run(
                    ["docker", "logs", "--tail", "12", row["Name"]],
                    env=dict(self.engine.environment),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                told += f"\n{row['Service']} ({row['State']} {row.get('Health') or ''}):\n{done.stdout}{done.stderr}"
        return told[-6000:]

    def container(self, service: str) -> str:
        """Name of the first container of a service."""
        return next(row["Name"] for row in self.status() if row["Service"] == service)

    def outside(self) -> dict[str, str]:
        """Settings with which a client on this machine reaches the servers."""
        secrets, at = self.secrets, self.ports
        secure = self.overlay == "secure"
        found = {
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{at['PORT_BROKER']}",
            "SCHEMA_REGISTRY_URL": f"{'https' if secure else 'http'}://127.0.0.1:{at['PORT_REGISTRY']}",
            "CASSANDRA_HOSTS": f"127.0.0.1:{at['PORT_CASSANDRA']}",
            "CASSANDRA_USERNAME": "pipeline",
            "CASSANDRA_PASSWORD": secrets["DEPLOY_CASSANDRA_PASSWORD"],
            "POSTGRES_DSN": f"postgresql://pipeline:{secrets['DEPLOY_POSTGRES_PASSWORD']}"
            f"@127.0.0.1:{at['PORT_POSTGRES']}/contracts",
        }
        if secure:
            authority = str(self.folder / ".certs" / "ca.pem")
            found |= {
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
                "KAFKA_SASL_USERNAME": "stream",
                "KAFKA_SASL_PASSWORD": secrets["DEPLOY_KAFKA_STREAM_PASSWORD"],
                "KAFKA_SSL_CA_FILE": authority,
                "SCHEMA_REGISTRY_USER": "stream",
                "SCHEMA_REGISTRY_PASSWORD": secrets["DEPLOY_REGISTRY_STREAM_PASSWORD"],
                "SCHEMA_REGISTRY_CA_FILE": authority,
                "CASSANDRA_CA_FILE": authority,
            }
            found["POSTGRES_DSN"] += f"?sslmode=verify-full&sslrootcert={authority}"
        return found

    def reconcile(self, seconds: float) -> dict[str, Any]:
        """Compare topic and stores from outside, until they agree; returns the result.

        Raises:
            ServerError: they do not within that time.
        """
        deadline = time.monotonic() + seconds
        # Views need Java, which is in the container.
        python = str(self.folder / ".venv" / "bin" / "python")
        command = [python, "-m", "streaming", "reconcile", "--no-views", "--json"]
        environment = {**self.environment, **self.outside()}
        if self.overlay == "secure":
            # Cassandra's driver goes on to the address of the container, which no certificate names.
            command = self.compose("--profile", "stream", "run", "--rm", "--no-TTY", "--no-deps")
            command += ["stream", "streaming", "reconcile", "--json"]
        while True:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return dict(json.loads(done.stdout))
            if time.monotonic() > deadline:
                raise ServerError(
                    f"topic and stores differ after {seconds:.0f} s",
                    where="streaming reconcile",
                    detail=(done.stdout[-1500:] + done.stderr[-1500:]) + self.failures(),
                    fix="see the log of the stream",
                )
            time.sleep(4)


def copied(engine: Engine, folder: Path, overlay: str = "", *, project: str = "") -> Project:
    """Copy the clone's files, as git sees them, into `folder`, with free ports in its `.env`.

    Args:
        project: name of the Compose project; by default that of the file.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CLONE,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = CLONE / name, folder / name
        if not os.path.lexists(source):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    link = folder / ".venv"
    link.unlink(missing_ok=True)
    link.symlink_to((CLONE / ".venv").resolve())
    names = sorted({port.variable for port in compose.ports(compose.files(), {}, ["producer", "stream", "console"])})
    picked = ports.pick(names)
    lines = [*(f"{name}={number}" for name, number in picked.items()), f"DEPLOY_DATASOURCE_URL={_SOURCE}"]
    lines += [f"DEPLOY_BUILD_CA={_authority(folder)}", f"# {MARK}"]
    lines += [f"COMPOSE_PROJECT_NAME={project}"] if project else []
    (folder / ".env").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return Project(engine, folder, overlay, picked)


def _authority(folder: Path) -> Path:
    """Write the authorities that builds trust, with a mark by which they would be found in an image."""
    target = folder / "build-ca.pem"
    own = images.authority()
    target.write_text((Path(own).read_text(encoding="utf-8") if own else "") + f"\n# {MARK}\n", encoding="utf-8")
    return target
