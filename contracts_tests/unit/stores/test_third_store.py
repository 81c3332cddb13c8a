"""A third store, which needs one package on each side and no change to any other file."""

from __future__ import annotations

from pathlib import Path

import yaml

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.third_store import run, with_files_store

SINKS = {"files": {"folder": "rows", "table": "users", "primary_key": ["id"]}}


def schemas(folder: Path, **changes: object) -> str:
    contract = folder / "schemas" / "users"
    contract.mkdir(parents=True)
    text = (CLONE / "schemas" / "users_created" / "value.avsc").read_text()
    (contract / "value.avsc").write_text(text.replace('"name": "email"', '"name": "file"') if changes else text)
    spec = {"topic": "users", "owner": "test", "compatibility": "BACKWARD", "sinks": SINKS}
    (contract / "contract.yaml").write_text(yaml.safe_dump(spec))
    return str(contract.parent)


def test_commands_find_a_store_by_its_package(tmp_path: Path) -> None:
    copy, ours = with_files_store(tmp_path), schemas(tmp_path)

    linted = run(copy, "contracts", "lint", CONTRACTS_DIR=ours)
    tables = run(copy, "contracts", "tables", CONTRACTS_DIR=ours)
    helped = run(copy, "contracts", "tables", "--help", COLUMNS="200")

    assert linted.returncode == 0, linted.stderr
    assert "fine: 1 warning in 1 contract" in linted.stdout
    assert "-- users: files rows/users\nmkdir -p 'rows/users';" in tables.stdout, tables.stderr
    assert "cassandra|files|postgres" in helped.stdout


def test_lint_reports_refusals_of_the_store(tmp_path: Path) -> None:
    copy, ours = with_files_store(tmp_path), schemas(tmp_path, name="file")

    linted = run(copy, "contracts", "lint", CONTRACTS_DIR=ours)

    assert linted.returncode == 1
    assert "field file: files have a name of their own" in linted.stdout


def test_store_packages_have_at_most_five_files() -> None:
    rooms = CLONE / "contracts_tests" / "fixtures" / "files_store"
    assert len([file for file in rooms.rglob("*.py") if file.name != "__init__.py"]) <= 5
