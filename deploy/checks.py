"""Checks before `docker compose up`; each error says what is wrong and how to fix it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avro_data_contracts.deploy import compose, passwords
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.errors import PortTaken, ServerError, UsageError
from avro_data_contracts.stack.site import CLONE

# The first Compose with `!override` in overlays, and the engine released with it.
OLDEST_COMPOSE = (2, 24, 4)
OLDEST_ENGINE = (20, 10)
# Disk that Docker needs for the images of Confluent and this project and the cache of their build, and afterwards for
# the servers' data.
FIRST_GB, AGAIN_GB = 15, 3
_IMAGE = "avro-data-contracts/airflow"
_SOCKET = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Daemon:
    """What Docker's daemon has.

    Args:
        memory: bytes.
        folder: where its images and volumes are; empty if it does not say.
    """

    memory: int
    folder: str


def before_up(
    paths: Sequence[Path], environment: Mapping[str, str], profiles: Sequence[str], services_up: set[str]
) -> None:
    """Run all checks before a start.

    Args:
        services_up: services of this project that run already, and so hold their own ports.
    Raises:
        UsageError: a variable is missing, a container cannot read a file, two services want the same port, Docker is
            too old, or it has too little memory or disk.
        ServerError: the daemon does not answer, or a port is taken.
    """
    passwords.demand(compose.wanted_variables(paths), environment)
    readable(compose.mounts(paths))
    authority(environment.get("DEPLOY_BUILD_CA", ""))
    wanted = compose.ports(paths, environment, profiles)
    apart(wanted)
    found = daemon()
    memory = found.memory
    needed = compose.needed_bytes(paths, profiles)
    if memory < needed:
        raise UsageError(
            f"Docker has {memory / 2**30:.1f} GiB of memory, but the idle services need {needed / 2**30:.1f} GiB",
            where="docker info",
            fix="give Docker more memory (Docker Desktop: Settings, Resources)",
        )
    room(found.folder)
    for port in wanted:
        if port.service not in services_up and not ports.is_free(port.number):
            by = ports.holder(port.number)
            raise PortTaken(
                f"port {port.number} is taken" + (f" by {by}" if by else ""),
                where=f"{port.service} {ports.HOST}:{port.number}",
                fix=f"stop the program that listens there, or set {port.variable} in .env to another port",
            )


def readable(sources: Sequence[Path]) -> None:
    """Check that every account may read these files, because containers do not run as the owner of the clone.

    Raises:
        UsageError: a file is not readable for all, as after `umask 077`.
    """
    for source in sources:
        for path in (source, *(source.rglob("*") if source.is_dir() else ())):
            needed = 0o005 if path.is_dir() else 0o004
            if path.stat().st_mode & needed != needed:
                raise UsageError(
                    "the container's account may not read this file",
                    where=str(path),
                    fix=f"run `chmod -R o+rX {CLONE / 'deploy'}`",
                )


def authority(path: str) -> None:
    """Check the file with the authority of a proxy that inspects TLS, which builds get as a secret.

    Raises:
        UsageError: it is not a file with a certificate in PEM.
    """
    if not path:
        return
    try:
        text = (CLONE / path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(
            f"the builds cannot read this file: {error.strerror}",
            where=f"DEPLOY_BUILD_CA={path}",
            fix="correct the path in .env, or remove the line if no proxy inspects TLS here",
        ) from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise UsageError(
            "this file has no certificate in PEM",
            where=f"DEPLOY_BUILD_CA={path}",
            fix="convert it: openssl x509 -inform der -in FILE -out ca.pem",
        )


def room(folder: str) -> None:
    """Check that Docker has enough disk, if its folder is on this machine.

    Raises:
        UsageError: it has not.
    """
    try:
        free = shutil.disk_usage(folder).free / 1e9
    except OSError:  # in the virtual machine of Docker Desktop, or on another machine
        return
    needed = AGAIN_GB if _docker("image", "inspect", _IMAGE).returncode == 0 else FIRST_GB
    if free < needed:
        raise UsageError(
            f"{free:.0f} GB are free where Docker keeps images and volumes, and this start needs {needed} GB",
            where=folder,
            fix="remove what Docker does not use (docker system prune), or other files on this disk",
        )


def apart(wanted: Sequence[compose.Port]) -> None:
    """Check that all ports differ.

    Raises:
        UsageError: two services want the same port.
    """
    taken: dict[int, compose.Port] = {}
    for port in wanted:
        other = taken.setdefault(port.number, port)
        if other is not port:
            raise UsageError(
                f"{other.service} and {port.service} both want port {port.number}",
                where=".env",
                fix=f"set {other.variable} or {port.variable} to another port",
            )


def client() -> None:
    """Check that the `docker` command exists, with a Compose that is new enough for the files.

    Raises:
        UsageError: it does not exist, or is too old.
    """
    if shutil.which("docker") is None:
        raise UsageError(
            "the command `docker` was not found", fix="install Docker Engine 25 or newer with its Compose plugin"
        )
    done = _docker("compose", "version", "--short")
    if done.returncode != 0:
        raise UsageError("`docker compose` does not work", where="docker", fix="install Docker's Compose plugin")
    if _version(done.stdout) < OLDEST_COMPOSE:
        raise UsageError(
            f"Docker Compose {done.stdout.strip()} is too old",
            where="docker compose version",
            fix=f"update it to {'.'.join(map(str, OLDEST_COMPOSE))} or newer",
        )


def daemon() -> Daemon:
    """Check Docker's daemon; returns what it has.

    Raises:
        ServerError: the daemon does not answer, or does not answer this account.
        UsageError: the daemon is too old.
    """
    done = _docker("info", "--format", "{{json .}}")
    try:
        answer = json.loads(done.stdout)
        version, memory = str(answer["ServerVersion"]), int(answer["MemTotal"])
    except (ValueError, KeyError, TypeError):
        version, memory, answer = "", 0, {}
    if done.returncode != 0 or not memory:
        host = os.environ.get("DOCKER_HOST") or _SOCKET
        if _closed(host):
            raise ServerError(
                "your account may not use Docker's daemon",
                where=host,
                fix="add it to the group `docker` (sudo usermod -aG docker $USER), and log in again",
            )
        raise ServerError(
            "Docker's daemon does not answer",
            where="docker",
            detail=done.stderr.strip()[-500:],
            fix="start it (systemctl start docker, or Docker Desktop), and see what `docker info` says",
        )
    if _version(version) < OLDEST_ENGINE:
        raise UsageError(
            f"Docker {version} is too old",
            where="docker info",
            fix=f"update it to {'.'.join(map(str, OLDEST_ENGINE))} or newer",
        )
    return Daemon(memory, str(answer.get("DockerRootDir") or ""))


def _closed(host: str) -> bool:
    """Whether a daemon's socket is there, but not for this account."""
    scheme, _, path = host.partition("://")
    try:
        return scheme == "unix" and Path(path).is_socket() and not os.access(path, os.R_OK | os.W_OK)
    except PermissionError:
        return True


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, cwd=CLONE)
