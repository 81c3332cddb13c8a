"""What the pages have users type: offline commands run in a copy of the clone, parsers judge all others."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from contracts_tests.fixtures import pages, shell_commands
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.git import ENVIRONMENT, git
from contracts_tests.fixtures.pages import Block, Page

PAGES = [page for page in pages.all_pages() if not page.generated]
BLOCKS = [block for page in pages.all_pages() for block in page.blocks()]
SHELL = ("sh", "bash", "console")
LANGUAGES = {*SHELL, "http", "java", "json", "promql", "python", "sql", "text", "toml", "yaml"}

# Commands that need no server.  Blocks of nothing else run, page by page, in the order of the page.
OFFLINE = re.compile(
    r"(cat|mkdir|sed|git)\b|make (check-schemas|help)$"
    r"|\.venv/bin/contracts (lint|check --against HEAD|tables|diff|export)\b"
)
# A part of each block that ends with another exit code than 0, and that code: what these change is refused.
REFUSED = {
    '"doc": "Country."': 1,
    '"aliases": ["registered_date"]': 1,
    's|\\["null", "double"\\], "default": null|"double"|': 1,
}
PACKAGE = "avro_data_contracts"


def test_languages_are_known() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in SHELL], ids=str)
def test_commands_of_block_are_accepted(block: Block) -> None:
    text = block.text
    if block.language == "console":
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))
    found = list(shell_commands.commands(text))
    assert found
    assert not [complaint for words in found if (complaint := shell_commands.complaint(words))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_commands_between_the_lines_exist(page: Page) -> None:
    """Inline code, and synopses in blocks of text: the command is there, and has these flags."""
    inline = [one for _, line in page.prose() for one in re.findall(r"`([^`]+)`", line.replace("\\|", "|"))]
    synopses = [re.sub(r"\n\s+", " ", block.text).splitlines() for block in page.blocks() if block.language == "text"]
    complaints = []
    for code in [*inline, *(line for lines in synopses for line in lines)]:
        code = code.removeprefix(".venv/bin/")
        if re.match(r"(contracts|python -m [\w.]+)( |$)", code):
            complaints.append(shell_commands.complaint_of_synopsis(code))
        elif made := re.match(r"make ([a-z][\w-]*)", code):
            complaints.append("" if made[1] in shell_commands.targets() else f"there is no target {made[1]}")
    assert not list(filter(None, complaints))


READERS = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in READERS], ids=str)
def test_data_can_be_read(block: Block) -> None:
    READERS[block.language](block.text)


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "python"], ids=str)
def test_python_compiles_and_its_imports_exist(block: Block) -> None:
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and (CLONE / node.module.split(".")[0]).is_dir():
            assert node.module.startswith(PACKAGE)
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}")


def scripts(page: Page) -> list[Block]:
    """Blocks of the page that need no server."""
    return [
        block
        for block in page.blocks()
        if block.language == "sh" and all(OFFLINE.match(" ".join(one)) for one in shell_commands.commands(block.text))
    ]


def copy_of_the_clone(folder: Path) -> dict[str, str]:
    """Makes a clone in which make, the commands and git work; the environment for them."""
    for path in subprocess.run(
        ["git", "ls-files"], cwd=CLONE, capture_output=True, text=True, check=True
    ).stdout.split():
        if not path.startswith(("contracts_tests/", "benchmarks/", "docs/")) and (CLONE / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CLONE / path, folder / path, follow_symlinks=False)
    # An environment that make takes for finished: its packages are those of the one that the tests run in.
    (folder / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != ".ready":
            (folder / ".venv" / part.name).symlink_to(part)
    (folder / ".venv" / ".ready").touch()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "as it is")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    kept = {name: value for name, value in ENVIRONMENT.items() if name not in ("CONTRACTS_DIR", "MAKEFLAGS")}
    return {**kept, "PYTHONPATH": str(folder), "COLUMNS": "200"}


@pytest.mark.parametrize("page", [page for page in PAGES if scripts(page)], ids=lambda page: page.path)
def test_offline_commands_run(page: Page, tmp_path: Path) -> None:
    environment = copy_of_the_clone(tmp_path)
    for block in scripts(page):
        wanted = next((code for part, code in REFUSED.items() if part in block.text), 0)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        ended = done.returncode if "make " not in block.text else min(done.returncode, 1)
        assert ended == wanted, f"{block}\n{done.stdout}{done.stderr}"
        assert ("refused:" in done.stdout) == (wanted == 1)


def test_the_tutorials_have_offline_commands() -> None:
    assert len(scripts(pages.read("docs/tutorial/first-run.md"))) == 4
    assert len(scripts(pages.read("docs/tutorial/own-schemas.md"))) == 4


def test_readme_shows_what_check_prints(tmp_path: Path) -> None:
    """For the change that it tells of: a field `country` without a default, before the last one.

    A line of the page may be cut short with an ellipsis.
    """
    [shown] = [block.text for block in pages.read("README.md").blocks() if block.language == "console"]
    command, _, rest = shown.partition("\n")
    environment = copy_of_the_clone(tmp_path)
    schema = tmp_path / "schemas" / "users_created" / "value.avsc"
    lines = schema.read_text(encoding="utf-8").splitlines(keepends=True)
    [last] = [number for number, line in enumerate(lines) if '"name": "picture"' in line]
    lines.insert(last, '    {"name": "country", "type": "string", "doc": "Country."},\n')
    schema.write_text("".join(lines), encoding="utf-8")
    done = subprocess.run(
        command.removeprefix("$ ").split(), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    commit = re.compile(r"\([0-9a-f]{9,}\)")
    printed = [line.rstrip() for line in commit.sub("(COMMIT)", done.stdout).splitlines()]
    wanted = commit.sub("(COMMIT)", rest).splitlines()
    assert len(printed) == len(wanted), done.stdout
    for line, told in zip(printed, wanted, strict=True):
        assert line.startswith(told.removesuffix("…")) if told.endswith("…") else line == told, done.stdout
