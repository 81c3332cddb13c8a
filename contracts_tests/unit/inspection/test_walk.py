"""Where a record breaks: the byte, the field and its type, and the fields before it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.type_words import words
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.streaming.decode import breaks, framing, programs, walk
from avro_data_contracts.streaming.decode.breaks import Break, Breaks
from avro_data_contracts.streaming.decode.named_schemas import NamedSchemas
from avro_data_contracts.streaming.decode.walk import Broken
from avro_data_contracts.streaming.inspection.seen import _unframed

SCHEMA = {
    "type": "record",
    "name": "User",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "email", "type": ["null", "string"]},
        {"name": "tags", "type": {"type": "map", "values": "boolean"}},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}},
    ],
}
HEAD = b"\0\0\0\0\1"
#: id 1; email "ab"; tags {"x": true}; colour BLUE
ID, EMAIL, TAGS, COLOUR = b"\2", b"\2\4ab", b"\2\2x\1\0", b"\2"
WHOLE = HEAD + ID + EMAIL + TAGS + COLOUR


def broken(value: bytes, schema: Any = SCHEMA, start: int = len(HEAD)) -> Broken | None:
    parsed = parsing.parse_stored(json.dumps(schema))
    return walk.broken(value, start, programs.lines(parsed, parsed))


def test_whole_record_does_not_break() -> None:
    assert broken(WHOLE) is None


@pytest.mark.parametrize(
    ("value", "at", "begin", "path", "told"),
    [
        (HEAD, 5, 5, "id", "id is cut off: the body ends in it"),
        (HEAD + b"\xff\xff\xff\xff\x7f", 10, 5, "id", "id is not an int: it has more than 32 bits"),
        (HEAD + ID + b"\4", 7, 6, "email", "email is not one of the union's types"),
        (HEAD + ID + b"\2\x06ab", 8, 7, "email", "email is cut off: the body ends in it"),
        (HEAD + ID + b"\2\4a\xff" + TAGS + COLOUR, 9, 7, "email", "email is not valid UTF-8"),
        (
            HEAD + ID + b"\2\4\0b" + TAGS + COLOUR,
            8,
            7,
            "email",
            "email holds the character U+0000, which PostgreSQL cannot store",
        ),
        (HEAD + ID + EMAIL + b"\4\2x\1\2x\1\0\0", 16, 14, "tags", "tags has a key twice"),
        (HEAD + ID + EMAIL + b"\2\2x\2\0\0", 14, 13, "tags{}", "tags{} is neither true nor false"),
        (HEAD + ID + EMAIL + TAGS + b"\4", 16, 15, "colour", "colour is not one of the enum's symbols"),
        (WHOLE + b"xyz", 16, 16, "", "3 bytes are left after the record's end"),
        (WHOLE + b"x", 16, 16, "", "1 byte is left after the record's end"),
    ],
)
def test_place_field_and_reason(value: bytes, at: int, begin: int, path: str, told: str) -> None:
    found = broken(value)
    assert found is not None
    assert (found.at, found.begin, found.path, found.words) == (at, begin, path, told)


def test_fields_have_their_bytes_as_far_as_they_were_read() -> None:
    found = broken(HEAD + ID + EMAIL + b"\2\2x\2\0\0")
    assert found is not None
    assert words(found.type) == "boolean"
    assert [(one.name, one.begin, one.end) for one in found.fields] == [
        ("id", 5, 6),
        ("email", 6, 10),
        ("tags", 10, None),
        ("colour", None, None),
    ]


def test_body_without_a_prefix_counts_from_its_own_first_byte() -> None:
    found = broken(ID + b"\4", start=0)
    assert found is not None
    assert (found.at, found.begin) == (2, 1)


def test_record_of_too_many_values_is_not_walked_to_its_end() -> None:
    many = {"type": "array", "items": "int"}
    count = walk.MOST_VALUES + 1
    zigzag, raw = count << 1, b""
    while zigzag > 0x7F:
        raw += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    with pytest.raises(walk.TooLong):
        broken(raw + bytes([zigzag]) + b"\2" * count + b"\0", many, start=0)


def test_deep_record_breaks_at_the_limit_of_the_stream() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "next", "type": ["null", "Tree"]}]}
    found = broken(b"\2" * 500 + b"\0", tree, start=0)
    assert found is not None
    assert "is nested more than 200 levels deep" in found.words


def shown(value: bytes, *, reveal: bool) -> Break | None:
    parsed = parsing.parse_stored(json.dumps(SCHEMA))
    return breaks.of_body(value, len(HEAD), parsed, programs.lines(parsed, parsed), reveal=reveal)


def test_people_see_field_type_and_state_without_a_byte_of_the_value() -> None:
    found = shown(HEAD + ID + b"\2\x06ab", reveal=False)
    assert found is not None
    assert found.document() == {
        "at": 8, "begin": 7, "field": "email", "type": "string", "why": "email is cut off: the body ends in it",
    }  # fmt: skip
    assert [(one.name, one.type, one.state, one.begin) for one in found.fields] == [
        ("id", "int", "read", None),
        ("email", "null or string", "broken", None),
        ("tags", "map of boolean", "not reached", None),
        ("colour", "Colour", "not reached", None),
    ]


def test_who_may_reveal_sees_the_bytes_around_the_place() -> None:
    long = {**SCHEMA, "fields": [{"name": "text", "type": "string"}, {"name": "flag", "type": "boolean"}]}
    parsed = parsing.parse_stored(json.dumps(long))
    value = HEAD + b"\xc8\1" + b"x" * 100 + b"\7" + b"y" * 300
    found = breaks.of_body(value, len(HEAD), parsed, programs.lines(parsed, parsed), reveal=True)
    assert found is not None
    assert (found.at, found.begin, found.field) == (108, 107, "flag")
    assert [row.begin for row in found.rows] == [48, 64, 80, 96, 112, 128]
    assert b"".join(bytes.fromhex("".join(row.bytes)) for row in found.rows) == value[48:144]
    assert found.rows[3].text == "x" * 11 + "." + "y" * 4
    assert found.document()["bytes"] == {"from": 48, "hex": value[48:144].hex()}
    assert [(one.begin, one.end) for one in found.fields] == [(5, 107), (107, None)]


@pytest.mark.parametrize(("value", "at"), [(b"{json}", 0), (b"\0\0", 2), (b"", 0)])
def test_value_without_a_schema_id_breaks_in_front_of_its_body(value: bytes, at: int) -> None:
    found = breaks.of_framing(value, reveal=True)
    assert (found.at, found.size) == (at, len(value))
    assert bytes.fromhex("".join(each for row in found.rows for each in row.bytes)) == value
    assert breaks.of_framing(value, reveal=False).rows == ()


@given(st.integers(0, 2**32 - 1), st.binary(max_size=8), st.booleans())
def test_id_is_a_schema_or_larger_than_a_registry_assigns(schema_id: int, body: bytes, in_header: bool) -> None:
    framed = b"\0" + schema_id.to_bytes(4, "big")
    headers = [(framing.VALUE_HEADER, framed)] if in_header else []
    value = body if in_header else framed + body
    named, rest = framing.parted(value, headers, framing.VALUE_HEADER)
    assert rest == body
    too_large = framing.too_large(value, headers, framing.VALUE_HEADER)
    assert (named, too_large) == ((schema_id, None) if schema_id < 2**31 else (None, schema_id))


@pytest.mark.parametrize("value", [b"\0\xff\xff\xff", b"\1\xff\xff\xff\xff", b"\0\x7f\xff\xff\xff", b""])
def test_other_values_have_no_id_that_is_too_large(value: bytes) -> None:
    assert framing.too_large(value, [], framing.VALUE_HEADER) is None


def test_value_whose_id_no_registry_assigns_breaks_at_the_id() -> None:
    value = b"\0\xff\xff\xff\xff\2"
    found = breaks.of_framing(value, reveal=False)
    assert (found.at, found.begin) == (1, 1)
    assert found.words == "schema id 4294967295 is larger than a registry assigns"
    places = Breaks(NamedSchemas(Registry("http://127.0.0.1:1", timeout_s=1, retry_for_s=0)), [], reveal=False)
    assert places.of(value, [], ("UNKNOWN_SCHEMA_ID",)) == found
    assert places.of(value, [], ("WRONG_SUBJECT",)) is None
    # An id that a registry can assign has no place: nothing is asked.
    assert places.of(b"\0\x7f\xff\xff\xff\2", [], ("UNKNOWN_SCHEMA_ID",)) is None


@pytest.mark.parametrize("in_header", [False, True])
def test_people_see_the_reason_that_the_stream_has_for_such_an_id(in_header: bool) -> None:
    framed = b"\0\x80\0\0\7"
    headers = [(framing.VALUE_HEADER, framed)] if in_header else []
    part = _unframed(b"\2" if in_header else framed + b"\2", headers, framing.VALUE_HEADER)
    assert part.reason == "UNKNOWN_SCHEMA_ID"
    assert part.message == "schema id 2147483655 is larger than a registry assigns"
