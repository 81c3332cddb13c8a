"""Decoded records as plain JSON: what the producer reads back as the same bytes; personal data masked."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.sources.documents import written
from avro_data_contracts.producers.plain.conversion import Unfit, plain
from avro_data_contracts.producers.plain.json_text import decode
from avro_data_contracts.streaming.inspection.masks import Masks
from avro_data_contracts.streaming.inspection.plain import MASK, Undecodable, reader, resolved
from contracts_tests.fixtures.any_type import distinct, kinds
from contracts_tests.fixtures.bodies import record_schema, record_serializer

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 3}
PLAIN: list[Any] = [
    "boolean", "int", "long", "float", "double", "string", "bytes",
    {"type": "enum", "name": "E", "symbols": ["A", "B"]},
    {"type": "fixed", "name": "F", "size": 4},
    DECIMAL,
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "timestamp-nanos"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"},
]  # fmt: skip
MOMENTS = st.integers(-(10**13), 10**13)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values as `Publisher.send` takes them."""
    if isinstance(kind, list):
        named = [(name(one), one) for one in kind]
        return st.one_of([values(one).map(lambda v, n=n: None if n == "null" else (n, v)) for n, one in named])
    if isinstance(kind, str):
        return SCALARS[kind]
    of = kind["type"]
    if of == "array":
        return st.lists(values(kind["items"]), max_size=2)
    if of == "map":
        return st.dictionaries(st.text(max_size=3), values(kind["values"]), max_size=2)
    if of == "record":
        return st.fixed_dictionaries({one["name"]: values(one["type"]) for one in kind["fields"]})
    if of == "enum":
        return st.sampled_from(kind["symbols"])
    return SCALARS.get(
        kind.get("logicalType", ""), st.binary(min_size=kind.get("size", 0), max_size=kind.get("size"))
    )


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "bytes": st.binary(max_size=4),
    "decimal": st.integers(-(10**39), 10**39).map(lambda n: Decimal(f"{n}e-3")),
    "date": st.dates(),
    "time-millis": st.integers(0, 86_399_999),
    "time-micros": st.integers(0, 86_399_999_999),
    "timestamp-millis": MOMENTS,
    "timestamp-micros": MOMENTS,
    "timestamp-nanos": MOMENTS,
    "local-timestamp-micros": MOMENTS,
    "uuid": st.uuids().map(str),
    "duration": st.binary(min_size=12, max_size=12),
}


def name(kind: Any) -> str:
    if isinstance(kind, dict):
        return str(kind.get("name") or kind["type"])
    return str(kind)


@st.composite
def records(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    numbers: Iterator[int] = count()
    fields = [{"name": n, "type": distinct(draw(kinds(PLAIN)), numbers)} for n in ("x", "y")]
    return fields, {field["name"]: draw(values(field["type"])) for field in fields}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(records())
def test_producer_reads_back_the_same_bytes(case: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    fields, record = case
    _, schema = record_schema(fields)
    write = record_serializer(fields)
    body = write(record)
    shown = reader(schema)(body)
    try:
        again = plain(schema)(decode(written(shown)))
    except Unfit as unfit:
        assume("fits several types" not in unfit.what)  # untagged JSON cannot tell them apart
        raise
    if write(again) != body:
        # The document's rule for unions chose another type, which shows the same.
        assert reader(schema)(write(again)) == shown


def one(kind: Any, value: Any) -> Any:
    _, schema = record_schema([{"name": "x", "type": kind}])
    return reader(schema)(record_serializer([{"name": "x", "type": kind}])({"x": value}))["x"]


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("double", float("nan"), "NaN"),
        ("double", float("-inf"), "-Infinity"),
        ("bytes", b"\xff\x00", base64.b64encode(b"\xff\x00").decode()),
        (DECIMAL, Decimal("1.5"), Decimal("1.500")),
        (DECIMAL, Decimal(10) ** 36, Decimal("1" + "0" * 36 + ".000")),
        ({"type": "int", "logicalType": "date"}, dt.date(2026, 11, 29), "2026-11-29"),
        ({"type": "int", "logicalType": "date"}, 2**31 - 1, 2**31 - 1),
        ({"type": "int", "logicalType": "time-millis"}, 45_296_050, "12:34:56.050"),
        ({"type": "long", "logicalType": "timestamp-millis"}, 1, "1970-01-01T00:00:00.001Z"),
        ({"type": "long", "logicalType": "timestamp-millis"}, -1, "1969-12-31T23:59:59.999Z"),
        ({"type": "long", "logicalType": "timestamp-nanos"}, 10**9 + 7, "1970-01-01T00:00:01.000000007Z"),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, 0, "1970-01-01T00:00:00"),
        ({"type": "long", "logicalType": "timestamp-millis"}, 2**62, 2**62),
        (
            {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"},
            b"\x01\0\0\0\x02\0\0\0\x03\0\0\0",
            {"months": 1, "days": 2, "milliseconds": 3},
        ),
        (["null", {"type": "int", "logicalType": "date"}, "long"], ("long", 5), 5),
    ],
)
def test_value_is_shown_as_the_document_says(kind: Any, value: Any, shown: Any) -> None:
    assert one(kind, value) == shown
    assert type(one(kind, value)) in (type(shown), dict, *type(shown).__subclasses__()) or shown is None


INNER = {
    "type": "record", "name": "Inner",
    "fields": [{"name": "phone", "type": "string", "confluent:tags": ["PII"]}, {"name": "n", "type": "int"}],
}  # fmt: skip
FIELDS = [
    {"name": "email", "type": ["null", "string"], "confluent:tags": ["PII"]},
    {"name": "inner", "type": INNER},
    {"name": "listed", "type": {"type": "array", "items": "Inner"}},
    {"name": "mapped", "type": {"type": "map", "values": ["null", "Inner"]}},
    {"name": "either", "type": ["string", {"type": "array", "items": "Inner"}, "Inner"]},
    {"name": "open", "type": "string"},
]
PERSON = {"phone": "555", "n": 1}


def person(email: str | None, either: Any) -> dict[str, Any]:
    return {"email": email, "inner": PERSON, "listed": [PERSON], "mapped": {"a": PERSON, "b": None},
            "either": either, "open": "x"}  # fmt: skip


@pytest.mark.parametrize(
    ("either", "shown"),
    [
        ("text", "text"),
        (("array", [PERSON]), [{"phone": MASK, "n": 1}]),
        (("Inner", PERSON), {"phone": MASK, "n": 1}),
    ],
)
def test_personal_data_is_masked_wherever_it_is(either: Any, shown: Any) -> None:
    _, schema = record_schema(FIELDS)
    body = record_serializer(FIELDS)(person("a@b.c", either))
    inner = {"phone": MASK, "n": 1}
    masked = {"email": MASK, "inner": inner, "listed": [inner], "mapped": {"a": inner, "b": None}, "either": shown}
    assert reader(schema)(body) == {**masked, "open": "x"}
    _, tagged = record_schema([{"name": "open", "type": "string", "confluent:tags": ["PII"]}])
    assert reader(schema, masks=Masks([tagged]))(body) == {**masked, "open": MASK}
    assert "555" in written(reader(schema, masks=None)(body))
    assert reader(schema)(record_serializer(FIELDS)(person(None, "x")))["email"] is None


@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: body + b"\0", lambda body: b""])
def test_broken_body_is_undecodable_without_its_bytes(change: Any) -> None:
    _, schema = record_schema(FIELDS)
    body = record_serializer(FIELDS)(person("a@b.c", "x"))
    with pytest.raises(Undecodable) as caught:
        reader(schema)(change(body))
    assert "a@b" not in str(caught.value)


def test_rules_get_values_as_the_contract_has_them() -> None:
    old = [{"name": "sum", "type": DECIMAL}, {"name": "n", "type": "int"}]
    new: dict[str, Any] = {
        "type": "record", "name": "Whole",
        "fields": [{"name": "total", "type": DECIMAL, "aliases": ["sum"]}, {"name": "n", "type": "long"},
                   {"name": "m", "type": "string", "default": "d"}],
    }  # fmt: skip
    contract: Schema = parsing.parse(json.dumps(new), where="new")
    _, writer = record_schema(old)
    raw = resolved(writer, contract)(record_serializer(old)({"sum": Decimal("1.5"), "n": 3}))
    assert raw == {"total": (1500).to_bytes(2, "big"), "n": 3, "m": "d"}
