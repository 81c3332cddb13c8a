"""The file with the state of an aggregation: exact, whole, and refused when it is not."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.errors import EXIT_USAGE, ConfigurationError
from avro_data_contracts.streaming.views import state
from avro_data_contracts.streaming.views.state import State, States
from contracts_tests.fixtures import examples

FIRST = State(("window(at, 1, 1, 0)", ""))
SOME = State(("window(at, 1, 1, 0)", "flag"), {"count ( * ) #0": "bigint"}, -5, -9, 2, 3, 4, "é", (b"a\n", b""))


def states(tmp_path: Path) -> States:
    return States(tmp_path / "v.postgres", "v")


def commit(tmp_path: Path, batch: int) -> None:
    (tmp_path / "v.postgres" / "commits").mkdir(parents=True, exist_ok=True)
    (tmp_path / "v.postgres" / "commits" / str(batch)).touch()


@settings(max_examples=examples.of(50), deadline=None)
@given(
    st.lists(st.binary(max_size=50), max_size=4),
    st.dictionaries(st.text(), st.text()),
    st.none() | st.integers(-(2**63), 2**63 - 1),
)
def test_state_is_read_as_it_was_kept(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], columns: dict[str, str], newest: int | None
) -> None:
    found = states(tmp_path_factory.mktemp("state"))
    kept = State(("a", "b"), columns, newest, newest, 7, 8, 9, "schema", tuple(pieces))
    found.keep(0, kept)
    assert found.before(1, FIRST) == kept


def test_first_batch_begins_with_nothing_and_others_with_the_one_before(tmp_path: Path) -> None:
    found = states(tmp_path)
    assert found.before(0, FIRST) is FIRST
    assert found.latest() is None
    found.keep(0, SOME)
    assert found.latest() is None  # Spark has not committed the batch, so it is repeated from the first state
    commit(tmp_path, 0)
    assert found.latest() == SOME


def test_last_two_states_are_kept_and_a_repeated_batch_replaces_its_own(tmp_path: Path) -> None:
    found = states(tmp_path)
    for batch in (0, 1, 2, 2, 3, 3):
        found.keep(batch, State((str(batch),)))
    assert sorted(one.name for one in (tmp_path / "v.postgres" / "groups").iterdir()) == ["2", "3"]
    assert found.before(3, FIRST).identity == ("2",)
    assert found.before(4, FIRST).identity == ("3",)


def test_events_that_were_left_out_are_known_from_the_newest_state(tmp_path: Path) -> None:
    assert state.left_out(tmp_path, "v.postgres") is None
    found = States(tmp_path / "topic-x" / "v.postgres", "v")
    found.keep(0, FIRST)
    found.keep(1, SOME)
    assert state.left_out(tmp_path, "v.postgres") == (SOME.late, SOME.timeless) == (3, 4)
    assert state.left_out(tmp_path, "v.cassandra") is None


def damaged(file: Path, how: str) -> None:
    whole = file.read_bytes()
    match how:
        case "missing":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(whole[:-1])
        case "changed in its head":
            file.write_bytes(whole.replace(b'"late": 3', b'"late": 2'))
        case "changed in a group":
            file.write_bytes(whole.replace(b"a\n", b"b\n"))
        case "a folder":
            file.unlink()
            file.mkdir()
        case "of another layout":
            text = whole.partition(b"\n")[2].replace(b'"layout": 1', b'"layout": 2')
            file.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


WORDS = {
    "missing": "it has none for batch 4",
    "empty": "4 is damaged",
    "cut": "4 is damaged",
    "changed in its head": "4 is damaged",
    "changed in a group": "4 is damaged",
    "a folder": "4 cannot be read",
    "of another layout": "4 has layout 2",
}


@pytest.mark.parametrize("how", WORDS)
def test_state_that_is_damaged_or_gone_is_refused(tmp_path: Path, how: str) -> None:
    found = states(tmp_path)
    found.keep(4, SOME)
    commit(tmp_path, 4)
    damaged(tmp_path / "v.postgres" / "groups" / "4", how)
    for read in (found.latest, lambda: found.before(5, FIRST)):
        with pytest.raises(ConfigurationError, match=re.escape(WORDS[how])) as raised:
            read()
        assert raised.value.exit_code == EXIT_USAGE
        assert "views rebuild v" in str(raised.value)


def test_state_is_carried_over_a_batch_that_is_only_said_to_be_written(tmp_path: Path) -> None:
    found = states(tmp_path)
    found.keep(4, SOME)
    state.carry(tmp_path / "v.postgres", 4)
    assert found.before(6, FIRST) == SOME
    state.carry(tmp_path / "of.a.projection", 4)
    assert not (tmp_path / "of.a.projection").exists()
