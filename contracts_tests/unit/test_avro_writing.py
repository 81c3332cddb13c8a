"""Schemas as text: self-contained, and in one form for all that means the same."""

from __future__ import annotations

import json

import pytest

from contracts.avro import normalise, parse, to_json

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


def test_self_contained() -> None:
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


def test_what_is_written_means_what_was_read() -> None:
    text = json.dumps(BASE)
    assert normalise(to_json(parse(text))) == normalise(text) == normalise(normalise(text))
    assert json.loads(to_json(parse(text))) == BASE


def test_a_short_name_is_not_written_where_it_would_mean_another_type() -> None:
    text = (
        '[{"type": "fixed", "name": "A", "size": 4},'
        ' {"type": "record", "name": "n.A", "fields": [{"name": "f", "type": ["null", "n.A"]}]}]'
    )
    written = to_json(parse(text))
    assert '"n.A"' in written
    assert normalise(written) == normalise(text)


def test_numbers_that_json_has_not() -> None:
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
def test_the_same_version(text: str) -> None:
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
def test_another_version(before: str, after: str) -> None:
    text = json.dumps(BASE)
    assert before in text
    assert normalise(text.replace(before, after)) != normalise(text)


def test_deep_schemas() -> None:
    text = '{"type": "array", "items": ' * 900 + '"int"' + "}" * 900
    assert to_json(parse(text)) == text.replace(": ", ":").replace(", ", ",")
    assert normalise(normalise(text)) == normalise(text)
