"""Plain JSON becomes exactly the record that it says, or is refused: docs/reference/conversions.md, row by row."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.values.scalars import Misfit
from avro_data_contracts.producers.plain.asked import NAMES, Asked
from avro_data_contracts.producers.plain.cells import UnfitHeader, cells
from avro_data_contracts.producers.plain.conversion import Unfit, plain
from avro_data_contracts.producers.plain.epochs import UNITS
from avro_data_contracts.producers.plain.json_text import decode as from_json
from avro_data_contracts.producers.rejection import Rejection
from contracts_tests.fixtures import conversions_page, examples, types_page
from contracts_tests.fixtures.any_json import COLOUR, KINDS, OTHER, POINT, json_of, logical
from contracts_tests.fixtures.any_type import distinct, kinds
from contracts_tests.fixtures.bodies import record_schema, record_serializer
from contracts_tests.fixtures.strict_avro import Branch, decode


def kind_of(cell: str) -> Any:
    """Return the type that a row is about: its first words in backticks."""
    name = conversions_page.spans(cell)[0]
    return json.loads(name) if name.startswith("[") else KINDS[name]


def writer(kind: Any, asked: Asked | None = None) -> Callable[[str], Any]:
    """Return a function from JSON to what Avro stores in a field of that type."""
    fields = [{"name": "it", "type": kind}]
    convert, write = plain(record_schema(fields)[1], asked), record_serializer(fields)
    return lambda text: decode(kind, write(convert(from_json(f'{{"it": {text}}}'))))


def cell_writer(kind: Any, asked: Asked | None = None) -> Callable[[str], Any]:
    """Return a function from a CSV cell to what Avro stores in a field of that type."""
    fields = [{"name": "it", "type": kind}]
    convert, write = cells(record_schema(fields)[1], ["it"], asked or Asked()), record_serializer(fields)
    return lambda cell: decode(kind, write(convert([cell])))


def as_shown(kind: Any, value: Any) -> str:
    """Return what Avro stores, as the page writes it."""
    if isinstance(value, Branch):
        return as_shown(value.kind, value.value)
    if isinstance(kind, dict) and kind.get("logicalType") == "decimal":
        return str(int.from_bytes(value, "big", signed=True))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        named = {math.inf: "Infinity", -math.inf: "-Infinity"}
        return "NaN" if math.isnan(value) else named.get(value) or shortest(value)
    return json.dumps(value)


def shortest(value: float) -> str:
    return str(int(value)) if value == int(value) and value < 1e15 else repr(value).replace("e+", "e")


COERCIONS = list(conversions_page.rows("Allow more with --coerce"))
PAGE_ROWS = [*conversions_page.rows("Scalars"), *conversions_page.rows("Nested types")]


def test_page_has_every_type_that_the_contract_page_has() -> None:
    rows = {conversions_page.spans(row[0])[0] for row in conversions_page.rows("Scalars")}
    assert rows == set(types_page.table("Scalars"))


@pytest.mark.parametrize("row", PAGE_ROWS, ids=lambda row: row[0])
def test_every_example_becomes_what_the_page_says(row: list[str]) -> None:
    kind = kind_of(row[0])
    for text, stored in conversions_page.pairs(row[1]):
        assert as_shown(kind, writer(kind)(text)) == stored, text
        if not isinstance(kind, list):
            assert as_shown(kind, writer(["null", kind])(text)) == stored, text
            assert as_shown(kind, writer(["null", kind, OTHER])(text)) == stored, text


@pytest.mark.parametrize("row", PAGE_ROWS, ids=lambda row: row[0])
def test_every_refused_example_is_refused_with_its_path(row: list[str]) -> None:
    kind = kind_of(row[0])
    for text in conversions_page.spans(row[2]):
        for around, template, path in (
            (kind, "{}", "it"),
            ({"type": "array", "items": kind}, "[{}]", "it[]"),
            ({"type": "map", "values": kind}, '{{"secret": {}}}', "it{}"),
        ):
            with pytest.raises((Unfit, Misfit)) as caught:
                writer(around)(template.format(text))
            told = caught.value
            assert (told.field if isinstance(told, Unfit) else told.path).startswith(path), text
            assert "secret" not in str(caught.value)
        if text != "null":
            with pytest.raises((Unfit, Misfit)):
                writer(["null", kind] if not isinstance(kind, list) else kind)(text)


@pytest.mark.parametrize("row", COERCIONS, ids=lambda row: row[0])
def test_coercion_takes_what_is_asked_and_no_more(row: list[str]) -> None:
    [word], kind = conversions_page.spans(row[0]), kind_of(row[2])
    asked = Asked.of([word])
    for text, stored in conversions_page.pairs(row[3]):
        assert as_shown(kind, writer(kind, asked)(text)) == stored
        with pytest.raises((Unfit, Misfit)):
            writer(kind)(text)
    for text in conversions_page.spans(row[4]):
        with pytest.raises((Unfit, Misfit)):
            writer(kind, asked)(text)


CELLS = list(conversions_page.rows("CSV cells"))


@pytest.mark.parametrize("row", CELLS, ids=lambda row: row[0])
def test_every_cell_becomes_what_the_page_says(row: list[str]) -> None:
    kind = kind_of(row[0])
    for cell, stored in conversions_page.pairs(row[1]):
        assert as_shown(kind, cell_writer(kind)(cell)) == stored, cell
        if not isinstance(kind, list):
            assert as_shown(kind, cell_writer(["null", kind])(cell)) == stored, cell


@pytest.mark.parametrize("row", [row for row in CELLS if row[2]], ids=lambda row: row[0])
def test_every_refused_cell_is_refused_with_its_field(row: list[str]) -> None:
    kind = kind_of(row[0])
    for cell in conversions_page.spans(row[2]):
        with pytest.raises((Unfit, Misfit)) as caught:
            cell_writer(kind)(cell)
        told = caught.value
        assert (told.field if isinstance(told, Unfit) else told.path).startswith("it"), cell


@pytest.mark.parametrize("name", KINDS)
def test_empty_cell_is_null_or_empty_text_or_refused(name: str) -> None:
    kind = KINDS[name]
    assert cell_writer(["null", kind])("") == Branch("null", None)
    if name in ("string", "bytes"):
        assert cell_writer(kind)("") in ("", b"")
    else:
        with pytest.raises(Unfit, match="it is empty"):
            cell_writer(kind)("")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["it", "emial"], "the contract has no field emial"),
        (["it", ""], "the contract has no field"),
        ([], "the contract needs it"),
    ],
)
def test_header_of_another_contract_is_refused(header: list[str], words: str) -> None:
    schema = record_schema([{"name": "it", "type": "int"}, {"name": "more", "type": "int", "default": 0}])[1]
    with pytest.raises(UnfitHeader) as caught:
        cells(schema, header, Asked())
    assert words in str(caught.value)
    assert cells(schema, ["x", "it"], Asked(extra_fields=True))(["a", "1"]) == {"it": 1}


#: Python's values, as Parquet gives them: what passes, and what is refused.
TYPED: list[tuple[str, list[Any], list[Any]]] = [
    ("bytes", [b"\x00"], ["%"]),
    ("date", [dt.date(2024, 2, 29), "2024-02-29"], [dt.datetime(2024, 2, 29), 1]),
    ("time-millis", [dt.time(1, 2, 3, 4000)], [dt.time(1, 2, 3, 4)]),
    (
        "timestamp-millis",
        [dt.datetime(2024, 2, 29, tzinfo=dt.UTC)],
        [dt.datetime(2024, 2, 29), dt.datetime(2024, 2, 29, microsecond=1, tzinfo=dt.UTC), 1],
    ),
    ("local-timestamp-micros", [dt.datetime(2024, 2, 29)], [dt.datetime(2024, 2, 29, tzinfo=dt.UTC)]),
    ("decimal", [Decimal("1.50")], [Decimal("1.501"), 1.5]),
    ("float", [0.5, 0.10000000149011612], [0.1, 1e300]),
    ("double", [0.1, 1], [2**53 + 1, "1"]),
    ("int", [7], [7.0, 2**31, True]),
    ("map", [{"a": 1}], [[("a", 1)]]),
]


@pytest.mark.parametrize(("name", "good", "bad"), TYPED)
def test_typed_value_passes_as_it_is_or_is_refused(name: str, good: list[Any], bad: list[Any]) -> None:
    fields = [{"name": "it", "type": KINDS[name]}]
    convert, write = plain(record_schema(fields)[1], typed=True), record_serializer(fields)
    for one in good:
        assert write(convert({"it": one}))
    for one in bad:
        with pytest.raises((Unfit, Misfit)):
            write(convert({"it": one}))


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999", "2026-03-29T02:30:00"])
def test_local_time_that_its_zone_does_not_have_is_refused(text: str) -> None:
    for zone in ("Europe/Vienna", "Pacific/Kiritimati", "America/New_York"):
        fields = [{"name": "it", "type": MOMENT}]
        convert = plain(record_schema(fields)[1], Asked.of([f"zone={zone}"]))
        try:
            stored = convert({"it": text})["it"]
        except Unfit:
            continue
        moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=stored)
        assert (
            moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(timespec="milliseconds")[:19]
            == text[:19]
        )


def test_page_has_every_coercion() -> None:
    rows = [conversions_page.spans(row[0])[0] for row in COERCIONS]
    assert list(dict.fromkeys(row.partition("=")[0] for row in rows)) == list(NAMES)
    assert [row for row in rows if row.startswith("epoch=")] == [f"epoch={unit}" for unit in UNITS]


@pytest.mark.parametrize(
    "word", ["", "number", "zone", "zone=", "zone=Europe/Nowhere", "zone=../etc", "numbers=1", "epoch=", "epoch=h"]
)
def test_unknown_coercion_names_the_valid_ones(word: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Asked.of([word])
    assert "Europe/Vienna" in caught.value.fix


@pytest.mark.parametrize(
    "name", ["timestamp-millis", "timestamp-micros", "timestamp-nanos", "local-timestamp-micros"]
)
@given(
    unit=st.sampled_from(list(UNITS)),
    number=st.integers(-(2**63), 2**63) | st.decimals(-(10**20), 10**20),
)
def test_number_in_a_unit_is_that_moment_or_refused(name: str, unit: str, number: int | Decimal) -> None:
    """Of fractions, which nothing rounds."""
    digits = {"millis": 3, "micros": 6, "nanos": 9}[name.rpartition("-")[2]]
    moment = Fraction(number) * Fraction(10) ** (digits - UNITS[unit])
    whole, inside = moment.denominator == 1, -(2**63) <= moment < 2**63
    write = writer(logical("long", name), Asked.of([f"epoch={unit}"]))
    try:
        stored = write(str(number))
    except (Unfit, Misfit):
        assert not (whole and inside) or (digits < 9 and abs(moment) > 10 ** (10 + digits))  # the years 1 to 9999
    else:
        assert stored == moment


def test_unit_is_about_timestamps_and_also_in_text_and_cells() -> None:
    asked, both = Asked.of(["epoch=s", "numbers"]), Asked.of(["epoch=s", "epoch"])
    assert writer(MOMENT, asked)('"1700000000.5"') == 1_700_000_000_500
    assert cell_writer(MOMENT, Asked.of(["epoch=s"]))("1700000000") == 1_700_000_000_000
    assert cell_writer(MOMENT, Asked.of(["epoch=s"]))("2023-11-14T22:13:20Z") == 1_700_000_000_000
    with pytest.raises(Unfit):
        writer(KINDS["date"], asked)("19000")
    assert (writer(KINDS["date"], both)("19000"), writer(MOMENT, both)("1")) == (19000, 1000)


@pytest.mark.parametrize("digits", ["0" * 900, "1" * 900])
def test_number_of_many_digits_is_no_time(digits: str) -> None:
    with pytest.raises((Unfit, Misfit)):
        writer(MOMENT, Asked.of(["epoch=s"]))(f"1.{digits}")


def test_two_units_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        Asked.of(["epoch=s", "epoch=ms"])


INNER = {"type": "record", "name": "Inner", "fields": [{"name": "at", "type": logical("long", "timestamp-millis")}]}


@pytest.mark.parametrize(
    ("kind", "texts", "said"),
    [
        (logical("long", "timestamp-millis"), ["1700000000", "1"], "it: all of its numbers, 2, .* are they seconds"),
        (logical("long", "timestamp-nanos"), ["1700000000000"], "are they milliseconds.*epoch=ms in"),
        (["null", logical("long", "timestamp-micros")], ["null", "1700000000"], "it: all of its numbers, 1,"),
        ({"type": "array", "items": INNER}, ['[{"at": 1700000000}]'], "it.at: all"),
        (logical("long", "timestamp-millis"), ["1700000000", "1700000000000"], ""),
        (logical("long", "timestamp-millis"), ["-1700000000"], ""),
        (logical("long", "timestamp-millis"), ['"1971-01-01T00:00:00Z"'], ""),
        (logical("int", "date"), ["5"], ""),
        (logical("int", "time-millis"), ["5"], ""),
    ],
)
def test_times_of_the_seventies_are_told_with_their_field(kind: Any, texts: list[str], said: str) -> None:
    asked = Asked.of(["epoch"])
    for text in texts:
        writer(kind, asked)(text)
    told = asked.epochs.notices()
    assert len(told) == bool(said)
    assert not told or re.search(said, told[0])


def test_notice_of_seconds_counts_the_cells_of_a_column() -> None:
    asked = Asked.of(["epoch"])
    for cell in ("1700000000", "1700000001", "1970-01-01T00:00:00Z"):
        cell_writer(MOMENT, asked)(cell)
    assert [one.partition(", are")[0] for one in asked.epochs.notices()] == ["it: all of its numbers, 2"]


A = {"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]}
B = {
    "type": "record",
    "name": "B",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int", "default": 0}],
}
MOMENT = logical("long", "timestamp-millis")
MONEY = logical("bytes", "decimal", precision=4, scale=2)


@pytest.mark.parametrize(
    ("kind", "text", "branch"),
    [
        (["int", "long", "double"], "5", "int"),
        (["double", "long", "int"], "5.0", "int"),
        (["double", "long"], "1e3", "long"),
        (["int", "long"], "2147483648", "long"),
        (["double", MONEY], "1.5", MONEY),
        (["double", MONEY], "0.125", "double"),
        (["double", MONEY, "int"], "7", "int"),
        (["float", "double"], "0.1", "double"),
        (["string", MOMENT], '"soon"', "string"),
        (["boolean", "string"], '"true"', "string"),
        ([A, B], '{"x": 1}', A),
        ([B, A], '{"x": 1}', A),
        ([A, B], '{"x": 1, "y": 2}', B),
        (["null", "string", {"type": "array", "items": "int"}], "[1]", {"type": "array", "items": "int"}),
    ],
)
def test_union_takes_the_type_that_keeps_the_value_as_written(kind: Any, text: str, branch: Any) -> None:
    assert writer(kind)(text).kind == branch


@pytest.mark.parametrize(
    ("kind", "text", "types"),
    [
        (["null", "string", MOMENT], '"1970-01-01T00:00:00Z"', "string, timestamp-millis"),
        (["string", COLOUR], '"RED"', "string, Colour"),
        (["bytes", "string"], '"AP8="', "bytes, string"),
        (["string", "double"], '"NaN"', "string, double"),
        ([A, {"type": "map", "values": "int"}], '{"x": 1}', "A, map"),
    ],
)
def test_undecidable_union_is_refused_with_its_types(kind: Any, text: str, types: str) -> None:
    with pytest.raises(Unfit, match="fits several types") as caught:
        writer(kind)(text)
    assert types in str(caught.value)
    assert writer(kind, Asked.of(["first-type"]))(text).kind == next(one for one in kind if one != "null")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("7", "the record does not fit the schema: it is a number, not an object"),
        ("{}", "field it does not fit the schema: it is missing"),
        ('{"it": {"x": 1, "emial": 2}}', "field it.emial does not fit the schema: it is not in the contract"),
        ('{"it": {"x": 1, "a@b.example": 2}}', "field it(of another name) does not fit"),
        ('{"it": {"x": "a@b.example"}}', "field it.x does not fit the schema: it is text, not a whole number"),
    ],
)
def test_refusal_names_the_field_and_no_data(record: str, words: str) -> None:
    convert = plain(record_schema([{"name": "it", "type": POINT}])[1])
    with pytest.raises(Rejection) as caught:
        convert(from_json(record))
    assert words in caught.value.what
    assert "a@b" not in str(caught.value)
    assert (caught.value.reason, caught.value.stage) == ("INVALID_RECORD", "VALUE_CONVERTER")


def test_recursive_record_is_converted_and_too_deep_a_one_refused() -> None:
    chain = {"type": "record", "name": "Chain", "fields": [{"name": "next", "type": ["null", "Chain"]}]}
    convert = plain(record_schema([{"name": "it", "type": chain}])[1])
    value: Any = None
    for _ in range(50):
        value = {"next": value}
    assert convert({"it": value}) == {"it": value}
    for _ in range(100_000):
        value = {"next": value}
    with pytest.raises(Unfit, match="nested too deeply"):
        convert({"it": value})


# -- JSON text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ('{"a": 1, "a": 2}', "DUPLICATE_KEY", "the same key twice"),
        ('[{"b": {"a": 1, "a": 1}}]', "DUPLICATE_KEY", "the same key twice"),
        ("NaN", "NOT_A_NUMBER", '"NaN" in quotes'),
        ('{"a": -Infinity}', "NOT_A_NUMBER", "-Infinity"),
        ("9" * 5_000, "NOT_A_NUMBER", "4300 digits"),
        ("[" * 200_000, "NOT_JSON", "nested too deeply"),
        ("", "NOT_JSON", "column 1"),
        ("\ufeff{}", "NOT_JSON", "byte order mark"),
        ('{"a": 1', "NOT_JSON", "column 8"),
        ("{'a': 1}", "NOT_JSON", "column 2"),
        ('{"a": 1} {"a": 2}', "NOT_JSON", "extra data at column 10"),
        ('{"a": "tab\there"}', "NOT_JSON", "control character"),
        ("01", "NOT_JSON", "extra data"),
    ],
)
def test_invalid_json_is_refused_with_reason_and_place(text: str, reason: str, words: str) -> None:
    with pytest.raises(Rejection) as caught:
        from_json(text)
    assert caught.value.reason == reason
    assert words in caught.value.what


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.decimals(-(10**20), 10**20),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_read_without_losing_a_digit(value: Any) -> None:
    def text(one: Any) -> str:
        if isinstance(one, Decimal):
            written = str(one).replace("E", "e")
            return written if "." in written or "e" in written else f"{written}.0"
        if isinstance(one, dict):
            return "{" + ", ".join(f"{json.dumps(key)}: {text(inner)}" for key, inner in one.items()) + "}"
        return f"[{', '.join(map(text, one))}]" if isinstance(one, list) else json.dumps(one)

    assert from_json(text(value)) == value


# -- any schema, any JSON ------------------------------------------------------------------------------------------


def says(kind: Any, stored: Any, given: Any) -> bool:
    """Return whether what Avro stores says the same as the JSON value, worked out the other way round."""
    if isinstance(stored, Branch):
        return says(stored.kind, stored.value, given)
    name = kind if isinstance(kind, str) else kind.get("logicalType", kind["type"])
    if name == "array":
        return len(stored) == len(given) and all(
            says(kind["items"], *pair) for pair in zip(stored, given, strict=True)
        )
    if name == "map":
        return stored.keys() == given.keys() and all(says(kind["values"], stored[key], given[key]) for key in given)
    if name == "record":
        types = {one["name"]: one["type"] for one in kind["fields"]}
        return given.keys() <= types.keys() and all(says(types[key], stored[key], given.get(key)) for key in types)
    if name in ("null", "boolean", "string", "enum", "uuid") and not isinstance(stored, bytes):
        return stored is given or (type(stored) is str and stored == given)
    if name in ("int", "long"):
        return not isinstance(given, (bool, str)) and Decimal(stored) == given
    if name in ("float", "double"):
        return same_digits(name, stored, given)
    if name == "decimal":
        try:
            exact = Decimal(int.from_bytes(stored, "big", signed=True)).scaleb(-kind["scale"])
            return not isinstance(given, bool) and exact == Decimal(given)
        except InvalidOperation:
            return False
    if name in ("bytes", "fixed"):
        return base64.b64encode(stored).decode() == given
    if name == "uuid":
        return stored.hex() == given.replace("-", "").lower()
    return isinstance(given, str) and moment(name, stored) == units(name, given)


def same_digits(name: str, stored: float, given: Any) -> bool:
    if isinstance(given, str):
        return given == {math.inf: "Infinity", -math.inf: "-Infinity"}.get(stored, "NaN")
    if isinstance(given, bool) or not math.isfinite(stored):
        return False
    digits = len(Decimal(given).as_tuple().digits)
    near = float(given) if name == "double" else struct.unpack("<f", struct.pack("<f", float(given)))[0]
    return stored == near and (stored == given or Decimal(f"{stored:.{digits - 1}e}") == given)


def moment(name: str, stored: int) -> int:
    """Return nanoseconds."""
    return stored * {"date": 86_400 * 10**9, "millis": 10**6, "micros": 10**3, "nanos": 1}[name.rpartition("-")[2]]


def units(name: str, text: str) -> int:
    """Return the nanoseconds since 1970, or midnight, of a text in ISO 8601, without Python's datetime."""
    day, clock = ("1970-01-01", text) if name.startswith("time-") else (text[:10], text[11:] or "00:00:00")
    year, month, date = map(int, day.split("-"))
    shifted = year - (month <= 2)  # the number of a day: years that begin in March
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400
    days += (153 * ((month + 9) % 12) + 2) // 5 + date - 1 - 719_468
    clock, offset = (clock[:-1], 0) if clock.endswith("Z") else (clock, 0)
    if "+" in clock:
        clock, _, written = clock.partition("+")
        offset = int(written[:2]) * 60 + int(written[3:] or 0)
    hours, minutes, seconds = clock.split(":")
    whole, _, fraction = seconds.partition(".")
    total = days * 86_400 + int(hours) * 3_600 + (int(minutes) - offset) * 60 + int(whole)
    return total * 10**9 + int(fraction.ljust(9, "0"))


@settings(max_examples=examples.of(1_500), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_json_is_refused_or_says_what_avro_stores(data: st.DataObject) -> None:
    scalars = [kind for name, kind in KINDS.items() if name not in ("array", "map", "record", "duration")]
    kind = distinct(data.draw(kinds(scalars)), count())
    text = data.draw(json_of(kind))
    try:
        stored = writer(kind)(text)
    except (Unfit, Misfit):
        return
    assert says(kind, stored, from_json(text)), (kind, text, stored)
