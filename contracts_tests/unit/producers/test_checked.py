"""A record that the conversion has checked is what the strict check would make of it, for every type and each way in.

So nothing unchecked reaches Kafka, although a record of a file is looked at once only.
"""

from __future__ import annotations

import ast
import datetime as dt
import itertools
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.choices import SchemaIdPlace
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.registry.registered import RegisteredSchema
from avro_data_contracts.contracts.sample import plain as plain_sample
from avro_data_contracts.contracts.sample.chance import Chance
from avro_data_contracts.contracts.sample.invalid import Invalid
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.sources.documents import written
from avro_data_contracts.contracts.values.scalars import Misfit
from avro_data_contracts.producers import keys, strict
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.encoding import Encoder, FromJson
from avro_data_contracts.producers.from_files import FileOptions, FromFiles
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.plain.cells import cells
from avro_data_contracts.producers.plain.conversion import Unfit, checked, plain
from avro_data_contracts.producers.plain.json_text import decode as from_json
from avro_data_contracts.producers.rejection import RejectedRecord, Rejection
from avro_data_contracts.producers.serializer import Serializer
from avro_data_contracts.producers.sources.source import Request
from contracts_tests.fixtures import contract_files, examples
from contracts_tests.fixtures.any_json import KINDS, LIKELY, OTHER, json_of
from contracts_tests.fixtures.any_type import distinct, kinds
from contracts_tests.fixtures.bodies import record_schema
from contracts_tests.fixtures.clone import CLONE

SCALARS = [kind for name, kind in KINDS.items() if name not in ("array", "map", "record", "duration")]
ASKED = st.sampled_from(
    [
        *([], [], [], ["numbers"], ["booleans"], ["epoch"], ["epoch=s"], ["first-type", "extra-fields"]),
        ["zone=Europe/Vienna", "numbers", "first-type"],
    ]
).map(Asked.of)

UTC_MOMENTS = st.datetimes(timezones=st.just(dt.UTC))
#: What Parquet has beside JSON's values.
NATIVE_OF: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("bytes", "fixed", "duration"), st.binary(max_size=13)),
    "uuid": st.uuids(),
    "date": st.dates(),
    **dict.fromkeys(("time-millis", "time-micros"), st.times() | st.builds(dt.time, st.integers(0, 23))),
    **{
        f"{local}timestamp-{unit}": moments | moments.map(lambda one: one.replace(microsecond=5000))
        for local, moments in (("local-", st.datetimes()), ("", UTC_MOMENTS))
        for unit in ("millis", "micros")
    },
    "decimal": st.decimals(allow_nan=True, allow_infinity=True) | st.decimals(-99, 99, places=2),
    "float": st.floats(width=32) | st.floats(),
    "double": st.floats(),
}
NATIVE = st.one_of(*NATIVE_OF.values())


class Ways:
    """The two ways of a record of one field `it`, and of others that the source leaves out."""

    def __init__(self, kind: Any) -> None:
        self.fields: list[Any] = [
            {"name": "it", "type": kind},
            {"name": "left", "type": ["null", "string"]},
            {"name": "amount", "type": KINDS["decimal"], "default": "\u0001"},
        ]
        text, self.schema = record_schema(self.fields)
        self._check = strict.compile_record(self.schema)
        subject = Subject("t-value", "value", "value.avsc", text, self.schema)
        self._serializer = Serializer(subject, RegisteredSchema(7, text), SchemaIdPlace.prefix)

    def twice(self, convert: Any, given_: Any) -> bytes | None:
        """The body if the record is converted, and then checked; None if it is refused."""
        try:
            return self._serializer.write(self._check(convert(given_)))
        except (Rejection, Misfit):
            return None

    def once(self, convert: Any, given_: Any) -> bytes | None:
        """The body if the conversion checks it.  The strict check must let it pass, and not change it."""
        try:
            made = convert(given_)
        except Unfit:
            return None
        assert made.schema is self.schema
        assert set(made.filled) >= {"left", "amount"}
        body = self._serializer.write_bare(made.written)
        assert self._serializer.write(self._check(made.written)) == body
        return body


def around(kind: Any, value: Any, shape: str) -> tuple[Any, Any]:
    """The type inside of another, and its value there."""
    if shape == "null":
        return ["null", kind], value
    if shape == "union":
        return [kind, "null", OTHER], value
    if shape == "array":
        return {"type": "array", "items": kind}, [value, value]
    if shape == "map":
        return {"type": "map", "values": ["null", kind]}, {"a": value, "b": None}
    return kind, value


SHAPES = st.sampled_from(["alone", "alone", "null", "union", "array", "map"])


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=examples.of(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), asked=ASKED, shape=SHAPES)
def test_json_of_each_type_becomes_the_same_or_is_refused_both_ways(
    name: str, data: st.DataObject, asked: Asked, shape: str
) -> None:
    kind, value = around(KINDS[name], data.draw(LIKELY[name]), shape)
    ways = Ways(kind)
    once = ways.once(checked(ways.schema, asked), {"it": value})
    assert once == ways.twice(plain(ways.schema, asked), {"it": value})


@settings(max_examples=examples.of(400), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), ASKED)
def test_json_of_nested_types_becomes_the_same_or_is_refused_both_ways(data: st.DataObject, asked: Asked) -> None:
    kind = distinct(data.draw(kinds([*SCALARS, KINDS["duration"]])), count())
    ways = Ways(kind)
    name = data.draw(st.sampled_from(["it", "it", "It", "other"]))
    given_ = from_json(f"{{{json.dumps(name)}: {data.draw(json_of(kind))}}}")
    once = ways.once(checked(ways.schema, asked), given_)
    assert once == ways.twice(plain(ways.schema, asked), given_), (kind, given_)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=examples.of(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), asked=ASKED, shape=st.sampled_from(["alone", "null", "union"]))
def test_cell_of_each_type_becomes_the_same_or_is_refused_both_ways(
    name: str, data: st.DataObject, asked: Asked, shape: str
) -> None:
    kind, value = around(KINDS[name], data.draw(LIKELY[name]), shape)
    ways = Ways(kind)
    row = [value if isinstance(value, str) else written(value)]
    once = ways.once(cells(ways.schema, ["it"], asked, final=True), row)
    assert once == ways.twice(cells(ways.schema, ["it"], asked), row)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=examples.of(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), shape=SHAPES)
def test_value_of_parquet_becomes_the_same_or_is_refused_both_ways(
    name: str, data: st.DataObject, shape: str
) -> None:
    native = NATIVE_OF.get(name, NATIVE)
    kind, value = around(KINDS[name], data.draw(native | LIKELY[name] | NATIVE), shape)
    ways = Ways(kind)
    once = ways.once(checked(ways.schema, typed=True), {"it": value})
    assert once == ways.twice(plain(ways.schema, typed=True), {"it": value})


# -- messages ------------------------------------------------------------------------------------------------------


def encoder(one: Any) -> Encoder:
    """With the id 7 for both schemas."""
    found = [
        subject and Serializer(subject, RegisteredSchema(7, subject.schema_text), SchemaIdPlace.prefix)
        for subject in (one.value, one.key)
    ]
    return Encoder(one, *found)


def outcome(make: Any, record: Any) -> Any:
    """The message, or what is told of the record."""
    try:
        made = make(record)
    except RejectedRecord as refusal:
        return refusal.reason, refusal.what, refusal.field, refusal.rule
    return made.key, made.value, made.headers


@pytest.mark.parametrize("name", ["orders_placed", "users_created"])
def test_checked_records_give_the_same_messages_and_break_the_same_rules(name: str) -> None:
    one = loading.load_one(CLONE / "schemas", name)
    made, read, convert = encoder(one), FromJson(one), checked(one.value.schema)
    shown = [
        json.loads(plain_sample.line(one.value.schema, record))
        for record in itertools.islice(sample.records(one, "seed"), 150)
    ]
    makers = Invalid(one)
    for reason in ("INVALID_RECORD", *(rule.reason for rule in one.rules)):
        shown += [makers.of(reason, Chance(number)).shown for number in range(12)]
    outcomes = []
    for document in shown:
        text = json.dumps(document)
        try:
            expected = outcome(made, read(text))
        except RejectedRecord:
            with pytest.raises(Unfit):
                convert(from_json(text))
            continue
        outcomes.append(expected)
        assert outcome(made.of_checked, convert(from_json(text))) == expected, document
    broken = {told[3] for told in outcomes if len(told) == 4}
    assert broken == {rule.name for rule in one.rules}, "each rule has one record at least that breaks it"


def keyed(of_value: Any, of_key: Any, **more: Any) -> Any:
    order = {
        "type": "record",
        "name": "shop.Order",
        "fields": [{"name": "id", "type": "string"}, {"name": "part", "type": of_value, **more}],
    }
    files = {
        "orders__value_avsc": json.dumps(order),
        "orders__key_avsc": contract_files.record(("part", of_key), name="shop.Key"),
    }
    text = f"{contract_files.CONTRACT}key: key.avsc\n"
    return contract_files.load(**files, orders__contract_yaml=text).get("orders")


def test_key_that_only_has_a_default_is_refused() -> None:
    one = keyed("string", "string", default="x")
    made, convert = encoder(one), checked(one.value.schema)
    assert made.of_checked(convert({"id": "a", "part": "x"})).key == b"\0\0\0\0\7\2x"
    with pytest.raises(RejectedRecord, match="the key needs a field 'part'"):
        made.of_checked(convert({"id": "a"}))
    with pytest.raises(RejectedRecord, match="the key needs a field 'part'"):
        made(plain(one.value.schema)({"id": "a"}))


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}


@pytest.mark.parametrize(
    ("of_value", "of_key", "is_part"),
    [
        ("string", "string", True),
        (DECIMAL, DECIMAL, True),
        (DECIMAL, {**DECIMAL, "scale": 3}, False),
        (["null", "string"], "string", False),
        ("int", "long", False),
    ],
)
def test_files_are_checked_in_one_go_only_if_the_key_is_made_of_the_value(
    tmp_path: Path, of_value: Any, of_key: Any, is_part: bool
) -> None:
    """Another key has to be made of the values before they are written: 1.20 has other bytes with three digits."""
    one = keyed(of_value, of_key)
    assert keys.is_part_of_value(one) is is_part
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": "a", "part": 7}\n' if of_value in ("int", DECIMAL) else '{"id": "a", "part": "7"}\n')
    options = FileOptions(str(file), None, [], None, False)
    [item] = FromFiles(options, one, Settings(), {"HOME": str(tmp_path)}).source.items(Request(""))
    assert isinstance(item.outcome, Checked) is is_part
    if isinstance(item.outcome, dict):
        assert encoder(one)(item.outcome).key
        with pytest.raises(AssertionError, match="the key"):
            encoder(one).of_checked(Checked(one.value.schema, item.outcome, ()))


def test_record_checked_with_another_schema_is_not_taken() -> None:
    one, other = keyed("string", "string"), keyed("string", "string")
    with pytest.raises(AssertionError, match="another schema"):
        encoder(one).of_checked(checked(other.value.schema)({"id": "a", "part": "x"}))


def test_nothing_but_the_conversion_makes_checked_records() -> None:
    makers = set()
    for file in (CLONE / "producers").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Checked":
                makers.add(file.relative_to(CLONE / "producers").as_posix())
    assert makers == {"plain/conversion.py", "plain/cells.py"}
