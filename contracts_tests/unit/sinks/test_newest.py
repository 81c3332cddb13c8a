"""The newest timestamp that a table may contain, stored beside the checkpoints."""

from __future__ import annotations

from pathlib import Path

from avro_data_contracts.streaming.sinks.newest import NewestWritten


def test_newest_timestamp_never_decreases(tmp_path: Path) -> None:
    """An abandoned attempt may still be writing newer rows."""
    kept = NewestWritten(tmp_path / "of" / "newest.json", "one.table")
    assert kept.read() is None
    for given, known in ((100, 100), (200, 200), (100, 200), (-5, 200)):
        kept.keep(given)
        assert kept.read() == known


def test_timestamp_of_another_table_is_ignored(tmp_path: Path) -> None:
    NewestWritten(tmp_path / "newest.json", "one.table").keep(100)
    other = NewestWritten(tmp_path / "newest.json", "other.table")
    assert other.read() is None
    other.keep(5)
    assert other.read() == 5
