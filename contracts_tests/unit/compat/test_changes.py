"""Every kind of difference between two schemas, reported once with its path and position."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.compat import changes, likeness
from avro_data_contracts.contracts.compat.changes import Kind

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "count", "type": "int", "default": 1, "doc": "How many.", "logicalType": "date"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["A", "B"], "default": "A"}},
        {"name": "sum", "type": {"type": "fixed", "name": "Sum", "size": 4}},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
        {
            "name": "items",
            "type": {
                "type": "array",
                "items": {"type": "record", "name": "Item", "fields": [{"name": "price", "type": "int"}]},
            },
        },
        {"name": "rates", "type": {"type": "map", "values": "float"}},
        {"name": "pay", "type": ["null", "string", "int"], "confluent:tags": ["PII"]},
    ],
}

Edit = Callable[[dict[str, Any]], object]


def between(edit: Edit) -> list[tuple[str, str, str, str]]:
    after = {name: field for name, field in ((one["name"], one) for one in copy.deepcopy(SCHEMA)["fields"])}
    new = {**copy.deepcopy(SCHEMA), "fields": list(after.values())}
    edit({**after, "root": new})
    found = changes.between(parsing.parse(json.dumps(SCHEMA)), parsing.parse(json.dumps(new)))
    return [(one.kind.value, one.path, one.old, one.new) for one in found]


def item(fields: dict[str, Any]) -> dict[str, Any]:
    return fields["items"]["type"]["items"]


CASES: list[tuple[Edit, list[tuple[str, str, str, str]]]] = [
    (lambda f: None, []),
    (lambda f: f["root"]["fields"].append({"name": "new", "type": "long"}), [
        ("added", "new", "", "long, no default"),
    ]),
    (
        lambda f: f["root"]["fields"].append({"name": "new", "type": "long", "default": 3}),
        [("added", "new", "", "long, default 3")],
    ),
    (lambda f: f["root"]["fields"].pop(0), [("removed", "id", "string", "")]),
    (lambda f: f["id"].update(name="key", aliases=["id"]), [
        ("renamed", "key", "id", "key"), ("alias", "key", "none", "id"),
    ]),
    (lambda f: f["count"].update(name="counts"), [
        ("looks renamed", "counts", "count", "counts"), ("removed", "count", "int", ""),
        ("added", "counts", "", "int, default 1"),
    ]),
    (lambda f: f["id"].update(type="int"), [("retyped", "id", "string", "int")]),
    (lambda f: item(f)["fields"][0].update(type="long"), [("retyped", "items[].price", "int", "long")]),
    (lambda f: f["rates"]["type"].update(values="double"), [("retyped", "rates{}", "float", "double")]),
    (lambda f: f["pay"].update(type=["null", "string", "long"]), [("retyped", "pay(long)", "int", "long")]),
    (lambda f: f["pay"].update(type=["null", "string"]), [
        ("retyped", "pay", "null or string or int", "null or string"),
    ]),
    (lambda f: f["pay"].update(type=["string", "null", "int"]), [
        ("moved", "pay", "null or string or int", "string or null or int"),
    ]),
    (lambda f: f["id"].update(type=["null", "string"]), [("nullability", "id", "string", "null or string")]),
    (lambda f: f["at"]["type"][1].update(logicalType="timestamp-micros"), [
        ("logical type", "at", "timestamp-millis", "timestamp-micros"),
    ]),
    (lambda f: f["at"]["type"][1].pop("logicalType"), [("logical type", "at", "timestamp-millis", "none")]),
    (lambda f: f["count"].update(type={"type": "int", "logicalType": "date"}), [
        ("logical type read", "count", "none", "date"),
    ]),
    (lambda f: f["count"].update(default=2), [("default", "count", "1", "2")]),
    (lambda f: f["count"].pop("default"), [("default", "count", "1", "none")]),
    (lambda f: f["count"].update(doc="Pieces."), [("doc", "count", "'How many.'", "'Pieces.'")]),
    (lambda f: f["count"].update(order="ignore"), [("order", "count", "ascending", "ignore")]),
    (lambda f: f["state"]["type"].update(symbols=["A", "C"]), [("symbols", "state", "without B", "with C")]),
    (lambda f: f["state"]["type"].update(symbols=["B", "A"]), [("moved", "state", "A, B", "B, A")]),
    (lambda f: f["state"]["type"].pop("default"), [("enum default", "state", "A", "none")]),
    (lambda f: f["sum"]["type"].update(size=8), [("size", "sum", "4 bytes", "8 bytes")]),
    (lambda f: item(f).update(name="Line"), [("type name", "items[]", "shop.Item", "shop.Line")]),
    (lambda f: item(f).update(namespace="other"), [("namespace", "items[]", "shop", "other")]),
    (lambda f: f["pay"].pop("confluent:tags"), [("tags", "pay", '["PII"]', "none")]),
    (lambda f: f["id"].update(unit="none"), [("attribute", "id", "none", 'unit "none"')]),
    (lambda f: f["root"]["fields"].reverse(), [("moved", "", "", "")]),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), CASES)
def test_between_reports_each_difference_once(edit: Edit, told: list[tuple[str, str, str, str]]) -> None:
    assert between(edit) == told


def test_every_kind_of_difference_has_a_case() -> None:
    found = {kind for _, told in CASES for kind, *_ in told}
    assert found | {Kind.decimal, Kind.precision, Kind.setting} == set(Kind)


def test_between_reports_changed_scale_of_decimal() -> None:
    one, other = (
        parsing.parse(json.dumps({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": scale}))
        for scale in (1, 2)
    )
    (change,) = changes.between(one, other)
    assert (change.kind, change.old, change.new) == (Kind.decimal, "decimal(5,1)", "decimal(5,2)")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("note", "notes"),
        ("id", "order_id"),
        ("phone", "phone_number"),
        ("user_name", "username"),
        ("userName", "user_name"),
        ("cust_id", "customer_id"),
        ("colour", "color"),
        ("organisation_id", "organization_id"),
    ],
)
def test_similar_names_look_renamed(old: str, new: str) -> None:
    assert likeness.of_names(old, new) >= likeness.ALIKE
    assert likeness.of_names(new, old) >= likeness.ALIKE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("created_at", "updated_at"),
        ("first_name", "last_name"),
        ("billing_address", "shipping_address"),
        ("address_line_1", "address_line_2"),
        ("amount_eur", "amount_usd"),
        ("start_date", "end_date"),
        ("min", "max"),
        ("foo", "bar"),
    ],
)
def test_distinct_names_do_not_look_renamed(old: str, new: str) -> None:
    assert likeness.of_names(old, new) < likeness.ALIKE
    assert likeness.of_names(new, old) < likeness.ALIKE


def test_field_with_same_doc_and_default_looks_renamed() -> None:
    def edit(old: str, new: str, default: int) -> list[tuple[str, str, str, str]]:
        one, other = (
            {
                "name": "Order",
                "type": "record",
                "fields": [{"name": name, "type": "int", "doc": doc, "default": value}],
            }
            for name, doc, value in (("qty", old, 1), ("pieces", new, default))
        )
        found = changes.between(parsing.parse(json.dumps(one)), parsing.parse(json.dumps(other)))
        return [change.kind for change in found]

    doc = "How many pieces were ordered."
    assert Kind.looks_renamed in edit(doc, doc, 1)
    assert Kind.looks_renamed not in edit(doc, doc, 2)
    assert Kind.looks_renamed not in edit(doc, "Something else altogether.", 1)
    assert Kind.looks_renamed not in edit("Count.", "Count.", 1), "a doc this short fits many fields"


def test_change_in_recursive_and_reused_type_is_reported_once() -> None:
    def tree(kind: str) -> parsing.Schema:
        fields = [
            {"name": "left", "type": ["null", "Tree"]},
            {"name": "right", "type": ["null", "Tree"]},
            {"name": "value", "type": kind},
        ]
        return parsing.parse(json.dumps({"type": "record", "name": "Tree", "fields": fields}))

    (change,) = changes.between(tree("int"), tree("long"))
    assert (change.kind, change.path) == (Kind.retyped, "value")


def test_between_handles_deeply_nested_schema() -> None:
    def deep(inner: Any) -> parsing.Schema:
        for _ in range(150):
            inner = ["null", {"type": "array", "items": inner}]
        return parsing.parse(json.dumps(inner))

    (change,) = changes.between(deep("int"), deep("string"))
    assert change.path.count("[]") == 150
    assert changes.between(deep("int"), deep("int")) == ()


def test_name_contained_in_the_other_looks_renamed() -> None:
    found = between(lambda f: f["id"].update(name="order_id"))
    assert found[0] == ("looks renamed", "order_id", "id", "order_id")


def test_field_replaced_under_distinct_name_does_not_look_renamed() -> None:
    found = between(lambda f: f["id"].update(name="zzz"))
    assert [kind for kind, *_ in found] == ["removed", "added"]
