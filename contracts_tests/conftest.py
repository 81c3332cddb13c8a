"""Options of the test run, and the check that a complete run skipped nothing.

pytest contracts_tests                  starts its own stack, on free ports, when a test needs one
pytest contracts_tests --use-running    uses the stack that `make up` has started
pytest contracts_tests --complete       fails when tests of a folder did not run (`make test`)
pytest contracts_tests -n 3             runs three lanes in parallel, two of them with a stack (fixtures/lanes.py)
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from contracts_tests.fixtures import examples, lanes, outer_make
from contracts_tests.fixtures.programs import NO_PROGRAM

pytest_plugins = [
    f"contracts_tests.fixtures.{name}"
    for name in (
        *("pipeline", "shared_stack", "big_stack", "repository", "gateway", "confluent", "evolution", "wheel"),
        "preloaded",
    )
]
examples.register()
# Tests in these folders need real servers: a skipped test leaves a server untested.
_NEVER_SKIPPED = ("integration", "e2e")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Fail a test that leaves a signal ignored: every program that a later test starts would ignore it too."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    left = [number for number, was in before.items() if was != signal.getsignal(number) == signal.SIG_IGN]
    for number in left:
        signal.signal(number, before[number])
    assert not left, "restore the signal handlers that the code under test changed, or run it in a separate process"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Take back what a command under test has set up: the log of the next test would go to this one's stderr."""
    configured, handlers = structlog.get_config(), [*logging.root.handlers]
    yield
    structlog.configure(**configured)
    logging.root.handlers[:] = handlers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--use-running", action="store_true", help="use the stack that `make up` has started")
    parser.addoption("--complete", action="store_true", help="fail when the tests of a folder did not run")
    parser.addoption("--record-durations", action="store_true", help=f"write {lanes.DURATIONS.name}")


def pytest_configure() -> None:
    # In the background of a script it is ignored, and every program that a test interrupts would ignore it too.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    outer_make.forget()
    # No test runs a server long enough for Java's second compiler to pay off, and Cassandra would hash the password
    # for a tenth of a second at each connection.
    options = "-XX:TieredStopAtLevel=1 -Dcassandra.auth_bcrypt_gensalt_log2_rounds=4"
    os.environ.setdefault("STACK_JAVA_OPTIONS", options)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> lanes.Lanes:
    # Otherwise xdist sorts the lanes by their number of tests.
    config.option.loadscopereorder = False
    return lanes.Lanes(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lanes.check(items)
    lanes.longest_first(items)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # A single xdist worker does not see all results.
    if hasattr(session.config, "workerinput"):
        return
    if session.config.getoption("--record-durations") and exitstatus == 0:
        stats = session.config.pluginmanager.get_plugin("terminalreporter").stats
        lanes.record(one for found in stats.values() for one in found if isinstance(one, pytest.TestReport))
    if not session.config.getoption("--complete") or exitstatus not in (0, 5):
        return
    problems = incomplete(session)
    if problems:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        for problem in problems:
            reporter.write_line(f"ERROR: {problem}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def incomplete(session: pytest.Session) -> list[str]:
    """Return what a complete run lacks.

    In a complete run each folder has tests that passed, and no test of a real server was skipped.
    """
    stats = session.config.pluginmanager.get_plugin("terminalreporter").stats
    passed = {folder_of(report.nodeid) for report in stats.get("passed", ())}
    folders = {path.relative_to(lanes.TESTS).parts[0] for path in lanes.TESTS.glob("*/**/test_*.py")}
    problems = [f"no test in contracts_tests/{folder} has run" for folder in sorted(folders - passed)]
    for report in stats.get("skipped", ()):
        if folder_of(report.nodeid) in _NEVER_SKIPPED and NO_PROGRAM not in str(report.longrepr):
            problems.append(f"{report.nodeid} was skipped")
    return problems


def folder_of(nodeid: str) -> str:
    return lanes.file_of(nodeid).rpartition("/")[0].partition("/")[0]
