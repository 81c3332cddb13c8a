"""Paths into a schema: with marks as messages have them, and without as people write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from avro_data_contracts.contracts.avro.nodes import Field
from avro_data_contracts.contracts.avro.parsing import parse
from avro_data_contracts.contracts.avro.paths import field_at, follow, is_within, overlap
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.nested import values

CARD = {"type": "record", "name": "Card", "namespace": "shop", "fields": [{"name": "number", "type": "string"}]}
INVOICE = {"type": "record", "name": "Invoice", "namespace": "shop", "fields": [{"name": "number", "type": "long"}]}


def schema(*fields: tuple[str, Any]) -> Any:
    listed = [{"name": name, "type": kind} for name, kind in fields]
    return parse(json.dumps({"type": "record", "name": "Order", "fields": listed}))


ORDER = schema(
    ("total", "long"),
    ("payment", ["null", CARD, INVOICE]),
    ("items", {"type": "array", "items": {"type": "map", "values": ["null", "shop.Card"]}}),
    ("either", ["null", {"type": "array", "items": "shop.Card"}, {"type": "map", "values": "shop.Invoice"}]),
)
EVENTS = parse(json.dumps([CARD, INVOICE]))


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("", [""]),
        ("total", ["total"]),
        ("total.cents", []),
        ("payment", ["payment"]),
        ("payment(Card)", ["payment(Card)"]),
        ("payment(shop.Card).number", ["payment(Card).number"]),
        ("payment.number", ["payment(Card).number", "payment(Invoice).number"]),
        ("payment(Crad).number", []),
        ("items.number", ["items[]{}.number"]),
        ("items[].number", ["items[]{}.number"]),
        ("items[]{}", ["items[]{}"]),
        ("items{}", []),
        ("items[]{}(Card).number", ["items[]{}.number"]),
        ("either.number", ["either(array)[].number", "either(map){}.number"]),
        ("either(map).number", ["either(map){}.number"]),
        ("either(Invoice).number", ["either(map){}.number"]),
        ("items..number", []),
        ("items[", []),
        (".total", []),
        ("total.", []),
    ],
)
def test_follow_finds_every_place_that_a_path_names(path: str, places: list[str]) -> None:
    assert list(follow(ORDER, path).places) == places


@pytest.mark.parametrize(
    ("path", "places"),
    [("number", ["(Card).number", "(Invoice).number"]), ("(Card).number", ["(Card).number"]), ("(Card)", ["(Card)"])],
)
def test_follow_enters_a_union_at_the_root(path: str, places: list[str]) -> None:
    assert list(follow(EVENTS, path).places) == places


@pytest.mark.parametrize(
    ("path", "choices"),
    [
        ("totl", ("total", "payment", "items", "either")),
        ("payment(Card).numbr", ("payment(Card).number",)),
        ("payment(Crad).number", ("payment(Card)", "payment(Invoice)")),
    ],
)
def test_follow_lists_what_there_is_where_a_path_ends_early(path: str, choices: tuple[str, ...]) -> None:
    assert follow(ORDER, path).choices == choices


def test_follow_ends_where_a_recursive_union_doubles_the_places() -> None:
    kinds = [
        {"type": "record", "name": name, "fields": [{"name": "next", "type": ["null", "A", "B"]}]} for name in "AB"
    ]
    kinds[0]["fields"][0]["type"] = ["null", "A", kinds[1]]
    found = follow(parse(json.dumps(kinds[0])), ".".join(["next"] * 60))
    assert 0 < len(found.places) <= 100


@given(values())
@settings(max_examples=examples.of(150), deadline=None)
def test_path_of_every_node_leads_to_it_with_and_without_array_marks(value: Any) -> None:
    """The paths of messages come from the text (`Node.path`), and name the node itself."""
    parsed = parse(json.dumps(value))
    for node in parsed.walk():
        assert any(one is node for one in _all(parsed, node.path)), node.path
        if isinstance(node, Field):
            plain = node.path.replace("[]", "").replace("{}", "").removeprefix(".")
            assert any(one is node for one in _all(parsed, plain))


def _all(parsed: Any, path: str) -> list[Any]:
    """What a path names, and the types of fields and unions there, which have the same path."""
    found = follow(parsed, path)
    inner = [one.type for one in found.places.values() if isinstance(one, Field)]
    branches = [one for node in [*found.places.values(), *inner] for one in getattr(node, "branches", ())]
    return [*found.places.values(), *inner, *branches]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a", "a", True),
        ("a.b", "a", True),
        ("a", "a.b", True),
        ("ab", "a", False),
        ("", "a", True),
        ("(Card).number", "number", True),
        ("(Card).number", "(Invoice).number", False),
        ("(Card)", "(Card).number", True),
        ("items[].price", "items.price", True),
        ("pay(Card).number", "pay.number", True),
        ("pay(array)[](Card).number", "pay(Card).number", True),
    ],
)
def test_overlap_is_true_for_equal_and_nested_paths(one: str, other: str, same: bool) -> None:
    assert overlap(one, other) is same


def test_is_within_has_a_direction() -> None:
    assert is_within("order.total", "order")
    assert not is_within("order", "order.total")


def test_field_at_finds_only_fields() -> None:
    assert getattr(field_at(ORDER, "total"), "name", "") == "total"
    assert field_at(ORDER, "total.cents") is None
    assert field_at(ORDER, "") is None
    assert field_at(ORDER, "payment(Card)") is None
