"""Who is told of a message that was not delivered, when, and how often; with a client that reaches no broker."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.producers import Delivered, NotDelivered, Publisher, RejectedRecord
from contracts_tests.fixtures import unreached

ONE = {"id": "a"}
REFUSAL = RejectedRecord("NO", "it does not")


@pytest.fixture(autouse=True)
def _opened(monkeypatch: pytest.MonkeyPatch) -> None:
    unreached.opened(monkeypatch)


def publisher(**more: Any) -> Publisher:
    made = Publisher(unreached.contract(), unreached.settings(), **more)
    made.open()
    return made


def after_failure(one: Publisher) -> None:
    """Wait until the client has given everything up, without taking reports."""
    time.sleep(1.5)
    assert not one.produced


def test_callback_comes_with_the_next_send_after_a_while() -> None:
    one, told = publisher(), []
    one.send(ONE, on_delivery=told.append)
    after_failure(one)
    one.send(ONE, on_delivery=told.append)
    assert [type(outcome) for outcome in told] == [NotDelivered]
    assert (one.sent, one.given_back) == (2, 1)


def failure_is_raised_once(act: str, failed: str) -> None:
    """By what is done next, which sends nothing."""
    one = publisher()
    one.send(ONE) if failed == "record" else one.refuse(ONE, REFUSAL)
    after_failure(one)
    told: list[Delivered | NotDelivered] = []
    one.send(ONE, on_delivery=told.append)  # hears only of its own record
    with pytest.raises(NotDelivered, match="timed out") as caught:
        {
            "send": lambda: one.send(ONE),
            "refuse": lambda: one.refuse(ONE, REFUSAL),
            "wait": lambda: one.wait(0),
            "flush": one.flush,
        }[act]()
    assert "(dead letter)" in str(caught.value) if failed == "letter" else "(1)" in str(caught.value)
    assert one.sent == 2
    one.wait(0)
    one.flush()
    assert [type(outcome) for outcome in told] == [NotDelivered]


def test_failure_without_callback_is_raised_once_and_the_new_message_is_not_sent() -> None:
    """All cases at once: the client looks for timeouts once a second."""
    cases = [(act, failed) for act in ("send", "refuse", "wait", "flush") for failed in ("record", "letter")]
    with ThreadPoolExecutor(len(cases)) as threads:
        ends = {case: threads.submit(failure_is_raised_once, *case) for case in cases}
    assert {case: end.exception() for case, end in ends.items()} == dict.fromkeys(cases)


def test_send_and_wait_raises_for_its_own_record_only() -> None:
    one = publisher()
    one.refuse(ONE, REFUSAL)
    after_failure(one)
    for _ in range(2):
        with pytest.raises(NotDelivered) as caught:
            one.send_and_wait(ONE)
        assert "dead letter" not in str(caught.value)
        assert "a record for orders was not delivered" in str(caught.value)
    with pytest.raises(NotDelivered, match="dead letter"):
        one.flush()


def test_flush_ends_although_every_callback_raises() -> None:
    one, told = publisher(), []

    def broken(outcome: object) -> None:
        told.append(outcome)
        raise ZeroDivisionError("mine")

    for _ in range(5):
        one.send(ONE, on_delivery=broken)
    one.refuse(ONE, REFUSAL)
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        one.flush()
    assert (len(told), one.given_back, one.undelivered) == (5, 5, 1)
    notes = " ".join(caught.value.__notes__)
    assert "4 more callbacks" in notes
    assert "(dead letter)" in notes
    one.flush()


def test_place_after_a_failed_record_is_never_settled() -> None:
    one = publisher()
    one.mark("begin")
    one.send(ONE)
    one.mark("after the first")
    after_failure(one)
    with pytest.raises(NotDelivered):
        one.send(ONE)
    for place in ("after the second", "end"):
        one.mark(place)
        assert one.settled == "begin"


def test_messages_that_the_client_does_not_take_are_not_counted() -> None:
    one = publisher()
    with pytest.raises(RejectedRecord) as caught:
        one.send({"id": "x" * 2_000_000})
    assert caught.value.reason == "TOO_LARGE"
    with pytest.raises(RejectedRecord, match="not bytes"):
        one.send(ONE, headers={"a": object()})  # type: ignore[dict-item]
    one.mark("end")
    assert (one.sent, one.undelivered, one.settled) == (0, 0, "end")


@pytest.mark.parametrize("act", ["send", "refuse"])
@pytest.mark.parametrize(("transactional", "what"), [("", "is not open"), ("x", "no transaction is running")])
def test_nothing_is_sent_at_the_wrong_time(act: str, transactional: str, what: str) -> None:
    one = publisher(transactional_id=transactional)
    if not transactional:
        one.close()
    with pytest.raises(ConfigurationError, match=what):
        one.send(ONE) if act == "send" else one.refuse(ONE, REFUSAL)
    assert one.sent == 0


@pytest.mark.parametrize("seconds", [0, -1])
def test_transaction_needs_a_time(seconds: int) -> None:
    with pytest.raises(ConfigurationError, match="transaction_timeout_s"):
        publisher(transactional_id="x", transaction_timeout_s=seconds)
