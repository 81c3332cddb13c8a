"""A second Compose project and the embedded stack, beside a project that runs."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose import commands
from contracts_tests.compose.project import copied
from contracts_tests.compose.run import STARTS_WITHIN_S, Scenario, registry

_NAME = "second"
# Enough to see that both have topics, schemas and volumes of their own.
_SERVICES = ("broker", "schema-registry", "register-schemas", "postgres")


def beside(scenario: Scenario) -> None:
    """Both start, have data of their own, and end, and the first project does not notice."""
    first, engine = scenario.project, scenario.project.engine
    running, volumes, ids = _running(scenario), _volumes(scenario), scenario.ids()
    folder = Path(tempfile.mkdtemp(prefix="compose-test-second-"))
    folder.chmod(0o755)
    try:
        second = copied(engine, folder, project=_NAME)
        with scenario.step("a second project beside it") as step:
            second.make("compose-env")
            second.up(_SERVICES)
            second.settle(STARTS_WITHIN_S)
            deadline = time.monotonic() + STARTS_WITHIN_S
            # A job that still runs is in order, too.
            while set(subjects := registry(second.outside(), "/subjects", None).json()) != set(ids):
                if time.monotonic() > deadline:
                    raise ServerError(f"its registry has {subjects}", where=_NAME, fix="see its log")
                time.sleep(1)
            step.found = f"{len(second.status())} containers, {len(_volumes(scenario) - volumes)} volumes of its own"
        with scenario.step("the embedded stack beside both"):
            _embedded(scenario, folder / "embedded")
        with scenario.step("the second project is removed") as step:
            second.down("--volumes")
            if second.status():
                raise ServerError("containers are left", where=_NAME, fix="see `docker ps --all`")
            if (_running(scenario), _volumes(scenario), scenario.ids()) != (running, volumes, ids):
                raise ServerError(
                    "containers, volumes or schemas of the first project changed",
                    where="docker",
                    fix="see `docker ps`",
                )
            first.settle(STARTS_WITHIN_S)
            step.found = f"the first has the same {len(running)} containers and {len(volumes)} volumes"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _embedded(scenario: Scenario, folder: Path) -> None:
    python = [sys.executable, "-m", "stack"]
    environment = scenario.project.environment
    for words in (["up", "--ports", "auto"], ["status"], ["down"]):
        commands.run(
            [*python, *words, "--dir", str(folder)],
            f"`python -m stack {words[0]}` failed",
            where="the embedded stack",
            folder=scenario.project.folder,
            environment=environment,
        )


def _running(scenario: Scenario) -> dict[str, str]:
    return {row["Name"]: row["ID"] for row in scenario.project.status() if row["State"] == "running"}


def _volumes(scenario: Scenario) -> set[str]:
    return set(scenario.project.engine.docker("volume", "ls", "--quiet").split())
