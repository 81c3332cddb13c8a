"""`make compose-test`: start docker-compose.yml and its overlays, from nothing, in a Docker daemon of its own.

Stand-ins replace the images that cannot be pulled everywhere; docs/how-to/docker.md says what those are.  It needs
root, and Debian's packages docker.io, iptables and debootstrap.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from avro_data_contracts.deploy.compose import OVERLAYS
from avro_data_contracts.stack.errors import EXIT_OK, ServerError, StackError, exit_code
from contracts_tests.compose import beside, builds, dag, engine, images, mistakes, monitoring, outage, refused
from contracts_tests.compose.engine import Engine
from contracts_tests.compose.look import Watch
from contracts_tests.compose.project import copied
from contracts_tests.compose.report import Report
from contracts_tests.compose.run import Scenario
from contracts_tests.fixtures import outer_make

_EXIT_FINDINGS = 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _builds(scenario: Scenario, *, quick: bool) -> None:
    builds.build(scenario)
    if not quick:
        builds.again(scenario)


def _plain(scenario: Scenario, *, quick: bool) -> None:
    scenario.prepare()
    if not quick:
        mistakes.other_account(scenario)
        mistakes.taken_port(scenario)
        mistakes.interrupted(scenario)
    scenario.start()
    scenario.produce_and_stream()
    if not quick:
        monitoring.loaded(scenario)
        scenario.unchanged()
        beside.beside(scenario)
        scenario.scale()
        outage.kill_each(scenario)
        outage.daemon_restarts(scenario)
        dag.airflow(scenario)
        scenario.again()
    scenario.remove()


def _secure(scenario: Scenario, *, quick: bool) -> None:
    scenario.prepare()
    scenario.start()
    scenario.produce_and_stream()
    refused.refused(scenario)
    if not quick:
        dag.airflow(scenario)
    scenario.remove()


def _zookeeper(scenario: Scenario, *, quick: bool) -> None:
    scenario.prepare()
    scenario.start()
    scenario.produce_and_stream()
    if not quick:
        scenario.again()
    scenario.remove()


_TRIED = {"builds": _builds, "plain": _plain, "secure": _secure, "zookeeper": _zookeeper}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m contracts_tests.compose", description=__doc__)
    parser.add_argument("--only", choices=_TRIED, action="append", help="run only this scenario")
    parser.add_argument("--quick", action="store_true", help="only start, rows in both stores, and removal")
    parser.add_argument(
        "--real-images", action="store_true", help="pull the published images; without it, stand-ins have their names"
    )
    parser.add_argument("--possible", action="store_true", help="only say whether it can run on this machine")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args(argv)
    outer_make.forget()
    return exit_code(lambda: _try(arguments, Report(_say)))


def _try(arguments: argparse.Namespace, report: Report) -> int:
    try:
        with engine.running(real_images=arguments.real_images) as docker:
            if not arguments.possible:
                _run(docker, report, arguments.only or list(_TRIED), quick=arguments.quick)
    except StackError:
        if not report.problems:  # otherwise the report says it
            raise
    finally:
        if report.steps:
            print(json.dumps(report.document(), indent=1) if arguments.json else report.table(), flush=True)
    return _EXIT_FINDINGS if report.problems else EXIT_OK


def _run(docker: Engine, report: Report, scenarios: Sequence[str], *, quick: bool) -> None:
    with report.step("images", "pulled" if docker.real_images else "base and stand-ins") as step:
        step.found = images.make(docker, _say)
    for name in scenarios:
        folder = Path(tempfile.mkdtemp(prefix="compose-test-clone-"))
        # The servers' accounts read the mounted files.
        folder.chmod(0o755)
        watch = Watch(docker)
        watch.start()
        try:
            project = copied(docker, folder, name if name in OVERLAYS else "")
            _TRIED[name](Scenario(name, project, report, watch), quick=quick)
        except ServerError:
            # The report has it if a step failed; the other scenarios still run.
            if not report.problems:
                raise
        finally:
            watch.end()
            report.image_mb |= images.sizes(docker)
            docker.clear()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
