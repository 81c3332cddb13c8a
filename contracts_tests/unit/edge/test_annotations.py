"""Formats for programs: paths from the top of the git repository, and what GitLab asks for."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from contracts_tests.fixtures.changes import Files, count_is_text, write
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.git import git

BELOW = "services/shop/schemas"
FILE = f"{BELOW}/orders/value.avsc"


def commit(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A clone with a contract in a subfolder, with two fields that changed since the commit."""
    files = Files()
    write(tmp_path, files, BELOW)
    commit(tmp_path)
    files.drop("total")
    count_is_text(files)
    files.add("camelCase", "int", default=1)
    write(tmp_path, files, BELOW)
    return tmp_path


def paths(text: str, output: str) -> set[str]:
    """The paths of files in a report."""
    match output:
        case "github":
            return set(re.findall(r"file=([^,]*)", text))
        case "junit":
            return set(re.findall(r'file="([^"]*)"', text))
        case "json":
            return {one["file"] for one in json.loads(text)["findings"]}
        case "gitlab":
            return {one["location"]["path"] for one in json.loads(text)}
        case "markdown":
            return set(re.findall(r"`([\w./-]+):\d+:\d+`", text))
    return set(re.findall(r"  (\S+):\d+:\d+$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("output", ["github", "gitlab", "junit", "json", "markdown"])
@pytest.mark.parametrize(
    ("here", "schemas"),
    [
        (".", BELOW),
        ("services/shop", "schemas"),
        ("services", "shop/schemas"),
        (BELOW, "."),
        (f"{BELOW}/orders", ".."),
        ("/", ""),
    ],
)
@pytest.mark.parametrize("command", [["lint"], ["check", "--against", "HEAD"]], ids=lambda command: command[0])
def test_paths_begin_at_the_top_of_the_repository(
    command: list[str], here: str, schemas: str, output: str, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(top / here)
    done = run_contracts(*command, "--schemas", schemas or str(top / BELOW), "--format", output)
    assert done.returncode == 1, done.stderr
    assert FILE in paths(done.stdout, output)
    assert all(path.startswith(f"{BELOW}/orders/") for path in paths(done.stdout, output))


def test_paths_for_people_begin_at_the_working_folder(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(top / "services" / "shop")
    found = paths(run_contracts("lint").stdout, "text")
    assert {"schemas/orders/value.avsc", "schemas/orders/key.avsc"} < found
    assert all(path.startswith("schemas/orders/") for path in found)


def test_paths_through_a_link_begin_at_the_top_of_the_repository(top: Path, tmp_path_factory: Any) -> None:
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    os.symlink(top / BELOW, link)
    done = run_contracts("lint", "--schemas", str(link), "--format", "github")
    assert FILE in paths(done.stdout, "github")


def test_paths_without_a_repository_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, Files())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = run_contracts("lint", "--format", "github")
    assert "schemas/orders/value.avsc" in paths(done.stdout, "github")


def test_removed_contract_of_a_renamed_folder_has_its_path_from_the_top(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Files()
    other.spec |= {"topic": "bills", "sinks": {}}
    write(top / "old", other, "bills-")
    (top / "old/bills-/orders").rename(top / "old/bills")
    (top / "old/bills-").rmdir()
    git(top, "mv", BELOW + "/orders", "old/orders")
    git(top, "add", ".")
    git(top, "commit", "-qm", "before")
    git(top, "mv", "old/orders", BELOW)
    git(top, "rm", "-rqf", "old")
    monkeypatch.chdir(top / "services" / "shop")
    done = run_contracts("check", "--against", "HEAD:old", "--format", "github")
    assert "old/bills/contract.yaml" in paths(done.stdout, "github")


def report(*command: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run_contracts(*command, "--format", "gitlab").stdout)
    return found


@pytest.mark.parametrize("command", [["lint"], ["check", "--against", "HEAD"]], ids=lambda command: command[0])
def test_gitlab_report_has_what_gitlab_asks_for(
    command: list[str], top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(top / "services" / "shop")
    found = report(*command)
    assert found
    for one in found:
        assert set(one) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert one["location"]["lines"]["begin"] >= 1
        assert one["description"]
    assert len({one["fingerprint"] for one in found}) == len(found)


def test_gitlab_fingerprint_stays_when_lines_move(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(top / "services" / "shop")
    before = report("lint")
    path = top / FILE
    path.write_text("\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    after = report("lint")
    assert [one["fingerprint"] for one in before] == [one["fingerprint"] for one in after]
    assert [one["location"]["lines"] for one in before] != [one["location"]["lines"] for one in after]


@pytest.mark.parametrize("command", [["lint"], ["check", "--against", "HEAD"]], ids=lambda command: command[0])
def test_command_examines_only_the_contracts_that_are_named(
    command: list[str], top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Files()
    other.spec |= {"topic": "bills", "sinks": {}}
    write(top / BELOW, other, "bills-")
    (top / BELOW / "bills-/orders").rename(top / BELOW / "bills")
    (top / BELOW / "bills-").rmdir()
    git(top, "add", ".")
    git(top, "commit", "-qm", "bills")
    other.drop("total")
    for path, text in other.texts.items():
        (top / BELOW / path.replace("orders", "bills")).write_text(text, encoding="utf-8")
    monkeypatch.chdir(top / "services" / "shop")
    contracts = {
        one["contract"] for one in json.loads(run_contracts(*command, "bills", "--format", "json").stdout)["findings"]
    }
    assert contracts == {"bills"}
    unknown = run_contracts(*command, "bill")
    assert (unknown.returncode, "write bills" in unknown.stderr) == (2, True)


def test_check_takes_the_name_of_a_contract_that_is_gone(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / BELOW / "orders").rename(top / BELOW / "bills")
    path = top / BELOW / "bills" / "contract.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("topic: orders", "topic: bills"), encoding="utf-8")
    monkeypatch.chdir(top / "services" / "shop")
    assert "CONTRACT_REMOVED" in run_contracts("check", "--against", "HEAD", "orders").stdout
    assert "CONTRACT_REMOVED" not in run_contracts("check", "--against", "HEAD", "bills").stdout


@pytest.mark.parametrize("output", ["text", "github", "gitlab", "junit", "json", "markdown"])
def test_file_whose_name_is_not_utf8_is_reported(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, Files(), BELOW)
    (tmp_path / BELOW / os.fsdecode(b"\xff.avsc")).write_text("{")
    done = run_contracts("lint", "--schemas", BELOW, "--format", output)
    assert (done.returncode, done.stderr) == (2, "")
    assert "the text ends inside" in done.stdout
