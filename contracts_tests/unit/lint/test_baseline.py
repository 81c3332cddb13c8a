"""`contracts lint --baseline`: recorded findings do not fail, new ones do, and gone ones are reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts_tests.fixtures.changes import Files, write
from contracts_tests.fixtures.command import run_contracts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A contract with many findings."""
    write(tmp_path, Files())
    monkeypatch.chdir(tmp_path)
    assert run_contracts("lint").returncode == 1
    return tmp_path


def record() -> None:
    done = run_contracts("lint", "--baseline", "known.json", "--write-baseline")
    assert (done.returncode, done.stderr) == (0, "")


def linted(*names: str) -> tuple[int, list[tuple[str, str]], int]:
    """The exit code, rules and paths of the findings, and how many the baseline has."""
    done = run_contracts("lint", *names, "--baseline", "known.json", "--format", "json")
    document = json.loads(done.stdout)
    return (
        done.returncode,
        [(one["rule"], one["path"]) for one in document["findings"]],
        document.get("known", 0),
    )


def test_recorded_findings_do_not_fail_when_lines_move(folder: Path) -> None:
    record()
    path = folder / "schemas/orders/value.avsc"
    path.write_text("\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    code, found, known = linted()
    assert (code, found) == (0, [])
    assert known > 1
    assert f"no findings in 1 contract, {known} more in the baseline" in run_contracts(
        "lint", "--baseline", "known.json"
    ).stdout  # fmt: skip


def test_new_finding_fails_beside_recorded_ones(folder: Path) -> None:
    record()
    files = Files()
    files.add("camelCase", "int", default=1)
    write(folder, files)
    assert linted()[:2] == (1, [("FIELD_NAME", "camelCase")])


def test_second_finding_of_the_same_kind_is_new(folder: Path) -> None:
    twice = '"doc": "a", "doc": "b"'
    path = folder / "schemas/orders/value.avsc"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"doc": "T."', twice), encoding="utf-8")
    record()
    path.write_text(text.replace('"doc": "T."', twice).replace('"doc": "C."', twice), encoding="utf-8")
    assert linted()[1] == [("DUPLICATE_KEY", "")]


def test_recorded_finding_that_is_gone_is_a_warning(folder: Path) -> None:
    record()
    files = Files()
    files.field("state")["type"] = "string"
    write(folder, files)
    code, found, _ = linted()
    assert code == 0
    assert ("BASELINE_UNUSED", "state") in found
    assert {rule for rule, _ in found} == {"BASELINE_UNUSED"}


def test_baseline_of_other_contracts_is_not_reported_for_one(folder: Path) -> None:
    record()
    other = Files()
    other.spec |= {"topic": "bills", "sinks": {}}
    for path, text in other.texts.items():
        target = folder / "schemas" / path.replace("orders", "bills")
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
    assert not [rule for rule, _ in linted("bills")[1] if rule == "BASELINE_UNUSED"]
    assert linted("orders")[:2] == (0, [])


@pytest.mark.parametrize(
    "text", [None, "no json", "[]", "{}", '{"version": 2, "findings": []}', '{"version": 1, "findings": [{}]}']
)
def test_baseline_that_cannot_be_read_exits_with_2(folder: Path, text: str | None) -> None:
    if text is not None:
        (folder / "known.json").write_text(text, encoding="utf-8")
    done = run_contracts("lint", "--baseline", "known.json")
    assert (done.returncode, "--write-baseline" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["--write-baseline"], ["orders", "--baseline", "known.json", "--write-baseline"]]
)
def test_write_baseline_needs_a_file_and_every_contract(folder: Path, arguments: list[str]) -> None:
    assert run_contracts("lint", *arguments).returncode == 2


def test_baseline_in_a_missing_folder_is_not_written(folder: Path) -> None:
    done = run_contracts("lint", "--baseline", "no/such/known.json", "--write-baseline")
    assert (done.returncode, "cannot write" in done.stderr) == (2, True)
