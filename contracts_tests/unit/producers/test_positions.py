"""The file that says how far a source was read, when the disk does not take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.sources.positions import Origin, Positions
from contracts_tests.fixtures.clone import CLONE


@pytest.fixture
def positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Positions:
    monkeypatch.setattr(
        Topics, "id_of", lambda self, topic: "abc"
    )  # the folder's name; nothing else is asked of Kafka
    contract = loading.load_one(CLONE / "schemas", "users_created")
    return Positions(Settings(checkpoint_dir=tmp_path / "checkpoints"), contract, Origin("http://api", "since", "id"))


def test_position_is_kept_and_claimed_again(positions: Positions) -> None:
    assert positions.claim() is None
    positions.keep("17")
    assert positions._read() == "17"


def test_folder_that_cannot_be_made_is_refused_in_words(positions: Positions, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(ConfigurationError, match="cannot be written down") as raised:
        positions.claim()
    assert str(positions.file) in str(raised.value)


def test_position_that_cannot_be_written_is_an_error_and_leaves_the_last_one(positions: Positions) -> None:
    positions.claim()
    positions.keep("17")
    positions.file.with_name(f".{positions.file.name}").mkdir()
    for _ in range(2):  # it is not taken for kept after the first failure
        with pytest.raises(ConfigurationError, match="cannot be written down"):
            positions.keep("18")
    assert positions._read() == "17"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"[]", b"{}"])
def test_file_that_is_not_a_position_is_refused_in_words(positions: Positions, content: bytes) -> None:
    positions.claim()
    positions.file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="not that of this source"):
        positions._read()
