"""Pairs across a change: the contract's half is what Avro's schema resolution makes of the earlier half."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import fastavro
import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.compat.resolution import differences
from avro_data_contracts.contracts.errors import InvalidSchema
from avro_data_contracts.contracts.sample import evolution, versions
from contracts_tests.fixtures import evolution as cases
from contracts_tests.fixtures.sampled import body, contract_of
from contracts_tests.fixtures.type_cases import decimal, fixed, logical, record

HEAD = "topic: t\nowner: o\ncompatibility: NONE\n"


def contract(text: str) -> Contract:
    return loading.from_files({"t/contract.yaml": HEAD, "t/value.avsc": text}, "schemas").get("t")


def read_by_fastavro(before: Contract, after: Contract, data: bytes) -> Any:
    """The value of the base types: fastavro keeps a logical type that the reader does not have."""
    texts = (json.loads(one.value.schema_text.replace("logicalType", "ignored")) for one in (before, after))
    return fastavro.schemaless_reader(io.BytesIO(data), *map(fastavro.parse_schema, texts))


def same(one: Any, other: Any) -> bool:
    """Compare strictly, but fastavro does not round a whole number that is read as a float."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and one == one:
        return one == other or struct.pack("<f", one) == struct.pack("<f", other)
    return repr(one) == repr(other)


def agreed(before: Contract, after: Contract, count: int = 20) -> int:
    """How many pairs fastavro reads as we do; a pair that it reads otherwise fails."""
    found = 0
    for pair in evolution.pairs(before, after, count, 1):
        data = body(before, pair.before)
        if pair.after is None:
            continue
        ours = read_by_fastavro(after, after, body(after, pair.after))
        assert same(ours, read_by_fastavro(before, after, data))
        found += 1
    return found


def _readable() -> list[cases.Case]:
    found = []
    for one in cases.CASES:
        try:
            schemas = [parsing.parse(text) for text in (*one.previous[-1:], one.current)]
        except InvalidSchema:
            continue
        are_records = all(isinstance(each.resolve(each.root), Record) for each in schemas)
        # fastavro passes on defaults that do not fit their type, and refuses a logical type that Avro ignores.
        fits = not one.name.startswith(("valid_default", "logical_type_invalid"))
        if len(schemas) == 2 and are_records and fits and not differences(schemas[1], schemas[0]):
            found.append(one)
    return found


@pytest.mark.parametrize("case", _readable(), ids=repr)
def test_contract_reads_records_as_avro_does(case: cases.Case) -> None:
    found = agreed(contract(case.previous[-1]), contract(case.current))
    # The stream refuses what would be another value.
    assert (found == 0) is (case.name in ("logical_decimal_scale_changed", "logical_millis_to_micros"))


CHANGES: list[tuple[Any, Any]] = [
    ("int", "long"),
    ("int", "double"),
    ("string", "bytes"),
    ("int", ["null", "long", "string"]),
    (["null", "int"], ["string", "null", "int"]),
    (logical("int", "date"), "int"),
    (logical("long", "timestamp-micros"), "long"),
    (decimal(6, 2), "bytes"),
    ({"type": "array", "items": "int"}, {"type": "array", "items": ["null", "long"]}),
    ({"type": "map", "values": record("In", ("a", "int"))}, {"type": "map", "values": record("In", ("a", "float"))}),
    (fixed("Four", 4), ["null", fixed("Four", 4)]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), CHANGES, ids=[json.dumps(one[1])[:40] for one in CHANGES])
def test_promoted_values_are_those_of_avro(old: Any, new: Any) -> None:
    assert agreed(contract_of({"it": old}), contract_of({"it": new})) == 20


def test_new_fields_have_their_defaults_and_old_names_are_found() -> None:
    before = contract(json.dumps(record("Value", ("id", "int"), ("mail", "string"))))
    fields = [
        {"name": "id", "type": "int"},
        {"name": "email", "type": "string", "aliases": ["mail"]},
        {"name": "day", "type": logical("int", "date"), "default": 1},
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": ["a"]},
    ]
    after = contract(json.dumps({"type": "record", "name": "Value", "fields": fields}))
    for pair in evolution.pairs(before, after, 5, 1):
        shown = pair.as_json()
        expected = {"id": shown["before"]["id"], "email": shown["before"]["mail"], "day": "1970-01-02", "tags": ["a"]}
        assert shown == {"before": shown["before"], "after": expected}


def test_unreadable_version_has_no_record_after() -> None:
    [pair] = evolution.pairs(contract_of({"a": "int"}), contract_of({"a": "int", "b": "string"}), 1, 1)
    assert pair.as_json().keys() == {"before", "reason"}
    assert pair.reason == "INCOMPATIBLE_SCHEMA"


def test_other_unit_is_incompatible() -> None:
    kinds = [logical("long", f"timestamp-{unit}") for unit in ("millis", "micros")]
    [pair] = evolution.pairs(contract_of({"a": kinds[0]}), contract_of({"a": kinds[1]}), 1, 1)
    assert pair.reason == "INCOMPATIBLE_SCHEMA"


def test_record_that_breaks_a_rule_of_today_says_so() -> None:
    before, after = contract_of({"a": "int"}), contract_of({"a": "int"}, {"field": "a", "max": -1})
    reasons = {pair.reason for pair in evolution.pairs(before, after, 200, 1)}
    assert reasons == {"RULE:r0", ""}


def test_rules_that_a_version_is_too_old_for_are_left_out() -> None:
    today = contract_of({"a": "int", "b": "int"}, {"field": "a", "min": 0}, {"expression": "a < b"})
    found = versions.at("1", today, contract_of({"a": "int"}).value.schema)
    assert found.left_out == ("r1",)
    assert [rule.name for rule in found.contract.rules] == ["r0"]
