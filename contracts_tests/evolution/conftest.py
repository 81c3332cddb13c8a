"""Each test that takes a `case` runs once for each case folder."""

from __future__ import annotations

import pytest

from contracts_tests.fixtures.evolution import CASES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=repr)
