"""The fix that a message proposes for a common mistake: written in place of the mistake, it is a valid schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.logical import BASES
from avro_data_contracts.contracts.avro.nodes import Array, Map, Union
from avro_data_contracts.contracts.errors import InvalidSchema


def refused(field: Any) -> InvalidSchema:
    with pytest.raises(InvalidSchema) as caught:
        parsing.parse(json.dumps(around(field)))
    return caught.value


def around(field: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "namespace": "a.b", "fields": [field]}


def proposed(error: InvalidSchema) -> Any:
    """The JSON that the fix proposes."""
    text = error.fix.removeprefix("write ").removeprefix('"type": ')
    return json.JSONDecoder().raw_decode(text)[0]


#: A word in the place of a type -> base type, logical type.
WORDS = {
    **{name: (base, name) for name, base in BASES.items()},
    **{name.replace("-", "_"): (base, name) for name, base in BASES.items()},
    "timestamp": ("long", "timestamp-millis"),
    "Timestamp": ("long", "timestamp-millis"),
    "datetime": ("long", "timestamp-millis"),
    "DateTime": ("long", "timestamp-millis"),
    "time": ("int", "time-millis"),
    "Date": ("int", "date"),
    "UUID": ("string", "uuid"),
    "guid": ("string", "uuid"),
    "BigDecimal": ("bytes", "decimal"),
    "timestamp-milis": ("long", "timestamp-millis"),
    "integer": ("int", None),
    "Integer": ("int", None),
    "int32": ("int", None),
    "bigint": ("long", None),
    "Long": ("long", None),
    "bool": ("boolean", None),
    "Boolean": ("boolean", None),
    "String": ("string", None),
    "str": ("string", None),
    "text": ("string", None),
    "byte": ("bytes", None),
    "Double": ("double", None),
    "number": ("double", None),
    "float64": ("double", None),
    "strng": ("string", None),
}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("place", ["field", "object", "union", "items", "values", "deep union"])
def test_word_for_a_type_is_replaced_by_what_is_meant(word: str, place: str) -> None:
    def placed(kind: Any) -> Any:
        return {
            "field": kind,
            "object": {"type": kind} if isinstance(kind, str) else kind,
            "union": ["null", kind],
            "items": {"type": "array", "items": kind},
            "values": {"type": "map", "values": kind},
            "deep union": {"type": "array", "items": ["null", kind]},
        }[place]

    error = refused({"name": "f", "type": placed(word)})
    node = parsing.parse(json.dumps(around({"name": "f", "type": placed(proposed(error))}))).root.fields[0].type
    while isinstance(node, (Union, Array, Map)):
        node = node.branches[1] if isinstance(node, Union) else node.items if isinstance(node, Array) else node.values
    base, logical = WORDS[word]
    assert node.type == base
    assert getattr(node.logical, "name", None) == logical


@pytest.mark.parametrize(
    ("attributes", "meant"),
    [
        ({"type": ["null", "array"], "items": "string"}, ["null", {"type": "array", "items": "string"}]),
        ({"type": ["array", "null"], "items": "string"}, [{"type": "array", "items": "string"}, "null"]),
        ({"type": ["null", "map"], "values": "long"}, ["null", {"type": "map", "values": "long"}]),
        (
            {"type": ["null", "enum"], "name": "E", "symbols": ["A"]},
            ["null", {"type": "enum", "name": "E", "symbols": ["A"]}],
        ),
        ({"type": ["null", "fixed"], "name": "F", "size": 2}, ["null", {"type": "fixed", "name": "F", "size": 2}]),
        (
            {"type": ["null", "record"], "name": "I", "fields": []},
            ["null", {"type": "record", "name": "I", "fields": []}],
        ),
        (
            {"type": ["null", "long"], "logicalType": "timestamp-millis"},
            ["null", {"type": "long", "logicalType": "timestamp-millis"}],
        ),
        (
            {"type": ["null", "bytes"], "logicalType": "decimal", "precision": 9, "scale": 3},
            ["null", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}],
        ),
        (
            {"type": ["null", "decimal"], "precision": 9, "scale": 3},
            ["null", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}],
        ),
        ({"type": ["null", "string"], "default": None}, ["null", "string"]),
        ({"type": ["null", "string"]}, ["null", "string"]),
        ({"type": {"type": "array", "items": "int"}}, {"type": "array", "items": "int"}),
        ({"type": {"type": "long"}, "logicalType": "date"}, {"logicalType": "date", "type": "long"}),
        (
            {"type": "decimal", "precision": 9},
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        ),
    ],
)
def test_attribute_in_the_wrong_object_moves_to_its_type(attributes: dict[str, Any], meant: Any) -> None:
    fixed = proposed(refused({"name": "f", "type": attributes}))
    assert fixed == meant
    parsing.parse(json.dumps(around({"name": "f", "type": fixed})))


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ({"type": "array", "items": "string"}, {"type": "array", "items": "string"}),
        ({"type": "map", "values": "string"}, {"type": "map", "values": "string"}),
        ({"type": ["null", "array"], "items": "string"}, ["null", {"type": "array", "items": "string"}]),
        ({"type": "enum", "symbols": ["A"]}, {"type": "enum", "name": "HomeTown", "symbols": ["A"]}),
        ({"type": "record", "fields": []}, {"type": "record", "name": "HomeTown", "fields": []}),
        ({"type": ["null", "fixed"], "size": 3}, ["null", {"type": "fixed", "name": "HomeTown", "size": 3}]),
        (
            {"type": "decimal", "precision": 4, "scale": 1},
            {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1},
        ),
    ],
)
def test_attribute_of_a_field_moves_to_its_type(field: dict[str, Any], meant: Any) -> None:
    fixed = proposed(refused({"name": "home_town", **field}))
    assert fixed == meant
    parsing.parse(json.dumps(around({"name": "home_town", "type": fixed})))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("array<string>", {"type": "array", "items": "string"}),
        ("List<Integer>", {"type": "array", "items": "int"}),
        ("string[]", {"type": "array", "items": "string"}),
        ("date[]", {"type": "array", "items": {"type": "int", "logicalType": "date"}}),
        ("map<string, long>", {"type": "map", "values": "long"}),
        ("map<array<bool>>", {"type": "map", "values": {"type": "array", "items": "boolean"}}),
        ("string?", ["null", "string"]),
        ("decimal(9,3)", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}),
        ("Decimal(9)", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 0}),
        (None, "null"),
    ],
)
def test_type_of_another_language_is_replaced(written: str | None, meant: Any) -> None:
    fixed = proposed(refused({"name": "f", "type": written}))
    assert fixed == meant
    parsing.parse(json.dumps(around({"name": "f", "type": fixed})))


@pytest.mark.parametrize("name", ["com.other.Thing", "Thing", "date.Thing"])
def test_unknown_name_proposes_no_other_type(name: str) -> None:
    error = refused({"name": "f", "type": name})
    assert "define it" in error.fix
    assert "write" not in error.fix


def test_proposal_for_a_type_with_nothing_in_it_shows_what_is_missing() -> None:
    assert refused({"name": "f", "type": "array"}).fix == 'write "type": {"type": "array", "items": ...}'
    assert refused({"name": "f", "type": {"type": ["null", "int", "string"], "size": 3}}).fix.startswith("replace")


def test_proposal_stays_short_for_huge_input() -> None:
    fields = [{"name": f"f{number}", "type": "int"} for number in range(5000)]
    assert len(refused({"name": "f", "type": {"type": ["null", "record"], "name": "I", "fields": fields}}).fix) < 500
