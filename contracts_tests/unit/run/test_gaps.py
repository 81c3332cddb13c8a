"""Accepting a loss: what becomes of the state of an aggregation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.streaming.run import gaps
from avro_data_contracts.streaming.run.gaps import Gap
from avro_data_contracts.streaming.views.state import State, States

GAP = Gap("v.postgres", "orders", 0, 7, 9)
SOME = State(("window(at, 1, 1, 0)", "flag"), {"count ( * ) #0": "bigint"}, groups=2)


def plan(folder: Path, batch: int, offset: int) -> None:
    (folder / "v.postgres" / "offsets").mkdir(parents=True, exist_ok=True)
    lines = ("v1", json.dumps({"batchTimestampMs": batch}), json.dumps({"orders": {"0": offset, "1": offset}}))
    (folder / "v.postgres" / "offsets" / str(batch)).write_text("\n".join(lines))


def commit(folder: Path, batch: int) -> None:
    (folder / "v.postgres" / "commits").mkdir(parents=True, exist_ok=True)
    (folder / "v.postgres" / "commits" / str(batch)).write_text("v1\n{}")


@pytest.fixture
def states(tmp_path: Path) -> States:
    """Those of a query that has finished batch 4."""
    found = States(tmp_path / "v.postgres", "v")
    plan(tmp_path, 4, 7)
    found.keep(4, SOME)
    commit(tmp_path, 4)
    return found


def test_state_goes_on_behind_a_gap(tmp_path: Path, states: States) -> None:
    gaps.accept(tmp_path, "v.postgres", [GAP])
    gaps.accept(tmp_path, "v.postgres", [GAP])
    assert states.before(6, SOME) == SOME


@pytest.mark.parametrize("kept", [False, True], ids=["rows are written", "the state too"])
@pytest.mark.parametrize("killed", [False, True], ids=["once", "killed and repeated"])
def test_state_does_not_go_on_if_a_batch_over_the_gap_had_begun(
    tmp_path: Path, states: States, kept: bool, killed: bool
) -> None:
    """Its rows may have events that are gone, and the state does not have them."""
    plan(tmp_path, 5, 12)
    if kept:
        states.keep(5, State(("window(at, 1, 1, 0)", "flag"), groups=9))
    gaps.accept(tmp_path, "v.postgres", [GAP])
    if killed:
        (tmp_path / "v.postgres" / "commits" / "5").unlink()
        gaps.accept(tmp_path, "v.postgres", [GAP])
    with pytest.raises(ConfigurationError, match=re.escape("it has none for batch 5")) as raised:
        states.latest()
    assert "views rebuild v" in str(raised.value)


def test_first_batch_that_had_begun_is_not_begun_any_more(tmp_path: Path) -> None:
    """Then the stream looks whether the table has rows (`GroupSink.check`)."""
    states = States(tmp_path / "v.postgres", "v")
    assert not states.begun()
    plan(tmp_path, 0, 12)
    assert states.begun()
    gaps.accept(tmp_path, "v.postgres", [GAP])
    assert not states.begun()
