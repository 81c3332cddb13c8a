"""The type table: docs/reference/types.md lists every supported type, and lint refuses every other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from avro_data_contracts.contracts.avro.parsing import parse
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.lint import run
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.cassandra import columns as cassandra_columns
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.postgres import columns as postgres_columns
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout
from contracts_tests.fixtures import types_page
from contracts_tests.fixtures.lint_files import files

SCALARS = types_page.table("Scalars")
OTHERS = types_page.table("Nested types")
BIG_DECIMAL = {"type": "bytes", "logicalType": "big-decimal"}


def logical(name: str, base: str = "long") -> dict[str, Any]:
    return {"type": base, "logicalType": name}


def column(kind: Any) -> tuple[str, str]:
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]})
    schema = parse(text)
    node = schema.resolve(schema.root).fields[0].type
    return tuple(STORES[kind].column_type(schema, node).name for kind in ("cassandra", "postgres"))


def test_page_has_a_row_for_each_scalar() -> None:
    told = {name: (row[1], row[2]) for name, row in SCALARS.items()}
    assert cassandra_columns.SCALARS.keys() == postgres_columns.SCALARS.keys()
    assert told == {
        name: (cql, postgres_columns.SCALARS[name].replace("{", "").replace("}", ""))
        for name, cql in cassandra_columns.SCALARS.items()
    }


def test_page_names_the_types_of_a_primary_key() -> None:
    page = types_page.PAGE.read_text(encoding="utf-8")
    paragraph = page.partition("\nA primary key is made of: ")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([\w-]+)`", paragraph)) == types.KEYS


def test_page_has_a_row_for_each_refused_type() -> None:
    assert set(types.REFUSED) <= set(types_page.table("Refused"))


EMPTY = {"type": "record", "name": "S", "fields": []}
MADE_OF_OTHERS = {
    "array of a scalar": [{"type": "array", "items": "int"}],
    "map of a scalar": [{"type": "map", "values": "int"}],
    "array of anything else": [
        {"type": "array", "items": ["null", "int"]},
        {"type": "array", "items": {"type": "array", "items": "int"}},
    ],
    "map of anything else": [{"type": "map", "values": ["int", "string"]}],
    "record": [
        {"type": "record", "name": "S", "fields": []},
        ["null", {"type": "record", "name": "S", "fields": []}],
    ],
    "union of several types": [["int", "string"], ["null", "int", "string"], ["int", "long", "float"]],
    "union of int and long": [["int", "long"], ["long", "null", "int"]],
    "union of float and double": [["double", "float"]],
}


def test_page_has_a_row_for_each_composite_type() -> None:
    assert set(OTHERS) == set(MADE_OF_OTHERS)
    for name, kinds in MADE_OF_OTHERS.items():
        for kind in kinds:
            assert column(kind) == tuple(cell.replace("T>", "int>") for cell in OTHERS[name][1:3])


def test_union_of_one_type_is_that_type() -> None:
    assert column(["string"]) == column(["null", ["string"][0]]) == ("text", "text")
    assert column({"type": "array", "items": logical("timestamp-micros")}) == ("frozen<list<bigint>>", "jsonb")


REFUSED = [
    ("null", "no store has a column for the Avro type null"),
    (["null"], "no store has a column for the Avro type null"),
    ([], "no store has a column for the Avro type null"),
    (BIG_DECIMAL, "big-decimal"),
    ({"type": "map", "values": ["null", {"type": "array", "items": BIG_DECIMAL}]}, "big-decimal"),
    ({"type": "bytes", "logicalType": "decimal", "precision": 39}, "39 digits"),
    (["null", "int", logical("timestamp-millis")], "timestamp-millis is lost"),
]


@pytest.mark.parametrize(("kind", "words"), REFUSED)
def test_lint_and_stream_refuse_types_that_no_store_can_hold(kind: Any, words: str) -> None:
    value = {"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order."}
    texts = files()
    id_ = {"name": "id", "type": "string", "doc": "Its id."}
    texts["orders/value.avsc"] = json.dumps({**value, "fields": [id_, {"name": "f", "type": kind, "doc": "F."}]})
    loaded = loading.from_files(texts, "schemas")
    hits = [one for one in run.run(loaded, Texts.of(texts, "schemas")) if one.rule == "SINK_TYPE"]
    assert [words in one.message for one in hits] == [True]
    contract = loaded.get("orders")
    for sink in contract.sinks:
        with pytest.raises(ConfigurationError, match=words):
            layout.of(contract, sink)


def test_stream_refuses_recursive_type() -> None:
    texts = files()
    parent = '{"name": "parent", "type": ["null", "Order"], "default": null}'
    texts["orders/value.avsc"] = (
        f'{{"type": "record", "name": "Order", "fields": [{{"name": "id", "type": "string"}}, {parent}]}}'
    )
    contract = loading.from_files(texts, "schemas").get("orders")
    with pytest.raises(ConfigurationError, match="contains itself"):
        layout.of(contract, contract.sinks[0])


@pytest.mark.parametrize(
    "kind",
    [
        "float",
        "double",
        {"type": "bytes", "logicalType": "decimal", "precision": 4},
        {"type": "array", "items": "int"},
    ],
)
def test_lint_refuses_primary_key_of_unsupported_type(kind: Any) -> None:
    texts = files()
    field = {"name": "id", "type": kind, "doc": "Its id."}
    value = {"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order.", "fields": [field]}
    texts["orders/value.avsc"] = json.dumps(value)
    found = run.run(loading.from_files(texts, "schemas"), Texts.of(texts, "schemas"))
    assert {one.rule for one in found} == {"PRIMARY_KEY"}


def test_array_whose_items_become_nullable_keeps_its_jsonb_column() -> None:
    def tables(items: Any) -> dict[str, Table]:
        texts = files()
        fields = [{"name": "id", "type": "string"}, {"name": "f", "type": {"type": "array", "items": items}}]
        texts["orders/value.avsc"] = json.dumps({"type": "record", "name": "Order", "fields": fields})
        contract = loading.from_files(texts, "schemas").get("orders")
        return {sink.kind: layout.of(contract, sink) for sink in contract.sinks}

    before, after = tables("int"), tables(["null", "int"])

    assert layout.migrate(before["postgres"], after["postgres"]) == layout.Migration()
    [refusal] = layout.migrate(before["cassandra"], after["cassandra"]).refusals
    assert "f was frozen<list<int>>, and is now text" in refusal.why
