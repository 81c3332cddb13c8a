"""The oracle itself: it reads valid bodies as fastavro does, and refuses malformed ones."""

from __future__ import annotations

import io
import json
import random
import struct
from typing import Any

import fastavro
import pytest

from contracts_tests.fixtures.type_cases import cases, record
from contracts_tests.fixtures.versions import history, value
from contracts_tests.fuzz.nodes import Node, parse
from contracts_tests.fuzz.oracle import Branch, Known, Malformed, decode, flaw, flaw_of_key, judge
from contracts_tests.fuzz.writing import Values, joined, varint, write

TYPES = record("Everyone", *((f"f{number}", case.kind) for number, case in enumerate(cases())))


def unwrapped(found: Any) -> Any:
    """Convert to the form of fastavro: union values without branches, and floats as text, because NaN != NaN."""
    if isinstance(found, Branch):
        return unwrapped(found.value)
    if isinstance(found, dict):
        return {key: unwrapped(one) for key, one in found.items()}
    if isinstance(found, list):
        return [unwrapped(one) for one in found]
    return repr(found) if isinstance(found, float) else found


def without_logical(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: without_logical(one) for name, one in schema.items() if name != "logicalType"}
    return [without_logical(one) for one in schema] if isinstance(schema, list) else schema


def test_oracle_reads_every_type_as_fastavro_does() -> None:
    bare = fastavro.parse_schema(without_logical(json.loads(json.dumps(TYPES))))
    rng, node = random.Random(1), parse(TYPES)
    for _ in range(300):
        body = joined(write(node, Values(rng, odd=0).of(node), rng))

        assert unwrapped(decode(body, node, node)) == unwrapped(fastavro.schemaless_reader(io.BytesIO(body), bare))


def rounded(value: Any) -> Any:
    """Round every float to 32 bits, because fastavro promotes to a double instead."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value


def test_oracle_resolves_every_version_as_fastavro_does() -> None:
    rng = random.Random(2)
    versions = history(40, rng)
    newest = fastavro.parse_schema(json.loads(json.dumps(versions[-1])))
    for written in versions * 5:
        body = io.BytesIO()
        schema = fastavro.parse_schema(json.loads(json.dumps(written)))
        fastavro.schemaless_writer(body, schema, {**value(written, rng), "id": 1})
        found = decode(body.getvalue(), parse(written), parse(versions[-1]))
        read = fastavro.schemaless_reader(io.BytesIO(body.getvalue()), schema, newest)
        assert rounded(unwrapped(found)) == rounded(unwrapped(read))


LIST = {"type": "array", "items": "long"}
NULLS = {"type": "array", "items": "null"}
NESTED = {"type": "record", "name": "Deep", "fields": [{"name": "next", "type": ["null", "Deep"]}]}
#: Schema, body, and whether Java refuses the body too.
BAD: list[tuple[Any, bytes, bool]] = [
    ("boolean", b"\x02", False),
    ("boolean", b"", True),
    ("int", varint(2**31), False),
    ("int", varint(-(2**31) - 1), False),
    ("int", b"\xff\xff\xff\xff\x1f", False),
    ("int", varint(0, at_least=6), True),
    ("int", b"\x80", True),
    ("long", b"\xff" * 9 + b"\x03", False),
    ("long", b"\xff" * 9 + b"\x80\x00", True),
    ("string", varint(-1), True),
    ("string", varint(2), True),
    ("string", varint(2**40) + b"x", True),
    ("string", varint(1) + b"\xff", False),
    ("string", varint(2) + b"\xc0\x80", False),
    ("string", varint(3) + b"\xed\xa0\x80", False),
    ("string", varint(1) + b"\x00", False),
    ("bytes", varint(3) + b"ab", True),
    ("float", b"\0\0\0", True),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, varint(1), True),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, varint(-1), True),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, varint(2**32), False),
    (["null", "int"], varint(2), True),
    (["null", "int"], varint(-1), True),
    (["null", "int"], varint(2**31), False),
    (LIST, varint(2_000_000_000), True),
    (LIST, varint(-2_000_000_000) + varint(0), True),
    (LIST, varint(-(2**63)) + varint(0), False),
    (LIST, varint(1) + b"\x02", True),
    (NULLS, varint(10_001) + b"\0", False),
    (NULLS, (varint(6_000) * 2) + b"\0", False),
    ({"type": "array", "items": NULLS}, varint(2) + (varint(6_000) + b"\0") * 2 + b"\0", False),
    ({"type": "map", "values": "null"}, varint(2) + b"\x02a\x02a" + b"\0", False),
    (NESTED, b"\x02" * 300 + b"\0", False),
    ("null", b"\0", True),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "body", "java_too"), BAD)
def test_malformed_body_is_refused(schema: Any, body: bytes, java_too: bool) -> None:
    node = parse(schema)
    with pytest.raises(Malformed) as refused:
        decode(body, node, node)
    assert refused.value.java_too == java_too


@pytest.mark.parametrize(
    ("schema", "body", "found"),
    [
        ("int", varint(2**31 - 1), 2**31 - 1),
        ("int", varint(3, at_least=5), 3),
        ("long", varint(-(2**63)), -(2**63)),
        ("long", varint(3, at_least=10), 3),
        (LIST, varint(-1) + varint(77) + b"\x02\0", [1]),
        (NULLS, varint(10_000) + b"\0", [None] * 10_000),
        ({"type": "map", "values": "null"}, varint(1) + b"\0" + varint(1) + b"\x02a" + b"\0", {"": None, "a": None}),
    ],
)
def test_unusual_but_valid_body_is_read(schema: Any, body: bytes, found: Any) -> None:
    node = parse(schema)
    assert decode(body, node, node) == found


def written_and_read(schema: Any, **changes: Any) -> tuple[Node, Node]:
    """Return writer and reader schemas of a record whose field `f` the reader has changed or dropped."""
    fields = [{"name": "f", "type": schema}, {"name": "end", "type": "int"}]
    reader = [{**fields[0], **changes}, fields[1]] if changes else fields[1:]
    return tuple(parse({"type": "record", "name": "R", "fields": one}) for one in (fields, reader))


def test_dropped_field_may_hold_any_text_but_no_wrong_block_size() -> None:
    assert decode(varint(1) + b"\xff\x02", *written_and_read("string")) == {"end": 1}
    double = varint(2) + b"\x02a\x02a" + b"\0"
    assert decode(double + b"\x02", *written_and_read({"type": "map", "values": "null"})) == {"end": 1}
    assert decode(varint(-1) + varint(1) + b"\x02\0\x02", *written_and_read(LIST)) == {"end": 1}
    for body in (varint(-1) + varint(2) + b"\x02\0\x02", varint(-1) + varint(1) + b"\x80\x02\0\x02"):
        with pytest.raises(Malformed) as refused:
            decode(body, *written_and_read(LIST))
        assert not refused.value.java_too


@pytest.mark.parametrize(
    ("written", "read", "number", "promoted"),
    [
        ("int", "float", 2**24, 2.0**24),
        ("int", "float", 2**24 + 1, 2.0**24),
        ("int", "float", 2**24 + 3, 2.0**24 + 4),
        ("int", "double", 2**31 - 1, 2.0**31 - 1),
        ("long", "float", 2**63 - 1, 2.0**63),
        # Through a double it would be rounded twice, to 2^60.
        ("long", "float", 2**60 + 2**36 + 1, 2.0**60 + 2.0**37),
        ("long", "double", 2**53 + 1, 2.0**53),
        ("long", "double", -(2**63), -(2.0**63)),
    ],
)
def test_promotion_rounds_to_the_nearest_number(written: str, read: str, number: int, promoted: float) -> None:
    schemas = written_and_read(written, type=["null", read])
    assert decode(varint(number) + b"\0", *schemas) == {"f": Branch(1, promoted), "end": 0}


@pytest.mark.parametrize(
    ("logical", "good", "bad"),
    [
        ({"type": "int", "logicalType": "date"}, (-719_162, 2_932_896), (-719_163, 2_932_897)),
        ({"type": "int", "logicalType": "time-millis"}, (0, 86_399_999), (-1, 86_400_000)),
        ({"type": "long", "logicalType": "timestamp-millis"}, (-62_135_596_800_000,), (253_402_300_800_000,)),
        ({"type": "string", "logicalType": "uuid"}, ("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",),
         ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6\n", "f81d4fae7dec11d0a76500a0c91e6bf6")),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 1}, (b"\x63", b"\x9d"), (b"\x64", b"")),
        ({"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"},
         (b"\xff\xff\xff\x7f" * 2 + b"\xff" * 4,), (b"\0\0\0\x80" + b"\0" * 8,)),
    ],
)  # fmt: skip
def test_value_that_no_store_can_hold_is_found(logical: Any, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    node = parse({"type": "array", "items": ["null", logical]})
    assert all(flaw(node, [Branch(1, one)]) == "" for one in good)
    assert all(flaw(node, [Branch(0, None), Branch(1, one)]) for one in bad)


def test_primary_key_that_a_store_cannot_hold_is_found() -> None:
    reader = parse(record("R", ("name", "string"), ("raw", "bytes")))
    keys = {"cassandra": ["name"], "postgres": ["name", "raw"]}
    assert flaw_of_key({"name": "é" * 1_000, "raw": b"x" * 500}, reader, keys) == ""
    assert flaw_of_key({"name": "", "raw": b""}, reader, keys) == "the partition key is empty"
    assert "postgres" in flaw_of_key({"name": "é" * 1_000, "raw": b"x" * 501}, reader, keys)


HEADER = "__value_schema_id"


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (None, [], "NULL_VALUE"),
        (b"\0\0\0\0", [], "TOO_SHORT"),
        (b"{}...", [], "BAD_MAGIC"),
        (b"\0\0\0\0\x07\x02", [], ""),
        (b"\0\0\0\0\x07", [], "DECODE_ERROR"),
        (b"\0\0\0\0\x08\x02", [], "INCOMPATIBLE_SCHEMA"),
        (b"\0\0\0\0\x09\x02", [], "WRONG_SUBJECT"),
        (b"\0\0\0\0\x0a\x02", [], "UNKNOWN_SCHEMA_ID"),
        (b"\0\x80\0\0\x07\x02", [], "UNKNOWN_SCHEMA_ID"),
        (b"\x02", [(HEADER, b"\0\0\0\0\x07")], ""),
        (b"\x02", [(HEADER, b"\0\0\0\0\x0a"), ("other", None), (HEADER, b"\0\0\0\0\x07")], ""),
        (b"\x02", [(HEADER, b"\0\0\0\0\x07"), (HEADER, b"\0")], "BAD_SCHEMA_ID_HEADER"),
        (b"\0\0\0\0\x07\x02", [(HEADER, None)], "BAD_SCHEMA_ID_HEADER"),
        (b"\0\0\0\0\x07\x02", [("__key_schema_id", b"\0")], ""),
        (b"", [(HEADER, b"\0\0\0\0\x07")], "DECODE_ERROR"),
        (b"\x02", [(HEADER, b"\x01" + b"g" * 16)], "NO_GUID_ENDPOINT"),
        (b"\x02", [(HEADER, b"\x01" + b"g" * 15)], "BAD_SCHEMA_ID_HEADER"),
    ],
)
def test_header_takes_precedence_over_the_prefix(value: bytes | None, headers: list[Any], reason: str) -> None:
    node = parse("int")
    known = Known(node, readable={7: node}, incompatible={8}, foreign={9})
    assert judge(value, headers, HEADER, known).reason == reason
