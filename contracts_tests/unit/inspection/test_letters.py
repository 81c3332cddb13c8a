"""A producer's dead letter as `tail`, the console and `dlq show` have it: numbers, place in the source, field."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.console import records, rendering
from avro_data_contracts.console.pages.values import laid_out
from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.sources.documents import written
from avro_data_contracts.producers import dead_letter as producers_letter
from avro_data_contracts.producers.rejection import RejectedRecord
from avro_data_contracts.streaming.dead_letters import broken, letters, report
from avro_data_contracts.streaming.inspection import tail, texts
from avro_data_contracts.streaming.inspection.seen import Decoder, Seen
from contracts_tests.fixtures.contract_files import load, record
from contracts_tests.fixtures.http_api import Answer, Asked, http_api

#: No request reaches it: nothing of a producer's letter needs the registry.
NOWHERE = Registry("http://127.0.0.1:1", timeout_s=1, retry_for_s=0)
REFUSAL = RejectedRecord("RULE:heavier", "breaks the rule heavier", field="weight")
PLACE = "penguins_raw.csv, line 5"
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load(orders__value_avsc=record(("id", "string"), ("weight", "int"))).get("orders")


def message(
    value: bytes | None, headers: list[tuple[str, bytes]], key: bytes | None = None, offset: int = 3
) -> Message:
    place: dict[str, Any] = {"topic": "penguins.dlq", "partition": 0, "offset": offset}
    return Message(**place, key=key, value=value, headers=headers, timestamp=(1, 1_000))


def refused(
    value: Any, position: str = PLACE, refusal: RejectedRecord = REFUSAL, key: bytes | None = None, offset: int = 3
) -> Message:
    made = producers_letter.of(value, refusal, topic="penguins", producer="producers.file", position=position)
    return message(made.value, made.headers, key, offset)


def by_stream(value: bytes | None, *more: tuple[str, bytes], offset: int = 3) -> Message:
    told = dict.fromkeys(dead_letter.ADDED, b"1") | {
        dead_letter.TOPIC: b"penguins", dead_letter.REASON: b"DECODE_ERROR", dead_letter.MESSAGE: b"it does not fit",
    }  # fmt: skip
    own = [(dead_letter.SOURCE_POSITION, b"of the record's own"), (dead_letter.SOURCE_FIELD, b"own")]
    return message(value, [*own, *((name, told[name]) for name in dead_letter.ADDED), *more], offset=offset)


def seen(one: Message, contract: Contract, *, reveal: bool = True, where: str = "") -> Seen:
    judges = tail.condition((contract,), where) if where else {}
    return Decoder(NOWHERE, (contract,), reveal=reveal, condition=judges).seen(one)


@given(NUMBERS, st.booleans())
def test_numbers_of_a_letter_have_all_their_digits(number: str, in_list: bool) -> None:
    text = f'{{"amount":{f"[{number}]" if in_list else number}}}'
    value = texts.read(text.encode())
    for shown in (written(value), laid_out(value)):
        [found] = json.loads(shown, parse_float=Decimal, parse_int=Decimal).values()
        found = found[0] if in_list else found
        assert found.as_tuple() == Decimal(number).as_tuple()


def test_amount_of_twenty_digits_is_shown_exactly(contract: Contract) -> None:
    found = seen(refused(b'{"amount": 12345678901234567.89, "n": 1.10}'), contract)
    assert tail.line(found).endswith('{"amount":12345678901234567.89,"n":1.10}')
    assert '"value":{"amount":12345678901234567.89,"n":1.10}' in written(found.document())
    assert seen(refused(b'{"amount": 1.5}'), contract, reveal=False).value.value == "***"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        "[Infinity]",
        '{"a": 1e9999999999999999999999}',
        '"\\ud800"',
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "a;b;5",
        "",
    ],
)
def test_what_cannot_be_shown_as_json_is_shown_as_text(text: str, contract: Contract) -> None:
    found = seen(refused(text.encode()), contract)
    assert found.value.value == text
    assert json.loads(written(found.document()).encode())["value"] == text


def test_bytes_that_are_no_text_are_shown_in_base64() -> None:
    assert texts.read(b"\xff\x00") == "/wA="


@pytest.mark.parametrize("key", ["0.1", "7", "abc", '{"id": 0.10}', "12345678901234567.89"])
def test_key_of_plain_json_is_found_by_its_text(key: str, contract: Contract) -> None:
    found = seen(refused({}, key=key.encode()), contract)
    assert tail.key_is(found, key)
    assert not tail.key_is(found, "8")


@pytest.mark.parametrize(
    ("position", "field", "what", "expected"),
    [
        (PLACE, "weight", "is not a number", f"INVALID of {PLACE}, field weight: is not a number;"),
        ("page 3, user 17", "", "is not a number", "INVALID of page 3, user 17: is not a number;"),
        ("", "weight", "is not a number", "INVALID of field weight: is not a number;"),
        ("", "", "is not a number", "INVALID: is not a number;"),
        ("a\x1b[2J.csv, line 1", "", "", "INVALID of a\\x1b[2J.csv, line 1;"),
    ],
)
def test_line_of_a_letter_has_place_and_field(
    position: str, field: str, what: str, expected: str, contract: Contract
) -> None:
    refusal = RejectedRecord("INVALID", what, field=field)
    found = seen(refused({"a": "b"}, position, refusal), contract)
    assert tail.line(found).split("  ")[2:] == [expected, '{"a":"b"}']
    assert found.document()["rejected"] == {
        "reason": "INVALID",
        "message": what,
        "by": "producers.file",
        "place": position or None,
        "field": field or None,
    }


def test_letter_of_the_stream_has_the_place_in_the_topic(contract: Contract) -> None:
    found = seen(by_stream(b"{"), contract)
    assert found.rejected is not None
    assert (found.rejected["place"], found.rejected["field"]) == ("penguins-1-1", None)
    assert "DECODE_ERROR of penguins-1-1: it does not fit;" in tail.line(found)
    letter = letters.letter_of(by_stream(b"{"), "penguins")
    assert letter is not None
    assert (letter.source, letter.field) == ("", "")


def test_dlq_show_has_the_place_in_the_source_and_the_field(
    contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = letters.letter_of(refused({"weight": "much"}), "penguins")
    assert letter is not None
    report.letters(contract, [letter], {}, {}, left=0, as_json=True)
    [shown] = json.loads(capsys.readouterr().out)["letters"]
    assert (shown["source"], shown["field"], shown["place"]) == (PLACE, "weight", "penguins.dlq-0-3")
    report.letters(contract, [letter], {}, {}, left=0, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert f"  source: {PLACE}" in lines
    assert "  field: weight" in lines


def shown_places(
    contract: Contract,
    capsys: pytest.CaptureFixture[str],
    *found: Message,
    reveal: bool = False,
    registry: Registry = NOWHERE,
) -> tuple[list[dict[str, Any]], str]:
    """What `dlq show` prints of these letters, as JSON and as text, while the registry does not answer."""
    read = [(letters.letter_of(one, "penguins"), one) for one in found]
    known = [(letter, one) for letter, one in read if letter is not None]
    places = broken.places(registry, [contract], known, reveal=reveal)
    told = [letter for letter, _ in known]
    report.letters(contract, told, {}, places, left=0, as_json=True)
    documents: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["letters"]
    report.letters(contract, told, {}, places, left=0, as_json=False)
    return documents, capsys.readouterr().out


def test_dlq_show_has_the_byte_where_a_value_breaks(contract: Contract, capsys: pytest.CaptureFixture[str]) -> None:
    [one], text = shown_places(contract, capsys, by_stream(b"{json}"))
    assert one["broken"] == {
        "at": 0, "begin": 0, "field": None, "type": None, "why": "the first byte of a schema id is 0",
    }  # fmt: skip
    assert "  breaks: at byte 0 of 6, counted from 0\n" in text
    [one], text = shown_places(contract, capsys, by_stream(b"{json}"), reveal=True)
    assert one["broken"]["bytes"] == {"from": 0, "hex": b"{json}".hex()}
    assert "    000000  [7b] 6a  73  6f  6e  7d " in text


def test_dlq_show_says_that_the_byte_is_unknown_without_a_registry(
    contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    framed = [by_stream(b"\0\0\0\0\7abc", offset=offset) for offset in (1, 2)]
    documents, text = shown_places(contract, capsys, *framed, by_stream(b"\0"))
    assert [one["broken"]["at"] for one in documents] == [None, None, 1]
    assert "could not be looked at: the schema registry is needed, but" in documents[0]["broken"]["why"]
    assert text.count("  breaks: the record could not be looked at: the schema registry is needed") == 2


def looked_up(ids: list[int], lost: set[int]) -> tuple[list[str], list[int]]:
    """Why the schema of each letter could not be looked up, empty if it could; and those that were asked for."""
    lookups, asked, found = broken._Lookups(), [], []

    def look(schema_id: int) -> None:
        if schema_id in lost:
            asked.append(schema_id)
            raise ServiceError(f"schema id {schema_id} is lost")

    for one in ids:
        found.append(lookups.of(one, partial(look, one))[1])
    return found, asked


@given(st.lists(st.integers(1, 6), max_size=30), st.sets(st.integers(1, 6)))
def test_schema_that_is_lost_hides_no_other(ids: list[int], lost: set[int]) -> None:
    found, asked = looked_up(ids, lost)
    assert asked == list(dict.fromkeys(one for one in ids if one in lost))[:3]  # each once, and no fourth
    failed: set[int] = set()
    known: set[int] = set()
    for one, why in zip(ids, found, strict=True):
        if len(failed) < 3 or one in known:
            assert why == (f"schema id {one} is lost" if one in lost else "")
        else:
            assert why
        (failed if why and len(failed) < 3 else known if not why else set()).add(one)


def test_dlq_show_looks_at_letters_of_other_schemas_when_one_has_lost_a_reference(
    contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = record(("id", "string"), ("weight", "int"))
    reference = {"name": "a.B", "subject": "b", "version": 1}

    def answer(asked: Asked) -> Any:
        if asked.path.endswith("/schemas/ids/7"):
            return {"schema": whole, "references": [reference]}
        if asked.path.endswith("/schemas/ids/8"):
            return {"schema": whole}
        return Answer({"error_code": 40402, "message": "Version not found."}, 404)

    ids = [7, 8, 7, 8]
    found = [by_stream(b"\0\0\0\0" + bytes([one]) + b"\2a", offset=at) for at, one in enumerate(ids)]
    with http_api(answer) as api:
        registry = Registry(api.url.removesuffix("/v1/orders"), timeout_s=5, retry_for_s=0)
        documents, _ = shown_places(contract, capsys, *found, registry=registry)
    assert [one["broken"]["at"] for one in documents] == [None, 7, None, 7]
    assert "refers to version 1 of b, which does not exist" in documents[0]["broken"]["why"]
    assert documents[1]["broken"]["why"] == "weight is cut off: the body ends in it"


def test_dlq_show_has_no_byte_of_what_never_was_a_record_or_is_left_out(
    contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out = by_stream(None, (dead_letter.LEFT_OUT, b"2000000"))
    documents, text = shown_places(contract, capsys, refused({"weight": 7}), left_out, by_stream(None))
    assert [one["broken"] for one in documents] == [None, None, None]
    assert "breaks" not in text.replace("breaks the rule", "")


@pytest.mark.parametrize(
    "letter",
    [
        refused({"weight": 7}),
        refused(b'{"weight": 7'),
        message(None, [*refused({}).headers(), (dead_letter.LEFT_OUT, b"2000000")]),
        by_stream(b"{"),
        by_stream(None, (dead_letter.LEFT_OUT, b"2000000")),
    ],
)
def test_letter_without_a_record_is_not_compared_with_a_condition(letter: Message, contract: Contract) -> None:
    assert seen(letter, contract, where="weight > 1").matches is None
    assert seen(letter, contract, where="weight > 1", reveal=False).matches is None
    assert seen(letter, contract).matches is True


def test_tombstone_fulfils_no_condition(contract: Contract) -> None:
    assert seen(message(None, []), contract, where="weight > 1").matches is False
    assert seen(by_stream(None), contract, where="weight > 1").matches is False


@pytest.mark.parametrize(("number", "words"), [(1, "1 record could"), (2, "2 records"), (3300, "3,300 records")])
def test_number_that_was_not_compared_is_told(number: int, words: str) -> None:
    assert tail.not_compared(number).startswith(words)


def listed(contract: Contract, *found: Message, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    gathered = letters.gathered([letters.entry(one, "penguins") for one in found], contract)
    report.reasons(contract, gathered, as_json=True)
    told = {row["reason"]: row for row in json.loads(capsys.readouterr().out)["reasons"]}
    report.reasons(contract, gathered, as_json=False)
    return told, capsys.readouterr().out


def test_dlq_list_counts_letters_that_were_never_in_the_topic(
    contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, shown = listed(contract, refused({}), refused({"a": 1}, offset=4), by_stream(b"{"), capsys=capsys)
    counts = {reason: (row["records"], row["open"], row["never_a_record"]) for reason, row in rows.items()}
    assert counts == {"RULE:heavier": (2, 0, 2), "DECODE_ERROR": (1, 1, 0)}
    head, row = (
        re.split("[┃│]", next(one for one in shown.splitlines() if word in one)) for word in ("never", "RULE")
    )
    assert (row[1].strip(), row[-2].strip()) == ("RULE:heavier", "2")
    assert head[-2].strip() == "never"
    assert shown.count("1970-01-01T00:00:01.000Z") == 4, "no time is cut"
    assert "2 were never records of the topic: fix them at the source, and produce them again" in shown


def test_dlq_list_of_the_stream_has_no_column_for_letters_of_a_producer(
    contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, shown = listed(contract, by_stream(b"{"), capsys=capsys)
    assert [(row["open"], row["never_a_record"]) for row in rows.values()] == [(1, 0)]
    assert "never" not in shown


def test_page_of_a_letter_has_its_place_field_and_digits(contract: Contract) -> None:
    row = records._shown(seen(refused(b'{"amount": 12345678901234567.89}'), contract))
    parts: Any = rendering._environment().get_template("record_parts.html").module
    text = parts.rows(records.Records((row,), 1), "", "", "", False)
    assert f"</strong> of {PLACE}, field weight, by producers.file: breaks the rule heavier</p>" in text
    assert "12345678901234567.89" in text
