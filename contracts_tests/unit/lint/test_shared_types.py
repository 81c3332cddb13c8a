"""Shared types: what lint finds in them does not depend on the names and the order of the contracts."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.lint import run
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.lint_files import CONTRACT

REASON = "the shop's API has these names"


def record(name: str, *fields: tuple[str, Any], doc: str = "A thing.") -> dict[str, Any]:
    listed = [{"name": field, "type": kind, "doc": "About it."} for field, kind in fields]
    return {"type": "record", "name": name, "namespace": "shop", "doc": doc, "fields": listed}


MONEY = record("Money", ("amountCents", "long"), ("email", "string"))
PRICE = record("Price", ("net", ["null", "shop.Money"]), doc="")
SWITCHES: list[Any] = [
    {},
    {"FIELD_NAME": REASON},
    {"FIELD_NAME": {"severity": "warning", "reason": REASON}},
    {"PII_TAG": {"fields": ["email"], "reason": REASON}},
    {"FIELD_NAME": REASON, "TYPE_DOC": REASON, "PII_TAG": REASON},
]


def texts(contracts: dict[str, tuple[dict[str, Any], str, bool]]) -> dict[str, str]:
    """Contracts by the name of their folder: their `lint:`, the type that they use, and whether they have sinks."""
    found = {f"types/{name}.avsc": json.dumps(one, indent=1) for name, one in (("money", MONEY), ("price", PRICE))}
    for folder, (lint, kind, sinks) in contracts.items():
        stores = {"postgres": {"table": folder, "primary_key": ["id"]}} if sinks else {}
        spec = {**CONTRACT, "topic": f"topic-{folder}", "key": None, "lint": lint, "sinks": stores}
        value = record(f"V{folder}", ("id", "string"), ("it", kind))
        found |= {f"{folder}/contract.yaml": json.dumps(spec), f"{folder}/value.avsc": json.dumps(value)}
    return found


def linted(files: dict[str, str], *names: str) -> tuple[Finding, ...]:
    return run.run(loading.from_files(files, "schemas"), Texts.of(files, "schemas"), names)


def told(found: tuple[Finding, ...], names: dict[str, str]) -> set[tuple[str, ...]]:
    """Findings, with the first names of the contracts in place of those that they have now."""
    back = {new: old for old, new in names.items()}
    return {
        (one.rule, one.severity.value, back.get(one.contract, one.contract), one.path, str(one.line), one.message)
        for one in found
    }


contracts_ = st.lists(
    st.tuples(st.sampled_from(SWITCHES), st.sampled_from(["shop.Money", "shop.Price", "string"]), st.booleans()),
    min_size=1,
    max_size=4,
)


@given(contracts_, st.permutations(["a", "b", "c", "d"]))
@settings(max_examples=examples.of(60), deadline=None)
def test_findings_do_not_depend_on_the_names_of_contracts(listed: list[Any], names: list[str]) -> None:
    first = ["a", "b", "c", "d"][: len(listed)]
    renamed = dict(zip(first, names, strict=False))
    before = linted(texts(dict(zip(first, listed, strict=True))))
    files = texts({renamed[name]: one for name, one in zip(first, listed, strict=True)})
    after = linted(dict(sorted(files.items())))
    assert told(before, {}) == told(after, renamed)


@pytest.mark.parametrize("kind", ["shop.Money", "shop.Price"])
def test_switch_of_any_contract_applies_to_the_type_and_is_used(kind: str) -> None:
    for names in itertools.permutations(["a", "b", "c"]):
        switches = [{"FIELD_NAME": REASON}, {}, {}]
        files = texts({name: (one, kind, True) for name, one in zip(names, switches, strict=True)})
        rules = {one.rule for one in linted(dict(sorted(files.items())))}
        assert not rules & {"FIELD_NAME", "LINT_UNUSED"}
        assert "PII_TAG" in rules


def test_switch_that_no_finding_needs_is_reported_once() -> None:
    files = texts({"a": ({"FIELD_NAME": REASON}, "string", True), "b": ({}, "shop.Money", True)})
    unused = [(one.rule, one.contract) for one in linted(files) if one.rule == "LINT_UNUSED"]
    assert unused == [("LINT_UNUSED", "a")]


def test_finding_in_a_shared_type_belongs_to_the_type() -> None:
    files = texts({"a": ({}, "shop.Money", True), "b": ({}, "shop.Money", True)})
    [one] = [one for one in linted(files) if one.rule == "FIELD_NAME"]
    assert (one.contract, one.subject, one.file) == ("", "shop.Money", "schemas/types/money.avsc")
    assert "amountCents" in files["types/money.avsc"].splitlines()[one.line - 1]


def test_style_is_a_warning_unless_a_contract_with_sinks_uses_the_type() -> None:
    def severity(*sinks: bool) -> str:
        files = texts({name: ({}, "shop.Price", one) for name, one in zip("ab", sinks, strict=False)})
        return next(one.severity.value for one in linted(files) if one.rule == "FIELD_NAME")

    assert [severity(False), severity(False, False), severity(False, True)] == ["warning", "warning", "error"]


@given(contracts_, st.data())
@settings(max_examples=examples.of(40), deadline=None)
def test_lint_of_one_contract_is_a_part_of_the_whole(listed: list[Any], data: Any) -> None:
    files = texts(dict(zip("abcd", listed, strict=False)))
    name = data.draw(st.sampled_from("abcd"[: len(listed)]))
    used = {"string": set(), "shop.Money": {"shop.Money"}, "shop.Price": {"shop.Money", "shop.Price"}}
    types = used[listed["abcd".index(name)][1]]
    whole = [one for one in linted(files) if one.contract == name or (not one.contract and one.subject in types)]
    assert list(linted(files, name)) == whole


def test_rule_is_off_only_for_the_fields_that_are_named() -> None:
    switch = {"FIELD_NAME": {"fields": ["it.camelCase", "gone"], "reason": REASON}}
    files = texts({"a": (switch, "string", True)})
    inner = record("Inner", ("camelCase", "string"), ("otherCase", "string"))
    files["a/value.avsc"] = json.dumps(record("Va", ("id", "string"), ("it", inner)))
    found = linted(files)
    assert [one.path for one in found if one.rule == "FIELD_NAME"] == ["it.otherCase"]
    assert [one.fix for one in found if one.rule == "LINT_UNUSED"] == ["remove gone from `lint:`"]


@pytest.mark.parametrize(
    ("severity", "found"), [("error", "error"), ("warning", "warning"), ("off", None), (False, None)]
)
def test_contract_sets_the_severity_of_a_rule(severity: Any, found: str | None) -> None:
    files = texts({"a": ({"TYPE_DOC": {"severity": severity, "reason": REASON}}, "shop.Price", False)})
    severities = [one.severity.value for one in linted(files) if one.rule == "TYPE_DOC"]
    assert severities == ([found] if found else [])
