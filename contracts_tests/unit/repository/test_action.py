"""action.yml: its steps run as GitHub runs them, in a repository that has nothing to do with this one.

`gh` is replaced by a program that keeps comments in files, as GitHub's API keeps them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from contracts_tests.fixtures import pull_request
from contracts_tests.fixtures.changes import write
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.git import git

ACTION = yaml.safe_load((CLONE / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"] if "run" in step}
GH = """#!/usr/bin/env bash
set -euo pipefail
body=${!#}
case "$*" in
*--jq*) [ ! -e "$GH_STORE" ] || echo 7 ;;
*"--method POST repos/owner/name/issues/12/comments"*) [ ! -e "$GH_STORE" ] && cp "${body#body=@}" "$GH_STORE" ;;
*"--method PATCH repos/owner/name/issues/comments/7"*) [ -e "$GH_STORE" ] && cp "${body#body=@}" "$GH_STORE" ;;
*) echo "unknown: $*" >&2; exit 1 ;;
esac
"""


@dataclass
class Repository:
    """A repository with contracts, and a pull request from its branch.

    Args:
        folder: the working tree.
        temp: what GitHub calls RUNNER_TEMP.
    """

    folder: Path
    temp: Path

    @property
    def comment(self) -> str:
        return (self.temp / "comment").read_text(encoding="utf-8")

    @property
    def summary(self) -> str:
        return (self.temp / "summary").read_text(encoding="utf-8")

    def run(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run a step, as `shell: bash` does."""
        wanted = {key: str(one["default"]) for key, one in ACTION["inputs"].items()} | inputs
        given = {
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_BASE_REF": "main",
            "GH_STORE": str(self.temp / "comment"),
            "PATH": f"{self.temp}:{os.environ['PATH']}",
        }
        for key, value in STEPS[name].get("env", {}).items():
            given[key] = _evaluated(value, wanted)
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]]
        environment = {**os.environ, **given}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def pull_request(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run the verdict and then the comment; return the verdict."""
        done = self.run("Annotations, report and verdict", **inputs)
        commented = self.run("Comment", **inputs)
        assert commented.returncode == 0, commented.stderr
        return done


def _evaluated(value: str, inputs: dict[str, str]) -> str:
    word = value.removeprefix("${{ ").removesuffix(" }}")
    known = {"github.token": "secret", "github.event.pull_request.number": "12", "github.action_path": str(CLONE)}
    return inputs[word.removeprefix("inputs.")] if word.startswith("inputs.") else known[word]


@pytest.fixture
def repository(tmp_path: Path, preloaded: Path) -> Repository:
    made = Repository(tmp_path / "repository", tmp_path / "temp")
    pull_request.program(made.temp / "contracts/bin/contracts", f'exec {preloaded} "$@"')
    (made.temp / "gh").write_text(GH)
    (made.temp / "gh").chmod(0o755)
    pull_request.repository(made.folder)
    git(made.folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    return made


def test_breaking_change_is_annotated_reported_and_commented_once(repository: Repository) -> None:
    write(repository.folder, pull_request.contract(extra="int"), pull_request.SCHEMAS)
    done = repository.pull_request(schemas=pull_request.SCHEMAS)
    assert done.returncode == 1, done.stderr
    assert "::error file=events/avro/orders/value.avsc,line=" in done.stdout
    assert "extra" in repository.comment
    assert repository.comment.startswith("<!-- avro-data-contracts -->")
    assert repository.comment in repository.summary

    write(repository.folder, pull_request.contract(), pull_request.SCHEMAS)
    done = repository.pull_request(schemas=pull_request.SCHEMAS)
    assert done.returncode == 0, done.stderr
    assert "extra" not in repository.comment


def test_comment_links_to_the_page_of_a_changed_contract(repository: Repository) -> None:
    write(repository.folder, pull_request.contract(extra="int"), pull_request.SCHEMAS)
    repository.pull_request(schemas=pull_request.SCHEMAS, site="https://a.example/contracts/")
    assert "](https://a.example/contracts/versions/orders.html)" in repository.comment


def test_fail_on_never_reports_a_breaking_change_and_passes(repository: Repository) -> None:
    write(repository.folder, pull_request.contract(extra="int"), pull_request.SCHEMAS)
    assert repository.pull_request(**{"schemas": "events/avro", "fail-on": "never"}).returncode == 0
    assert "extra" in repository.comment


def test_unreadable_schema_is_annotated_and_reported(repository: Repository) -> None:
    (repository.folder / "events/avro/orders/value.avsc").write_text("{")
    done = repository.pull_request(schemas=pull_request.SCHEMAS)
    assert done.returncode == 2
    assert "::error file=events/avro/orders/value.avsc,line=1" in done.stdout
    assert "not valid JSON" in repository.comment


@pytest.mark.parametrize("inputs", [{"schemas": "no/such"}, {"schemas": "events/avro", "base": "no-such-ref"}])
def test_wrong_input_fails_and_is_in_the_comment(repository: Repository, inputs: dict[str, str]) -> None:
    done = repository.pull_request(**inputs)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "fix: " in repository.comment


def test_known_findings_of_a_baseline_do_not_fail(repository: Repository) -> None:
    files = pull_request.contract()
    files.spec["lint"] = {}
    write(repository.folder, files, pull_request.SCHEMAS)
    assert repository.pull_request(schemas=pull_request.SCHEMAS).returncode == 1
    record = ["--schemas", "events/avro", "lint", "--baseline", "known.json", "--write-baseline"]
    program = repository.temp / "contracts/bin/contracts"
    subprocess.run([program, *record], cwd=repository.folder, check=True, capture_output=True)
    assert repository.pull_request(schemas="events/avro", baseline="known.json").returncode == 0


def test_renamed_field_breaks_the_views_of_users_at_their_lines(repository: Repository) -> None:
    """The schemas of this project: a field of users_created is renamed, with an alias."""
    users = repository.folder / "schemas" / "users_created"
    shutil.copytree(CLONE / "schemas" / "users_created", users)
    for arguments in (("add", "."), ("commit", "-qm", "users"), ("update-ref", "refs/remotes/origin/main", "HEAD")):
        git(repository.folder, *arguments)
    value = users / "value.avsc"
    renamed = value.read_text().replace(
        '"name": "registered_date",', '"name": "registered_at", "aliases": ["registered_date"],'
    )
    value.write_text(renamed)
    done = repository.pull_request(schemas="schemas")
    assert done.returncode == 1, done.stderr

    def line_of(view: str) -> int:
        lines = (users / "views" / f"{view}.sql").read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if "registered_date" in line)

    broken = [row for row in repository.comment.splitlines() if row.startswith("| `VIEW_BROKEN`")]
    assert len(broken) == 3
    for view, row in zip(("user_profiles", "users_by_hour", "users_for_analysts"), broken, strict=True):
        place = f"schemas/users_created/views/{view}.sql:{line_of(view)}"
        assert f"`{place}:" in row
        assert f"::error file=schemas/users_created/views/{view}.sql,line={line_of(view)}" in done.stdout
        assert "the value has no field 'registered\\_date'" in row
        assert "write registered\\_at" in row
    assert "the stream does not start with the new contract: view user\\_profiles is broken" in repository.comment
    assert "**its view users\\_by\\_hour is broken (see views.users\\_by\\_hour above)**" in repository.comment

    # With the old name replaced in the views too, none is broken.
    for file in (users / "views").iterdir():
        file.write_text(file.read_text().replace("registered_date", "registered_at"))
    repository.pull_request(schemas="schemas")
    assert "VIEW_BROKEN" not in repository.comment
    # A maximum of another field is another maximum.
    assert "| `VIEW_REBUILD` | `schemas/users_created/views/users_by_hour.sql:9:1`" in repository.comment
