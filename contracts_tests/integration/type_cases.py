"""Values for every row of docs/types.md: what Avro's bytes carry, and what is to come out of each store."""

from __future__ import annotations

import base64
import datetime as dt
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

EPOCH = dt.datetime(1970, 1, 1)
DAY_S = 86_400


@dataclass(frozen=True)
class Value:
    """A value as Avro's bytes carry it, and what is to come out: of each store, and inside of JSON."""

    avro: Any
    cassandra: Any
    postgres: Any
    json: Any


@dataclass(frozen=True)
class Case:
    """A field: its row of docs/types.md, its Avro type, and what it holds."""

    row: str
    kind: Any
    values: list[Value]


def same(*values: Any) -> list[Value]:
    return [Value(one, one, one, one) for one in values]


def as_json(*pairs: tuple[Any, Any]) -> list[Value]:
    """(what is sent, its JSON), for a type that both stores hold as JSON."""
    return [Value(sent, told, told, told) for sent, told in pairs]


def floats(*pairs: tuple[float, Any]) -> list[Value]:
    nones = ((float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity"))
    return [Value(one, one, float(told), told) for one, told in (*pairs, *nones)]


def blobs(*values: bytes) -> list[Value]:
    return [Value(one, one, one, base64.b64encode(one).decode()) for one in values]


def moments(per_second: int, *, local: bool) -> list[Value]:
    """Timestamps: the first and the last, and days that only one of the two calendars has."""
    fine = 0 if per_second == 1000 else 1
    texts = ("0001-01-01T00:00:00.000000", "1582-10-10T12:30:00.001000", "1969-12-31T23:59:59.999000")
    texts += ("2024-03-31T02:30:00.007000", "9999-12-31T23:59:59.999000")
    made = []
    for one in map(dt.datetime.fromisoformat, texts):
        moment = one + dt.timedelta(microseconds=fine * 999)
        number = (moment - EPOCH) // dt.timedelta(microseconds=1) // (1_000_000 // per_second)
        in_postgres = moment if local else moment.replace(tzinfo=dt.UTC)
        told = moment.isoformat(timespec="microseconds") + ("" if local else "Z")
        made.append(Value(number, number if fine else moment, in_postgres, told))
    return made


def times(per_second: int, *values: int) -> list[Value]:
    made = []
    for one in values:
        time = (EPOCH + dt.timedelta(microseconds=one * (1_000_000 // per_second))).time()
        made.append(Value(one, one * (1_000_000_000 // per_second), time, time.isoformat(timespec="microseconds")))
    return made


def decimals(scale: int, *values: str) -> list[Value]:
    numbers = [(int(text.replace(".", "")), Decimal(text)) for text in values]
    assert all(-one.as_tuple().exponent == scale for _, one in numbers)
    return [Value(unscaled.to_bytes(17, "big", signed=True), one, one, one) for unscaled, one in numbers]


def uuids(*values: str, is_fixed: bool) -> list[Value]:
    found = [(text, uuid.UUID(text)) for text in values]
    return [Value(one.bytes if is_fixed else text, one, one, str(one) if is_fixed else text) for text, one in found]


def durations(*values: tuple[int, int, int]) -> list[Value]:
    """Of months, days and milliseconds."""
    told = [f"P{months}M{days}DT{millis // 1000}.{millis % 1000:03}S" for months, days, millis in values]
    return [Value(struct.pack("<III", *one), one, one, text) for one, text in zip(values, told, strict=True)]


def dates(*values: str) -> list[Value]:
    found = [(text, dt.date.fromisoformat(text)) for text in values]
    return [Value((one - EPOCH.date()).days, one, one, text) for text, one in found]


def logical(base: str, name: str) -> dict[str, Any]:
    return {"type": base, "logicalType": name}


def fixed(name: str, size: int, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **more}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def record(name: str, *fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": one, "type": kind} for one, kind in fields]}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def mapping(values: Any) -> dict[str, Any]:
    return {"type": "map", "values": values}


INT, LONG = (-(2**31), 0, 2**31 - 1), (-(2**63), 0, 2**63 - 1)
TEXTS = (
    "",
    "NULL",
    " \t\n'\"\\,{}[]",
    "\x01\x7f\u200c\u2028",
    "日本語 \U0001f600 e\u0301 \ufffd\uffff",
    "x" * 100_000,
)
IDS = ("00000000-0000-0000-0000-000000000000", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
COLOUR = {"type": "enum", "name": "Colour", "symbols": ["UNKNOWN", "RED"], "default": "UNKNOWN"}
LARGEST, TENTH = (struct.unpack(">f", bytes.fromhex(one))[0] for one in ("7f7fffff", "3dcccccd"))

SCALARS = [
    Case("boolean", "boolean", same(True, False)),
    Case("int", "int", same(*INT)),
    Case("long", "long", same(*LONG)),
    Case("float", "float", floats((TENTH, Decimal("0.1")), (LARGEST, Decimal("3.4028235E38")))),
    Case("double", "double", floats((0.1, Decimal("0.1")), (5e-324, Decimal("4.9E-324")))),
    Case("string", "string", same(*TEXTS, "x" * 100_000)),
    Case("bytes", "bytes", blobs(b"", bytes(range(256)))),
    Case("fixed", fixed("Four", 4), blobs(b"\x00\x00\x00\x00", b"\xff\x00\x80\x7f")),
    Case("enum", COLOUR, same("UNKNOWN", "RED")),
    Case("uuid", logical("string", "uuid"), uuids(*IDS, IDS[1].upper(), is_fixed=False)),
    Case("uuid", fixed("Id", 16, logicalType="uuid"), uuids(*IDS, is_fixed=True)),
    Case("date", logical("int", "date"), dates("0001-01-01", "1582-10-04", "1582-10-10", "1969-12-31", "9999-12-31")),
    Case("time-millis", logical("int", "time-millis"), times(1000, 0, 1, DAY_S * 1000 - 1)),
    Case("time-micros", logical("long", "time-micros"), times(1_000_000, 0, 1, DAY_S * 1_000_000 - 1)),
    Case("timestamp-millis", logical("long", "timestamp-millis"), moments(1000, local=False)),
    Case("timestamp-micros", logical("long", "timestamp-micros"), moments(1_000_000, local=False)),
    Case("timestamp-nanos", logical("long", "timestamp-nanos"), same(*LONG)),
    Case("local-timestamp-millis", logical("long", "local-timestamp-millis"), moments(1000, local=True)),
    Case("local-timestamp-micros", logical("long", "local-timestamp-micros"), moments(1_000_000, local=True)),
    Case("local-timestamp-nanos", logical("long", "local-timestamp-nanos"), same(*LONG)),
    Case("decimal", decimal(38, 18), decimals(18, "0." + "0" * 17 + "1", "-" + "9" * 20 + "." + "9" * 18)),
    Case("decimal", decimal(4, 2), decimals(2, "-99.99", "0.00", "12.50")),
    Case("decimal", fixed("Money", 17, logicalType="decimal", precision=38), decimals(0, "9" * 38, "-" + "9" * 38)),
    Case("duration", fixed("Span", 12, logicalType="duration"),
         durations((0, 0, 0), (14, 3, 5), (2**31 - 1, 2**31 - 1, 2**32 - 1))),
]  # fmt: skip

ITEM = record("Item", ("name", "string"), ("note", ["null", "string"]), ("parts", array("int")))
ITEMS = [{"name": "", "note": None, "parts": []}, {"name": "日本 '\"\\", "note": "n", "parts": [1, 2]}]
#: What JSON has of them: a member that is null is not there.
TOLD = [{"name": "", "parts": []}, ITEMS[1]]
MICROS = logical("long", "time-micros")
INSIDE = record("Inside", ("at", MICROS), ("none", "null"))
MANY = ["string", "bytes", array("int"), "Item", "Colour"]

COMPOUND = [
    Case("record", ITEM, as_json(*zip(ITEMS, TOLD, strict=True))),
    Case("record", ["null", record("Around", ("inside", ["null", INSIDE]))],
         as_json((None, None), ({"inside": None}, {}),
                 ({"inside": {"at": 1, "none": None}}, {"inside": {"at": "00:00:00.000001"}}))),
    Case("array of anything else", array(["null", "int"]), as_json(([], []), ([None, 1, None], [None, 1, None]))),
    Case("array of anything else", array(array("string")), as_json(([[]], [[]]), ([["", "x"], []], [["", "x"], []]))),
    Case("array of anything else", array("Item"), as_json(([], []), (ITEMS, TOLD))),
    Case("array of anything else", array(["null", MICROS]), as_json(([None, 0], [None, "00:00:00.000000"]))),
    Case("map of anything else", mapping(["null", "string"]), as_json(({}, {}), ({"": None, "é": "x"},) * 2)),
    Case("map of anything else", mapping("Item"),
         as_json(({"a": ITEMS[0], "日": ITEMS[1]}, {"a": TOLD[0], "日": TOLD[1]}))),
    Case("map of anything else", mapping(mapping("double")),
         as_json(({"a": {}, "b": {"c": float("nan")}}, {"a": {}, "b": {"c": "NaN"}}))),
    Case("union of several types", ["null", "int", "string"],
         as_json((None, None), (1, {"int": 1}), ("", {"string": ""}))),
    Case("union of several types", MANY,
         as_json(("", {"string": ""}), (b"\x00", {"bytes": "AA=="}), ([], {"array": []}),
                 (("Item", ITEMS[0]), {"Item": TOLD[0]}), (("Colour", "RED"), {"Colour": "RED"}))),
    Case("union of several types", ["boolean", MICROS],
         as_json((True, {"boolean": True}), (1, {"long": "00:00:00.000001"}))),
    Case("union of int and long", ["null", "int", "long"], same(None, 1, 2**40)),
    Case("union of float and double", ["float", "double"], same(0.5, 1e300)),
]  # fmt: skip


def cases() -> Iterator[Case]:
    """Each scalar alone, in an array, in a map and in a record with all the others; then what is made of others."""
    by_name = [one.kind["name"] if isinstance(one.kind, dict) and "name" in one.kind else one.kind for one in SCALARS]
    for one, name in zip(SCALARS, by_name, strict=True):
        yield Case(one.row, ["null", one.kind], [*one.values, *same(None)])
        yield Case("array of a scalar", array(name), listed(one.values))
        yield Case("map of a scalar", mapping(name), mapped(one.values))
    members = []
    for number in range(max(len(one.values) for one in SCALARS)):
        chosen = [one.values[number % len(one.values)] for one in SCALARS]
        sent, told = ({f"f{at}": getattr(one, part) for at, one in enumerate(chosen)} for part in ("avro", "json"))
        members.append((sent, told))
    yield Case("record", record("All", *((f"f{at}", name) for at, name in enumerate(by_name))), as_json(*members))
    yield from COMPOUND


def listed(values: list[Value]) -> list[Value]:
    """Arrays of them: none, one, all."""
    parts = ("avro", "cassandra", "json", "json")
    return [Value(*([getattr(one, part) for one in few] for part in parts)) for few in ([], values[:1], values)]


def mapped(values: list[Value]) -> list[Value]:
    """Maps of them: none, one, all."""
    keys = ["", "é \U0001f600", *map(str, range(10))]
    parts = ("avro", "cassandra", "json", "json")
    chosen = [dict(zip(keys, few, strict=False)) for few in ([], values[:1], values)]
    return [Value(*({key: getattr(one, part) for key, one in few.items()} for part in parts)) for few in chosen]
