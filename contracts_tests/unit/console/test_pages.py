"""The pages' values: names in addresses, fields, search, and colours that people can read."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.console import rendering
from avro_data_contracts.console.catalogue import Catalogue
from avro_data_contracts.console.pages import contract as contract_page
from avro_data_contracts.console.pages import overview
from avro_data_contracts.console.pages.names import anchor
from avro_data_contracts.console.pages.overview import Query, search
from avro_data_contracts.console.pages.values import laid_out
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.addresses import slug
from avro_data_contracts.contracts.sources.documents import written
from contracts_tests.fixtures import catalogued
from contracts_tests.fixtures.catalogued import ID, contract, repository, write
from contracts_tests.fixtures.contract_files import load, record
from contracts_tests.fixtures.viewed import HEAD


@given(st.lists(st.text(min_size=1, max_size=300), max_size=20, unique=True))
def test_slugs_are_safe_names_and_differ_where_names_do(names: list[str]) -> None:
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    for one in slugs:
        assert re.fullmatch(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", one)
        assert len(one) <= 150


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("users_created", "users_created"),
        ("a/b", "a~2fb"),
        (".", "~2e"),
        ("..", "~2e."),
        ("~", "~7e"),
        ("é", "~c3~a9"),
    ],
)
def test_slug_of_known_names(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_field_rows_have_columns_consumers_rules_and_what_is_inside() -> None:
    item = {"type": "record", "name": "Item", "fields": [{"name": "price", "type": "long"}]}
    spec = """\
topic: orders
owner: shop
compatibility: FULL
sinks: {postgres: {table: orders, primary_key: [id]}}
consumers:
  - {name: billing, fields: [items.price]}
  - {name: audit}
rules: [{name: id_there, field: id, min_length: 1}]
"""
    value = record(("id", "string"), ("items", {"type": "array", "items": item}), ("note", ["null", "string"]))
    page = contract_page.of(load(orders__contract_yaml=spec, orders__value_avsc=value).get("orders"))
    rows = {row.path: row for row in page.value.rows}
    assert list(rows) == ["id", "items", "items[].price", "note"]
    assert rows["id"].stored == ("PostgreSQL id text",)
    assert rows["id"].rules == ("id_there",)
    assert rows["items"].stored == ("PostgreSQL items jsonb",)
    assert rows["items[].price"].depth == 1
    assert rows["items[].price"].readers == ("billing", "audit")
    assert rows["items"].readers == ("billing", "audit")
    assert rows["id"].readers == ("audit",)
    assert (rows["note"].nullable, rows["note"].type) == (True, "string")
    [table] = page.tables
    assert table.ddl[-1].startswith('CREATE TABLE IF NOT EXISTS "public"."orders"')


def test_recursive_type_ends() -> None:
    value = record(("id", "string"), ("next", ["null", "shop.Order"]))
    spec = "topic: orders\nowner: shop\ncompatibility: FULL\n"
    page = contract_page.of(load(orders__contract_yaml=spec, orders__value_avsc=value).get("orders"))
    assert [row.path for row in page.value.rows] == ["id", "next"]


def test_value_that_is_no_record_has_a_page() -> None:
    spec = "topic: orders\nowner: shop\ncompatibility: FULL\n"
    page = contract_page.of(load(orders__contract_yaml=spec, orders__value_avsc='"string"').get("orders"))
    assert (page.value.type, page.value.rows) == ("string", ())


ENTRIES = [
    {"name": "users", "slug": "users", "topic": "users_created", "owner": "Data Platform", "text": "People.",
     "tags": ["PII"], "fields": [
         {"path": "email", "anchor": "a", "doc": "Where to write.", "tags": ["PII"], "stored": ["Cassandra email"],
          "readers": ["mailer"]},
         {"path": "id", "anchor": "b", "doc": "", "tags": [], "stored": [], "readers": []}]},
    {"name": "orders", "slug": "orders", "topic": "orders", "owner": "shop", "text": "What people buy.", "tags": [],
     "fields": [
         {"path": "items[].price", "anchor": "c", "doc": "Price of one.", "tags": [], "stored": [], "readers": []}]},
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"users": [], "orders": []}),
        ("EMAIL", {"users": ["email"]}),
        ("people", {"users": [], "orders": []}),
        ("people price", {"orders": ["items[].price"]}),
        ("owner:shop", {"orders": []}),
        ("owner:data", {"users": []}),
        ("tag:pii", {"users": ["email"]}),
        ("field:price", {"orders": ["items[].price"]}),
        ("field:people", {}),
        ("topic:users_created email", {"users": ["email"]}),
        ("nowhere", {}),
        ("unknown:word", {}),
    ],
)
def test_search_finds_contracts_that_have_every_word(text: str, found: dict[str, list[str]]) -> None:
    result = search(ENTRIES, Query.of(text))
    assert {name: [one.path for one in fields] for name, fields in result.items()} == found


def test_narrowed_list_hides_what_a_search_did_not_find() -> None:
    pages = {"orders": contract_page.of(load().get("orders"))}
    rows = overview.index(pages.values())
    assert [one["path"] for one in rows[0]["fields"]] == ["id"]
    assert "orders" in search(rows, Query.of("field:id"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("field:customer_email", {"orders": [("customer_email (key)", anchor("customer_email", "key-field"))]}),
        ("tag:pii", {"orders": [("customer_email (key)", anchor("customer_email", "key-field"))]}),
        ("id", {"orders": [("id", anchor("id"))]}),
        ("broken", {"broken": []}),
        ("topic:half", {"broken": []}),
        ("name:orders", {"orders": []}),
    ],
)
def test_search_finds_keys_and_contracts_that_cannot_be_read(
    tmp_path: Path, text: str, found: dict[str, list[tuple[str, str]]]
) -> None:
    schemas = repository(tmp_path)
    write(schemas, "orders", contract(key="key.avsc"), catalogued.record(ID))
    key = {"name": "customer_email", "type": "string", "confluent:tags": ["PII"]}
    (schemas / "orders" / "key.avsc").write_text(catalogued.record(key).replace("Order", "Key"))
    write(schemas, "broken", contract(topic="half"), "{")
    catalogue = Catalogue.read(schemas)
    result = search(catalogue.index, Query.of(text))
    assert {name: [(one.path, one.anchor) for one in fields] for name, fields in result.items()} == found
    shown = [one.name for one in catalogue.overview({}).narrowed(result).rows if not one.hidden]
    assert shown == list(found)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(theme: str) -> None:
    style = (rendering.STATIC / "style.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{([^}]*)\}", style)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light if theme == "light" else dark))
    backs = {"back", "raised", "note-back", "bad-back", "warn-back", "good-back"}
    pairs = [("text", back) for back in backs]
    pairs += [(text, back) for text in ("muted", "link") for back in ("back", "raised", "note-back")]
    pairs += [("bad", "bad-back"), ("warn", "warn-back"), ("good", "good-back"), ("back", "link")]
    assert backs <= colours.keys()
    low = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(_json)
def test_laid_out_value_is_the_same_json_with_every_digit(value: object) -> None:
    assert json.loads(laid_out(value), parse_float=Decimal) == json.loads(written(value), parse_float=Decimal)


def test_value_is_laid_out_one_field_a_line() -> None:
    value = {"total": Decimal("1.50"), "items": [{"sku": "a"}], "none": [], "text": "漢字"}
    shown = (
        '{\n  "total": 1.50,\n  "items": [\n    {\n      "sku": "a"\n    }\n  ],\n  "none": [],\n  "text": "漢字"\n}'
    )
    assert laid_out(value) == shown


def test_view_has_its_columns_with_the_fields_they_come_from() -> None:
    header = "-- sinks: {postgres: {table: of_view, primary_key: [id]}}\n"
    files = {
        "orders/contract.yaml": yaml.safe_dump({**HEAD, "key": None, "value": "value.avsc"}),
        "orders/value.avsc": json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": [
            {"name": "id", "type": "string"}, {"name": "amount", "type": "long"}]}),
        "orders/views/big.sql": f"{header}SELECT id, amount * 2 AS twice, kafka_offset > id AS later "
        "FROM orders WHERE amount > 10\n",
    }  # fmt: skip
    page = contract_page.of(loading.from_files(files, "schemas").get("orders"))
    [view] = page.views
    assert view.problems == ()
    assert [(one.name, one.paths, one.position) for one in view.columns] == [
        ("id", ("id",), ()),
        ("twice", ("amount",), ()),
        ("later", ("id",), ("kafka_offset",)),
    ]
    assert view.filtered == ("amount",)
    assert 'CREATE TABLE IF NOT EXISTS "public"."of_view"' in view.tables[0].ddl[-1]
    rows = {row.path: row.stored for row in page.value.rows}
    assert "view big.twice" in rows["amount"]
