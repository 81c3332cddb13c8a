"""Findings about shared types stand in the file and line of the type, wherever it is used."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.lint import run as lint

ADDRESS: dict[str, Any] = {
    "type": "record",
    "name": "Address",
    "namespace": "shop",
    "fields": [{"name": "street", "type": "string"}, {"name": "kind", "type": "string"}],
}
OTHER = {"type": "record", "name": "Box", "namespace": "shop", "fields": [{"name": "number", "type": "int"}]}
USES: dict[str, Any] = {
    "field": "shop.Address",
    "nullable": ["null", "shop.Address"],
    "union": ["null", OTHER, "shop.Address"],
    "array": {"type": "array", "items": "shop.Address"},
    "map of union": {"type": "map", "values": [OTHER, "shop.Address"]},
    "array in a union": ["null", {"type": "array", "items": "shop.Address"}, OTHER],
}


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    listed = [{"name": name, "type": kind} for name, kind in fields]
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": listed}


def texts(value: Any, address: Any, **more: Any) -> dict[str, str]:
    spec = {"topic": "orders", "owner": "shop", "compatibility": "BACKWARD", **more}
    return {
        "orders/contract.yaml": json.dumps(spec),
        "orders/value.avsc": json.dumps(value, indent=1),
        "types/address.avsc": json.dumps(address, indent=1),
    }


def with_field(**field: Any) -> dict[str, Any]:
    """The address with a field that is new, or other than it was."""
    fields = [one for one in ADDRESS["fields"] if one["name"] != field["name"]]
    return {**ADDRESS, "fields": [*fields, field]}


CHANGES = {
    "READER_FIELD_MISSING_DEFAULT_VALUE": (with_field(name="city", type="string"), '"city"'),
    "TYPE_MISMATCH": (with_field(name="kind", type="int"), '"kind"'),
    "NAME_MISMATCH": ({**ADDRESS, "name": "Place"}, '"Place"'),
    "TAG_REMOVED": (ADDRESS, '"street"'),
}


#: In a union, another name is a missing branch, which is about the union.
CASES = [(rule, use) for rule in CHANGES for use in USES if rule != "NAME_MISMATCH" or use in ("field", "array")]


@pytest.mark.parametrize(("rule", "use"), CASES)
def test_change_of_a_shared_type_has_the_line_of_the_type(rule: str, use: str) -> None:
    after, words = CHANGES[rule]
    kind = USES[use]
    before = json.loads(json.dumps(ADDRESS))
    if rule == "TAG_REMOVED":
        before["fields"][0]["confluent:tags"] = ["PII"]
    name = f"shop.{after['name']}"
    old = texts(record(("it", kind)), before)
    new = texts(json.loads(json.dumps(record(("it", kind))).replace("shop.Address", name)), after)
    base = Baseline("main", {"orders": loading.from_files(old, "schemas").contracts["orders"]})
    found = run.run(
        loading.from_files(new, "schemas"), base, {}, Texts.of(new, "schemas"), date(2026, 6, 1)
    ).findings  # fmt: skip
    [one] = [one for one in found if one.rule == rule]
    assert one.file == "schemas/types/address.avsc"
    lines = new["types/address.avsc"].splitlines()
    around = "\n".join(lines[one.line - 1 : one.line + 3]) if rule == "TAG_REMOVED" else lines[one.line - 1]
    assert words in around


def test_lint_of_a_value_that_is_only_a_name_has_the_line_of_the_type() -> None:
    """COLUMN_NAME and SINK_TYPE are about the contract, and stand in the file of its type."""
    fields = [
        {"name": "kafka_offset", "type": "string"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "big-decimal"}},
        {"name": "id", "type": "string"},
    ]
    sinks = {"postgres": {"table": "orders", "primary_key": ["id"]}}
    files = texts("shop.Address", {**ADDRESS, "fields": fields}, sinks=sinks)
    found = lint.run(loading.from_files(files, "schemas"), Texts.of(files, "schemas"))
    lines = files["types/address.avsc"].splitlines()
    by_rule = {one.rule: one for one in found}
    for rule, words in (("COLUMN_NAME", "kafka_offset"), ("SINK_TYPE", "type")):
        one = by_rule[rule]
        assert (one.file, one.contract) == ("schemas/types/address.avsc", "orders")
        assert words in lines[one.line - 1]


def test_recursion_in_a_shared_type_has_the_line_of_the_type() -> None:
    node = with_field(name="next", type=["null", "Address"])
    sinks = {"postgres": {"table": "orders", "primary_key": ["id"]}}
    files = texts(record(("id", "string"), ("it", ["null", "shop.Address"])), node, sinks=sinks)
    found = lint.run(loading.from_files(files, "schemas"), Texts.of(files, "schemas"))
    [one] = [one for one in found if one.rule == "RECURSIVE_TYPE"]
    assert one.file == "schemas/types/address.avsc"
    assert '"Address"' in files["types/address.avsc"].splitlines()[one.line - 1]
