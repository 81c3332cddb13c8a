"""Records of programs to messages, without a server: what is taken, what is refused, and what a refusal names."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import types
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.choices import SchemaIdPlace
from avro_data_contracts.contracts.registry.registered import RegisteredSchema
from avro_data_contracts.contracts.sample import plain
from avro_data_contracts.producers import dead_letter
from avro_data_contracts.producers.encoding import Encoder, FromJson
from avro_data_contracts.producers.rejection import RejectedRecord
from avro_data_contracts.producers.serializer import Serializer
from contracts_tests.fixtures import contract_files
from contracts_tests.fixtures.clone import CLONE

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
MOMENT = {"type": "long", "logicalType": "timestamp-millis"}
LOCAL = {"type": "long", "logicalType": "local-timestamp-micros"}


def contract(*fields: tuple[str, object], rules: str = "") -> Any:
    files = {"orders__value_avsc": contract_files.record(("id", "string"), *fields)}
    return contract_files.load(**files, orders__contract_yaml=contract_files.CONTRACT + rules).get("orders")


def encoder(one: Any) -> Encoder:
    """With the id 7 for both schemas."""
    subjects = (one.value, one.key)
    found = [
        subject and Serializer(subject, RegisteredSchema(7, subject.schema_text), SchemaIdPlace.prefix)
        for subject in subjects
    ]
    return Encoder(one, *found)


class Written:
    """As `contracts export python` writes them."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record

    def to_record(self) -> dict[str, Any]:
        return self.record


@pytest.mark.parametrize("shape", [dict, types.MappingProxyType, Written])
def test_mappings_and_written_classes_give_the_same_message(shape: Any) -> None:
    made = encoder(contract(("amount", "int")))
    assert made(shape({"id": "a", "amount": 5})).value == b"\0\0\0\0\7\2a\x0a"


KEYS: list[tuple[Any, Any, Any]] = [
    # Type in the value, type in the key, and a record's field.
    ("string", "string", "ä"),
    ("long", "long", -(2**40)),
    ({"type": "string", "logicalType": "uuid"}, {"type": "string", "logicalType": "uuid"}, uuid.UUID(int=7)),
    (MOMENT, MOMENT, dt.datetime(2024, 2, 29, 1, 2, 3, 4000, tzinfo=dt.UTC)),
    (MONEY, MONEY, Decimal("1.20")),
    ("int", "long", 7),
    (MONEY, {**MONEY, "precision": 9}, Decimal("1.20")),
    (["null", "string"], ["null", "string"], "a"),
    (["null", "string"], "string", "a"),
    ({"type": "string", "logicalType": "uuid"}, "string", str(uuid.UUID(int=7))),
]


@pytest.mark.parametrize(("of_value", "of_key", "field"), KEYS, ids=[str(one[:2]) for one in KEYS])
def test_key_is_what_the_keys_own_serializer_writes(of_value: Any, of_key: Any, field: Any) -> None:
    files = {
        "orders__value_avsc": contract_files.record(("id", "string"), ("part", of_value)),
        "orders__key_avsc": contract_files.record(("part", of_key), name="shop.Key"),
    }
    one = contract_files.load(**files, orders__contract_yaml=f"{contract_files.CONTRACT}key: key.avsc\n").get(
        "orders"
    )
    assert one.key is not None
    own = Serializer(one.key, RegisteredSchema(7, one.key.schema_text), SchemaIdPlace.prefix)
    made = encoder(one)({"id": "a", "part": field})
    assert made.key == own({"part": field})
    assert made.key_fields == {"part": field}


def test_value_that_fits_the_value_and_not_the_key_is_refused() -> None:
    files = {
        "orders__value_avsc": contract_files.record(("id", "string"), ("part", "long")),
        "orders__key_avsc": contract_files.record(("part", "int"), name="shop.Key"),
    }
    one = contract_files.load(**files, orders__contract_yaml=f"{contract_files.CONTRACT}key: key.avsc\n").get(
        "orders"
    )
    with pytest.raises(RejectedRecord, match="the key's field part"):
        encoder(one)({"id": "a", "part": 2**40})


@pytest.mark.parametrize("given_", [None, 5, "text", b"{}", [("id", "a")], Written, object()])
def test_anything_else_is_refused_by_its_type(given_: Any) -> None:
    with pytest.raises(RejectedRecord, match="is not a record") as caught:
        encoder(contract())(given_)
    assert caught.value.reason == "INVALID_RECORD"


def test_broken_rule_names_itself_and_its_field() -> None:
    rules = """
rules:
  - {name: positive, field: amount, min: 1}
  - {name: small, expression: amount < 100 or id != 'a'}
"""
    made = encoder(contract(("amount", "int"), rules=rules))
    found = []
    for amount in (0, 100):
        with pytest.raises(RejectedRecord) as caught:
            made({"id": "a", "amount": amount})
        found.append((caught.value.reason, caught.value.rule, caught.value.field))
    assert found == [("RULE:positive", "positive", "amount"), ("RULE:small", "small", "")]


def test_timestamps_of_json_are_datetimes() -> None:
    text = '{"id": "a", "at": "2026-01-31T12:00:00.5+01:00", "local": "0001-01-01 00:00:00.000001"}'
    found = FromJson(contract(("at", MOMENT), ("local", LOCAL)))(text)
    assert found == {
        "id": "a",
        "at": dt.datetime(2026, 1, 31, 11, 0, 0, 500_000, tzinfo=dt.UTC),
        "local": dt.datetime(1, 1, 1, 0, 0, 0, 1),
    }


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_every_moment_arrives_as_it_was_written(moment: dt.datetime) -> None:
    one = contract(("local", LOCAL))
    local = moment.replace(tzinfo=None)
    found = FromJson(one)(json.dumps({"id": "a", "local": local.isoformat(timespec="microseconds")}))
    assert found["local"] == local
    made = encoder(one)
    number = (local - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
    assert made(found).value == made({"id": "a", "local": number}).value


@pytest.mark.parametrize("name", ["orders_placed", "users_created"])
def test_json_of_samples_gives_the_message_of_the_samples(name: str) -> None:
    one = loading.load_one(CLONE / "schemas", name)
    made, read = encoder(one), FromJson(one)
    for record in itertools.islice(sample.records(one, 3), 200):
        text = plain.line(one.value.schema, record)
        assert made(read(text)).value == made(record).value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_rejection_without_their_text(body: bytes) -> None:
    one = contract()
    reason = "is a record"
    try:
        assert FromJson(one)(body).keys() == {"id"}
    except RejectedRecord as refusal:
        reason = refusal.reason
    assert reason in ("is a record", "NOT_UTF8", "NOT_JSON", "DUPLICATE_KEY", "NOT_A_NUMBER", "INVALID_RECORD")


EDGES = [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_000), dt.datetime(2026, 1, 31)]


@given(st.sampled_from(EDGES), st.integers(-1439, 1439))
def test_moment_at_the_edge_of_time_is_a_record_or_a_rejection(local: dt.datetime, minutes: int) -> None:
    """With an offset, a moment of the years 1 to 9999 may be outside of them in UTC."""
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{local.isoformat(timespec='milliseconds')}{sign}{size // 60:02}:{size % 60:02}"
    read = FromJson(contract(("at", MOMENT)))
    try:
        expected = local - dt.timedelta(minutes=minutes)
    except OverflowError:
        with pytest.raises(RejectedRecord, match="outside the years 1 to 9999") as caught:
            read(json.dumps({"id": "a", "at": text}))
        assert (caught.value.reason, caught.value.field) == ("INVALID_RECORD", "at")
    else:
        assert read(json.dumps({"id": "a", "at": text}))["at"] == expected.replace(tzinfo=dt.UTC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.datetimes().map(str),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=4), one, max_size=3),
    max_leaves=6,
)


def test_any_json_in_a_field_is_a_record_or_a_rejection() -> None:
    """Of the contract with the most types; each field at its own name, or at another that stands for it."""
    one = loading.load_one(CLONE / "schemas", "orders_placed")
    names = [field.name for field in one.value.record.fields]
    read, made = FromJson(one), encoder(one)
    text = plain.line(one.value.schema, next(iter(sample.records(one, 3))))
    first = re.compile(r"[^.\[({]*")

    @given(st.data())
    def check(data: st.DataObject) -> None:
        document = json.loads(text)
        for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
            document[data.draw(st.sampled_from([name, name.upper(), name.title()]))] = data.draw(JSON)
        field = ""
        try:
            made(read(json.dumps(document)))
        except RejectedRecord as refusal:
            field = refusal.field
        assert first.match(field)[0] in ["", *names]  # type: ignore[index]

    check()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ('{"id": "a", "ID": "b"}', "id"),
        ('{"ID": 5}', "id"),
        ('{"Id": "a", "Place": {"City": 5}}', "place.city"),
        ('{"Id": "a", "place": {"city": "x", "City": "y"}}', "place.city"),
        ('{"Id": "a", "Place": {"city": "x", "zip": 1}}', "place.zip"),
    ],
)
def test_path_of_a_field_under_another_name_is_the_schemas(document: str, path: str) -> None:
    place = {"type": "record", "name": "Place", "fields": [{"name": "city", "type": "string"}]}
    with pytest.raises(RejectedRecord) as caught:
        FromJson(contract(("place", place)))(document)
    assert caught.value.field == path


@pytest.mark.parametrize("text", [b'{"id": "a"}', bytearray(b'{"id": "a"}'), '{"id": "a"}'])
def test_json_is_text_or_bytes(text: Any) -> None:
    assert FromJson(contract())(text) == {"id": "a"}


class Broken:
    """A written class whose nested value is a mapping, and not an object."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def to_record(self) -> dict[str, Any]:
        raise self.error

    def __str__(self) -> str:
        return "an order"


@pytest.mark.parametrize("error", [AttributeError("secret"), TypeError("secret"), KeyError("secret")])
def test_object_that_cannot_be_a_record_is_refused_and_can_be_a_dead_letter(error: Exception) -> None:
    with pytest.raises(RejectedRecord) as caught:
        encoder(contract())(Broken(error))
    assert "secret" not in str(caught.value)
    assert dead_letter.of(Broken(error), caught.value, topic="t", producer="p").value == b'"an order"'


@pytest.mark.parametrize(
    ("given_", "value"),
    [
        (Written({"id": "a"}), b'{"id": "a"}'),
        (types.MappingProxyType({"id": "a"}), b'{"id": "a"}'),
        (Written, b'"<class'),
        (b"{", b"{"),
        (None, b"null"),
    ],
)
def test_dead_letter_has_whatever_was_refused(given_: Any, value: bytes) -> None:
    letter = dead_letter.of(given_, RejectedRecord("NO", "it does not"), topic="t", producer="p")
    assert letter.value is not None
    assert letter.value.startswith(value)
