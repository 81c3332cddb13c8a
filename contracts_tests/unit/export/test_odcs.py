"""Contracts exported as Open Data Contract Standard 3.1, validated against the standard's own JSON Schema."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft201909Validator

from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.export import odcs, yaml_out
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_files import CONTRACT, load, record
from contracts_tests.fixtures.nested import values

PLAIN = "topic: orders\nowner: shop\ncompatibility: FULL\n"

STANDARD = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
VALIDATOR = Draft201909Validator(STANDARD)

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


def document(text: str, contract: str = PLAIN) -> dict[str, Any]:
    """The exported document for this value, after a round trip through YAML."""
    found = load(orders__contract_yaml=contract, orders__value_avsc=text).get("orders")
    exported = odcs.of(found, "kafka:9092")
    VALIDATOR.validate(exported)
    again = yaml.safe_load(yaml_out.text(exported))
    assert again == exported
    return again


def fields(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in found["schema"][0]["properties"]}


@pytest.mark.parametrize("kind", KINDS, ids=json.dumps)
def test_every_avro_type_is_exported(kind: Any) -> None:
    [made] = fields(document(value(kind))).values()
    assert made["physicalType"]


def test_every_avro_type_has_a_logical_type() -> None:
    """Every type except null and unions of several types, which the standard cannot express."""
    made = fields(document(value(*KINDS)))
    without = [kind for kind, one in zip(KINDS, made.values(), strict=True) if "logicalType" not in one]
    assert without == ["null", ["null", "string", "int"]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.pop("id"),
        lambda found: found.update(apiVersion="v9.9.9"),
        lambda found: found.update(colour="red"),
        lambda found: found["schema"][0].update(fields=[]),
        lambda found: found["schema"][0]["properties"][0].update(logicalType="decimal"),
        lambda found: found["schema"][0]["properties"][0].update(logicalTypeOptions={"format": "i3"}),
        lambda found: found["schema"][0]["properties"][0].update(primaryKeyPosition="first"),
        lambda found: found["servers"][0].pop("host"),
        lambda found: found["team"].update(leader="shop"),
        lambda found: found["customProperties"][0].pop("value"),
    ],
)
def test_standard_refuses_broken_document(spoil: Callable[[dict[str, Any]], object]) -> None:
    found = document(value("int"))
    spoil(found)
    assert not VALIDATOR.is_valid(found)


@pytest.mark.parametrize("text", ['"string"', '{"type": "array", "items": "long"}', '["null", "int", "string"]'])
def test_value_other_than_record_becomes_one_property(text: str) -> None:
    assert list(fields(document(text))) == ["value"]


def test_export_carries_docs_tags_defaults_and_retention() -> None:
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


TABLES = """\
topic: orders
owner: shop
compatibility: BACKWARD
value: value.avsc
"""
EVENTS = "{table: a, mode: append}"


@pytest.mark.parametrize(
    ("sinks", "key", "wanted"),
    [
        ("{postgres: {table: a, primary_key: [f1, f0]}}", False, {"f1": 1, "f0": 2}),
        ("{cassandra: {keyspace: k, " + EVENTS[1:] + ", postgres: {table: a, primary_key: [f1]}}", False, {"f1": 1}),
        ("{postgres: " + EVENTS + "}", True, {"f0": 1}),
        ("{postgres: " + EVENTS + "}", False, {}),
    ],
)
def test_primary_key_is_that_of_a_table_with_one_or_of_the_topic(
    sinks: str, key: bool, wanted: dict[str, int]
) -> None:
    contract = TABLES + f"sinks: {sinks}\n" + ("key: key.avsc\n" if key else "")
    texts = {"orders__contract_yaml": contract, "orders__value_avsc": value("string", "string")}
    if key:
        texts["orders__key_avsc"] = value("string")
    exported = odcs.of(load(**texts).get("orders"), "kafka:9092")
    VALIDATOR.validate(exported)
    found = {name: one["primaryKeyPosition"] for name, one in fields(exported).items() if one.get("primaryKey")}
    assert found == wanted


RULES = """\
rules:
  - {name: there, field: f0, required: true, description: it is there}
  - {name: form, field: f0, pattern: "[a-z]+"}
  - {name: listed, field: f0, one_of: [a, b]}
  - {name: since, field: f1, min: 2020-01-01}
  - {name: inside, field: f2.a, required: true}
  - {name: both, expression: "f0 is null or f1 is null"}
"""


def test_rules_are_exported_as_quality_of_their_property() -> None:
    inner = {"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "int"]}]}
    text = value(["null", "string"], ["null", {"type": "int", "logicalType": "date"}], inner)
    found = document(text, PLAIN + RULES)
    made = fields(found)
    library = {"type": "library", "mustBe": 0}
    assert made["f0"]["quality"] == [
        {"name": "there", "description": "it is there", "metric": "nullValues", **library},
        {"name": "form", "metric": "invalidValues", "arguments": {"pattern": "[a-z]+"}, **library},
        {"name": "listed", "metric": "invalidValues", "arguments": {"validValues": ["a", "b"]}, **library},
    ]
    custom = {"type": "custom", "engine": "contracts"}
    asked = {"field": "f1", "min": "2020-01-01"}
    assert made["f1"]["quality"] == [{"name": "since", "implementation": asked, **custom}]
    assert "quality" not in made["f2"]
    assert found["schema"][0]["quality"] == [
        {"name": "inside", "implementation": {"field": "f2.a", "required": True}, **custom},
        {"name": "both", "implementation": {"expression": "f0 is null or f1 is null"}, **custom},
    ]


def test_export_handles_200_levels() -> None:
    kind: Any = "string"
    for number in range(200):
        inner = {"type": "record", "name": f"R{number}", "fields": [{"name": "f", "type": kind}]}
        kind = {"type": "array", "items": inner}
    document(value(kind))


def test_export_writes_one_document_per_contract(tmp_path: Path) -> None:
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


def test_contracts_of_this_repository_export_as_valid_documents() -> None:
    assert odcs.API_VERSION in STANDARD["properties"]["apiVersion"]["enum"]
    for contract in loading.load(CLONE / "schemas").contracts.values():
        VALIDATOR.validate(odcs.of(contract))


def test_page_lists_every_logical_type() -> None:
    page = (CLONE / "docs" / "how-to" / "export.md").read_text(encoding="utf-8")
    for name, (logical, _) in odcs.LOGICAL_TYPES.items():
        assert f"| `{name}` | `{logical}` |" in page


def paths(properties: list[dict[str, Any]], around: str = "") -> dict[str, dict[str, Any]]:
    """Every property by its path, as messages write it."""
    found: dict[str, dict[str, Any]] = {}
    for one in properties:
        name = one["name"]
        at = around + name if not around or name[0] in "[{(" else f"{around}.{name}"
        found[at] = one
        found |= paths(one.get("properties", []), at)
        while "items" in one:
            one, at = one["items"], f"{at}[]"
            found[at] = one
            found |= paths(one.get("properties", []), at)
    return found


@given(values(tags=True, depth=5))
@settings(max_examples=examples.of(60), deadline=None)
def test_every_tagged_path_is_in_the_document(kind: Any) -> None:
    found = load(orders__contract_yaml=PLAIN, orders__value_avsc=json.dumps(kind)).get("orders")
    exported = odcs.of(found)["schema"][0]
    root = found.value.schema.root
    start = "" if isinstance(root, Record) else "value"
    by_path = {"": exported, **paths(exported["properties"])}
    for node in found.value.schema.walk():
        at = node.path if not start or not node.path or node.path[0] in "[{(" else f".{node.path}"
        if "confluent:tags" in node.props:
            assert by_path[start + at]["tags"] == ["PII"], (start + at, list(by_path))


@pytest.mark.parametrize("kind", [{}, [], "deep"], ids=["plain", "union", "deep"])
def test_tagged_document_is_valid(kind: Any) -> None:
    """One of each: hypothesis would wait for the validator."""
    card = {"type": "record", "name": "Card", "fields": [{"name": "n", "type": "string", "confluent:tags": ["PII"]}]}
    made: Any = {"type": "map", "values": card} if kind == {} else ["null", card, "string"]
    for number in range(8 if kind == "deep" else 0):
        made = {"type": "record", "name": f"R{number}", "fields": [{"name": "f", "type": made}]}
    found = document(json.dumps(made), PLAIN)
    tagged = [path for path, one in paths(found["schema"][0]["properties"]).items() if one.get("tags") == ["PII"]]
    wanted = {"plain": "value{}.n", "union": "value(Card).n", "deep": "f.f.f.f.f.f.f.f(Card).n"}
    assert tagged == [wanted[kind if kind == "deep" else "union" if kind == [] else "plain"]]


def test_personal_data_of_the_key_is_exported() -> None:
    key = {"type": "record", "name": "K", "fields": [{"name": "email", "type": "string", "confluent:tags": ["PII"]}]}
    contract = PLAIN + "key: key.avsc\n"
    found = load(
        orders__contract_yaml=contract, orders__value_avsc=value("int"), orders__key_avsc=json.dumps(key)
    ).get("orders")
    exported = odcs.of(found)
    VALIDATOR.validate(exported)
    assert [one["physicalType"] for one in exported["schema"]] == ["topic", "topic key"]
    assert exported["schema"][1]["properties"][0]["classification"] == "PII"


def test_type_used_many_times_is_written_once_below_the_levels() -> None:
    """Thirty levels with two uses each are a thousand million paths."""
    kind: Any = "string"
    types = []
    for number in range(30):
        types.append(
            {"type": "record", "name": f"R{number}", "fields": [{"name": one, "type": kind} for one in "ab"]}
        )
        kind = f"R{number}"
    files = {f"types__t{number}_avsc": json.dumps(one) for number, one in enumerate(types)}
    found = load(orders__contract_yaml=PLAIN, orders__value_avsc=value(kind), **files).get("orders")
    assert len(paths(odcs.of(found)["schema"][0]["properties"])) < 1000
