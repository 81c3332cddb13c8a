"""The advice for each reason is that of the documentation."""

from __future__ import annotations

import re

import pytest

from avro_data_contracts.streaming.dead_letters import advice
from avro_data_contracts.streaming.decode.reasons import ChangeReason, Reason
from contracts_tests.fixtures import pages

#: The code in the page, and one that a letter may have.
CODES = {
    **{str(one): str(one) for one in (*Reason, *ChangeReason)},
    "REFUSED:<store>": "REFUSED:postgres",
    "REFUSED:<view>.<store>": "REFUSED:big_orders.cassandra",
    "RULE:<name>": "RULE:email_form",
}


def plain(cell: str) -> str:
    without = re.sub(r" \(\[[^]]*\]\([^)]*\)\)", "", cell.strip())
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", without)


def documented() -> dict[str, tuple[str, str]]:
    text = pages.read("docs/how-to/dead-letters.md").text
    section = text[text.index("## Reason codes") : text.index("### Schema ids")]
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|(.*)\|$", section, flags=re.MULTILINE)
    return {code: (plain(meaning), plain(what)) for code, meaning, what in rows}


def test_page_has_every_code() -> None:
    assert documented().keys() == CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_advice_is_that_of_the_page(code: str) -> None:
    assert advice.of(CODES[code]) == documented()[code]


@pytest.mark.parametrize("code", ["INVALID_RECORD", "MISSING_EMAIL", "RULE:email_form", "SOMETHING_ELSE"])
def test_every_letter_of_a_producer_has_advice(code: str) -> None:
    means, fix = advice.of_source(code)
    assert means == (advice.of(code)[0] if code.startswith("RULE:") else means)
    assert means
    assert fix.startswith("correct it at the source, and send it again")


def test_code_of_another_program_has_no_advice() -> None:
    assert advice.of("SOMETHING_ELSE") == ("", "")
    assert advice.of("") == ("", "")
