"""Personal data is masked whoever wrote the record: tags of fields and of types, aliases, and every version."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import Field, Record, Schema
from avro_data_contracts.contracts.masks.spec import MaskSpec
from avro_data_contracts.streaming.inspection.masks import Masks, beside_keys, chosen_of
from avro_data_contracts.streaming.inspection.plain import MASK, reader
from contracts_tests.fixtures import debezium
from contracts_tests.fixtures.any_type import distinct, kinds

SECRET = "alice@example.com"
PII = {"confluent:tags": ["PII"]}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def record(*fields: dict[str, Any], name: str = "Order", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def parsed(schema: Any) -> Schema:
    return parsing.parse(json.dumps(schema), where="test")


def shown(writer: Any, value: Any, *known: Any) -> Any:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(writer), value)
    return reader(parsed(writer), masks=Masks(map(parsed, known)))(body.getvalue())


def who(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return record(*fields, name="Who", **more)


EMAIL, TAGGED = field("email", "string"), field("email", "string", **PII)
ROOT = record(EMAIL)
NODE = record(EMAIL, field("next", ["null", "Node"], default=None), name="Node")
NODES = record(TAGGED, field("next", ["null", "Node"], default=None), name="Node")
CASES: dict[str, tuple[Any, Any, list[Any], Any]] = {
    "renamed with an alias": (
        record(field("mail", "string")), {"mail": SECRET}, [record({**TAGGED, "aliases": ["mail"]})], {"mail": MASK},
    ),
    "tagged in an earlier version, under its old name": (
        record(field("email", "string", aliases=["mail"])), {"email": SECRET},
        [record(field("mail", "string", **PII))], {"email": MASK},
    ),
    "nested and tagged later": (
        record(field("who", who(EMAIL))), {"who": {"email": SECRET}}, [record(field("who", who(TAGGED)))],
        {"who": {"email": MASK}},
    ),
    "nested below an alias": (
        record(field("old", who(field("mail", "string")))), {"old": {"mail": SECRET}},
        [record(field("who", who({**TAGGED, "aliases": ["mail"]}), aliases=["old"]))], {"old": {"mail": MASK}},
    ),
    "in an array, tagged later": (
        record(field("all", {"type": "array", "items": who(EMAIL)})), {"all": [{"email": SECRET}]},
        [record(field("all", {"type": "array", "items": who(TAGGED)}))], {"all": [{"email": MASK}]},
    ),
    "in a map, tagged later": (
        record(field("all", {"type": "map", "values": who(EMAIL)})), {"all": {"a": {"email": SECRET}}},
        [record(field("all", {"type": "map", "values": who(TAGGED)}))], {"all": {"a": {"email": MASK}}},
    ),
    "in a union, tagged later": (
        record(field("who", ["null", who(EMAIL)])), {"who": {"email": SECRET}},
        [record(field("who", ["null", who(TAGGED), record(EMAIL, name="Other")]))], {"who": {"email": MASK}},
    ),
    "became nullable and tagged": (
        ROOT, {"email": SECRET}, [record(field("email", ["null", {"type": "string", **PII}]))], {"email": MASK},
    ),
    "deep in a recursive type": (
        NODE, {"email": SECRET, "next": {"email": SECRET, "next": None}}, [NODES],
        {"email": MASK, "next": {"email": MASK, "next": None}},
    ),
    "tags as text": (
        record(field("email", "string", **{"confluent:tags": "PII"})), {"email": SECRET}, [], {"email": MASK},
    ),
    "string type": (
        record(field("email", {"type": "string", **PII})), {"email": SECRET}, [], {"email": MASK},
    ),
    "enum type": (
        record(field("sex", {"type": "enum", "name": "Sex", "symbols": ["F"], **PII})), {"sex": "F"}, [],
        {"sex": MASK},
    ),
    "fixed type": (
        record(field("ssn", {"type": "fixed", "name": "Ssn", "size": 2, **PII})), {"ssn": b"12"}, [], {"ssn": MASK},
    ),
    "record type": (record(field("who", who(EMAIL, **PII))), {"who": {"email": SECRET}}, [], {"who": MASK}),
    "type of the contract": (
        record(field("who", who(EMAIL))), {"who": {"email": SECRET}}, [record(field("who", who(EMAIL, **PII)))],
        {"who": MASK},
    ),
    "items of an array": (
        record(field("emails", {"type": "array", "items": {"type": "string", **PII}})), {"emails": [SECRET]}, [],
        {"emails": [MASK]},
    ),
    "branch of a union": (
        record(field("email", ["null", {"type": "string", **PII}])), {"email": SECRET}, [], {"email": MASK},
    ),
    "whole record": (record(EMAIL, **PII), {"email": SECRET}, [], MASK),
    "key that is a text": ({"type": "string", **PII}, SECRET, [], MASK),
    "key that was tagged later": ("string", SECRET, [{"type": "string", **PII}], MASK),
    "key with a field of the value": (
        record(EMAIL, name="Key"), {"email": SECRET}, [record(TAGGED)], {"email": MASK},
    ),
    "nothing is personal": (
        ROOT, {"email": SECRET}, [ROOT, record(field("mail", "string", **PII))], {"email": SECRET},
    ),
    "another branch is": (
        record(field("of", [who(EMAIL), record(TAGGED, name="Other")])), {"of": ("Who", {"email": SECRET})},
        [record(field("of", [who(EMAIL), record(TAGGED, name="Other")]))], {"of": {"email": SECRET}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_part_is_masked_that_any_schema_calls_personal(case: str) -> None:
    writer, value, known, expected = CASES[case]
    assert shown(writer, value, *known) == expected


def test_key_of_an_envelope_has_what_is_personal_in_the_row() -> None:
    value = json.dumps(debezium.envelope())
    tagged = value.replace('{"name": "email"', '{"confluent:tags": ["PII"], "name": "email"')
    fields = parsed(record(EMAIL, field("id", "int"), name="Key"))
    for text, is_personal in ((value, False), (tagged, True)):
        assert beside_keys([], [parsing.parse(text, where="value")]).any_in(fields) == is_personal


def paths(schema: Schema) -> list[tuple[Field, ...]]:
    """Every path of a condition: through records and unions."""
    found: list[tuple[Field, ...]] = []

    def walk(node: Any, before: tuple[Field, ...]) -> None:
        node = schema.resolve(node)
        for part in map(schema.resolve, getattr(node, "branches", (node,))):
            for one in part.fields if isinstance(part, Record) and len(before) < 3 else ():
                found.append((*before, one))
                walk(one.type, (*before, one))

    walk(schema.root, ())
    return found


@pytest.mark.parametrize(
    ("schema", "known", "covered"),
    [
        (record(EMAIL, **PII), [], {"email"}),
        (record(EMAIL), [record(EMAIL, **PII)], {"email"}),
        (record(EMAIL, field("n", "int")), [record({**TAGGED, "name": "mail"}), record(TAGGED)], {"email"}),
        (record({**EMAIL, "aliases": ["mail"]}), [record({**TAGGED, "name": "mail"})], {"email"}),
        (record(field("who", who(EMAIL, field("n", "int")))), [record(field("who", who(TAGGED)))], {"who.email"}),
        (record(field("who", ["null", who(EMAIL)])), [record(field("who", who(EMAIL, **PII)))], {"who", "who.email"}),
        (record(field("email", {"type": "string", **PII})), [], {"email"}),
        (NODE, [NODES], {"email", "next.email", "next.next.email"}),
        (record(EMAIL), [record(field("other", "string", **PII))], set()),
    ],
)
def test_path_that_is_masked_is_personal_in_a_condition(schema: Any, known: list[Any], covered: set[str]) -> None:
    made = parsed(schema)
    masks = Masks([made, *map(parsed, known)])
    assert {".".join(one.name for one in path) for path in paths(made) if masks.covers(made, path)} == covered
    assert masks.any_in(made) == bool(covered)


@given(kinds(["string", "int"]).map(lambda kind: distinct(kind, iter(range(1000)))))
def test_tag_of_a_field_reaches_records_of_any_older_writer(kind: Any) -> None:
    writer, tagged = record(field("x", kind)), parsed(record(field("x", kind, **PII)))
    schema = parsed(writer)
    [only] = schema.resolve(schema.root).fields  # type: ignore[union-attr]
    assert Masks([tagged]).covers(schema, (only,))
    assert not Masks([schema]).any_in(schema)


RULES = [
    ({"field": "email", "mask": "hash"}, record(EMAIL), {"email": SECRET}, {"email": MASK}),
    ({"field": "email", "mask": "hash", "stores": ["postgres"]}, record(EMAIL), {"email": SECRET}, {"email": MASK}),
    ({"field": "who.email", "mask": "drop"}, record(field("who", who(EMAIL))), {"who": {"email": SECRET}},
     {"who": {"email": MASK}}),
    ({"field": "all.email", "mask": "drop"}, record(field("all", {"type": "array", "items": who(EMAIL)})),
     {"all": [{"email": SECRET}]}, {"all": [{"email": MASK}]}),
    ({"tag": "secret", "mask": "hash"}, record(field("email", "string", **{"confluent:tags": ["SECRET"]})),
     {"email": SECRET}, {"email": MASK}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "schema", "value", "expected"), RULES)
def test_field_with_a_rule_in_masks_is_masked_as_one_with_a_tag(rule, schema, value, expected) -> None:
    contract = parsed(schema)
    masks = Masks([contract], chosen_of([MaskSpec.model_validate(rule)], [contract]))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), value)
    assert reader(parsed(schema), masks=masks)(body.getvalue()) == expected
    assert masks.any_in(parsed(schema))


def test_renamed_field_with_a_rule_is_masked_under_its_old_name() -> None:
    contract = parsed(record(field("email", "string", aliases=["mail"])))
    masks = Masks([contract], chosen_of([MaskSpec.model_validate({"field": "email", "mask": "hash"})], [contract]))
    written = record(field("mail", "string"))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(written), {"mail": SECRET})
    assert reader(parsed(written), masks=masks)(body.getvalue()) == {"mail": MASK}


def test_rule_is_about_the_rows_of_an_envelope() -> None:
    row = record(EMAIL, name="Row")
    change = record(
        field("before", ["null", row], default=None), field("after", ["null", "Row"], default=None),
        field("op", "string"), name="Envelope",
    )  # fmt: skip
    schema, rules = parsed(change), [MaskSpec.model_validate({"field": "email", "mask": "hash"})]
    masks = Masks([schema], chosen_of(rules, [schema]))
    body = io.BytesIO()
    value = {"before": {"email": SECRET}, "after": {"email": SECRET}, "op": "u"}
    fastavro.schemaless_writer(body, fastavro.parse_schema(change), value)
    assert reader(parsed(change), masks=masks)(body.getvalue()) == {
        "before": {"email": MASK},
        "after": {"email": MASK},
        "op": "u",
    }
