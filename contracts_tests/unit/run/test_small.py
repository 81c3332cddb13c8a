"""Which small batches are tried with the stores' own drivers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.streaming.run.small import Turns


def tried(outcomes: list[bool]) -> list[bool]:
    """Return which batches were tried, if each that is tried ends so."""
    turns, found = Turns(), []
    for done in outcomes:
        found.append(turns.next())
        if found[-1]:
            turns.tried(done=done)
    return found


def test_tries_in_vain_become_rare_and_one_that_succeeds_ends_that() -> None:
    assert [at for at, one in enumerate(tried([False] * 30)) if one] == [0, 1, 3, 7, 15]
    assert tried([False, True, False, True]) == [True] * 4
    assert sum(tried([False] * 6400)) < 110


@given(st.lists(st.booleans()))
def test_batch_after_one_that_succeeded_is_tried(outcomes: list[bool]) -> None:
    found = tried(outcomes)
    for at in range(len(outcomes) - 1):
        if found[at] and outcomes[at]:
            assert found[at + 1]


@given(st.lists(st.just(True)))
def test_every_batch_is_tried_while_all_succeed(outcomes: list[bool]) -> None:
    assert all(tried(outcomes))
