"""Query parameters work as in the real API: an invalid value becomes the default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.stack.source.query import FIELDS, Query, UnofferedFormat, parse


def test_empty_query_gets_the_defaults() -> None:
    assert parse("") == Query(1, 1, "", (), "", FIELDS, False, True, ())


@pytest.mark.parametrize("text", ["", "0", "-1", "5001", "abc", "1.5", "1e3", "٣", "9" * 30])
def test_invalid_results_default_to_one(text: str) -> None:
    assert parse(f"results={text}").results == 1


@pytest.mark.parametrize(("text", "results"), [("1", 1), ("5000", 5000), ("0010", 10)])
def test_valid_results_are_used(text: str, results: int) -> None:
    assert parse(f"results={text}").results == results


@pytest.mark.parametrize(("text", "page"), [("", 1), ("0", 1), ("-2", 1), ("x", 1), ("12", 12)])
def test_invalid_page_defaults_to_one(text: str, page: int) -> None:
    assert parse(f"page={text}").page == page


@pytest.mark.parametrize(
    ("text", "nats"),
    [("us", ("US",)), ("gb, ir,", ("GB", "IR")), ("us,xx", ()), ("", ()), ("JP,us", ("JP", "US"))],
)
def test_nat_is_used_only_if_every_code_is_known(text: str, nats: tuple[str, ...]) -> None:
    assert parse(f"nat={text}").nats == nats


def test_gender_is_ignored_together_with_a_seed() -> None:
    assert parse("gender=female").gender == "female"
    assert parse("gender=other").gender == ""
    assert parse("gender=female&seed=a").gender == ""


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("inc=name,email", ("name", "email")),
        ("inc=EMAIL, Name", ("name", "email")),
        ("inc=name,unknown", ("name",)),
        ("inc=", FIELDS),
        ("exc=login", tuple(field for field in FIELDS if field != "login")),
        ("inc=name,email&exc=email", ("name",)),
        ("inc=unknown", ()),
    ],
)
def test_inc_and_exc_select_the_fields(query: str, fields: tuple[str, ...]) -> None:
    assert parse(query).fields == fields


def test_unoffered_format_is_refused_and_unknown_one_ignored() -> None:
    assert not parse("format=json").pretty
    assert parse("format=PrettyJSON").pretty
    assert not parse("format=unheard-of").pretty
    for form in ("csv", "xml", "YAML"):
        with pytest.raises(UnofferedFormat):
            parse(f"fmt={form}")


def test_last_value_of_a_repeated_parameter_wins() -> None:
    assert parse("seed=a&seed=b").seed == "b"


def test_noinfo_needs_no_value() -> None:
    assert not parse("noinfo").info
    assert not parse("noinfo=").info


@given(st.text())
def test_any_query_parses_to_valid_values(text: str) -> None:
    try:
        query = parse(text)
    except UnofferedFormat:
        return
    assert 1 <= query.results <= 5000
    assert query.page >= 1
