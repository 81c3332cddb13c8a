"""The names of Connect's types become logical types, and nothing else of a schema changes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import connect, parsing
from avro_data_contracts.contracts.avro.nodes import Field, Primitive
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.compat.levels import check

NAMES = [*connect.TYPES, "io.debezium.time.NanoTime", "io.debezium.data.Json", "com.example.Value", "", 5]
LEAVES = st.builds(
    lambda base, name, version: {"type": base, "connect.version": version, "connect.name": name},
    st.sampled_from(["int", "long", "string", "bytes", "double"]),
    st.sampled_from(NAMES),
    st.integers(1, 3),
)


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    records = st.lists(inner, min_size=1, max_size=3).map(
        lambda types: {
            "type": "record",
            "name": "R",
            "fields": [{"name": f"f{number}", "type": kind} for number, kind in enumerate(types)],
        }
    )
    return st.one_of(
        records,
        inner.map(lambda kind: {"type": "array", "items": kind}),
        inner.map(lambda kind: {"type": "map", "values": kind}),
        inner.filter(lambda kind: not isinstance(kind, list)).map(lambda kind: ["null", kind]),
    )


def named(schema: Any, number: list[int]) -> Any:
    """Give each record a name of its own."""
    if isinstance(schema, list):
        return [named(one, number) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: named(one, number) if key in ("type", "items", "values", "fields") else one
        for key, one in schema.items()
    }
    if found["type"] == "record":
        number[0] += 1
        found["name"] = f"R{number[0]}"
    return found


def without_logical_types(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_logical_types(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: without_logical_types(one) for key, one in schema.items() if key != "logicalType"}


@given(st.recursive(LEAVES, around, max_leaves=8).map(lambda schema: named(schema, [0])))
def test_only_logical_types_are_added_and_each_where_its_name_is(schema: Any) -> None:
    raw = parsing.parse(json.dumps(schema))
    typed = connect.typed(raw)
    text = to_json(typed)
    assert without_logical_types(json.loads(text)) == json.loads(to_json(raw))
    assert check(text, [to_json(raw)], "FULL") == []
    assert to_json(connect.typed(typed)) == text
    assert [node.line for node in typed.walk()] == [node.line for node in raw.walk()]
    for node in parsing.parse(text).walk():
        if isinstance(node, Field):
            continue
        base, logical = connect.TYPES.get(node.props.get("connect.name", ""), ("", ""))
        expected = logical if isinstance(node, Primitive) and node.type == base else None
        found = getattr(node, "logical", None)
        assert (found.name if found else None) == expected


def test_named_types_used_by_reference_are_typed_too() -> None:
    inner = {
        "type": "record",
        "name": "In",
        "fields": [{"name": "day", "type": {"type": "int", "connect.name": "io.debezium.time.Date"}}],
    }
    outer = {
        "type": "record",
        "name": "Out",
        "fields": [{"name": "a", "type": inner}, {"name": "b", "type": ["null", "In"]}],
    }
    typed = connect.typed(parsing.parse(json.dumps(outer)))
    (_, second) = typed.named["Out"].fields
    reached = typed.resolve(second.type.branches[1])
    assert reached is typed.named["In"]
    assert reached.by_name["day"].type.logical.name == "date"
