"""Passwords of `.env` where they should not be: other containers, command lines, labels, logs, image history."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from contracts_tests.compose.project import Project

# The environment and the command line of a process, below /proc/PID.
_OF_PROCESS = ("environ", "cmdline")
_PROCESSES = "the environment of a process"


def found(
    project: Project, containers: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], wanted: Mapping[str, Any]
) -> list[str]:
    """What is told about each password that is where it should not be.

    Args:
        containers: row of `compose-status` and answer of `docker inspect`, for each container.
        wanted: keys of each service in the compose files.
    """
    secrets = of(project.secrets)
    told, images = [], set()
    for row, facts in containers:
        service = row["Service"]
        allowed = allowed_in(wanted[service].get("environment") or {}, secrets)
        mounted = set(wanted[service].get("secrets") or ())
        places = of_container(facts)
        if row["State"] == "running":
            places |= _of_processes(project, row["Name"])
        places["its log"] = _log(project, row["Name"])
        told += [f"{service}: {place} has {name}" for place, name in misplaced(places, secrets, allowed, mounted)]
        images.add(facts["Config"]["Image"])
    for image in sorted(images):
        history = project.engine.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
        told += [
            f"{image}: {place} has {name}" for place, name in misplaced({"its history": history}, secrets, set())
        ]
    return told


def of(variables: Mapping[str, str]) -> dict[str, str]:
    """The passwords among the variables of `.env`."""
    return {
        name: value
        for name, value in variables.items()
        if name.startswith("DEPLOY_") and not name.endswith(("_CLUSTER_ID", "_URL", "_CA"))
    }


def allowed_in(environment: Mapping[str, Any], secrets: Mapping[str, str]) -> set[str]:
    """The passwords that the compose files put into a service's environment."""
    text = json.dumps(environment)
    return {name for name in secrets if f"{{{name}:" in text or f"{{{name}}}" in text}


def of_container(facts: Mapping[str, Any]) -> dict[str, str]:
    """The texts in `docker inspect` that can have a password, by what they are."""
    configured = facts["Config"]
    return {
        "its environment": "\n".join(configured["Env"] or []),
        "its command line": json.dumps(
            [facts["Path"], facts["Args"], configured.get("Cmd"), configured["Entrypoint"]]
        ),
        "its health check": json.dumps(configured.get("Healthcheck")),
        "a label": json.dumps(configured.get("Labels")),
    }


def misplaced(
    places: Mapping[str, str], secrets: Mapping[str, str], allowed: set[str], mounted: Collection[str] = ()
) -> Iterable[tuple[str, str]]:
    """Place and name of each password that is in a place where it is not allowed.

    Args:
        allowed: those that the service has in its environment, because its image takes them only from there.
        mounted: those that it has as files; a program of its own may hand them on in the environment of a process.
    """
    for place, text in places.items():
        permitted = allowed if "environment" in place else set()
        if place == _PROCESSES:
            permitted = {*allowed, *mounted}
        yield from ((place, name) for name, value in secrets.items() if value in text and name not in permitted)


def _of_processes(project: Project, container: str) -> dict[str, str]:
    """Environment and command line of each process of a container, as the host sees them."""
    listed = project.engine.docker("top", container, "-eo", "pid", check=False).split()[1:]
    texts: dict[str, list[str]] = {kind: [] for kind in _OF_PROCESS}
    for pid in listed:
        for kind in _OF_PROCESS:
            try:
                texts[kind].append(Path("/proc", pid, kind).read_text(encoding="utf-8", errors="replace"))
            except OSError:  # it has ended
                continue
    return {
        _PROCESSES: "\n".join(texts["environ"]),
        "the command line of a process": "\n".join(texts["cmdline"]),
    }


def _log(project: Project, container: str) -> str:
    done = subprocess.run(
        ["docker", "logs", container],
        env=dict(project.engine.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    return done.stdout.decode(errors="replace")
