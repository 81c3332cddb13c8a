"""The distribution of the tests to parallel workers (fixtures/lanes.py)."""

from __future__ import annotations

import pytest

from contracts_tests.fixtures import lanes

KNOWN = {"integration/run/test_outages.py": 200.0}
STREAM, LONG, CLUSTER, LINT = (
    *("integration/run/test_streaming.py", "integration/run/test_outages.py"),
    *("e2e/test_secure.py", "unit/lint/test_rules.py"),
)


@pytest.mark.parametrize(
    ("queue", "stack", "wanted"),
    [
        ([CLUSTER, STREAM, LINT], True, STREAM),
        ([CLUSTER, STREAM, LINT], False, CLUSTER),
        ([STREAM, LINT], False, LINT),
        ([CLUSTER, LINT], True, CLUSTER),
        ([STREAM], False, None),
        ([LONG, STREAM], False, LONG),
        ([LONG, LINT], False, LINT),
        ([], True, None),
    ],
)
def test_worker_without_stack_leaves_a_few_tests_of_it_to_the_others(
    queue: list[str], stack: bool, wanted: str | None
) -> None:
    assert lanes.next_file(queue, KNOWN, stack=stack) == wanted


def test_files_with_servers_of_their_own_exist() -> None:
    assert [file for file in sorted(lanes.APART) if not (lanes.TESTS / file).is_file()] == []
    assert not any(map(lanes.needs_stack, lanes.APART))
