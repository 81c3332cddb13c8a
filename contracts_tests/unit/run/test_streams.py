"""What changes the streams of a process: files that differ, stay as they are for a look, and can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from avro_data_contracts.contracts.catalog.folder import read_folder
from avro_data_contracts.streaming.run.streams import Watched, wanted_of

HEAD = "topic: {0}\nowner: t\ncompatibility: FULL\nsinks: {{postgres: {{table: {0}, primary_key: [id]}}}}\n"
VALUE = '{"type": "record", "name": "R", "namespace": "NAME", "fields": [{"name": "id", "type": "string"}]}'


def write(folder: Path, name: str, head: str = HEAD) -> None:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "contract.yaml").write_text(head.format(name))
    (folder / name / "value.avsc").write_text(VALUE.replace("NAME", name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "a")
    return tmp_path


@pytest.fixture
def watched(folder: Path) -> Watched:
    return Watched(folder, read_folder(folder))


def test_files_that_stay_the_same_change_nothing(watched: Watched) -> None:
    assert [watched.changed() for _ in range(3)] == [None] * 3


def test_change_counts_once_the_files_stay_as_they_are(folder: Path, watched: Watched) -> None:
    write(folder, "b")
    assert watched.changed() is None
    write(folder, "c")
    assert watched.changed() is None
    found = watched.changed()
    assert found is not None
    assert set(found.contracts) == {"a", "b", "c"}
    assert watched.changed() is None


def test_change_that_is_taken_back_is_none(folder: Path, watched: Watched) -> None:
    write(folder, "b")
    assert watched.changed() is None
    for file in (folder / "b").iterdir():
        file.unlink()
    assert [watched.changed() for _ in range(3)] == [None] * 3


def test_files_that_cannot_be_read_change_nothing_until_they_can(folder: Path, watched: Watched) -> None:
    write(folder, "b", "topic: [")
    assert [watched.changed() for _ in range(4)] == [None] * 4
    write(folder, "b")
    assert watched.changed() is None
    assert watched.changed() is not None


def test_folder_that_disappears_changes_nothing(folder: Path, watched: Watched) -> None:
    aside = folder.with_name("aside")
    folder.rename(aside)
    assert [watched.changed() for _ in range(3)] == [None] * 3
    aside.rename(folder)
    assert [watched.changed() for _ in range(3)] == [None] * 3


def test_all_means_contracts_with_tables_and_names_mean_those_that_are_there(folder: Path, watched: Watched) -> None:
    write(folder, "b", "topic: {0}\nowner: t\ncompatibility: FULL\n")
    watched.changed()
    found = watched.changed()
    assert found is not None
    assert set(wanted_of(found, [])) == {"a"}
    assert set(wanted_of(found, ["b", "gone"])) == {"b"}
