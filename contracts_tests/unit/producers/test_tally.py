"""What a publisher counts, for any order of sending, reports, failures, marks and transactions."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from avro_data_contracts.producers.encoding import Encoded
from avro_data_contracts.producers.settled import Stretch
from avro_data_contracts.producers.tally import Report, Tally

FAILED = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


class Acknowledged:
    """As a delivery report has it."""

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 5

    def timestamp(self) -> tuple[int, int]:
        return 1, 1


class Model(RuleBasedStateMachine):
    """Beside the tally, the state of each message that counts, by its number in the order of sending."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally("orders", "Kafka")
        self.number = 0
        self.open: dict[int, tuple[Stretch, Report]] = {}
        self.counts: dict[int, str] = {}  # number -> such as `waiting letter`
        self.since: set[int] | None = None  # of the running transaction
        self.held = 0  # numbers from here on are not committed
        self.told: list[Any] = []

    @rule(kind=st.sampled_from(["record", "told", "letter"]))
    def send(self, kind: str) -> None:
        self.number += 1
        encoded = Encoded(None, b"x", None, None)
        given = (
            self.tally.of_letter("NO")
            if kind == "letter"
            else self.tally.of_record(encoded, self.told.append if kind == "told" else None)
        )
        self.open[self.number] = given
        self.counts[self.number] = f"waiting {kind}"
        if self.since is not None:
            self.since.add(self.number)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), outcome=st.sampled_from(["acknowledged", "failed", "not taken"]))
    def report(self, data: st.DataObject, outcome: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        stretch, report = self.open.pop(number)
        if outcome == "not taken":
            self.tally.not_taken(stretch)
            self.counts.pop(number, None)
            return
        report(FAILED if outcome == "failed" else None, Acknowledged())  # type: ignore[arg-type]
        if number in self.counts:
            self.counts[number] = self.counts[number].replace("waiting", outcome)

    @rule()
    def mark(self) -> None:
        self.tally.mark(self.number)

    @precondition(lambda self: self.since is None and not self.open.keys() & self.counts.keys())
    @rule()
    def begin(self) -> None:
        """Only what was dropped may be under way then: a commit waits for everything."""
        self.tally.begin()
        self.since, self.held = set(), self.number + 1

    @precondition(lambda self: self.since is not None)
    @rule(committed=st.booleans())
    def end(self, committed: bool) -> None:
        assert self.since is not None
        if committed and not self.open.keys() & self.since:
            self.tally.commit()
        else:
            self.tally.drop()
            for number in self.since:
                self.counts.pop(number, None)
        self.since = None

    @invariant()
    def counts_are_those_of_the_list(self) -> None:
        states = list(self.counts.values())
        counts = self.tally.counts
        assert counts.sent == len(states)
        assert counts.produced == states.count("acknowledged record") + states.count("acknowledged told")
        assert counts.refused.total() == states.count("acknowledged letter")
        assert counts.given_back == states.count("failed told")
        assert counts.failed.total() == states.count("failed record") + states.count("failed letter")

    @invariant()
    def settled_place_is_before_everything_that_may_be_lost(self) -> None:
        place = self.tally.settled or 0
        lost = [
            n for n, state in self.counts.items() if not state.startswith("acknowledged") and state != "failed told"
        ]
        assert place < min(lost, default=self.number + 1)
        if self.since is not None:
            assert place < max(self.held, 1)


TestTally = Model.TestCase
