"""`make test` fails if the tests of a folder did not run."""

from __future__ import annotations

import subprocess
import sys

from contracts_tests.fixtures.clone import CLONE


def run(*arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=CLONE, capture_output=True, text=True, check=False)


def test_complete_run_fails_without_the_integration_tests():
    one = "contracts_tests/unit/stack/test_stack_docs.py"
    assert run(one).returncode == 0
    complete = run(one, "--complete")
    assert complete.returncode == 1
    assert "no test in contracts_tests/integration has run" in complete.stdout
    assert "contracts_tests/unit has" not in complete.stdout


def test_make_test_requires_a_complete_run():
    planned = subprocess.run(
        ["make", "--dry-run", "test", "ARGS="], cwd=CLONE, capture_output=True, text=True, check=True
    )
    assert "-m pytest --complete" in planned.stdout
    assert "make test" in (CLONE / ".ci" / "run").read_text()
