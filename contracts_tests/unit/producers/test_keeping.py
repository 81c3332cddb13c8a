"""What a run writes down while it goes on: only what has arrived, about once a second, and all of it at its end."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.producers import keeping
from avro_data_contracts.producers.keeping import EVERY_S, Keeper
from avro_data_contracts.producers.settled import Settled, Stretch
from contracts_tests.fixtures import examples

#: Send an item of so many messages; acknowledge one of the open messages; let so many seconds pass.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3)),
        st.tuples(st.just("acknowledge"), st.integers(0, 10)),
        st.tuples(st.just("wait"), st.floats(0, 3)),
    ),
    max_size=60,
)


class Run:
    """A run whose clock and acknowledgements the test moves.

    Attributes:
        place: the number of items that were sent.
        kept: each place that was written down, and when.
        open: the messages without an acknowledgement: the number of their item, and their stretch.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(keeping, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.place: int | None = None
        self.kept: list[tuple[int, float]] = []
        self.open: list[tuple[int, Stretch]] = []
        self._settled = Settled()
        self.mark = self._settled.mark
        self.keeper = Keeper(cast(Any, self), cast(Any, self))

    @property
    def settled(self) -> Any:
        return self._settled.place

    def keep(self, place: int) -> None:
        assert all(item >= place for item, _ in self.open), "it has not arrived"
        self.kept.append((place, self.now))

    def step(self, what: str, number: Any) -> None:
        match what:
            case "wait":
                self.now += number
            case "acknowledge" if self.open:
                _, stretch = self.open.pop(number % len(self.open))
                stretch.pending -= 1
            case "send":
                item = self.place or 0
                for _ in range(number):
                    self._settled.now.pending += 1
                    self.open.append((item, self._settled.now))
                self.place = item + 1
                self.keeper.taken(self.now)


@given(STEPS)
@settings(max_examples=examples.of(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_what_has_arrived_is_written_down(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, Any]]) -> None:
    run = Run(monkeypatch)
    for step in steps:
        run.step(*step)
    during = list(run.kept)
    assert [place for place, _ in during] == sorted(place for place, _ in during)
    assert all(later - earlier >= EVERY_S for (_, earlier), (_, later) in pairwise(during))

    while run.open:
        run.step("acknowledge", 0)
    run.keeper.save()
    assert [place for place, _ in run.kept[len(during) :]] == ([] if run.place is None else [run.place])


def test_position_of_a_long_run_is_at_most_two_looks_old(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    for _ in range(200):
        run.step("wait", 0.05)
        run.step("send", 1)
        run.step("acknowledge", 0)
    times = [100.0, *(when for _, when in run.kept)]
    assert len(run.kept) >= 9
    assert all(EVERY_S <= later - earlier <= EVERY_S + 0.15 for earlier, later in pairwise(times))
    assert all(place >= round((when - 100.0) / 0.05) - 4 for place, when in run.kept)


def test_source_that_has_not_come_further_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    run.keeper.taken(run.now)
    run.keeper.save()
    assert run.kept == []
