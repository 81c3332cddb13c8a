"""The workflow and the pre-commit hook: existing make targets, pinned actions, and a working hook command."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from contracts_tests.fixtures.clone import CLONE

WORKFLOWS = sorted((CLONE / ".github" / "workflows").glob("*.yml"))
PAGE = (CLONE / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^\.PHONY: ([\w-]+)$", (CLONE / "Makefile").read_text(), flags=re.MULTILINE))


def steps() -> Iterator[dict[str, Any]]:
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            yield from job["steps"]


def test_every_step_calls_one_existing_make_target() -> None:
    runs = [step["run"] for step in steps() if "run" in step]
    assert len(runs) >= 5
    for run in runs:
        found = re.fullmatch(r"make ([\w-]+)[^\n;&|`]*\n?", run)
        assert found, run
        assert found[1] in TARGETS
        assert f"make {found[1]}" in PAGE


def test_every_action_is_pinned_to_a_commit() -> None:
    uses = [step["uses"] for step in steps() if "uses" in step]
    assert uses
    for one in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one), one


def test_no_command_contains_a_workflow_expression() -> None:
    assert not [step["run"] for step in steps() if "${{" in step.get("run", "")]


def test_pre_commit_hook_runs_an_existing_command() -> None:
    [hook] = yaml.safe_load((CLONE / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["id"] in PAGE
    assert hook["pass_filenames"] is False
    command = hook["entry"].split()
    script = str(Path(sys.executable).parent / command[0])
    assert subprocess.run([script, *command[1:], "--help"], capture_output=True, check=False).returncode == 0
    for path in ("schemas/users/value.avsc", "contract.yaml", "a/contract.yaml"):
        assert re.search(hook["files"], path)
    assert not re.search(hook["files"], "docs/reference/contract.md")
