"""`lint NAME` and `check NAME` where some contracts cannot be read, and such files in a baseline of findings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_contracts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three contracts: `sound`, and two whose values are not JSON.  In `before`, all three are sound."""
    for name in ("sound", "broken", "torn"):
        without = shutil.ignore_patterns("views")
        own = shutil.copytree(CLONE / "schemas/users_created", tmp_path / "schemas" / name, ignore=without)
        contract = own / "contract.yaml"
        contract.write_text(contract.read_text().replace("users_created", name).replace("created_users", name))
    shutil.copytree(tmp_path / "schemas", tmp_path / "before")
    for name in ("broken", "torn"):
        (tmp_path / "schemas" / name / "value.avsc").write_text("{")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faults(*arguments: str) -> tuple[int, list[str]]:
    """The exit code, and the contracts of the unreadable files."""
    done = run_contracts(*arguments, "--format", "json")
    found = json.loads(done.stdout)["findings"]
    return done.returncode, [one["contract"] for one in found if one["rule"] == "UNREADABLE"]


@pytest.mark.parametrize("command", [("lint",), ("check", "--against", "before")])
@pytest.mark.parametrize(
    ("names", "code", "told"),
    [
        ((), 2, ["broken", "torn"]),
        (("sound",), 0, []),
        (("broken",), 2, ["broken"]),
        (("sound", "torn"), 2, ["torn"]),
    ],
)
def test_only_named_contracts_have_their_faults_told(
    folder: Path, command: tuple[str, ...], names: tuple[str, ...], code: int, told: list[str]
) -> None:
    assert faults(command[0], *names, *command[1:]) == (code, told)


@pytest.mark.parametrize("command", [("lint",), ("check", "--against", "before")])
def test_unknown_name_is_refused_beside_contracts_with_faults(folder: Path, command: tuple[str, ...]) -> None:
    done = run_contracts(command[0], "no_such", *command[1:])
    assert done.returncode == 2
    assert "there is no contract 'no_such'" in done.stderr


def test_recorded_unreadable_file_does_not_hide_another(folder: Path) -> None:
    (folder / "schemas/loose.avsc").write_text("{")
    record = ("lint", "--baseline", "known.json")
    assert run_contracts(*record, "--write-baseline").returncode == 0
    assert faults(*record) == (0, [])
    (folder / "schemas/loose.avsc").unlink()
    (folder / "schemas/other.avsc").write_text("{")
    assert faults(*record) == (2, [""])
