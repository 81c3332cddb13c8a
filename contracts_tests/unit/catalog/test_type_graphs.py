"""Shared types that use each other: every command visits each type once, not once for each path to it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.catalog.loading import Catalog, from_files
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run as checks
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.lint import run as lint
from avro_data_contracts.contracts.masks import plan as plans
from avro_data_contracts.contracts.masks.spec import MaskSpec
from avro_data_contracts.contracts.registry import drift, plan
from avro_data_contracts.contracts.registry.plan import Actual, SubjectState, TopicState
from contracts_tests.fixtures.contract_files import CONTRACT, record

# Each type uses the two before it, so there are more than 10^12 paths: a command that takes all of them never ends.
MANY = 60
FILES = {
    "orders/contract.yaml": CONTRACT,
    "orders/value.avsc": record(("id", "string"), ("last", f"shop.T{MANY - 1}")),
    **{
        f"types/t{number}.avsc": record(
            ("n", "int"),
            *((f"f{one}", f"shop.T{one}") for one in (number - 1, number - 2) if one >= 0),
            name=f"shop.T{number}",
        )
        for number in range(MANY)
    },
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return from_files(FILES, "schemas")


def test_catalog_lists_each_type_once_after_those_it_uses(catalog: Catalog) -> None:
    assert [one.name for one in catalog.types] == [f"shop.T{number}" for number in range(MANY)]
    assert catalog.only(["orders"]).types == catalog.types


def test_lint_visits_each_type_once(catalog: Catalog) -> None:
    assert lint.run(catalog, Texts.of(FILES, "schemas")) is not None


def test_plan_and_drift_visit_each_type_once(catalog: Catalog) -> None:
    subjects = {one.name: SubjectState() for one in (*catalog.types, *catalog.contracts["orders"].subjects)}
    letters = TopicState(1, 1, {"retention.ms": "2592000000"})
    state = Actual(subjects, {"orders": TopicState(1, 1, {}), "orders.dlq": letters})
    missing = [one for one in drift.find(catalog, state, Texts.of(FILES, "schemas")) if one.rule == "SUBJECT_MISSING"]
    assert len(missing) == MANY + 1
    assert len(plan.make(catalog, state).steps) > MANY


def test_check_visits_each_type_once(catalog: Catalog) -> None:
    old = from_files({**FILES, "types/t0.avsc": record(("m", "int"), name="shop.T0")}, "schemas")
    base = Baseline("main", {one.topic: one for one in old.contracts.values()})
    checked = checks.run(catalog, base, {}, Texts.of(FILES, "schemas"), date(2026, 1, 1))
    assert {one.rule for one in checked.findings} >= {"READER_FIELD_MISSING_DEFAULT_VALUE"}


def test_masks_by_tag_have_an_end(catalog: Catalog) -> None:
    tagged = {
        **FILES,
        "types/t0.avsc": FILES["types/t0.avsc"].replace('"name": "n"', '"confluent:tags": ["PII"], "name": "n"'),
    }
    assert tagged != FILES
    value = from_files(tagged, "schemas").contracts["orders"].value.schema
    rule = MaskSpec.model_validate({"tag": "PII", "mask": "redact"})
    assert len(list(plans.masked_fields([rule], value))) == 10_000
    with pytest.raises(ConfigurationError, match="more than 10,000 fields are masked"):
        plans.of([rule], value)
    assert plans.of([rule], catalog.contracts["orders"].value.schema) is None


def test_masks_in_records_that_are_in_each_other_have_an_end() -> None:
    """Few fields are masked, and the ways to them are many."""
    most = 14

    def nested(number: int) -> dict[str, Any]:
        inner = [nested(number + 1)] if number + 1 < most else []
        others = [f"T{one}" for one in range(most) if one not in (number, number + 1)]
        tagged = [{"name": "email", "type": "string", "confluent:tags": ["PII"]}] if number == 0 else []
        fields = [{"name": f"f{at}", "type": ["null", kind]} for at, kind in enumerate([*inner, *others])]
        return {"type": "record", "name": f"T{number}", "fields": [*tagged, *fields]}

    schema = parsing.parse(json.dumps(nested(0)))
    rule = MaskSpec.model_validate({"tag": "PII", "mask": "redact"})
    assert [path for path, _, _ in plans.masked_fields([rule], schema)] == ["email"]
    with pytest.raises(ConfigurationError, match="in each other in more ways"):
        plans.of([rule], schema)
