"""Small batches into Cassandra: which event wins, and which rows share a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.streaming.stores.cassandra import direct
from avro_data_contracts.streaming.stores.cassandra.direct import NotHere, winning

#: Few of each, so that events often share a millisecond.
EVENTS = st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 9), st.integers(0, 2)), min_size=1, unique=True)


@given(EVENTS)
def test_newest_event_wins_whatever_the_order_of_arrival(events: list[direct.Position]) -> None:
    stored: tuple[int, int, int, int] | None = None
    for event in events:
        won = winning(event, stored)
        if won is None:
            continue
        # Cassandra keeps the row with the later write time.
        assert stored is None or won > stored[3]
        assert won // direct.MICROS == event[0]
        stored = (*event, won)
    assert stored is not None
    assert stored[:3] == max(events)


@given(EVENTS)
def test_event_that_is_read_again_changes_nothing(events: list[direct.Position]) -> None:
    stored = (*max(events), 5)
    assert all(winning(event, stored) is None for event in events)


def test_thousandth_event_of_a_millisecond_is_left_to_the_usual_way() -> None:
    assert winning((7, 1, 0), (7, 0, 0, 7_998)) == 7_999
    with pytest.raises(NotHere):
        winning((7, 1, 0), (7, 0, 0, 7_999))
    assert winning((8, 1, 0), (7, 0, 0, 7_999)) == 8_000


@given(st.lists(st.lists(st.one_of(st.none(), st.binary(max_size=3000)), max_size=3), max_size=60))
def test_rows_keep_their_order_and_requests_stay_small(rows: list[list[Any]]) -> None:
    bound: list[Any] = [SimpleNamespace(values=row) for row in rows]
    requests = list(direct._requests(bound))
    assert [one for some in requests for one in some] == bound
    for some in requests:
        size = sum(len(value) for one in some for value in one.values if value)
        assert len(some) == 1 or (size <= direct._REQUEST_BYTES and len(some) <= direct._MOST_IN_REQUEST)
