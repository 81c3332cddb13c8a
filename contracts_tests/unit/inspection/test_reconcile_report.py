"""What `reconcile` says of events that are missing: those that wait for the stream, and those that are lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.streaming.inspection import behind, report
from avro_data_contracts.streaming.inspection.reconcile import Outcome, Produced, Stored
from avro_data_contracts.streaming.inspection.stored import Position
from avro_data_contracts.streaming.inspection.view_table import ViewTable

RANGES = {0: (0, 992), 1: (5, 7)}
COMMAND = "python -m streaming --contract penguins --available-now"
#: Of the 497 keys, 496 have a newer event that the stream has not read.
LAGGING = tuple(Position(1_000, offset, 0) for offset in range(497, 993))
LOST = Position(1_000, 12, 0)

Shown = Callable[..., str]


def checkpoint(folder: Path, *, initial: str | None = None, batches: tuple[str, ...] = (), ended: int = 0) -> Path:
    """As Spark 3.5 writes it."""
    for name in ("commits", "offsets", "sources/0"):
        (folder / name).mkdir(parents=True)
    if initial is not None:
        (folder / "sources/0/0").write_bytes(b"\0v1\n" + initial.encode())
    for number, offsets in enumerate(batches):
        (folder / "offsets" / str(number)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{offsets}')
        if number < ended:
            (folder / "commits" / str(number)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    return folder


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    def show(found: Outcome, produced: Produced | None = None, *, as_json: bool = False) -> str:
        report.outcome("penguins", found, produced, as_json=as_json)
        return capsys.readouterr().out

    return show


def outcome(stores: dict[str, Stored], events: int = 993) -> Outcome:
    return Outcome(events, 0, {}, stores)


def behind_by(*missing: Position, unwritten: dict[int, tuple[int, int]], older: int = 0, keys: int = 497) -> Stored:
    return Stored(keys, keys - len(missing), 0, missing, 0, older, unwritten)


def test_position_is_that_of_the_last_batch_that_ended(tmp_path: Path) -> None:
    batches = ('{"t":{"0":100,"1":5}}', '{"t":{"0":497,"1":6}}', '{"t":{"0":993,"1":8}}')
    found = checkpoint(tmp_path / "begun", initial='{"t":{"0":0,"1":5}}', batches=batches, ended=2)
    assert behind.written(found, "t") == {0: 497, 1: 6}
    found = checkpoint(tmp_path / "new", initial='{"t":{"0":3,"1":5}}', batches=batches, ended=0)
    assert behind.written(found, "t") == {0: 3, 1: 5}


def test_position_is_unknown_without_a_readable_checkpoint(tmp_path: Path) -> None:
    assert behind.written(tmp_path / "elsewhere", "t") is None
    assert behind.written(checkpoint(tmp_path / "torn", batches=('{"t":{"0"',), ended=1), "t") is None
    assert behind.written(checkpoint(tmp_path / "other", batches=('{"u":{"0":1}}',), ended=1), "t") is None


@pytest.mark.parametrize(
    ("missing", "written", "expected"),
    [
        (LAGGING, {0: 497, 1: 8}, {0: (497, 992)}),
        ((*LAGGING, LOST), {0: 497, 1: 8}, {0: (497, 992)}),
        ((LOST,), {0: 497, 1: 5}, {}),
        ((LOST, Position(1, 6, 1)), {}, {0: (0, 992), 1: (5, 7)}),
        (LAGGING, {1: 8}, {0: (0, 992)}),
        (LAGGING, None, {}),
        ((), {}, {}),
    ],
)
def test_only_offsets_after_the_position_wait(
    missing: tuple[Position, ...], written: dict[int, int] | None, expected: dict[int, tuple[int, int]]
) -> None:
    assert behind.unwritten(missing, written, RANGES) == expected


@given(st.sets(st.integers(0, 50)), st.none() | st.integers(0, 60))
def test_each_missing_event_either_waits_or_is_lost(offsets: set[int], upto: int | None) -> None:
    missing = tuple(Position(1, offset, 0) for offset in sorted(offsets))
    written = None if upto is None else {0: upto}
    store = Stored(51, 0, 0, missing, unwritten=behind.unwritten(missing, written, {0: (0, 50)}))
    assert [one.offset for one in store.lost] == sorted(one for one in offsets if upto is None or one < upto)


def test_lag_names_the_offsets_and_the_command(shown: Shown) -> None:
    store = behind_by(*LAGGING, unwritten={0: (497, 992)}, older=496)
    said = shown(outcome({"cassandra": store, "postgres": Stored(497, 497, 0, ())}))
    waiting, fix, verdict = said.splitlines()[-3:]
    assert waiting == "waiting: the stream has not written offsets 497 to 992 of partition 0 to Cassandra yet"
    assert fix.endswith(COMMAND)
    rows = "rows with their newest event: 1 in Cassandra, 497 in PostgreSQL"
    assert verdict == f"not reconciled yet: 993 events; {rows}; 0 dead-lettered"
    assert "missing" not in said
    assert "of 497; 496 more have an older event" in said
    assert "rows in Cassandra with their newest event" in said


@pytest.mark.parametrize("unwritten", [{}, {0: (497, 992)}])
def test_lost_event_is_missing_also_while_the_stream_lags(
    shown: Shown, unwritten: dict[int, tuple[int, int]]
) -> None:
    store = behind_by(LOST, *(LAGGING if unwritten else ()), unwritten=unwritten)
    lines = shown(outcome({"postgres": store})).splitlines()
    assert "missing in PostgreSQL: the event at partition 0, offset 12" in lines
    assert lines[-1].startswith("the numbers do not agree: 993 events; rows with their newest event: ")
    assert any(COMMAND in line for line in lines) == bool(unwritten)


def test_lag_is_no_excuse_for_a_producer_whose_records_are_not_there(shown: Shown) -> None:
    store = behind_by(*LAGGING, unwritten={0: (497, 992)})
    found = outcome({"cassandra": store})
    assert not found.in_order(Produced(993, 993, {}, RANGES))
    assert "not reconciled yet" in shown(found, Produced(993, 993, {}, RANGES))
    assert "the numbers do not agree" in shown(found, Produced(1_000, 1_000, {}, RANGES))


def test_offsets_of_many_partitions_are_cut(shown: Shown) -> None:
    missing = [Position(1, 3, partition) for partition in range(8)]
    said = shown(outcome({"cassandra": behind_by(*missing, unwritten={one: (3, 3) for one in range(8)})}))
    assert "offset 3 of partition 0, offset 3 of partition 1" in said
    assert "partition 4, those of 3 more partitions to Cassandra yet" in said
    assert "partition 5" not in said


def test_everything_stored_reads_as_before(shown: Shown) -> None:
    found = outcome({"cassandra": Stored(993, 993, 0, ())})
    said = shown(found).splitlines()
    assert said[-1] == "reconciled: 993 events; rows: 993 in Cassandra; 0 dead-lettered"
    assert not any("waiting" in line or "fix:" in line or "newest" in line for line in said)


def of_view(**changes: object) -> ViewTable:
    """A table of a view that is in order, with changes."""
    found = ViewTable("by_hour", "cassandra", "shop.by_hour", 24, {}, {}, (), 0, 0, {})
    return replace(found, **changes)  # type: ignore[arg-type]


def with_views(*views: ViewTable) -> Outcome:
    return replace(outcome({"cassandra": Stored(993, 993, 0, ())}), views=views)


def test_views_in_order_have_a_line_each(shown: Shown) -> None:
    found = with_views(of_view(unlike={"late": 2}, late=3, short=3), of_view(store="postgres"))
    assert found.in_order()
    said = shown(found)
    words = "= as its SQL makes them, 2 without events that came late: 3 of 3 late events"
    assert f"rows of by_hour in Cassandra  │      24 │ {words} " in said
    assert "rows of by_hour in PostgreSQL │      24 │ = as its SQL makes them  " in said
    assert said.splitlines()[-1] == "reconciled: 993 events; rows: 993 in Cassandra; 0 dead-lettered"


def test_view_that_differs_is_named_with_the_command_that_makes_it_again(shown: Shown) -> None:
    unlike = {"differs": 2, "unknown": 1, "newer": 4}
    found = with_views(of_view(unlike=unlike, columns={"n": 2, "mean": 1}, named=("the row of the group …",)))
    assert not found.in_order()
    assert not found.lags
    said = shown(found).splitlines()
    words = "of its SQL, 2 differ (mean, n), 1 more that no event makes, 4 newer, not compared"
    assert any(words in line for line in said)
    assert "differs: by_hour in Cassandra: the row of the group …" in said
    assert any(line.endswith("python -m streaming --contract penguins views rebuild by_hour") for line in said)
    assert said[-1].startswith("the numbers do not agree: ")


def test_view_that_waits_for_the_stream_is_not_reconciled_yet(shown: Shown) -> None:
    found = with_views(of_view(unwritten={0: (3, 9)}))
    assert (found.in_order(), found.lags) == (False, True)
    said = shown(found).splitlines()
    assert "waiting: the stream has not written offsets 3 to 9 of partition 0 to by_hour in Cassandra yet" in said
    assert any(line.endswith(COMMAND) for line in said)
    assert said[-1].startswith("not reconciled yet: ")


def test_json_has_the_views(shown: Shown) -> None:
    told = json.loads(shown(with_views(of_view(unlike={"missing": 1}, short=2)), as_json=True))
    [view] = told["views"]
    assert (view["view"], view["store"], view["unlike"], view["short"]) == ("by_hour", "cassandra", {"missing": 1}, 2)


def test_records_that_a_view_has_lost_are_told(shown: Shown) -> None:
    found = replace(outcome({"cassandra": Stored(993, 993, 0, ())}), lost={"by_hour.postgres": 7, "cassandra": 2})
    said = shown(found)
    assert "lost to by_hour in PostgreSQL" in said
    assert "lost to Cassandra" in said


def test_batch_that_has_begun_may_have_written_rows(tmp_path: Path) -> None:
    batches = ('{"t":{"0":100}}', '{"t":{"0":200}}')
    assert not behind.at_work(tmp_path / "nothing")
    assert not behind.at_work(checkpoint(tmp_path / "all", batches=batches, ended=2))
    assert behind.at_work(checkpoint(tmp_path / "one", batches=batches, ended=1))
    assert behind.at_work(checkpoint(tmp_path / "none", batches=batches, ended=0))


def test_json_has_the_offsets_that_wait(shown: Shown) -> None:
    store = behind_by(*LAGGING[:2], unwritten={0: (497, 992)}, older=2)
    told = json.loads(shown(outcome({"cassandra": store}), as_json=True))
    assert (told["in_order"], told["stores"]["cassandra"]["unwritten"]) == (False, {"0": [497, 992]})
    assert told["stores"]["cassandra"]["older"] == 2
    assert [one["offset"] for one in told["stores"]["cassandra"]["missing"]] == [497, 498]
