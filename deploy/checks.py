"""What has to be so before `docker compose up`: each check says what is not, and what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy import compose, passwords
from stack import ports
from stack.errors import PortTaken, ServerError, UsageError
from stack.site import CLONE

# The first with `!override` in overlays, and the engine that came out with it.
OLDEST_COMPOSE = (2, 24, 4)
OLDEST_ENGINE = (25, 0)


def before_up(
    paths: Sequence[Path], environment: Mapping[str, str], profiles: Sequence[str], services_up: set[str]
) -> None:
    """All checks that need no Docker but the daemon's own answers.

    Args:
        services_up: services of this project that run already: their ports are theirs.
    Raises:
        UsageError: a variable is missing, a file cannot be read in a container, two services want one port, Docker is
            too old, or has too little memory.
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
            f"Docker has {memory / 2**30:.1f} GiB of memory, the services take {needed / 2**30:.1f} GiB at rest",
            where="docker info",
            fix="give it more (Docker Desktop: Settings, Resources), or start fewer: docker compose up SERVICE...",
        )
    for port in wanted:
        if port.service not in services_up and not ports.is_free(port.number):
            by = ports.holder(port.number)
            raise PortTaken(
                f"port {port.number} is taken" + (f" by {by}" if by else ""),
                where=f"{port.service} {ports.HOST}:{port.number}",
                fix=f"stop what listens there, or set {port.variable} in .env to another",
            )


def readable(sources: Sequence[Path]) -> None:
    """Everybody may read them: containers do not run as whoever made the clone.

    Raises:
        UsageError: one of them is not so, as after `umask 077`.
    """
    for source in sources:
        for path in (source, *(source.rglob("*") if source.is_dir() else ())):
            needed = 0o005 if path.is_dir() else 0o004
            if path.stat().st_mode & needed != needed:
                raise UsageError(
                    "the account in the container may not read it",
                    where=str(path),
                    fix=f"run chmod -R o+rX {CLONE / 'deploy'}",
                )


def apart(wanted: Sequence[compose.Port]) -> None:
    """No port is wanted twice.

    Raises:
        UsageError: two services want the same.
    """
    taken: dict[int, compose.Port] = {}
    for port in wanted:
        other = taken.setdefault(port.number, port)
        if other is not port:
            raise UsageError(
                f"{other.service} and {port.service} both want port {port.number}",
                where=".env",
                fix=f"set {other.variable} or {port.variable} to another",
            )


def client() -> None:
    """The `docker` command is there, with a Compose that knows what the files use.

    Raises:
        UsageError: it is not.
    """
    if shutil.which("docker") is None:
        raise UsageError(
            "there is no `docker` command", fix="install Docker Engine 25 or newer with its Compose plugin"
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
    """The memory that Docker has, in bytes.

    Raises:
        ServerError: the daemon does not answer.
        UsageError: it is too old.
    """
    done = _docker("info", "--format", "{{json .}}")
    try:
        answer = json.loads(done.stdout)
        version, memory = str(answer["ServerVersion"]), int(answer["MemTotal"])
    except (ValueError, KeyError, TypeError):
        raise ServerError(
            "the daemon does not answer",
            where="docker",
            detail=done.stderr.strip()[-500:],
            fix="start it (systemctl start docker, or Docker Desktop); your account needs the group `docker`",
        ) from None
    if done.returncode != 0 or not memory:
        raise ServerError(
            "the daemon does not answer", where="docker", detail=done.stderr.strip()[-500:], fix="see `docker info`"
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
