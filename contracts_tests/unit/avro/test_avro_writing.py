"""Schemas written as text: self-contained, and with one normal form for each meaning."""

from __future__ import annotations

import json

import pytest

from avro_data_contracts.contracts.avro.parsing import normalise, parse, to_json

ADDRESS = '{"type": "record", "name": "a.Address", "fields": [{"name": "city", "type": "string"}]}'
BASE = {
    "type": "record",
    "name": "User",
    "namespace": "n",
    "doc": "d",
    "aliases": ["A", "B"],
    "fields": [
        {"name": "id", "type": {"type": "long", "logicalType": "timestamp-millis", "x": 1}, "doc": "d"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["X", "Y"], "default": "X"}},
        {"name": "next", "type": ["null", "User"], "default": None},
    ],
}


MOVED = '"x": 1, "logicalType": "timestamp-millis"'


def changed(**values: object) -> dict:
    return {**json.loads(json.dumps(BASE)), **values}


def test_to_json_inlines_types_of_other_schemas() -> None:
    address = parse(ADDRESS)
    user = parse(
        '{"type": "record", "name": "n.User", "fields": [{"name": "home", "type": "a.Address"},'
        ' {"name": "work", "type": ["null", "a.Address"]}]}',
        named=address.named,
    )
    assert json.loads(to_json(user)) == {
        "type": "record",
        "name": "User",
        "namespace": "n",
        "fields": [
            {
                "name": "home",
                "type": {
                    "type": "record",
                    "name": "Address",
                    "namespace": "a",
                    "fields": [{"name": "city", "type": "string"}],
                },
            },
            {"name": "work", "type": ["null", "a.Address"]},
        ],
    }
    outside = json.loads(to_json(user, inline=False))
    assert [field["type"] for field in outside["fields"]] == ["a.Address", ["null", "a.Address"]]


def test_to_json_preserves_meaning() -> None:
    text = json.dumps(BASE)
    assert normalise(to_json(parse(text))) == normalise(text) == normalise(normalise(text))
    assert json.loads(to_json(parse(text))) == BASE


def test_to_json_keeps_full_name_where_short_name_is_ambiguous() -> None:
    text = (
        '[{"type": "fixed", "name": "A", "size": 4},'
        ' {"type": "record", "name": "n.A", "fields": [{"name": "f", "type": ["null", "n.A"]}]}]'
    )
    written = to_json(parse(text))
    assert '"n.A"' in written
    assert normalise(written) == normalise(text)


def test_to_json_preserves_nan_and_infinity_defaults() -> None:
    fields = [{"name": name, "type": "double", "default": name} for name in ("NaN", "Infinity")]
    text = json.dumps(changed(fields=fields))
    assert normalise(to_json(parse(text))) == normalise(text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(BASE, indent=3, sort_keys=True),
        json.dumps(changed(aliases=["n.B", "A"])),
        json.dumps({key: value for key, value in changed(name="n.User").items() if key != "namespace"}),
        json.dumps(BASE).replace('"User"]', '"n.User"]').replace('"name": "Kind"', '"name": "n.Kind"'),
        json.dumps(BASE).replace('"logicalType": "timestamp-millis", ', '').replace('"x": 1', MOVED),
        "/* the same */ " + json.dumps(BASE),
    ],
)  # fmt: skip
def test_normalise_treats_equivalent_spellings_as_equal(text: str) -> None:
    assert normalise(text) == normalise(json.dumps(BASE))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"doc": "d"', '"doc": "e"'),
        ('"doc": "d", ', ""),
        ('["A", "B"]', '["A"]'),
        ('"x": 1', '"x": 1.0'),
        ('"x": 1', '"x": true'),
        ('"default": null', '"default": null, "order": "ignore"'),
        (', "default": null', ""),
        ('["X", "Y"]', '["Y", "X"]'),
        (', "default": "X"', ""),
        ('["null", "User"], "default": null', '["User", "null"], "default": null'),
        ('"namespace": "n"', '"namespace": "m"'),
    ],
)
def test_normalise_keeps_differences_that_make_a_new_version(before: str, after: str) -> None:
    text = json.dumps(BASE)
    assert before in text
    assert normalise(text.replace(before, after)) != normalise(text)


IN = {"type": "record", "name": "In", "fields": [{"name": "d", "type": "double"}, {"name": "i", "type": "int"}]}


@pytest.mark.parametrize(
    ("kind", "whole", "written"),
    [
        ("double", 1, 1.0),
        ("float", -3, -3.0),
        ("double", 0, 0.0),
        ("double", 10**300, 1e300),
        (["double", "null"], 2, 2.0),
        (["null", "double"], 2, 2.0),
        ({"type": "array", "items": "float"}, [1, 2.5], [1.0, 2.5]),
        ({"type": "map", "values": ["double", "null"]}, {"a": 7, "b": None}, {"a": 7.0, "b": None}),
        (IN, {"d": 4, "i": 5}, {"d": 4.0, "i": 5}),
        ({"type": "array", "items": {"type": "map", "values": IN}},
         [{"k": {"d": 1, "i": 1}}], [{"k": {"d": 1.0, "i": 1}}]),
    ],
)  # fmt: skip
def test_normalise_treats_1_and_1_0_as_equal_float_defaults(kind: object, whole: object, written: object) -> None:
    """The second form is the one that a registry with `normalize` stores."""
    one, other = (json.dumps(changed(fields=[{"name": "f", "type": kind, "default": d}])) for d in (whole, written))
    assert one != other
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("double", 1, 2),
        ("double", 1, 1.5),
        ("double", 0.0, -0.0),
        ({"type": "array", "items": "double"}, [1], [1, 1]),
        (["int", "double"], 1, 1.0),
    ],
)
def test_normalise_keeps_different_defaults_apart(kind: object, one: object, other: object) -> None:
    first, second = (json.dumps(changed(fields=[{"name": "f", "type": kind, "default": d}])) for d in (one, other))
    assert normalise(first) != normalise(second)


def test_normalise_is_stable_for_integer_beyond_double_range() -> None:
    text = json.dumps(changed(fields=[{"name": "f", "type": "double", "default": 10**400}]))
    assert normalise(normalise(text)) == normalise(text)


def test_to_json_and_normalise_handle_900_levels() -> None:
    text = '{"type": "array", "items": ' * 900 + '"int"' + "}" * 900
    assert to_json(parse(text)) == text.replace(": ", ":").replace(", ", ",")
    assert normalise(normalise(text)) == normalise(text)
