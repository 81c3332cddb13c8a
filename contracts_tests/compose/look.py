"""What Docker says about the containers: accounts, limits, secrets, and times."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from avro_data_contracts.deploy import compose
from contracts_tests.compose import leaks
from contracts_tests.compose.engine import Engine
from contracts_tests.compose.project import Project
from contracts_tests.compose.report import Service
from contracts_tests.fixtures.compose_files import merged

_OURS = ("pipeline", "spark", "airflow")


def services(project: Project, scenario: str, watch: Watch) -> list[Service]:
    """State, health and memory of each container."""
    used = _memory(project.engine)
    found = []
    for row, facts in inspected(project):
        state = f"exit {row['ExitCode']}" if row["State"] == "exited" else row["State"]
        limit = facts["HostConfig"]["Memory"] // 2**20
        found.append(
            Service(
                scenario,
                row["Service"],
                state,
                row.get("Health") or "",
                watch.ready_after(facts),
                used.get(row["Name"], 0),
                limit,
            )
        )
    return found


def inspected(project: Project) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each container's row of `compose-status`, and what `docker inspect` says about it."""
    rows = project.status()
    facts = json.loads(project.engine.docker("inspect", *(row["Name"] for row in rows)))
    return list(zip(rows, facts, strict=True))


def restarts(project: Project) -> list[str]:
    """Containers that needed more than one start."""
    return [
        f"{row['Service']}: it was started {facts['RestartCount'] + 1} times"
        for row, facts in inspected(project)
        if facts["RestartCount"]
    ]


def faults(project: Project) -> list[str]:
    """What about the containers is not as the compose files and docs/how-to/docker.md say."""
    wanted = merged(*filter(None, [project.overlay]))
    told = []
    for row, facts in inspected(project):
        name, keys, host = row["Service"], wanted[row["Service"]], facts["HostConfig"]
        told += [f"{name}: {problem}" for problem in _faults_of(keys, facts, host)]
        if row["State"] == "running" and name != "certificates":
            # The uid of every process, as the host sees it.
            uids = {
                line.split()[0]
                for line in project.engine.docker("top", row["Name"], "-eo", "uid,pid").splitlines()[1:]
            }
            if "0" in uids:
                told.append(f"{name}: a process runs as root")
            if keys.get("read_only") and _writes(project, row["Name"]):
                told.append(f"{name}: root can write into its file system")
    return [*told, *leaks.found(project, inspected(project), wanted)]


def _writes(project: Project, container: str) -> bool:
    """Whether the owner of the container's root folder can make a file there."""
    probe = ["sh", "-c", "touch /written 2>/dev/null && echo yes"]
    return bool(project.engine.docker("exec", "--user", "0", container, *probe, check=False).strip())


def _faults_of(keys: Mapping[str, Any], facts: Mapping[str, Any], host: Mapping[str, Any]) -> list[str]:
    found = []
    if host["Memory"] != compose.in_bytes(keys["mem_limit"]):
        found.append(f"its memory limit is {host['Memory']}")
    if host["ReadonlyRootfs"] != bool(keys.get("read_only")):
        found.append(f"its file system is {'read-only' if host['ReadonlyRootfs'] else 'writable'}")
    if host["CapDrop"] != ["ALL"] or "no-new-privileges:true" not in host["SecurityOpt"]:
        found.append("it has privileges")
    if host["LogConfig"] != {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}:
        found.append(f"its log is not rotated: {host['LogConfig']}")
    if facts["State"].get("OOMKilled"):
        found.append("it was killed for its memory")
    for ports in (host["PortBindings"] or {}).values():
        if any(port["HostIp"] != "127.0.0.1" for port in ports):
            found.append(f"it is reachable from outside: {ports}")
    return found


class Watch(threading.Thread):
    """Notes when each container is seen healthy for the first time; Docker itself remembers five checks only."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._ended = threading.Event()
        self._seen: dict[str, datetime] = {}

    def run(self) -> None:
        while not self._ended.wait(1):
            healthy = self._engine.docker(
                "ps", "--filter", "health=healthy", "--no-trunc", "--format", "{{.ID}}", check=False
            )
            for container in healthy.split():
                self._seen.setdefault(container, datetime.now(UTC))

    def end(self) -> None:
        self._ended.set()
        self.join()

    def ready_after(self, facts: Mapping[str, Any]) -> float | None:
        """Seconds until the container was healthy, or had ended; None if neither was seen."""
        state = facts["State"]
        at = _time(state["FinishedAt"]) if state["Status"] == "exited" else self._seen.get(facts["Id"])
        return round((at - _time(state["StartedAt"])).total_seconds(), 1) if at else None


def _time(text: str) -> datetime:
    # Docker has nanoseconds, and the local zone in health checks.
    head, _, rest = text.partition(".")
    digits = rest.rstrip("Z").split("+")[0].split("-")[0]
    zone = rest[len(digits) :].replace("Z", "") or "+00:00"
    return datetime.fromisoformat(f"{head}.{digits[:6]:0<6}{zone}")


def _memory(engine: Engine) -> dict[str, int]:
    """MB in use, by the container's name."""
    units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    found = {}
    for line in engine.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines():
        name, used = line.split()[:2]
        unit = used[-3:]
        found[name] = round(float(used[:-3]) * units[unit]) if unit in units else 0
    return found
