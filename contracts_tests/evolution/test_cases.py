"""The case folders, each of which gets the verdict, rules and positions that it expects."""

from __future__ import annotations

from typing import Any

import pytest

from avro_data_contracts.contracts.compat import resolution
from avro_data_contracts.contracts.compat.levels import LEVELS, check
from avro_data_contracts.contracts.errors import InvalidSchema


def test_case_gets_expected_verdict_and_violations(case: Any) -> None:
    expected = case.expected
    if expected["verdict"] == "invalid":
        with pytest.raises(InvalidSchema) as refused:
            check(case.current, case.previous, expected["level"])
        assert (refused.value.path, refused.value.line) == (expected["path"], expected["line"])
        assert refused.value.fix
        return
    violations = check(case.current, case.previous, expected["level"])
    found = [
        {"rule": one.rule, "path": one.path, "direction": one.direction, "version": one.version} for one in violations
    ]
    assert found == expected.get("violations", [])
    assert bool(found) == (expected["verdict"] == "incompatible")
    lines = case.current.count("\n") + 1
    for one in violations:
        assert one.message
        assert one.fix
        assert 1 <= one.line <= lines
        assert one.column >= 1


def test_case_is_accepted_at_exactly_the_expected_levels(case: Any) -> None:
    if case.expected["verdict"] == "invalid":
        for level in LEVELS:
            with pytest.raises(InvalidSchema):
                check(case.current, case.previous, level)
        return
    accepted = [level for level in LEVELS if not check(case.current, case.previous, level)]
    assert accepted == case.expected["accepted_at"]


def test_every_rule_and_promotion_has_a_case(cases: list[Any]) -> None:
    rules = {(one["rule"], one["direction"]) for case in cases for one in case.expected.get("violations", ())}
    names = {
        resolution.NAME_MISMATCH,
        resolution.FIXED_SIZE_MISMATCH,
        resolution.MISSING_ENUM_SYMBOLS,
        resolution.READER_FIELD_MISSING_DEFAULT_VALUE,
        resolution.TYPE_MISMATCH,
        resolution.MISSING_UNION_BRANCH,
        resolution.READER_FIELD_MATCHES_SEVERAL,
    }
    assert {rule for rule, _ in rules} == names
    assert {case.expected["level"] for case in cases} == set(LEVELS)
    folders = {case.name for case in cases}
    for wide, narrow in resolution.PROMOTIONS.items():
        assert {f"promotion_{one}_to_{wide}" for one in narrow} <= folders


def test_expected_yaml_says_what_the_case_shows(case: Any) -> None:
    known = {"why", "level", "verdict", "violations", "accepted_at", "path", "line"}
    assert set(case.expected) <= known
    assert case.expected["why"].endswith(".")
