"""A contract as a document of the Open Data Contract Standard 3.1.

`SHAPE` says, in this project's words, what the standard's own JSON Schema asks of the parts that are written: each
object has no other keys than these.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from contracts import catalog, odcs
from contracts_tests.conftest import CLONE
from contracts_tests.unit.test_catalog import CONTRACT, load, record


def closed(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


STRING = {"type": "string"}
CUSTOM = {"type": "array", "items": closed("property", "value", property=STRING, value={})}
OPTIONS = {
    "string": {"format": STRING},
    "date": {},
    "time": {},
    "timestamp": {"timezone": {"type": "boolean"}, "defaultTimezone": STRING},
    "integer": {"format": {"enum": ["i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"]}},
    "number": {"format": {"enum": ["f32", "f64"]}},
    "object": {},
    "array": {},
    "boolean": {},
}
ELEMENT = {
    "physicalType": STRING,
    "logicalType": {"enum": list(OPTIONS)},
    "logicalTypeOptions": {"type": "object"},
    "properties": {"type": "array", "items": {"$ref": "#/$defs/property"}},
    "items": {"$ref": "#/$defs/item"},
    "customProperties": CUSTOM,
}
PROPERTY = {
    **ELEMENT,
    "name": STRING,
    "description": STRING,
    "required": {"type": "boolean"},
    "primaryKey": {"type": "boolean"},
    "primaryKeyPosition": {"type": "integer", "minimum": 1},
    "tags": {"type": "array", "items": STRING},
    "classification": STRING,
}
BY_TYPE = [
    {
        "if": {"properties": {"logicalType": {"const": name}}, "required": ["logicalType"]},
        "then": {"properties": {"logicalTypeOptions": closed(**options)}},
    }
    for name, options in OPTIONS.items()
] + [
    {
        "if": {"required": [inside]},
        "then": {"properties": {"logicalType": {"const": kind}}, "required": ["logicalType"]},
    }
    for inside, kind in (("properties", "object"), ("items", "array"))
]
SHAPE = {
    **closed(
        *("version", "apiVersion", "kind", "id", "status"),
        version=STRING,
        apiVersion={"const": "v3.1.0"},
        kind={"const": "DataContract"},
        id=STRING,
        name=STRING,
        status={"enum": ["proposed", "draft", "active", "deprecated", "retired"]},
        team=closed(name=STRING),
        description=closed(purpose=STRING),
        servers={
            "type": "array",
            "items": closed(
                *("server", "type", "host"), server=STRING, type={"const": "kafka"}, host=STRING, format=STRING
            ),
        },
        slaProperties={
            "type": "array",
            "items": closed("property", "value", property=STRING, value={"type": "number"}, unit=STRING),
        },
        customProperties=CUSTOM,
        schema={
            "type": "array",
            "items": closed(
                "name",
                name=STRING,
                description=STRING,
                physicalName=STRING,
                physicalType=STRING,
                logicalType={"const": "object"},
                properties=ELEMENT["properties"],
                customProperties=CUSTOM,
            ),
        },
    ),
    "$defs": {
        "property": {**closed("name", **PROPERTY), "allOf": BY_TYPE},
        "item": {**closed(**ELEMENT), "allOf": BY_TYPE},
    },
}
VALIDATOR = Draft201909Validator(SHAPE)

LOGICAL = [
    *(("int", name) for name in ("date", "time-millis")),
    *(("long", f"{zone}timestamp-{unit}") for zone in ("", "local-") for unit in ("millis", "micros", "nanos")),
    *(("long", "time-micros"), ("string", "uuid"), ("bytes", "big-decimal")),
]
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
KINDS: list[Any] = [
    *PRIMITIVES,
    *({"type": base, "logicalType": name} for base, name in LOGICAL),
    {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
    {"type": "fixed", "name": "F", "size": 12},
    {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"},
    {"type": "enum", "name": "E", "symbols": ["A", "B"]},
    {"type": "array", "items": ["null", {"type": "array", "items": "int"}]},
    {"type": "map", "values": {"type": "map", "values": "string"}},
    {"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}},
    ["null", "string", "int"],
    ["null", {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}],
    {"type": "long", "logicalType": "unheard-of"},
]


def value(*kinds: Any) -> str:
    """A record with one field of each kind."""
    return record(*((f"f{number}", kind) for number, kind in enumerate(kinds)))


def document(text: str, contract: str = "topic: orders\nowner: shop\ncompatibility: FULL\n") -> dict[str, Any]:
    """What is exported for this value, after a round through YAML."""
    found = load(orders__contract_yaml=contract, orders__value_avsc=text).get("orders")
    exported = odcs.of(found, "kafka:9092")
    VALIDATOR.validate(exported)
    again = yaml.safe_load(odcs.as_yaml(exported))
    assert again == exported
    return again


def fields(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in found["schema"][0]["properties"]}


@pytest.mark.parametrize("kind", KINDS, ids=json.dumps)
def test_every_avro_type_is_exported(kind: Any) -> None:
    [made] = fields(document(value(kind))).values()
    assert made["physicalType"]


def test_every_avro_type_has_a_logical_type() -> None:
    """But for null and unions of several types, which the standard has no word for."""
    made = fields(document(value(*KINDS)))
    without = [kind for kind, one in zip(KINDS, made.values(), strict=True) if "logicalType" not in one]
    assert without == ["null", ["null", "string", "int"]]


@pytest.mark.parametrize("text", ['"string"', '{"type": "array", "items": "long"}', '["null", "int", "string"]'])
def test_a_value_that_is_no_record(text: str) -> None:
    assert list(fields(document(text))) == ["value"]


def test_what_a_field_says() -> None:
    text = json.dumps(
        {
            "type": "record",
            "name": "shop.Order",
            "doc": "An order.",
            "fields": [
                {"name": "id", "type": "string", "doc": "Its number.", "confluent:tags": ["PII"]},
                {"name": "note", "type": ["null", "string"], "default": None},
            ],
        }
    )
    contract = CONTRACT + "description: Orders.\nkafka: {config: {retention.ms: 86400000}}\n"
    found = document(text, contract)
    assert (found["id"], found["team"]["name"], found["description"]["purpose"]) == ("orders", "shop", "Orders.")
    assert found["slaProperties"] == [{"property": "retention", "value": 1, "unit": "d"}]
    assert found["schema"][0]["description"] == "An order."
    own, note = fields(found).values()
    assert (own["required"], own["primaryKey"], own["tags"]) == (True, True, ["PII"])
    assert (own["description"], own["classification"]) == ("Its number.", "PII")
    assert (note["required"], note["customProperties"]) == (False, [{"property": "default", "value": None}])


def test_a_recursive_type_and_one_of_200_levels_come_to_an_end() -> None:
    kind: Any = "string"
    for number in range(200):
        inner = {"type": "record", "name": f"R{number}", "fields": [{"name": "f", "type": kind}]}
        kind = {"type": "array", "items": inner}
    document(value(kind))


def test_two_contracts_are_two_documents(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "contract.yaml").write_text(f"topic: {name}\nowner: shop\ncompatibility: FULL\n")
        (tmp_path / name / "value.avsc").write_text(record(("id", "string")))
    command = [str(Path(sys.executable).parent / "contracts"), "--schemas", str(tmp_path), "export", "odcs"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [one["id"] for one in yaml.safe_load_all(done.stdout)] == ["one", "two"]
    one = subprocess.run([*command, "--contract", "two"], capture_output=True, text=True, check=True)
    assert yaml.safe_load(one.stdout)["id"] == "two"
    none = subprocess.run([*command, "--contract", "three"], capture_output=True, text=True, check=False)
    assert (none.returncode, "contracts here: one, two" in none.stderr) == (2, True)


def test_this_repository() -> None:
    for contract in catalog.load(CLONE / "schemas").contracts.values():
        VALIDATOR.validate(odcs.of(contract))


def test_the_page_has_the_table_of_types() -> None:
    page = (CLONE / "docs" / "export.md").read_text(encoding="utf-8")
    for name, (logical, _) in odcs.LOGICAL_TYPES.items():
        assert f"| `{name}` | `{logical}` |" in page
