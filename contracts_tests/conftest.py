"""How the tests run, and the promise that a complete run is one.

pytest contracts_tests                  starts a stack of its own, on free ports, when a test asks for it
pytest contracts_tests --use-running    takes the one that `make up` has started
pytest contracts_tests --complete       fails when tests of a folder did not run (`make test`)
pytest contracts_tests -n 2 --dist loadfile --no-loadscope-reorder
                                        two halves side by side, each with a stack of its own
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from contracts_tests.fixtures.programs import NO_PROGRAM

pytest_plugins = [
    f"contracts_tests.fixtures.{name}"
    for name in ("pipeline", "shared_stack", "repository", "gateway", "confluent", "evolution")
]
# The same examples in every run: what fails is the change's doing.  `--hypothesis-profile default` looks for others.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
TESTS = Path(__file__).parent
# Tests in these folders are about real servers: skipping one is not running it.
_NEVER_SKIPPED = ("integration", "e2e")
# The longest first, so that of two workers none is left with a long one at the end.
_ORDER = ("e2e", "integration", "evolution", "fuzz", "unit")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """No test leaves a signal ignored: every program that a later test starts would ignore it, too."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    left = [number for number, was in before.items() if was != signal.getsignal(number) == signal.SIG_IGN]
    for number in left:
        signal.signal(number, before[number])
    assert not left, "restore what the code under test did to signals, or run it in a process of its own"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--use-running", action="store_true", help="take the stack that `make up` has started")
    parser.addoption("--complete", action="store_true", help="fail when the tests of a folder did not run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _ORDER.index(folder_of(item.nodeid)))


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
        if folder_of(report.nodeid) in _NEVER_SKIPPED and NO_PROGRAM not in str(report.longrepr):
            problems.append(f"{report.nodeid} was skipped")
    return problems


def folder_of(nodeid: str) -> str:
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 else ""
