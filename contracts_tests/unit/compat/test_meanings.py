"""The quick comparison of logical types, which agrees with the full comparison."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.compat import changes, meanings

LEAVES: list[Any] = [
    "int",
    "long",
    "string",
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 3},
]
leaf = st.sampled_from(LEAVES)
nullable = st.one_of(
    leaf,
    leaf.map(lambda one: ["null", one]),
    leaf.map(lambda one: [one, "null"]),
    st.just(["null", "string", {"type": "long", "logicalType": "timestamp-millis"}]),
    st.just(["null", "long", "string"]),
)
kinds = st.one_of(
    nullable,
    nullable.map(lambda one: {"type": "array", "items": one}),
    nullable.map(lambda one: {"type": "map", "values": one}),
)
NAMES = ("a", "b", "c", "d")


@st.composite
def schemas(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    fields: list[dict[str, Any]] = [
        {"name": name, "type": draw(kinds), "aliases": draw(st.lists(st.sampled_from(NAMES), max_size=1))}
        for name in names
    ]
    if draw(st.booleans()):
        inner = [{"name": name, "type": draw(kinds)} for name in ("a", "b")]
        fields.append({"name": "inner", "type": {"type": "record", "name": "Inner", "fields": inner}})
        fields.append({"name": "again", "type": ["null", "Inner"]})
    return json.dumps({"type": "record", "name": "R", "fields": fields})


@given(schemas(), schemas())
def test_quick_comparison_agrees_with_full_comparison(one: str, other: str) -> None:
    old, new = parsing.parse_stored(one), parsing.parse_stored(other)
    told = [change for change in changes.between(old, new) if change.kind in meanings.KINDS]
    found = meanings.between(old, new)
    assert [(c.kind, c.path, c.old, c.new, c.node) for c in found] == [
        (c.kind, c.path, c.old, c.new, c.node) for c in told
    ]


def test_quick_comparison_finds_changed_logical_type() -> None:
    one = parsing.parse_stored('{"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "long"]}]}')
    micros = '["null", {"type": "long", "logicalType": "timestamp-micros"}]'
    other = parsing.parse_stored(f'{{"type": "record", "name": "R", "fields": [{{"name": "a", "type": {micros}}}]}}')
    (change,) = meanings.between(one, other)
    assert (change.kind, change.path, change.new) == (changes.Kind.logical, "a", "timestamp-micros")
