"""The servers, as a session fixture; and the promise that a complete run is one.

pytest contracts_tests                  starts a stack of its own, on free ports, when a test asks for it
pytest contracts_tests --use-running    takes the one that `make up` has started
pytest contracts_tests --complete       fails when tests of a folder did not run (`make test`)
pytest contracts_tests -n 2 --dist loadfile --no-loadscope-reorder
                                        two halves side by side, each with a stack of its own
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The same examples in every run: what fails is the change's doing.  `--hypothesis-profile default` looks for others.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
TESTS = Path(__file__).parent
CLONE = TESTS.parent
_STARTING = Path(tempfile.gettempdir(), f"avro-data-contracts-tests-{os.getuid()}.lock")
# Tests in these folders are about real servers: skipping one is not running it.
_NEVER_SKIPPED = ("integration", "e2e")
_NO_PROGRAM = "there is no program here of the name"
# The longest first, so that of two workers none is left with a long one at the end.
_ORDER = ("e2e", "integration", "evolution", "fuzz", "unit")


def program(package: str, *names: str) -> str:
    """Path of a program that no package of Python brings; the test is skipped where there is none.

    Args:
        package: Debian's, that has it.
        names: that it may have.
    """
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{_NO_PROGRAM} {names[0]}: apt-get install {package}")
    return found


@dataclass
class RunningStack:
    """A started stack.

    Args:
        root: the folder it lives in.
    """

    root: Path

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`python -m stack ARGUMENTS` on this stack."""
        return run_stack(self.root, *arguments, check=check)

    @cached_property
    def exports(self) -> dict[str, str]:
        """The variables that `python -m stack env` prints."""
        return dict(re.findall(r"^export (\w+)='(.*)'$", self.run("env").stdout, flags=re.MULTILINE))

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with those variables: for subprocesses."""
        return {**os.environ, **self.exports, "SPARK_SUBMIT_OPTS": self.spark_options}

    @property
    def spark_options(self) -> str:
        """Those of `env`, and the first compiler only: no Spark of a test runs for so long that the second pays."""
        return f"{self.exports.get('SPARK_SUBMIT_OPTS', '')} -XX:TieredStopAtLevel=1"

    @property
    def status(self) -> dict[str, dict[str, Any]]:
        """`status --json`, by name."""
        return {row["name"]: row for row in json.loads(self.run("status", "--json", check=False).stdout)}


def run_stack(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`python -m stack ARGUMENTS --dir ROOT`; a failure shows what it said."""
    command = [sys.executable, "-m", "stack", *arguments, "--dir", str(root)]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        pytest.fail(
            f"python -m stack {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}", pytrace=False
        )
    return done


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--use-running", action="store_true", help="take the stack that `make up` has started")
    parser.addoption("--complete", action="store_true", help="fail when the tests of a folder did not run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _ORDER.index(folder_of(item.nodeid)))


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that is up: all five servers, ready."""
    if request.config.getoption("--use-running"):
        running = RunningStack(Path(os.environ.get("STACK_DIR") or CLONE / ".stack"))
        down = [name for name, row in running.status.items() if not row["ready"]]
        if down:
            pytest.exit(f"--use-running, but not up: {', '.join(down)} (in {running.root}); run `make up`", 3)
        yield running
        return
    with private_stack(tmp_path_factory.mktemp("stack")) as started:
        _teach_spark(started, tmp_path_factory.mktemp("learning"))
        yield started


def _teach_spark(stack: RunningStack, folder: Path) -> None:
    """Streams a little, so that all Sparks of the tests find an archive of classes (stack/jars/classes.py)."""
    from contracts_tests.integration.conftest import made, settings_for
    from contracts_tests.integration.processes import run
    from contracts_tests.integration.users import user

    if "ArchiveClassesAtExit" not in stack.spark_options:
        return
    pipeline = made(settings_for(stack, folder), None, folder)
    schema_id = pipeline.register()
    pipeline.send(*({"value": pipeline.encode(schema_id, user(number))} for number in range(100)), {"value": b"bad"})
    done = run(stack, pipeline, "--available-now")
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 60
    while "ArchiveClassesAtExit" in stack.spark_options:
        assert time.monotonic() < deadline, "Spark has written no archive of its classes"
        time.sleep(1)
        del stack.exports
    # Where `settings_for` has put those that write one: what inherits them would write it again.
    os.environ["SPARK_SUBMIT_OPTS"] = stack.spark_options


class private_stack:  # noqa: N801 - used like a function
    """A stack of one's own on free ports, stopped and removed at the end of a `with` block.

    Args:
        flags: of `up`, where it is to be another one than usual.
    """

    def __init__(self, root: Path, *flags: str) -> None:
        self._stack = RunningStack(root)
        self._flags = flags

    def __enter__(self) -> RunningStack:
        # A port is free until somebody listens: of two stacks that start at once both might choose it.
        with _STARTING.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._stack.run("up", "--ports", "auto", *self._flags)
        return self._stack

    def __exit__(self, *_: object) -> None:
        self._stack.run("down", check=False)
        shutil.rmtree(self._stack.root, ignore_errors=True)


@pytest.fixture(scope="session")
def private(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that a test may kill: never the one that a person has started."""
    if not request.config.getoption("--use-running"):
        yield request.getfixturevalue("stack")
        return
    with private_stack(tmp_path_factory.mktemp("private")) as started:
        yield started


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # A worker of several has no overview.
    if hasattr(session.config, "workerinput"):
        return
    if not session.config.getoption("--complete") or exitstatus not in (0, 5):
        return
    problems = incomplete(session)
    if problems:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        for problem in problems:
            reporter.write_line(f"ERROR: {problem}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def incomplete(session: pytest.Session) -> list[str]:
    """What is lacking for a complete run: each folder with tests had some that passed, none of them skipped where
    that means that a server was not tested."""
    stats = session.config.pluginmanager.get_plugin("terminalreporter").stats
    passed = {folder_of(report.nodeid) for report in stats.get("passed", ())}
    problems = [
        f"no test in contracts_tests/{folder} has run"
        for folder in sorted({path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")} - passed)
    ]
    for report in stats.get("skipped", ()):
        if folder_of(report.nodeid) in _NEVER_SKIPPED and _NO_PROGRAM not in str(report.longrepr):
            problems.append(f"{report.nodeid} was skipped")
    return problems


def folder_of(nodeid: str) -> str:
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 else ""
