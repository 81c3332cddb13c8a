"""Checks before `docker compose up`; each error says what is wrong and how to fix it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from avro_data_contracts.deploy import compose, passwords
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.errors import PortTaken, ServerError, UsageError
from avro_data_contracts.stack.site import CLONE

# The first Compose with `!override` in overlays, and the engine released with it.
OLDEST_COMPOSE = (2, 24, 4)
OLDEST_ENGINE = (20, 10)


def before_up(
    paths: Sequence[Path], environment: Mapping[str, str], profiles: Sequence[str], services_up: set[str]
) -> None:
    """Run all checks before a start.

    Args:
        services_up: services of this project that run already, and so hold their own ports.
    Raises:
        UsageError: a variable is missing, a container cannot read a file, two services want the same port, Docker is
            too old, or it has too little memory.
        ServerError: the daemon does not answer, or a port is taken.
    """
    passwords.demand(compose.wanted_variables(paths), environment)
    readable(compose.mounts(paths))
    wanted = compose.ports(paths, environment, profiles)
    apart(wanted)
    memory = daemon()
    needed = compose.needed_bytes(paths, profiles)
    if memory < needed:
        raise UsageError(
            f"Docker has {memory / 2**30:.1f} GiB of memory, but the idle services need {needed / 2**30:.1f} GiB",
            where="docker info",
            fix="give Docker more memory (Docker Desktop: Settings, Resources), or start fewer services: "
            "docker compose up SERVICE...",
        )
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


def daemon() -> int:
    """Check Docker's daemon; returns the memory that it has, bytes.

    Raises:
        ServerError: the daemon does not answer.
        UsageError: the daemon is too old.
    """
    done = _docker("info", "--format", "{{json .}}")
    try:
        answer = json.loads(done.stdout)
        version, memory = str(answer["ServerVersion"]), int(answer["MemTotal"])
    except (ValueError, KeyError, TypeError):
        raise ServerError(
            "Docker's daemon does not answer",
            where="docker",
            detail=done.stderr.strip()[-500:],
            fix="start it (systemctl start docker, or Docker Desktop); your account must be in the group `docker`",
        ) from None
    if done.returncode != 0 or not memory:
        raise ServerError(
            "Docker's daemon does not answer",
            where="docker",
            detail=done.stderr.strip()[-500:],
            fix="see what `docker info` says",
        )
    if _version(version) < OLDEST_ENGINE:
        raise UsageError(
            f"Docker {version} is too old",
            where="docker info",
            fix=f"update it to {'.'.join(map(str, OLDEST_ENGINE))} or newer",
        )
    return memory


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, cwd=CLONE)
