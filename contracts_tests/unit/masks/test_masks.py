"""`masks` of a contract.yaml: what is refused, and what a store has in place of a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.wording import told
from contracts_tests.fixtures.changes import Files

DAY = {"type": "int", "logicalType": "date"}
PERSON = {"type": "record", "name": "Person", "fields": [
    {"name": "name", "type": "string", "confluent:tags": ["PII"]},
    {"name": "city", "type": ["null", "string"]},
]}  # fmt: skip


def files(*masks: dict[str, Any], **sinks: Any) -> Files:
    """The contract `orders` with these masks, and further fields: a date, a person, people and a float."""
    found = Files()
    found.spec["consumers"] = []
    found.spec["masks"] = list(masks)
    found.spec["sinks"]["postgres"] |= sinks
    found.add("day", DAY)
    found.add("buyer", ["null", PERSON], default=None)
    found.add("people", {"type": "array", "items": "Person"}, default=[])
    found.add("weight", "double", default=0.0)
    return found


def load(*masks: dict[str, Any], **sinks: Any) -> Contract:
    return loading.from_files(files(*masks, **sinks).texts, "schemas").get("orders")


def columns(kind: str, *masks: dict[str, Any], **sinks: Any) -> dict[str, tuple[str, bool]]:
    contract = load(*masks, **sinks)
    table = layout.of(contract, next(one for one in contract.sinks if one.kind == kind))
    return {one.name: (one.type, one.nullable) for one in table.columns}


TYPES = [
    ({"field": "note", "mask": "hash"}, "note", ("text", True)),
    ({"field": "id", "mask": "hash"}, "id", ("text", False)),
    ({"field": "count", "mask": "hash"}, "count", ("text", False)),
    ({"field": "total", "mask": "hash"}, "total", ("text", False)),
    ({"field": "total", "mask": "redact"}, "total", ("text", False)),
    ({"field": "buyer", "mask": "redact"}, "buyer", ("text", True)),
    ({"field": "count", "mask": None}, "count", ("integer", True)),
    ({"field": "count", "mask": "null"}, "count", ("integer", True)),
    ({"field": "note", "mask": {"truncate": 3}}, "note", ("text", True)),
    ({"field": "day", "mask": "year"}, "day", ("integer", False)),
    ({"field": "at", "mask": "year"}, "at", ("integer", False)),
    ({"field": "weight", "mask": None}, "weight", ("double precision", True)),
    ({"field": "buyer.name", "mask": "drop"}, "buyer", ("jsonb", True)),
    ({"field": "people.name", "mask": "hash"}, "people", ("jsonb", False)),
]


@pytest.mark.parametrize(("mask", "name", "expected"), TYPES, ids=lambda one: json.dumps(one))
def test_mask_decides_the_type_of_its_column(mask, name, expected) -> None:
    masked, plain = columns("postgres", mask), columns("postgres")
    assert masked[name] == expected
    assert {one: kind for one, kind in masked.items() if one != name} == {
        one: kind for one, kind in plain.items() if one != name
    }


def test_dropped_field_has_no_column_in_the_stores_of_its_rule() -> None:
    mask = {"field": "note", "stores": ["cassandra"], "mask": "drop"}
    assert "note" not in columns("cassandra", mask)
    assert columns("postgres", mask) == columns("postgres")


def test_tag_masks_fields_and_types_that_have_it() -> None:
    found = load({"tag": "pii", "mask": "redact"})
    table = layout.of(found, found.sinks[0])
    assert {one.name: one.mask for one in table.columns if one.mask} == {
        "note": "redact",
        "buyer": "name: redact",
        "people": "[] name: redact",
    }


def test_rule_for_a_field_wins_over_one_for_its_tag() -> None:
    found = load({"tag": "PII", "mask": "redact"}, {"field": "note", "mask": {"truncate": 1}})
    table = layout.of(found, found.sinks[0])
    assert {one.mask for one in table.columns if one.name == "note"} == {"truncate 1"}


def test_column_of_a_path_has_the_mask_of_what_it_leads_to_or_through() -> None:
    path = {"columns": {"buyer_name": "buyer.name", "buyer_city": "buyer.city"}}
    own = columns("postgres", {"field": "buyer.name", "mask": "drop"}, **path)
    assert "buyer_name" not in own
    assert own["buyer_city"] == ("text", True)
    around = columns("postgres", {"field": "buyer", "mask": "drop"}, **path)
    assert not {"buyer", "buyer_name", "buyer_city"} & around.keys()


REFUSED = [
    ([{"field": "nobody", "mask": "hash"}], "no such field", "note"),
    ([{"field": "people[]", "mask": "drop"}], "no such field", "address.city"),
    ([{"tag": "GDPR", "mask": "hash"}], "no field or type of the value has this tag", "PII"),
    ([{"field": "note", "mask": "blur"}], "'blur' is not a mask", ""),
    ([{"field": "note", "mask": "truncate"}], "write {truncate: 3}", ""),
    ([{"field": "note", "mask": {"truncate": 0}}], "0 is not a number of characters", ""),
    ([{"field": "note", "mask": {"truncate": True}}], "True is not a number of characters", ""),
    ([{"field": "note"}], "mask: is missing", ""),
    ([{"mask": "hash"}], "write one", ""),
    ([{"field": "note", "tag": "PII", "mask": "hash"}], "write one", ""),
    ([{"field": "note", "stores": ["oracle"], "mask": "hash"}], "'oracle' is not a store", ""),
    ([{"field": "note", "mask": "hash"}, {"field": "note", "mask": "drop"}], "the same field", "keep one"),
    ([{"field": "buyer", "mask": "drop"}, {"field": "buyer.name", "mask": "hash"}], "around it", "keep one"),
    ([{"tag": "PII", "mask": "hash"}, {"tag": "PII", "mask": "drop"}], "tag PII", "keep one"),
    ([{"field": "count", "mask": {"truncate": 3}}], "truncate is for text (string), and this is int", "hash"),
    ([{"field": "state", "mask": {"truncate": 3}}], "this is enum", "hash"),
    ([{"field": "note", "mask": "year"}], "year is for a date or a timestamp, and this is string", "drop"),
    ([{"field": "weight", "mask": "hash"}], "this is double, a number that is not exact", "redact"),
    ([{"field": "buyer", "mask": "hash"}], "this is a record, more than one value", "redact"),
    ([{"field": "people", "mask": "hash"}], "this is an array", "redact"),
    ([{"field": "id", "mask": "drop"}], "id is in the primary key of cassandra shop.orders", "hash it"),
    ([{"field": "id", "mask": None}], "null is no key", "hash it"),
    ([{"field": "id", "mask": {"truncate": 3}}], "truncate 3 makes rows one", "hash it"),
    ([{"field": "id", "mask": "redact"}], "redact makes rows one", "hash it"),
    (
        [{"field": "buyer.name", "mask": "drop"}, {"field": "buyer.city", "mask": "drop"}],
        "every field of buyer is dropped",
        "drop buyer itself",
    ),
]


@pytest.mark.parametrize(("masks", "what", "fix"), REFUSED, ids=lambda one: str(one)[:60])
def test_mask_that_does_not_fit_is_refused_with_its_line(masks, what, fix) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(*masks)
    assert what in refused.value.what
    assert fix in refused.value.fix
    assert refused.value.file == "schemas/orders/contract.yaml"
    first = files().texts["orders/contract.yaml"].splitlines().index("masks: []") + 1
    assert refused.value.line >= first


def test_masks_of_one_field_in_different_stores_are_no_clash() -> None:
    both = ({"field": "note", "stores": ["postgres"], "mask": "hash"}, {"field": "note", "stores": ["cassandra"],
                                                                        "mask": "drop"})  # fmt: skip
    assert columns("postgres", *both)["note"] == ("text", True)
    assert "note" not in columns("cassandra", *both)


def migrated(kind: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> layout.Migration:
    tables = []
    for masks in (before, after):
        contract = load(*masks)
        found = layout.wanted(contract, next(one for one in contract.sinks if one.kind == kind))
        assert isinstance(found, Table)
        tables.append(found)
    return layout.migrate(*tables)


def test_new_mask_of_the_same_type_tells_what_existing_rows_keep() -> None:
    found = migrated("postgres", [], [{"field": "note", "mask": "hash"}])
    assert (found.statements, found.refusals) == ((), ())
    (note,) = found.notes
    assert told(note) == (
        "note is masked from now on (hash), and existing rows keep what they have (true values); "
        "`python -m streaming rewrite` for the contract writes all rows again"
    )


def test_mask_that_is_gone_tells_what_existing_rows_keep() -> None:
    (note,) = migrated("postgres", [{"field": "note", "mask": "redact"}], []).notes
    assert told(note).startswith("note is no longer masked (redact): only new rows have true values")


def test_mask_that_changes_the_type_names_the_rewrite() -> None:
    for kind in ("postgres", "cassandra"):
        (refusal,) = migrated(kind, [], [{"field": "count", "mask": "hash"}]).refusals
        assert "python -m streaming rewrite" in refusal.fix
        (back,) = migrated(kind, [{"field": "count", "mask": "hash"}], []).refusals
        assert "python -m streaming rewrite" in back.fix


def test_column_that_is_dropped_stays_and_says_so() -> None:
    found = migrated("postgres", [], [{"field": "total", "mask": "drop"}])
    assert found.statements == ('ALTER TABLE "public"."orders" ALTER COLUMN "total" DROP NOT NULL',)
    assert [told(note).partition(",")[0] for note in found.notes] == [
        "total is masked from now on (drop)",
        "total stays in the table",
    ]


def test_dropped_field_that_comes_back_is_added_again() -> None:
    found = migrated("cassandra", [{"field": "note", "mask": "drop"}], [])
    assert found.statements == ('ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "note" text',)
