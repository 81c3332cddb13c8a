"""The report of a run says which fields were refused, how often, and where first, without any value."""

from __future__ import annotations

from collections import Counter

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import FindingsError
from avro_data_contracts.producers import reporting
from avro_data_contracts.producers.refusals import KINDS, SHOWN, Refusals
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.run import Order, Report
from avro_data_contracts.producers.sources.file.source import FileSource
from contracts_tests.fixtures.clone import CLONE

CONTRACT = loading.load_one(CLONE / "schemas", "users_created")


def misfit(field: str, why: str) -> Rejection:
    return Rejection("INVALID_RECORD", f"field {field} does not fit the schema: it {why}", field=field)


def refused() -> Refusals:
    found = Refusals()
    found.add(misfit("dob", "is empty"), "users.csv, line 2")
    for line in range(3, 303):
        found.add(misfit("is_new", "is not true or false"), f"users.csv, line {line}")
    for column in (7, 12):
        found.add(Rejection("NOT_JSON", f"is not JSON: a value is missing at column {column}"), "")
    return found


def test_same_mistake_is_one_kind_with_its_first_place() -> None:
    assert [(one.reason, one.field, one.count, one.first) for one in refused().most()] == [
        ("INVALID_RECORD", "is_new", 300, "users.csv, line 3"),
        ("NOT_JSON", "", 2, ""),
        ("INVALID_RECORD", "dob", 1, "users.csv, line 2"),
    ]


def test_memory_stays_bounded_for_any_number_of_fields() -> None:
    found = Refusals()
    for number in range(KINDS * 3):
        found.add(misfit(f"field_{number}", "is empty"), f"line {number}")
    found.add(misfit("field_5", "is empty"), "line 9")
    assert len(found._kinds) == KINDS
    assert found.total == KINDS * 3 + 1
    assert [(one.field, one.count) for one in found.most()][:2] == [("field_5", 2), ("field_0", 1)]
    assert len(found.most()) == SHOWN


def report(refusals: Refusals) -> Report:
    return Report(
        fetched=refusals.total,
        refused=Counter(one.reason for one in refusals.most() for _ in range(one.count)),
        refusals=refusals,
        ended="source",
    )


def told(refusals: Refusals, reject: str | None = None) -> tuple[dict[str, object], str]:
    source = FileSource("-", CONTRACT.value.schema)
    document = reporting.document(report(refusals), CONTRACT, Order(""), source, reject)
    return document, reporting.text(document, report(refusals))


def test_report_has_a_line_for_each_kind_of_refusal() -> None:
    _, text = told(refused())
    rows = text.splitlines()
    at = next(number for number, row in enumerate(rows) if row.startswith("refused"))
    assert rows[at : at + 4] == [
        "refused     303 to users_created.dlq (INVALID_RECORD 301, NOT_JSON 2)",
        "            300 times INVALID_RECORD: field is_new does not fit the schema: it is not true or false, first "
        "in users.csv, line 3",
        "            2 times NOT_JSON: is not JSON: a value is missing at column 7",
        "            1 time INVALID_RECORD: field dob does not fit the schema: it is empty, first in "
        "users.csv, line 2",
    ]
    assert rows[at + 4].startswith("seconds")


def test_report_counts_what_it_does_not_show() -> None:
    found = Refusals()
    for number in range(SHOWN + 7):
        found.add(misfit(f"field_{chr(97 + number)}", "is empty"), "")
    document, text = told(found)
    assert len(document["refusals"]) == SHOWN  # type: ignore[arg-type]
    assert "            7 for other reasons" in text.splitlines()


def test_json_has_reason_field_message_place_and_number() -> None:
    document, _ = told(refused())
    assert document["refusals"][0] == {  # type: ignore[index]
        "reason": "INVALID_RECORD",
        "field": "is_new",
        "what": "field is_new does not fit the schema: it is not true or false",
        "first": "users.csv, line 3",
        "count": 300,
    }


def test_name_with_control_characters_is_escaped() -> None:
    found = Refusals()
    found.add(Rejection("INVALID_RECORD", "field a\x1b[2J is strange"), "a\x1b.csv, line 1")
    assert "\x1b" not in told(found)[1]


@pytest.mark.parametrize("tolerant", [True, False])
@pytest.mark.parametrize(
    ("reject", "words"),
    [
        (None, "`python -m avro_data_contracts.streaming --contract users_created dlq show` shows them; "),
        ("bad.jsonl", "bad.jsonl has them; "),
    ],
)
def test_error_says_how_to_see_the_refused_records(reject: str | None, words: str, tolerant: bool) -> None:
    with pytest.raises(FindingsError) as caught:
        report(refused()).check(tolerant=tolerant, look=reporting.look(CONTRACT, reject))
    assert caught.value.fix.startswith(words)
