"""Fault specifications and their queue."""

from __future__ import annotations

import pytest

from avro_data_contracts.stack.source.faults import BadFault, Fault, FaultQueue, parse


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("500", Fault("500", "status", 500)),
        ("503*2", Fault("503*2", "status", 503, count=2)),
        ("429:retry_after=1", Fault("429:retry_after=1", "status", 429, 1.0)),
        ("429:retry_at=1.5*3", Fault("429:retry_at=1.5*3", "status", 429, 1.5, True, 3)),
        ("slow:0.2", Fault("slow:0.2", "slow", seconds=0.2)),
        ("cut*1", Fault("cut*1", "cut", count=1)),
    ],
)
def test_valid_specification_is_parsed(spec: str, fault: Fault) -> None:
    assert parse(spec) == fault


@pytest.mark.parametrize(
    "spec",
    [
        *(
            "",
            "x",
            "200",
            "600",
            "50000",
            "500:5",
            "500 ",
            "429:retry_after=x",
            "429:retry_after=-1",
            "slow",
            "slow:nan",
        ),
        *("slow:inf", "cut:1", "cut*0", "cut*", "cut*x", "cut*-1", "*2"),
    ],
)
def test_invalid_specification_is_refused_and_quoted(spec: str) -> None:
    with pytest.raises(BadFault) as caught:
        parse(spec)
    assert repr(spec) in str(caught.value)


def test_faults_are_taken_in_order_and_as_often_as_specified() -> None:
    queue = FaultQueue(["500*2", "cut", "empty"])
    assert [fault.kind for fault in (queue.take(), queue.take(), queue.take(), queue.take()) if fault] == [
        "status", "status", "cut", "cut",
    ]  # fmt: skip
    assert queue.waiting() == ["cut", "empty"]


def test_waiting_shows_the_remaining_count() -> None:
    queue = FaultQueue(["429:retry_after=1*3"])
    queue.take()
    assert queue.waiting() == ["429:retry_after=1*2"]


def test_replacing_with_an_empty_list_clears_the_queue() -> None:
    queue = FaultQueue(["500"])
    queue.replace([])
    assert queue.take() is None


def test_invalid_specification_leaves_the_queue_unchanged() -> None:
    queue = FaultQueue(["500*1"])
    with pytest.raises(BadFault):
        queue.replace(["cut", "x"])
    assert queue.waiting() == ["500*1"]
