"""The producer writes exactly the given value or refuses it; fastavro alone writes 1 for 1.7 and True for "no"."""

from __future__ import annotations

import datetime as dt
import enum
import math
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.values.scalars import Misfit
from contracts_tests.fixtures import examples, types_page
from contracts_tests.fixtures.any_type import distinct, kinds
from contracts_tests.fixtures.bodies import record_serializer
from contracts_tests.fixtures.strict_avro import Branch, decode

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timezone(dt.timedelta(hours=1))
ODD = dt.timezone(dt.timedelta(microseconds=1))
NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 1000, tzinfo=dt.UTC)
LOCAL = NOON.replace(tzinfo=None)
ID = uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
NAN, INF = math.nan, math.inf


class Text(str):
    """A subclass of str."""


class Size(enum.IntEnum):
    LARGE = 7


class Stamp(dt.datetime):
    """A datetime with nanoseconds, like the Timestamp of pandas."""

    nanosecond = 1


def logical(base: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": base, "logicalType": name, **more}


def fixed(size: int, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": f"F{size}", "size": size, **more}


MONEY = logical("bytes", "decimal", precision=4, scale=2)
CENTS = fixed(2, logicalType="decimal", precision=4, scale=2)
COLOUR = {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}
POINT = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": ["null", "int"], "default": None}],
}
NO_INT = (True, 1.0, 1.7, Decimal("1.7"), Decimal(1), "1", b"1", None, [1])
NO_MOMENT = ("2024-02-29T12:00:00Z", dt.date(2024, 2, 29), 1.5, True, 2**63, None)

#: Row of docs/reference/types.md, type, valid values (or pairs of value and result), and refused values.
SCALARS: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("boolean", "boolean", [True, False], ["no", "false", "", 0, 1, 0.0, None, [], Size.LARGE]),
    ("int", "int", [-(2**31), 0, 2**31 - 1, Size.LARGE], [-(2**31) - 1, 2**31, 2**32, 2**63, 10**30, NAN, *NO_INT]),
    ("long", "long", [-(2**63), 0, 2**63 - 1], [-(2**63) - 1, 2**63, 10**30, *NO_INT]),
    (
        "float",
        "float",
        [0.0, -0.0, 1.5, NAN, INF, -INF, 1, 2**24, (0.1, struct.unpack("<f", struct.pack("<f", 0.1))[0])],
        [1e300, -1e300, 3.5e38, 1e-300, 2**24 + 1, 2**128, 10**400, True, "1.5", Decimal("0.5"), None],
    ),
    (
        "double",
        "double",
        [0.1, -0.0, NAN, INF, 1e300, 5e-324, 1, 2**53],
        [2**53 + 1, 10**400, True, "1.5", Decimal("0.1"), None],
    ),
    ("string", "string", ["", "日本\U0001f600", "\x00", Text("x")], ["\ud800", "x\udfff", b"x", 1, None, ["x"]]),
    ("bytes", "bytes", [b"", b"\x00\xff", bytearray(b"x")], ["x", "", 1, None, [1], memoryview(b"x")]),
    ("fixed", fixed(4), [b"1234", bytearray(b"1234")], [b"", b"123", b"12345", "1234", 1234, None]),
    ("enum", COLOUR, ["RED", "BLUE", Text("RED")], ["GREEN", "red", "", 0, None, b"RED"]),
    (
        "uuid",
        logical("string", "uuid"),
        [str(ID), str(ID).upper(), (ID, str(ID))],
        ["", "x", ID.hex, ID.urn, f"{{{ID}}}", f"{ID}\n", ID.bytes, 1, None],
    ),
    ("uuid", fixed(16, logicalType="uuid"), [ID.bytes, (ID, ID.bytes)], [str(ID), b"", ID.bytes[1:], None]),
    (
        "date",
        logical("int", "date"),
        [dt.date.min, dt.date.max, (-1, dt.date(1969, 12, 31))],
        [NOON, LOCAL, "2024-02-29", 2**31, 1.0, True, None],
    ),
    (
        "time-millis",
        logical("int", "time-millis"),
        [dt.time.min, dt.time(23, 59, 59, 999_000), (1, dt.time(0, 0, 0, 1000))],
        [dt.time(1, 2, 3, 1), dt.time(1, tzinfo=dt.UTC), NOON, "12:00", -1, 86_400_000, True, None],
    ),
    (
        "time-micros",
        logical("long", "time-micros"),
        [dt.time.min, dt.time.max, (1, dt.time(0, 0, 0, 1))],
        [dt.time(1, tzinfo=dt.UTC), NOON, "12:00", -1, 86_400_000_000, True, None],
    ),
    (
        "timestamp-millis",
        logical("long", "timestamp-millis"),
        [
            NOON,
            NOON.astimezone(HOUR),
            EPOCH - dt.timedelta(milliseconds=1),
            dt.datetime.min.replace(tzinfo=dt.UTC),
            (5, EPOCH + dt.timedelta(milliseconds=5)),
        ],
        [LOCAL, NOON + dt.timedelta(microseconds=1), NOON.replace(tzinfo=ODD), *NO_MOMENT],
    ),
    (
        "timestamp-micros",
        logical("long", "timestamp-micros"),
        [NOON, NOON.astimezone(HOUR), NOON.replace(tzinfo=ODD), dt.datetime.max.replace(tzinfo=dt.UTC)],
        [LOCAL, Stamp(2024, 2, 29, tzinfo=dt.UTC), *NO_MOMENT],
    ),
    ("timestamp-nanos", logical("long", "timestamp-nanos"), [-(2**63), 2**63 - 1], [NOON, LOCAL, *NO_MOMENT]),
    (
        "local-timestamp-millis",
        logical("long", "local-timestamp-millis"),
        [LOCAL, dt.datetime.min],
        [NOON, LOCAL + dt.timedelta(microseconds=1), *NO_MOMENT],
    ),
    (
        "local-timestamp-micros",
        logical("long", "local-timestamp-micros"),
        [LOCAL, dt.datetime.max],
        [NOON, Stamp(2024, 2, 29), *NO_MOMENT],
    ),
    ("local-timestamp-nanos", logical("long", "local-timestamp-nanos"), [0], [NOON, LOCAL, *NO_MOMENT]),
    *(
        (
            "decimal",
            kind,
            [
                Decimal("1.5"),
                Decimal("-99.99"),
                Decimal("99.99"),
                Decimal("-0"),
                Decimal("0.000"),
                Decimal("1.2300"),
                Decimal("1E1"),
                Decimal("0E+999999"),
                (b"\x00\x96", Decimal("1.50")),
            ],
            [
                Decimal("100"),
                Decimal("-100"),
                Decimal("1.234"),
                Decimal("0.001"),
                Decimal("1E3"),
                Decimal("1E+999999"),
                Decimal("1E-999999"),
                Decimal("NaN"),
                Decimal("Infinity"),
                1,
                1.5,
                "1.5",
                True,
                None,
                b"",
                b"\x27\x10",
            ],
        )
        for kind in (MONEY, CENTS)
    ),
    (
        "duration",
        fixed(12, logicalType="duration"),
        [b"\x01" * 12],
        [b"", b"\x01" * 11, "x" * 12, (1, 2, 3), dt.timedelta(1), None],
    ),
]
ARRAY, MAPPING = {"type": "array", "items": "int"}, {"type": "map", "values": "int"}
MADE_OF_OTHERS: list[tuple[str, Any, list[Any], list[Any]]] = [
    (
        "array of a scalar",
        ARRAY,
        [[], [1, 2], ((1, 2), [1, 2])],
        [[2**31], [1, True], "12", {1: 1}, {1}, b"12", None, 1, [None]],
    ),
    (
        "array of anything else",
        {"type": "array", "items": ["null", "int"]},
        [[None, 1]],
        [[2**31], ["x"], [None, False]],
    ),
    (
        "map of a scalar",
        MAPPING,
        [{}, {"": 1, "é": 2}, (MappingProxyType({"a": 1}), {"a": 1})],
        [{"a": 2**31}, {1: 1}, {"\ud800": 1}, [("a", 1)], [], None, {b"a": 1}],
    ),
    (
        "map of anything else",
        {"type": "map", "values": MAPPING},
        [{"a": {"b": 1}}],
        [{"a": {"b": 2**31}}, {"a": None}],
    ),
    (
        "record",
        POINT,
        [
            {"x": 1, "y": 2},
            {"x": 1, "y": None},
            ({"x": 1}, {"x": 1, "y": None}),
            ({"x": 1, "y": 2, "z": 3}, {"x": 1, "y": 2}),
        ],
        [{"y": 1}, {"x": None}, {"x": 2**31}, {"x": 1, "y": 2**31}, {"x": 1, "y": "2"}, [("x", 1)], (1, 2), None, {}],
    ),
    (
        "union of several types",
        ["null", "int", "string"],
        [None, 5, "5"],
        [2**31, 1.5, True, b"x", "\ud800", [1], {}],
    ),
    ("union of int and long", ["null", "int", "long"], [1, 2**40, None], [2**63, 1.5, True]),
    ("union of float and double", ["float", "double"], [0.1, 1e300, 1, 2**53], [2**53 + 1, True, "1"]),
]
ROWS = SCALARS + MADE_OF_OTHERS


def serializer(kind: Any) -> Callable[[Any], bytes]:
    """Return a function that writes a record with one field `it` of that type and returns its body."""
    write = record_serializer([{"name": "it", "type": kind}])
    return lambda value: write({"it": value})


def read(kind: Any, body: bytes) -> Any:
    return lift(kind, decode(kind, body), {})


def lift(kind: Any, plain: Any, named: dict[str, Any]) -> Any:
    """Convert a decoded value to the Python type for it."""
    if isinstance(plain, Branch):
        return lift(plain.kind, plain.value, named)
    if isinstance(kind, str):
        kind = named.get(kind, {"type": kind})
    if "name" in kind:
        named[kind["name"]] = kind
    match kind["type"]:
        case "array":
            return [lift(kind["items"], one, named) for one in plain]
        case "map":
            return {key: lift(kind["values"], one, named) for key, one in plain.items()}
        case "record":
            return {one["name"]: lift(one["type"], plain[one["name"]], named) for one in kind["fields"]}
    return _LIFTED.get(kind.get("logicalType"), lambda plain, kind: plain)(plain, kind)


_LIFTED: dict[str | None, Callable[[Any, Any], Any]] = {
    "date": lambda days, _: dt.date.fromordinal(days + EPOCH.toordinal()),
    "time-millis": lambda number, _: (EPOCH.replace(tzinfo=None) + dt.timedelta(milliseconds=number)).time(),
    "time-micros": lambda number, _: (EPOCH.replace(tzinfo=None) + dt.timedelta(microseconds=number)).time(),
    "timestamp-millis": lambda number, _: EPOCH + dt.timedelta(milliseconds=number),
    "timestamp-micros": lambda number, _: EPOCH + dt.timedelta(microseconds=number),
    "local-timestamp-millis": lambda number, _: EPOCH.replace(tzinfo=None) + dt.timedelta(milliseconds=number),
    "local-timestamp-micros": lambda number, _: EPOCH.replace(tzinfo=None) + dt.timedelta(microseconds=number),
    "decimal": lambda data, kind: Decimal(int.from_bytes(data, "big", signed=True)) / 10 ** kind["scale"],
}


def same(one: Any, other: Any) -> bool:
    """Compare strictly: True differs from 1 and -0.0 from 0.0, while NaN equals NaN."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("d", one) == struct.pack("d", other) or (one != one and other != other)
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def test_cases_cover_every_type_in_the_docs() -> None:
    assert {row for row, *_ in SCALARS} == set(types_page.table("Scalars"))
    assert {row for row, *_ in MADE_OF_OTHERS} == set(types_page.table("Nested types"))


@pytest.mark.parametrize(("row", "kind", "good"), [row[:3] for row in ROWS])
def test_valid_values_survive_a_round_trip(row: str, kind: Any, good: list[Any]) -> None:
    write, nullable = serializer(kind), None if isinstance(kind, list) else serializer(["null", kind])
    for one in good:
        given, expected = one if type(one) is tuple else (one, one)
        assert same(read(kind, write(given)), expected), (row, one)
        # A tuple in a union names one of its types.
        if nullable is not None and type(given) is not tuple:
            assert same(read(["null", kind], nullable(given)), expected), (row, one)
            assert same(read(["null", kind], nullable((kind_name(kind), given))), expected), (row, one)


@pytest.mark.parametrize(("row", "kind", "bad"), [(row[0], row[1], row[3]) for row in ROWS])
def test_invalid_values_are_refused_with_their_field(row: str, kind: Any, bad: list[Any]) -> None:
    nullable = kind if isinstance(kind, list) else ["null", kind]
    places = [
        (kind, lambda one: one, "it"),
        ({"type": "array", "items": kind}, lambda one: [one], "it[]"),
        ({"type": "map", "values": kind}, lambda one: {"secret": one}, "it{}"),
    ]
    for one in bad:
        if one is not None or "null" not in kind:
            for place, around, path in places:
                with pytest.raises(Misfit) as caught:
                    serializer(place)(around(one))
                assert caught.value.path.startswith(path), (row, one)
                assert "secret" not in caught.value.path
        if one is not None:
            with pytest.raises(Misfit):
                serializer(nullable)(one)
            with pytest.raises(Misfit):
                serializer(["boolean", *nullable] if one is not True and kind != "boolean" else nullable)(one)


def kind_name(kind: Any) -> str:
    return kind if isinstance(kind, str) else kind.get("name", kind["type"])


def test_misfit_path_leads_to_the_value() -> None:
    item = {
        "type": "record",
        "name": "Item",
        "fields": [{"name": "sku", "type": "string"}, {"name": "n", "type": "int"}],
    }
    card = {"type": "record", "name": "Card", "fields": [{"name": "digits", "type": "string"}]}
    fields = [
        {
            "name": "order",
            "type": {
                "type": "record",
                "name": "Order",
                "fields": [
                    {"name": "items", "type": {"type": "array", "items": item}},
                    {"name": "by_day", "type": {"type": "map", "values": ["null", "Item"]}, "default": {}},
                    {"name": "paid", "type": ["null", card, "string"], "default": None},
                ],
            },
        },
    ]
    write = record_serializer(fields)
    good = {"sku": "a", "n": 1}
    for order, path in [
        ({"items": [good, {"sku": "a", "n": 2**31}]}, "order.items[].n"),
        ({"items": [good, {"sku": "a"}]}, "order.items[].n"),
        ({"items": [3]}, "order.items[]"),
        ({"items": [], "by_day": {"private": {"sku": None, "n": 1}}}, "order.by_day{}.sku"),
        ({"items": [], "by_day": {"\ud800": good}}, "order.by_day{}"),
        ({"items": [], "paid": ("Card", {"digits": 5})}, "order.paid(Card).digits"),
        ({"items": [], "paid": 5}, "order.paid"),
        ({}, "order.items"),
        (None, "order"),
    ]:
        with pytest.raises(Misfit) as caught:
            write({"order": order})
        assert caught.value.path == path
        assert "private" not in str(caught.value)


A = {"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}, {"name": "n", "type": ["null", "int"]}]}
B = {"type": "record", "name": "B", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int"}]}


@pytest.mark.parametrize(
    ("kind", "value", "branch"),
    [
        (["double", "int"], 1, "int"),
        (["float", "int"], 2**24 + 1, "int"),
        (["long", "int"], 2**31, "long"),
        (["float", "double"], 0.5, "double"),
        (["double", "long"], 2**53 + 1, "long"),
        (["long", "double"], 1.5, "double"),
        (["long", "boolean"], True, "boolean"),
        ([logical("int", "date"), "long"], 5, "long"),
        (["string", COLOUR], "RED", "string"),
        ([COLOUR, "string"], "RED", COLOUR),
        ([COLOUR, "string"], "PINK", "string"),
        (["string", fixed(16, logicalType="uuid")], ID, fixed(16, logicalType="uuid")),
        (["bytes", CENTS], Decimal("1.5"), CENTS),
        ([logical("int", "date"), logical("long", "timestamp-millis")], NOON, logical("long", "timestamp-millis")),
        ([logical("long", "timestamp-millis"), logical("int", "date")], dt.date(2024, 2, 29), logical("int", "date")),
        ([A, B], {"x": 1, "y": 2}, B),
        ([A, B], {"x": 1}, A),
        ([A, B], {"x": 1, "y": 2, "more": 3}, B),
        ([A, B], {"-type": "A", "x": 1, "y": 2}, A),
        ([A, B], ("A", {"x": 1, "y": 2}), A),
        ([A, MAPPING], {"x": 1, "z": 2}, MAPPING),
        ([A, MAPPING], {"-type": 1, "x": 2}, MAPPING),
        ([MAPPING, A], {"x": 1, "n": None}, A),
        (["null", ARRAY, "string"], ("array", [1]), ARRAY),
    ],
)
def test_union_takes_the_branch_that_holds_the_value(kind: Any, value: Any, branch: Any) -> None:
    assert decode(kind, serializer(kind)(value)).kind == branch


@pytest.mark.parametrize("value", [("int", 2**31), ("nothing", 1), ("null", 1), ("int",), (1, 2), ("int", None)])
def test_named_branch_must_hold_the_value(value: Any) -> None:
    for kind in (["null", "int"], ["null", "int", "string"]):
        with pytest.raises(Misfit):
            serializer(kind)(value)


@pytest.mark.parametrize(
    ("kind", "default", "expected"),
    [
        ("bytes", "\u00ff\u0000", b"\xff\x00"),
        (fixed(2), "\u00ff\u0001", b"\xff\x01"),
        (MONEY, "\u0000\u0096", Decimal("1.50")),
        (["bytes", "string"], "a", b"a"),
        ("double", 1, 1.0),
        ("double", "NaN", NAN),
        (logical("int", "date"), 0, dt.date(1970, 1, 1)),
        (POINT, {"x": 1}, {"x": 1, "y": None}),
        ({"type": "array", "items": "bytes"}, ["\u0001"], [b"\x01"]),
        ({"type": "map", "values": fixed(1)}, {"a": "\u0001"}, {"a": b"\x01"}),
    ],
)
def test_missing_field_is_written_with_its_default(kind: Any, default: Any, expected: Any) -> None:
    body = record_serializer([{"name": "it", "type": kind, "default": default}])({})
    assert same(read(kind, body), expected)


@pytest.mark.parametrize(
    ("kind", "default"), [(fixed(2), "x"), (COLOUR, "PINK"), (MONEY, "\u0027\u0010"), ("float", 1e300)]
)
def test_invalid_default_is_refused(kind: Any, default: Any) -> None:
    write = record_serializer([{"name": "it", "type": kind, "default": default}])
    with pytest.raises(Misfit, match="default") as caught:
        write({})
    assert caught.value.path == "it"


LIST = {"type": "record", "name": "List", "fields": [{"name": "next", "type": ["null", "List"]}]}


def test_recursive_record_is_written_and_checked() -> None:
    write = record_serializer([{"name": "it", "type": LIST}])
    chain: dict[str, Any] = {"next": None}
    for _ in range(50):
        chain = {"next": chain}
    assert read(LIST, write({"it": chain})) == chain
    loop: dict[str, Any] = {}
    loop["next"] = loop
    with pytest.raises(RecursionError):
        write({"it": loop})
    with pytest.raises(Misfit) as caught:
        write({"it": {"next": {"next": 5}}})
    assert caught.value.path == "it.next.next"


# -- any schema, any value ----------------------------------------------------------------------------------------

PLAIN = [row[1] for row in SCALARS]
#: Every value that any row accepts or refuses, to try with any type.
ODD_VALUES = [one[0] if type(one) is tuple else one for row in ROWS for one in (*row[2], *row[3])]
DATETIMES = st.datetimes(
    timezones=st.none() | st.sampled_from([dt.UTC, HOUR, ODD, dt.timezone(dt.timedelta(hours=-23))])
)


@st.composite
def values(draw: st.DrawFn, kind: Any) -> Any:
    """Draw a value that fits the type, nearly fits it, or is unrelated to it."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(ODD_VALUES))
    if isinstance(kind, list):
        return draw(values(draw(st.sampled_from(kind))))
    name = kind if isinstance(kind, str) else kind["type"]
    if name == "array":
        return draw(st.lists(values(kind["items"]), max_size=3))
    if name == "map":
        return draw(st.dictionaries(st.text(max_size=3), values(kind["values"]), max_size=3))
    if name == "record":
        return {one["name"]: draw(values(one["type"])) for one in kind["fields"]}
    if name == "fixed" and "logicalType" not in kind:
        return draw(st.binary(min_size=kind["size"], max_size=kind["size"]))
    return draw(NEAR[kind.get("logicalType", name) if isinstance(kind, dict) else name])


NEAR: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1) | st.integers(-(2**33), 2**33),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**65), 2**65),
    "float": st.floats(width=32) | st.integers(-(2**25), 2**25) | st.floats(),
    "double": st.floats() | st.integers(-(2**54), 2**54),
    "string": st.text(max_size=5) | st.text(st.characters(), max_size=3),
    "bytes": st.binary(max_size=5),
    "enum": st.sampled_from(COLOUR["symbols"]),
    "uuid": st.uuids() | st.uuids().map(str) | st.binary(min_size=16, max_size=16),
    "date": st.dates() | DATETIMES | st.integers(-1000, 1000),
    "time-millis": st.times().map(lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)) | st.times(),
    "time-micros": st.times() | st.integers(0, 86_400_000_000 - 1),
    "timestamp-millis": DATETIMES
    | DATETIMES.map(lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)),
    "timestamp-micros": DATETIMES,
    "timestamp-nanos": st.integers(-(2**63), 2**63 - 1),
    "local-timestamp-millis": DATETIMES.map(lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)),
    "local-timestamp-micros": DATETIMES,
    "local-timestamp-nanos": st.integers(-(2**63), 2**63 - 1),
    "decimal": st.decimals(-100, 100, places=2) | st.decimals() | st.decimals(-100, 100),
    "duration": st.binary(min_size=12, max_size=12),
}


def held(kind: Any, given: Any, plain: Any) -> bool:
    """Return whether the decoded value is exactly the given one."""
    if isinstance(plain, Branch):
        if type(given) is tuple:
            name, given = given
            assert name == kind_name(plain.kind)
        return held(plain.kind, given, plain.value)
    name = kind if isinstance(kind, str) else kind["type"]
    if name == "array":
        return len(given) == len(plain) and all(held(kind["items"], *pair) for pair in zip(given, plain, strict=True))
    if name == "map":
        return given.keys() == plain.keys() and all(held(kind["values"], given[key], plain[key]) for key in given)
    if name == "record":
        return all(held(one["type"], given.get(one["name"]), plain[one["name"]]) for one in kind["fields"])
    if name == "float" and type(given) is float and not math.isnan(given):
        # Rounded to the nearest float, and not changed otherwise.
        return struct.pack("<f", given) == struct.pack("<f", plain) and (given == 0) is (plain == 0)
    if type(given) in (int, Size, bytes, bytearray):
        return same(plain, given)
    if isinstance(given, uuid.UUID):
        return plain in (str(given), given.bytes)
    return same(lift(kind, plain, {}), given)


@settings(max_examples=examples.of(1_500), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_record_is_refused_or_survives_a_round_trip(data: st.DataObject) -> None:
    kind = distinct(data.draw(kinds(PLAIN)), count())
    value = data.draw(values(kind))
    try:
        body = serializer(kind)(value)
    except Misfit:
        return
    assert held(kind, value, decode(kind, body))
