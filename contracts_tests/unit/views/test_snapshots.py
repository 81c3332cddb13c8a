"""Which reference data each batch of a view saw: kept, and the same in each attempt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.errors import EXIT_USAGE, ConfigurationError
from avro_data_contracts.streaming.views.snapshots import FOLDER, Snapshot, Snapshots

ONE, TWO = Snapshot("[1]", b"\x00\n\xff"), Snapshot("[2]", b"")


def test_attempt_joins_what_the_first_one_joined(tmp_path: Path) -> None:
    found = Snapshots(tmp_path, "v")
    assert found.of(0) is None
    assert found.keep(0, {"a": ONE, "b": TWO}) == {"a": ONE, "b": TWO}
    # Another attempt, which had read other data before it saw the note of the first one.
    assert Snapshots(tmp_path, "v").keep(0, {"a": TWO, "b": TWO}) == {"a": ONE, "b": TWO}
    assert found.of(0) == {"a": ONE, "b": TWO}
    assert found.of(1) is None


def test_last_two_batches_and_their_data_are_kept(tmp_path: Path) -> None:
    found = Snapshots(tmp_path, "v")
    states = [Snapshot("[]", bytes([number // 2])) for number in range(6)]
    for batch, state in enumerate(states):
        found.keep(batch, {"a": state, "same": TWO})
    names = {one.name for one in (tmp_path / FOLDER).iterdir()}
    assert names == {"4", "5", *(f"{one.digest}.avro" for one in (states[4], states[5], TWO))}
    assert [found.of(batch) for batch in (3, 4, 5)] == [None, *({"a": one, "same": TWO} for one in states[4:])]


@pytest.mark.parametrize("harm", ["other bytes", "no rows", "not a note"])
def test_damaged_data_is_refused_and_never_replaced(tmp_path: Path, harm: str) -> None:
    found = Snapshots(tmp_path, "v")
    found.keep(7, {"a": ONE})
    rows = tmp_path / FOLDER / f"{ONE.digest}.avro"
    if harm == "other bytes":
        rows.write_bytes(ONE.content + b"x")
    elif harm == "no rows":
        rows.unlink()
    else:
        (tmp_path / FOLDER / "7").write_text("{")
    with pytest.raises(ConfigurationError, match="missing or damaged") as raised:
        found.of(7)
    assert raised.value.exit_code == EXIT_USAGE
    assert "views rebuild v" in raised.value.fix


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), st.binary())
def test_any_data_comes_back(tmp_path_factory: pytest.TempPathFactory, schema: str, raw: bytes) -> None:
    found = Snapshots(tmp_path_factory.mktemp("checkpoint"), "v")
    assert found.keep(0, {"a": Snapshot(schema, raw)}) == {"a": Snapshot(schema, raw)}
