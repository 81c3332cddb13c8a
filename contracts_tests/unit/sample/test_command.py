"""`contracts sample`: its lines, its notes and its exit codes."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.sample import plain
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_contracts
from contracts_tests.fixtures.git import git


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    """A repository with our contracts, whose users get a field after the first commit."""
    shutil.copytree(CLONE / "schemas", tmp_path / "schemas")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "tag", "v1")
    file = tmp_path / "schemas" / "users_created" / "value.avsc"
    schema = json.loads(file.read_text())
    schema["fields"].append({"name": "note", "type": "string", "default": "?"})
    file.write_text(json.dumps(schema))
    with contextlib.chdir(tmp_path):
        yield tmp_path


def lines(done: Done) -> list[Any]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def test_lines_are_the_records_of_python(repository: Path) -> None:
    contract = loading.load_one(repository / "schemas", "users_created")
    expected = [plain.of(contract.value.schema, one) for one in itertools.islice(sample.records(contract, "7"), 3)]
    assert lines(run_contracts("sample", "users_created", "--count", "3", "--seed", "7")) == expected
    assert all(one["note"] for one in expected)


def test_seed_that_was_drawn_gives_the_same_records(repository: Path) -> None:
    first = run_contracts("sample", "orders_placed")
    assert len(lines(first)) == 10
    seed = first.stderr.removeprefix("seed: ").strip()
    assert run_contracts("sample", "orders_placed", "--seed", seed).stdout == first.stdout


def test_version_of_git_has_its_own_fields(repository: Path) -> None:
    [old] = lines(run_contracts("sample", "users_created", "--count", "1", "--version", "v1"))
    assert "note" not in old
    assert "email" in old


def test_evolution_shows_both_halves(repository: Path) -> None:
    done = run_contracts("sample", "users_created", "--evolution", "--version", "v1", "--count", "4", "--seed", "1")
    found = lines(done)
    assert len(found) == 4
    assert "before: v1" in done.stderr
    for one in found:
        assert one["after"] == {**one["before"], "note": "?"}


def test_all_reasons_are_shown_once(repository: Path) -> None:
    found = lines(run_contracts("sample", "users_created", "--invalid", "all", "--seed", "1"))
    reasons = [one["reason"] for one in found]
    assert len(reasons) == len(set(reasons)) == 15
    assert all(one.keys() in ({"reason", "record"}, {"reason", "message"}) for one in found)
    [one] = lines(run_contracts("sample", "users_created", "--invalid", "RULE:email_form", "--seed", "1"))
    assert one["reason"] == "RULE:email_form"


def test_reason_that_a_contract_cannot_show_is_a_note(repository: Path) -> None:
    file = repository / "schemas" / "users_created" / "contract.yaml"
    file.write_text(file.read_text().replace("key: key.avsc\n", "", 1))
    done = run_contracts("sample", "users_created", "--invalid", "all", "--seed", "1")
    assert "WRONG_SUBJECT" not in {one["reason"] for one in lines(done)}
    assert "left out WRONG_SUBJECT: nothing can be refused as WRONG_SUBJECT: the topic has no key" in done.stderr


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("none",), "there is no contract 'none'"),
        (("users_created", "--invalid", "NONE"), "there is no reason 'NONE'"),
        (("users_created", "--invalid", "all", "--evolution"), "exclude each other"),
        (("users_created", "--invalid", "all", "--version", "all"), "about one version"),
        (("users_created", "--version", "nowhere"), "nowhere"),
        (("users_created", "--evolution"), "no default branch|neither origin/main"),
    ],
)
def test_wrong_usage_is_refused(repository: Path, options: tuple[str, ...], what: str) -> None:
    done = run_contracts("sample", *options)
    assert done.returncode == 2
    assert any(part in done.stderr for part in what.split("|")), done.stderr
    assert "fix:" in done.stderr
    assert "--against" not in done.stderr
    assert "|registry" not in done.stderr, "--version takes a number for a version in the registry"
    assert done.stdout == ""


def test_reader_that_stops_early_is_no_error() -> None:
    command = f"{sys.executable} -m contracts sample users_created --count 20000 --seed 1 | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=CLONE, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["id"]
