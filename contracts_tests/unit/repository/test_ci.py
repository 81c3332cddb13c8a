"""The workflow and the pre-commit hooks: existing make targets, pinned actions, and working hook commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts_tests.fixtures.changes import Files, write
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.git import git

WORKFLOWS = sorted((CLONE / ".github" / "workflows").glob("*.yml"))
PAGE = (CLONE / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^\.PHONY: ([\w-]+)$", (CLONE / "Makefile").read_text(), flags=re.MULTILINE))


def steps() -> Iterator[dict[str, Any]]:
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            yield from job["steps"]


# Make a machine of GitHub's like one of yours: no Docker daemon, and room on the disk.
PREPARING = {
    "sudo systemctl stop docker.socket docker.service",
    "sudo rm -rf /usr/share/dotnet /usr/local/lib/android /opt/ghc",
}


def test_every_step_calls_one_existing_make_target() -> None:
    runs = [step["run"] for step in steps() if "run" in step and step["run"] not in PREPARING]
    assert len(runs) >= 4
    for run in runs:
        found = re.fullmatch(r"(?:sudo env \"PATH=\$PATH\" \"PYTHON=\$PYTHON\" )?make ([\w-]+)[^\n;&|`]*\n?", run)
        assert found, run
        assert found[1] in TARGETS
        assert f"make {found[1]}" in PAGE


def test_every_action_is_pinned_to_a_commit() -> None:
    own = yaml.safe_load((CLONE / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    uses = [step["uses"] for step in (*steps(), *own) if "uses" in step]
    assert "./" in uses
    for one in set(uses) - {"./"}:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one), one


def test_catalogue_is_published_from_the_whole_history_where_pages_is_set_up() -> None:
    [job] = yaml.safe_load((CLONE / ".github/workflows/catalogue.yml").read_text(encoding="utf-8"))["jobs"].values()
    assert job["if"] == "vars.CATALOGUE_URL != ''"
    assert job["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    assert job["steps"][0]["with"] == {"fetch-depth": 0, "persist-credentials": False}
    [upload] = [one for one in job["steps"] if "upload-pages-artifact" in one.get("uses", "")]
    done = subprocess.run(["make", "--dry-run", "site"], cwd=CLONE, capture_output=True, text=True, check=True)
    assert f"contracts site --out {upload['with']['path']}" in done.stdout
    checks = yaml.safe_load((CLONE / ".github/workflows/contracts.yml").read_text(encoding="utf-8"))["jobs"]["check"]
    assert checks["steps"][-1]["with"] == {"site": "${{ vars.CATALOGUE_URL }}"}


def test_no_command_contains_a_workflow_expression() -> None:
    assert not [step["run"] for step in steps() if "${{" in step.get("run", "")]


HOOKS = yaml.safe_load((CLONE / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_pre_commit_hook_sees_a_removal_in_a_folder_of_another_name(hook: dict[str, Any], tmp_path: Path) -> None:
    """pre-commit adds `args` to the entry, and shows deleted files only to hooks that always run."""
    assert hook["id"] in PAGE
    assert (hook["pass_filenames"], hook["always_run"], "files" in hook) == (False, True, False)
    write(tmp_path, Files(), "contracts/all")
    other = Files()
    other.spec["topic"] = "bills"
    other.spec.pop("sinks")
    for path, text in other.texts.items():
        target = tmp_path / "contracts/all" / path.replace("orders", "bills")
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "both")):
        git(tmp_path, *arguments)
    shutil.rmtree(tmp_path / "contracts/all/bills")
    args = ["--schemas", "contracts/all", *(["--against", "HEAD"] if "check" in hook["entry"] else [])]
    command = [sys.executable, "-m", *hook["entry"].split(), *args]
    environment = {**os.environ, "PYTHONPATH": str(CLONE)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert ("CONTRACT_REMOVED" in done.stdout) == ("check" in hook["entry"])
