"""contracts.toml: where it is looked for, what it sets, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contracts_tests.fixtures.changes import Files, write
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.git import git


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose contracts are in services/shop/avro."""
    files = Files()
    files.spec["sinks"] = {}
    write(tmp_path, files, "services/shop/avro")
    (tmp_path / ".git").mkdir()
    monkeypatch.delenv("CONTRACTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def severities(rule: str, *arguments: str) -> set[str]:
    done = run_contracts("lint", *arguments, "--format", "json")
    assert done.stdout, done.stderr
    return {one["severity"] for one in json.loads(done.stdout)["findings"] if one["rule"] == rule}


@pytest.mark.parametrize("here", [".", "services", "services/shop/avro/orders"])
def test_schemas_are_found_from_every_folder_of_the_repository(
    here: str, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (top / "contracts.toml").write_text('[contracts]\nschemas = "services/shop/avro"\n', encoding="utf-8")
    monkeypatch.chdir(top / here)
    assert severities("ENUM_DEFAULT") == {"error"}


def test_flag_and_environment_win_over_the_file(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "contracts.toml").write_text('[contracts]\nschemas = "elsewhere"\n', encoding="utf-8")
    assert run_contracts("lint").returncode == 2
    assert severities("ENUM_DEFAULT", "--schemas", "services/shop/avro") == {"error"}
    monkeypatch.setenv("CONTRACTS_DIR", "services/shop/avro")
    assert severities("ENUM_DEFAULT") == {"error"}


@pytest.mark.parametrize("at", [".", "services", "services/shop"])
@pytest.mark.parametrize(("level", "found"), [("off", set()), ("warning", {"warning"}), ("error", {"error"})])
def test_severity_of_a_rule_is_set_at_the_top_or_beside_the_contracts(
    at: str, level: str, found: set[str], top: Path
) -> None:
    (top / at / "contracts.toml").write_text(f'[lint]\nENUM_DEFAULT = "{level}"\n', encoding="utf-8")
    assert severities("ENUM_DEFAULT", "--schemas", "services/shop/avro") == found


def test_contract_wins_over_the_file(top: Path) -> None:
    (top / "contracts.toml").write_text('[lint]\nENUM_DEFAULT = "off"\n', encoding="utf-8")
    files = Files()
    files.spec |= {"sinks": {}, "lint": {"ENUM_DEFAULT": {"severity": "warning", "reason": "it matters here"}}}
    write(top, files, "services/shop/avro")
    assert severities("ENUM_DEFAULT", "--schemas", "services/shop/avro") == {"warning"}


def test_file_outside_the_repository_does_not_count(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "services/shop/.git").mkdir()
    (top / "contracts.toml").write_text('[lint]\nENUM_DEFAULT = "off"\n', encoding="utf-8")
    assert severities("ENUM_DEFAULT", "--schemas", "services/shop/avro") == {"error"}


def test_without_a_repository_nothing_above_the_working_folder_is_searched(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (top / ".git").rmdir()
    (top / "contracts.toml").write_text('[lint]\nENUM_DEFAULT = "off"\n', encoding="utf-8")
    assert severities("ENUM_DEFAULT", "--schemas", "services/shop/avro") == set()
    monkeypatch.chdir(top / "services")
    assert severities("ENUM_DEFAULT", "--schemas", "shop/avro") == {"error"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[contracts", "not TOML"),
        ("[lnt]\n", "valid names here: contracts, lint"),
        ("[contracts]\nfolder = 'x'\n", "valid names here: schemas"),
        ("[lint]\nENUM_DEFALT = 'off'\n", "write ENUM_DEFAULT"),
        ("[lint]\nENUM_DEFAULT = 'no'\n", "'off', 'warning' or 'error'"),
        ("[lint]\nENUM_DEFAULT = false\n", "'off', 'warning' or 'error'"),
        ("file = 'x'\n", "unknown key 'file'"),
        ("[contracts]\ncompatibility = 'SOME'\n", "contracts.compatibility: 'SOME' is not 'NONE', "),
        ("[contracts]\nignore = 'x'\n", "contracts.ignore: is not a list of texts"),
        ("contracts = 1\n", "contracts: is not a table"),
        ("[contracts]\nowner = ''\n", "contracts.owner: is not a text, or is empty"),
    ],
)
def test_invalid_file_exits_with_2_and_says_what_is_valid(text: str, words: str, top: Path) -> None:
    (top / "contracts.toml").write_text(text, encoding="utf-8")
    done = run_contracts("lint", "--schemas", "services/shop/avro")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "contracts.toml" in done.stderr


def changed(top: Path) -> str:
    """The top of a repository whose contract has changed since its commit; returns the folder of the contracts."""
    (top / ".git").rmdir()
    git(top, "init", "-q")
    write(top, Files(), "services/shop/avro")
    git(top, "add", ".")
    git(top, "commit", "-qm", "first")
    value = top / "services/shop/avro/orders/value.avsc"
    schema = json.loads(value.read_text(encoding="utf-8"))
    schema["fields"].append({"name": "remark", "type": ["null", "string"], "default": None})
    value.write_text(json.dumps(schema), encoding="utf-8")
    return "services/shop/avro"


def links(*arguments: str) -> list[str]:
    done = run_contracts("check", "--against", "HEAD", "--format", "markdown", *arguments)
    assert done.stdout, done.stderr
    return re.findall(r"\[All its versions\]\(([^)]*)\)", done.stdout)


def test_report_links_to_the_versions_of_what_changed(top: Path) -> None:
    folder = changed(top)
    assert links("--schemas", folder) == []
    assert links("--schemas", folder, "--site", "https://a.example/x") == ["https://a.example/x/versions/orders.html"]
    (top / "contracts.toml").write_text('[contracts]\nsite = "https://b.example/y/"\n', encoding="utf-8")
    assert links("--schemas", folder) == ["https://b.example/y/versions/orders.html"]
    assert links("--schemas", folder, "--site", "http://c.example/") == ["http://c.example/versions/orders.html"]


@pytest.mark.parametrize(
    "site", ["", "example.com", "javascript:alert(1)", "https://a b", "https://a/)[x](y", "ftp://a"]
)
def test_address_that_is_no_site_is_refused(top: Path, site: str) -> None:
    done = run_contracts("check", "--schemas", "services/shop/avro", "--site", site)
    assert done.returncode == 2
    assert "--site" in done.stderr
    assert "fix:" in done.stderr
    (top / "contracts.toml").write_text(f'[contracts]\nsite = "{site}"\n', encoding="utf-8")
    done = run_contracts("check", "--schemas", "services/shop/avro")
    assert done.returncode == 2
    assert "contracts.site" in done.stderr
