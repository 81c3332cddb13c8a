"""JMESPath over documents whose numbers keep all their digits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.sources.documents import ABSENT, written
from avro_data_contracts.contracts.sources.expressions import Expression, NotApplicable

DOCUMENT = {
    "price": {"gross": Decimal("1.10"), "net": None},
    "parts": [1, Decimal("2.50"), 3],
    "text": "0.10",
    "names": ["b", "a"],
    "rows": [{"n": 2}, {"n": Decimal("1.5")}],
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("price.gross", Decimal("1.10")),
        ("price.net", None),
        ("price.other", ABSENT),
        ("other.gross", ABSENT),
        ("text.gross", ABSENT),
        ('"price"."gross"', Decimal("1.10")),
        ("@", DOCUMENT),
        ("other || price.other", None),
        ("sum(parts)", Decimal("6.50")),
        ("max(parts)", 3),
        ("sort(parts)", [1, Decimal("2.50"), 3]),
        ("sort_by(rows, &n)[0].n", Decimal("1.5")),
        ("to_number(text)", Decimal("0.10")),
        ("to_number(names)", None),
        ("to_string(price)", '{"gross":1.10,"net":null}'),
        ("`1.10`", Decimal("1.10")),
        ("price.gross > `1.05`", True),
        ("type(price.gross)", "number"),
        ("parts[?@ > `1.5`]", [Decimal("2.50"), 3]),
        ("{a: price.gross, b: 'x'}", {"a": Decimal("1.10"), "b": "x"}),
        ("floor(price.gross)", 1),
        ("abs(`-0.30`)", Decimal("0.30")),
        ("sum(`[1e30, 1]`)", Decimal(10**30 + 1)),
    ],
)
def test_expression_gives_the_exact_value(expression: str, value: Any) -> None:
    assert Expression(expression)(DOCUMENT) == value
    assert type(Expression(expression)(DOCUMENT)) is type(value)


@pytest.mark.parametrize("expression", ["sum(names)", "length(price.gross)", "sort(price)", "avg(names)"])
def test_function_that_does_not_apply_shows_no_value(expression: str) -> None:
    with pytest.raises(NotApplicable) as caught:
        Expression(expression)(DOCUMENT)
    assert "1.10" not in str(caught.value)
    assert expression in str(caught.value)


@pytest.mark.parametrize("text", ["", "a.", "a[", "'x", "a b", "@@", "foo(a)", "length()", "a.foo(b)", "[?foo(@)]"])
def test_invalid_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JMESPath|takes"):
        Expression(text)


NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=5)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(DOCUMENTS)
def test_document_is_written_with_every_digit(document: Any) -> None:
    text = written(document)
    assert json.loads(text, parse_float=Decimal) == document
    assert written(json.loads(text, parse_float=Decimal)) == text


@given(st.text(max_size=30))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        expression = Expression(text)
    except ValueError:
        return
    try:
        expression(DOCUMENT)
    except NotApplicable:
        return
