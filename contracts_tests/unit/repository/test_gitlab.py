"""templates/contracts.yml: its script runs as GitLab's runner runs it, in a project that has nothing to do with this
one.  `pip` is replaced by a program that notes what it should install.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contracts_tests.fixtures import pull_request
from contracts_tests.fixtures.changes import write
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.git import git

SPEC, JOBS = yaml.safe_load_all((CLONE / "templates/contracts.yml").read_text(encoding="utf-8"))
INPUTS = SPEC["spec"]["inputs"]
#: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
REPORT = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!\\./)"},
                    "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"minimum": 1}}},
                },
            },
        },
    },
}


@dataclass
class Project:
    """A project of GitLab, and a merge request from its branch.  `programs`: the first folder of PATH."""

    folder: Path
    programs: Path

    @property
    def base(self) -> str:
        return git(self.folder, "rev-parse", "main")

    def run(self, variables: dict[str, str] | None = None, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run the job's script in one shell, as the runner does."""
        given = {name: str(one["default"]) for name, one in INPUTS.items()}
        given |= {name.replace("_", "-"): text for name, text in inputs.items()}
        job = JOBS["contracts"]
        environment = {name: filled(str(text), given) for name, text in job["variables"].items()}
        told = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": self.base} if variables is None else variables
        environment |= {**told, "PATH": f"{self.programs}:{os.environ['PATH']}"}
        script = "\n".join(filled(line, given) for line in job["script"])
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        around = {**os.environ, **environment}
        return subprocess.run(command, cwd=self.folder, env=around, capture_output=True, text=True, check=False)

    @property
    def report(self) -> list[dict[str, Any]]:
        """The report, if GitLab reads it."""
        found = json.loads((self.folder / JOBS["contracts"]["artifacts"]["reports"]["codequality"]).read_text())
        jsonschema.validate(found, REPORT)
        assert len({one["fingerprint"] for one in found}) == len(found)
        assert all((self.folder / one["location"]["path"]).exists() for one in found)
        return found  # type: ignore[no-any-return]


def filled(text: str, inputs: dict[str, str]) -> str:
    for name, value in inputs.items():
        text = text.replace(f"$[[ inputs.{name} ]]", value)
    assert "$[[" not in text
    return text


@pytest.fixture
def project(tmp_path: Path, preloaded: Path) -> Project:
    made = Project(tmp_path / "project", tmp_path / "programs")
    pull_request.program(made.programs / "contracts", f'exec {preloaded} "$@"')
    # Debian has only python3; the image that the template names has both.
    pull_request.program(made.programs / "python", f'exec {sys.executable} "$@"')
    pull_request.program(made.programs / "pip", f'echo "$@" > {tmp_path}/installed')
    pull_request.repository(made.folder)
    git(made.folder, "checkout", "-qb", "change")
    return made


def rules(project: Project) -> set[str]:
    return {one["check_name"] for one in project.report}


def test_breaking_change_fails_the_job_and_is_in_the_report(project: Project, tmp_path: Path) -> None:
    write(project.folder, pull_request.contract(extra="int"), pull_request.SCHEMAS)
    done = project.run(schemas=pull_request.SCHEMAS)
    assert done.returncode == 1, done.stderr
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in done.stdout  # in the log too
    (one,) = [one for one in project.report if one["severity"] == "major"]
    assert one["location"]["path"] == "events/avro/orders/value.avsc"
    assert (tmp_path / "installed").read_text().split()[-1] == "avro-data-contracts"

    write(project.folder, pull_request.contract(), pull_request.SCHEMAS)
    assert project.run(schemas=pull_request.SCHEMAS).returncode == 0
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" not in rules(project)


def test_findings_of_lint_and_of_check_are_in_one_report(project: Project) -> None:
    changed = pull_request.contract(extra="int")
    changed.spec["lint"] = {}
    write(project.folder, changed, pull_request.SCHEMAS)
    assert project.run(schemas=pull_request.SCHEMAS).returncode == 1
    assert {"ENUM_DEFAULT", "READER_FIELD_MISSING_DEFAULT_VALUE"} <= rules(project)


@pytest.mark.parametrize(("limit", "code"), [("never", 0), ("error", 1)])
def test_input_fail_on_decides_about_the_job(limit: str, code: int, project: Project) -> None:
    write(project.folder, pull_request.contract(extra="int"), pull_request.SCHEMAS)
    assert project.run(schemas="events/avro", fail_on=limit).returncode == code
    assert limit in INPUTS["fail-on"]["options"]
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in rules(project)


def test_file_that_cannot_be_read_is_in_the_report_once(project: Project) -> None:
    (project.folder / "events/avro/orders/value.avsc").write_text("{")
    assert project.run(schemas=pull_request.SCHEMAS).returncode == 2
    assert [one["check_name"] for one in project.report].count("UNREADABLE") == 1


def test_merged_result_is_compared_with_the_target_branch_as_it_is_now(project: Project) -> None:
    """The target branch has a change of its own, which is not one of the merge request."""
    before = project.base
    git(project.folder, "checkout", "-q", "main")
    write(project.folder, pull_request.contract(extra="int"), pull_request.SCHEMAS)
    git(project.folder, "commit", "-qam", "of others")
    variables = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": before}
    assert project.run(variables, schemas=pull_request.SCHEMAS).returncode == 1
    variables["CI_MERGE_REQUEST_TARGET_BRANCH_SHA"] = project.base
    assert project.run(variables, schemas=pull_request.SCHEMAS).returncode == 0


def test_known_findings_do_not_fail_the_job(project: Project) -> None:
    changed = pull_request.contract()
    changed.spec["lint"] = {}
    write(project.folder, changed, pull_request.SCHEMAS)
    assert project.run(schemas=pull_request.SCHEMAS).returncode == 1
    record = ["--schemas", "events/avro", "lint", "--baseline", "known.json", "--write-baseline"]
    subprocess.run([project.programs / "contracts", *record], cwd=project.folder, check=True, capture_output=True)
    assert project.run(schemas="events/avro", baseline="known.json").returncode == 0


@pytest.mark.parametrize("inputs", [{"schemas": "no/such"}, {"schemas": "events/avro", "base": "no-such-ref"}])
def test_wrong_input_fails_the_job_and_the_log_says_why(inputs: dict[str, str], project: Project) -> None:
    done = project.run(**inputs)
    assert done.returncode == 2
    assert "fix: " in done.stderr
    assert {one["severity"] for one in project.report} <= {"minor"}  # what lint could still find


def test_clone_is_whole_and_only_merge_requests_have_the_job() -> None:
    job = JOBS["contracts"]
    assert job["variables"]["GIT_DEPTH"] == "0"
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    assert job["artifacts"]["when"] == "always"


def test_documented_inputs_are_those_of_the_template() -> None:
    text = (CLONE / "docs/how-to/ci.md").read_text(encoding="utf-8")
    section = text.partition("## GitLab")[2].partition("\n## ")[0]
    for name, one in INPUTS.items():
        assert f"| `{name}` |" in section
        assert one["description"]
