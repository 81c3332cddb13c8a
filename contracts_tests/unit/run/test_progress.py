"""Positions from Spark's checkpoint, and the lag."""

from __future__ import annotations

from pathlib import Path

import pytest

from avro_data_contracts.streaming.run.checkpoints import position
from avro_data_contracts.streaming.run.groups import lag


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint as Spark 3.5.7 writes it, with two finished batches and a third in progress."""
    for folder, numbers in (("offsets", (8, 9, 10)), ("commits", (8, 9))):
        (tmp_path / folder).mkdir()
        for number in numbers:
            lines = ["v1", '{"batchWatermarkMs":0,"conf":{}}', f'{{"users":{{"0":{number},"1":{2 * number}}}}}']
            text = "\n".join(lines) if folder == "offsets" else 'v1\n{"nextBatchWatermarkMs":0}'
            (tmp_path / folder / str(number)).write_text(text)
            (tmp_path / folder / f".{number}.crc").write_bytes(b"crc")
    return tmp_path


def test_position_is_that_of_the_last_finished_batch(checkpoint: Path) -> None:
    assert position(checkpoint, "users") == {0: 9, 1: 18}


def test_position_after_a_batch_is_known_before_its_commit(checkpoint: Path) -> None:
    assert position(checkpoint, "users", 10) == {0: 10, 1: 20}


def test_position_is_none_before_the_first_batch(tmp_path: Path) -> None:
    assert position(tmp_path, "users") is None


def test_lag_runs_from_position_to_end_without_deleted_records() -> None:
    assert lag({0: 5, 1: 2}, {0: 0, 1: 0}, {0: 8, 1: 2}) == 3
    assert lag({0: 5}, {0: 0, 1: 4}, {0: 8, 1: 10}) == 3 + 6
    assert lag({0: 5}, {0: 7}, {0: 8}) == 1
    assert lag({0: 9}, {0: 0}, {0: 8}) == 0
