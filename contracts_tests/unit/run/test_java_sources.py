"""Our Java, as Janino compiles it: a private method becomes static, and its `synchronized` is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts_tests.fixtures.clone import CLONE

SOURCES = sorted((CLONE / "avro_data_contracts" / "streaming").resolve().rglob("java/*.java"))


def test_every_source_is_found() -> None:
    names = {source.name for source in SOURCES}
    assert names >= {"CopyRows.java", "CurrentBatch.java", "Hash.java", "StrictReader.java", "WatchedKafka.java"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_only_blocks_are_synchronized(source: Path) -> None:
    lines = [line.strip() for line in source.read_text().splitlines() if not line.strip().startswith(("//", "*"))]
    assert [line for line in lines if "synchronized" in line and not line.startswith("synchronized (")] == []
