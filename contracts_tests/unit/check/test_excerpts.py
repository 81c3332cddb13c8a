"""`check` and `lint NAME` read what concerns a change or a contract: with the same result as if they had read all."""

from __future__ import annotations

import random
import shutil
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.findings import UNREADABLE, FailOn
from avro_data_contracts.contracts.catalog.folder import Folder, is_schema_file
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import states
from avro_data_contracts.contracts.check.examine import examine
from avro_data_contracts.contracts.formats import Result, as_document
from avro_data_contracts.contracts.history import timeline
from avro_data_contracts.contracts.history.timeline import Timeline, Version
from avro_data_contracts.contracts.lint import run as lint
from contracts_tests.fixtures.git import git
from contracts_tests.fixtures.random_repository import Files, RandomRepository


def write(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def valid(repository: RandomRepository) -> Files:
    """The first repository that is valid."""
    while True:
        files = repository.files()
        if not loading.read(Folder(files), "schemas").faults:
            return files


def document(folder: Path, against: str) -> dict[str, Any]:
    names, checked = examine(folder, against, (), date(2026, 6, 1), settings.load)
    return as_document(Result("check", names, checked.findings, FailOn.error, checked))


def _versions_of_all(self: Timeline, names: Collection[str]) -> dict[str, list[Version]]:
    return self._versions(names, {path for _, changed in self._steps for path in changed if is_schema_file(path)})


def both(folder: Path, against: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result of what the change concerns, and that of everything."""
    part = document(folder, against)
    with monkeypatch.context() as patch:
        patch.setattr(states, "concerned", states.whole)
        patch.setattr(timeline, "_mention", lambda names, defaults: lambda text: True)
        patch.setattr(Timeline, "versions", _versions_of_all)
        return part, document(folder, against)


@pytest.mark.parametrize("seed", range(60))
def test_part_of_two_folders_gives_the_result_of_all(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = RandomRepository(random.Random(seed))
    before = valid(repository)
    write(tmp_path / "old", before)
    write(tmp_path / "new", repository.changed(before, 1 + seed % 3))
    part, whole = both(tmp_path / "new", str(tmp_path / "old"), monkeypatch)
    assert part == whole


@pytest.mark.nightly
def test_part_gives_the_result_of_all_for_many_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(60, 1_500):
        test_part_of_two_folders_gives_the_result_of_all(seed, tmp_path, monkeypatch)


@pytest.mark.parametrize("seed", range(8))
def test_part_of_a_history_gives_the_result_of_all(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = RandomRepository(random.Random(seed))
    files = valid(repository)
    git(tmp_path, "init", "-q", "-b", "main")
    for _ in range(4):
        write(tmp_path / "schemas", files)
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", "change")
        changed = repository.changed(files)
        files = changed if not loading.read(Folder(changed), "schemas").faults else files
    write(tmp_path / "schemas", repository.changed(files, 2))
    part, whole = both(tmp_path / "schemas", "HEAD", monkeypatch)
    assert part == whole


@pytest.mark.parametrize("seed", range(20))
def test_lint_of_one_contract_finds_what_lint_of_all_files_finds_in_it(seed: int, tmp_path: Path) -> None:
    repository = RandomRepository(random.Random(seed))
    files = repository.changed(valid(repository), seed % 3)
    write(tmp_path, files)
    whole, read = loading.load_folder(tmp_path)
    for name in whole.names:
        found = []
        for loaded, folder in ((whole, read), loading.load_some(tmp_path, [name])):
            assert loaded.names == whole.names
            found.append(lint.everything(loaded, Texts.of(folder.texts, str(tmp_path)), [name]))
        # Of all files, it also tells those that nobody can read and that have nothing to do with the contract.
        others = {one for one in found[0] if one.rule == UNREADABLE and not one.contract}
        assert set(found[1]) - others == set(found[0]) - others


def test_check_leaves_what_was_broken_before_to_lint(tmp_path: Path) -> None:
    head, value = "topic: good\nowner: o\ncompatibility: FULL\n", '{"type": "record", "name": "Good", "fields": []}'
    files = {"good/contract.yaml": head, "good/value.avsc": value, "bad/contract.yaml": "topic: ["}
    write(tmp_path / "old", files)
    write(tmp_path / "new", {**files, "good/value.avsc": value.replace("[]", '[{"name": "a", "type": "int"}]')})
    told = document(tmp_path / "new", str(tmp_path / "old"))
    assert {one["contract"] for one in told["findings"]} == {"good"}
    assert told["contracts"] == ["bad", "good"]
    assert "bad" in {one.contract for one in lint.everything(*_loaded(tmp_path / "new"))}


def _loaded(folder: Path) -> tuple[loading.Loaded, Texts]:
    loaded, files = loading.load_folder(folder)
    return loaded, Texts.of(files.texts, str(folder))
