"""The position of a source that says what is new: a crash repeats records, and never skips one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.sources.increment import Order
from avro_data_contracts.producers.sources.increments import Increment, OutOfOrder, text_of


def run(cursors: list[str], order: Order, since: str | None = None) -> Increment:
    increment = Increment(order, since)
    for cursor in cursors:
        increment.see(cursor)
    return increment


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.data(), st.booleans())
def test_ascending_run_that_crashes_anywhere_skips_nothing(values: list[int], data: Any, exclusive: bool) -> None:
    values = sorted(values)
    taken = data.draw(st.integers(0, len(values)))
    increment = Increment(Order.ascending, None)
    for value in values[:taken]:
        increment.see(str(value))
    position = increment.position(complete=False)
    # What the next run gets, from an API that leaves out the position itself or does not.
    at = None if position is None else int(position)
    again = {i for i, v in enumerate(values) if at is None or v > at or (not exclusive and v == at)}
    assert set(range(taken, len(values))) <= again


@given(st.lists(st.integers(0, 1000), min_size=1), st.none() | st.integers(0, 1000))
def test_complete_run_in_any_order_goes_to_the_newest(values: list[int], since: int | None) -> None:
    increment = run([str(value) for value in values], Order.any, None if since is None else str(since))
    assert increment.position(complete=False) is None
    assert increment.position(complete=True) == str(max([*values, *([] if since is None else [since])]))


def test_run_without_records_moves_nothing() -> None:
    for order in Order:
        assert run([], order, "5").position(complete=True) is None


@pytest.mark.parametrize(
    ("cursors", "newest"),
    [
        (["2026-11-29T10:00:00Z", "2026-11-29T10:00:00.5Z"], "2026-11-29T10:00:00.5Z"),
        (["2026-11-29T10:00:00.5Z", "2026-11-29T10:00:00Z"], "2026-11-29T10:00:00.5Z"),
        (["2026-11-29T10:00:00+02:00", "2026-11-29T09:00:00Z"], "2026-11-29T09:00:00Z"),
        (["2026-11-29T10:00:00.0000001Z", "2026-11-29T10:00:00.00000005Z"], "2026-11-29T10:00:00.0000001Z"),
        (["2026-11-29 10:00", "2026-11-29 09:00"], "2026-11-29 10:00"),
        (["2026-11-29", "2026-02-01"], "2026-11-29"),
        (["9", "10"], "10"),
        (["1.5", "-2", "1e1"], "1e1"),
    ],
)
def test_newest_is_found_by_value_and_kept_as_written(cursors: list[str], newest: str) -> None:
    assert run(cursors, Order.any).position(complete=True) == newest


def test_start_of_another_kind_is_replaced() -> None:
    assert run(["2026-11-29T10:00:00Z"], Order.any, "2026-01-01").position(complete=True) == "2026-11-29T10:00:00Z"


@pytest.mark.parametrize(
    ("cursors", "order", "words"),
    [
        (["2", "1"], Order.ascending, "lower than that of the record before"),
        (["2", "2026-11-29"], Order.ascending, "its cursor is a date, and that of the record before is a number"),
        (["2026-11-29T10:00:00Z", "2026-11-29T10:00:00"], Order.any, "is a local time"),
        (["abc"], Order.any, "neither a number nor a time"),
        (["2026-13-45T10:00:00Z"], Order.any, "neither a number nor a time"),
    ],
)
def test_records_that_break_the_order_are_refused(cursors: list[str], order: Order, words: str) -> None:
    with pytest.raises(OutOfOrder, match=words):
        run(cursors, order)


def test_text_without_an_order_is_taken_as_it_comes() -> None:
    increment = run(["evt_b", "evt_a", "evt_c"], Order.ascending)
    assert increment.position(complete=False) == "evt_a"
    assert increment.position(complete=True) == "evt_c"


def test_cursor_is_sent_back_as_it_was_written() -> None:
    assert [text_of(one) for one in ("a", 5, None, True, "", [], 0)] == ["a", "5", None, None, None, None, "0"]
