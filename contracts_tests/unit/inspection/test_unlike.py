"""What `reconcile` makes of a view's row that is not as its SQL makes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.streaming.inspection.unlike import (
    FINDINGS,
    Circumstances,
    Kind,
    Unlike,
    of_events,
    of_groups,
)
from avro_data_contracts.streaming.stores.store import Cells

ENDS = {0: 10, 1: 10}
KNOWN = Circumstances(first={0: 0, 1: 2}, ends=ENDS, topic_id="t", bounds=("hour",), binary=frozenset({"mean"}))


def known(**changes: Any) -> Circumstances:
    return Circumstances(**{**KNOWN.__dict__, **changes})


def event(offset: int, partition: int = 0, millis: int = 1_000, **cells: str | None) -> Cells:
    position = {"kafka_timestamp": millis, "kafka_partition": partition, "kafka_offset": offset}
    return {"id": "a", "name": "x", **cells, **{name: str(value) for name, value in position.items()}}


def group(events: int, millis: int = 1_000, **cells: str | None) -> Cells:
    bookkeeping = {"kafka_timestamp": str(millis), "kafka_events": str(events)}
    return {"hour": "2026-01-01 00:00:00+00", "who": "Ada", "mean": "1.5", **cells, **bookkeeping}


def findings(found: Unlike) -> int:
    return sum(found.rows[kind] for kind in FINDINGS)


def only(found: Unlike) -> tuple[Kind, str]:
    ((kind, number),) = [(kind, number) for kind, number in found.rows.items() if number]
    assert number == 1
    return kind, found.named[0] if found.named else ""


@pytest.mark.parametrize(
    ("wanted", "stored", "changes", "kind"),
    [
        (event(3), event(3, name="y"), {}, Kind.differs),
        (event(3), event(3, name=None), {}, Kind.differs),
        (event(3), None, {}, Kind.missing),
        (event(3), None, {"expired_before": 2_000.0}, Kind.expired),
        (event(3), event(2), {}, Kind.older),
        (event(3), event(11), {}, Kind.newer),
        (None, event(10), {}, Kind.newer),
        (event(3), event(4), {}, Kind.unknown),
        (None, event(4), {}, Kind.unknown),
        (None, event(4), {"forgets": True}, Kind.forgotten),
        (None, event(1, partition=1), {}, Kind.forgotten),
        (None, event(4, kafka_topic_id="old"), {}, Kind.forgotten),
        (None, event(4, kafka_topic_id="t"), {}, Kind.unknown),
    ],
)
def test_row_of_an_event_is_judged_by_its_position(
    wanted: Cells | None, stored: Cells | None, changes: dict[str, Any], kind: Kind
) -> None:
    found = of_events([(wanted, stored)], known(**changes))
    assert only(found)[0] is kind
    assert bool(findings(found)) == (kind in (Kind.differs, Kind.missing, Kind.older, Kind.unknown))


def test_words_name_event_and_columns_and_no_value() -> None:
    found = of_events([(event(3, name="Ada"), event(3, name="Grace"))], KNOWN)
    assert found.named == ["the row of the event at partition 0, offset 3 differs in name"]
    assert found.columns == {"name": 1}
    found = of_groups([(group(3, who="Ada", mean="2"), group(3, who="Ada"))], KNOWN)
    assert found.named == ["the row of the group hour 2026-01-01 00:00:00+00 differs in mean"]


@pytest.mark.parametrize(
    ("wanted", "stored", "changes", "kind"),
    [
        (group(3), group(3, mean="1.6"), {}, Kind.differs),
        (group(3), group(3, who=None), {}, Kind.differs),
        (group(3), group(2), {}, Kind.missing),
        (group(3), None, {}, Kind.missing),
        (group(3), None, {"expired_before": 2_000.0}, Kind.expired),
        (group(3), group(2), {"late": 1}, Kind.late),
        (group(3), None, {"late": 3}, Kind.late),
        (group(3), None, {"late": 2}, Kind.missing),
        (group(3), group(4), {}, Kind.unknown),
        (None, group(4), {}, Kind.unknown),
        (group(3), group(4), {"moved": lambda: True}, Kind.newer),
        (group(3), group(4), {"forgets": True}, Kind.forgotten),
        (None, group(4), {"forgets": True}, Kind.forgotten),
        (group(3), group(4), {"is_of_sessions": True}, Kind.unknown),
        (group(3), group(4), {"is_of_sessions": True, "late": 1}, Kind.late),
        (None, group(4), {"is_of_sessions": True, "late": 1}, Kind.late),
        (group(3), group(3, who="Eve"), {"is_of_sessions": True, "late": 1}, Kind.differs),
    ],
)
def test_row_of_a_group_is_judged_by_its_events(
    wanted: Cells | None, stored: Cells | None, changes: dict[str, Any], kind: Kind
) -> None:
    assert only(of_groups([(wanted, stored)], known(**changes)))[0] is kind


def test_sum_of_binary_numbers_may_differ_in_its_last_digits_only() -> None:
    near = [(group(3, mean="0.30000000000000004"), group(3, mean="0.3"))]
    assert not findings(of_groups(near, KNOWN))
    assert only(of_groups(near, known(binary=frozenset())))[0] is Kind.differs
    assert only(of_groups([(group(3, mean="0.3000001"), group(3, mean="0.3"))], KNOWN))[0] is Kind.differs
    assert only(of_groups([(group(3, mean="NaN"), group(3, mean="0.3"))], KNOWN))[0] is Kind.differs
    assert only(of_groups([(group(3, mean=None), group(3, mean="0.3"))], KNOWN))[0] is Kind.differs


def test_whether_the_table_moved_is_asked_after_its_last_row() -> None:
    read: list[int] = []

    def pairs() -> Iterator[tuple[Cells | None, Cells | None]]:
        yield group(3), group(4)
        read.append(1)

    found = of_groups(pairs(), known(moved=lambda: bool(read)))
    assert only(found)[0] is Kind.newer


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30), st.none() | st.integers(0, 60))
def test_no_group_lacks_more_events_than_were_late(counts: list[tuple[int, int]], late: int | None) -> None:
    pairs = [
        (group(wanted) if wanted else None, group(has) if has else None) for wanted, has in counts if wanted or has
    ]
    found = of_groups([pair for pair in pairs if pair[0] != pair[1]], known(late=late))
    short = sum(max(0, wanted - has) for wanted, has in counts)
    assert found.short == short
    lacking = sum(has < wanted for wanted, has in counts)
    is_late = late is not None and short <= late
    assert (found.rows[Kind.late], found.rows[Kind.missing]) == ((lacking, 0) if is_late else (0, lacking))
    assert found.rows[Kind.unknown] == sum(has > wanted for wanted, has in counts)
    assert len(found.named) == min(5, findings(found))
