"""What `check` says in clones that lack something: each outcome says what to do, in every format."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.contract_files import record
from contracts_tests.fixtures.git import git

CONTRACT = "topic: orders\nowner: shop\ncompatibility: FULL_TRANSITIVE\n"


def repository(folder: Path, branch: str, commits: int = 1) -> Path:
    """A repository of a contract with so many commits."""
    (folder / "schemas/orders").mkdir(parents=True)
    (folder / "schemas/orders/contract.yaml").write_text(CONTRACT)
    git(folder, "init", "-q", "-b", branch)
    for number in range(commits):
        (folder / "schemas/orders/value.avsc").write_text(record(*[(f"f{one}", "int") for one in range(number + 1)]))
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"commit {number}")
    return folder


def no_commit(root: Path) -> Path:
    return repository(root / "a", "main", 0)


def no_repository(root: Path) -> Path:
    shutil.rmtree(repository(root / "a", "main") / ".git")
    return root / "a"


def no_remote(root: Path) -> Path:
    return repository(root / "a", "master")


def detached(root: Path) -> Path:
    folder = repository(root / "a", "trunk")
    git(folder, "checkout", "-q", "--detach")
    return folder


def clone_of_master(root: Path) -> Path:
    git(root, "clone", "-q", str(repository(root / "a", "master")), "b")
    return root / "b"


def clone_of_trunk(root: Path) -> Path:
    git(root, "clone", "-q", str(repository(root / "a", "trunk")), "b")
    git(root / "b", "checkout", "-q", "--detach")
    return root / "b"


def clone_of_another_remote(root: Path) -> Path:
    git(root, "clone", "-q", "-o", "upstream", str(repository(root / "a", "main")), "b")
    return root / "b"


def work_tree_of_a_bare_clone(root: Path) -> Path:
    git(root, "clone", "-q", "--bare", str(repository(root / "a", "master")), "b.git")
    git(root / "b.git", "worktree", "add", "-q", "../c", "master")
    return root / "c"


def branched(root: Path) -> Path:
    """A repository whose branch `change` left `main` two commits ago."""
    folder = repository(root / "a", "main", 3)
    git(folder, "checkout", "-qb", "change", "main~2")
    git(folder, "commit", "-qm", "more", "--allow-empty")
    return folder


def shallow_without_base(root: Path) -> Path:
    url = branched(root).as_uri()
    git(root, "init", "-q", "b")
    git(root / "b", "remote", "add", "origin", url)
    git(root / "b", "fetch", "-q", "--depth", "1", "origin", "change")
    git(root / "b", "checkout", "-q", "FETCH_HEAD")
    return root / "b"


def shallow_without_common_commit(root: Path) -> Path:
    folder = shallow_without_base(root)
    git(folder, "fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    return folder


def shallow_without_history(root: Path) -> Path:
    folder = shallow_without_common_commit(root)
    git(folder, "checkout", "-q", "origin/main")
    (folder / "schemas/orders/value.avsc").write_text(record(("f0", "int"), name="shop.Other"))
    return folder


Make = Callable[[Path], Path]
#: The clone -> the exit code, and what the outcome says.
CASES: dict[Make, tuple[int, str]] = {
    no_repository: (2, r"not in a git repository\n  fix: run inside a clone"),
    no_commit: (2, r"no commit yet.*\n  fix: commit first \(git commit\), or .*--against DIR\|registry"),
    no_remote: (2, r"neither origin/main nor.*\n  fix: name the base: --against .*\(branches here: master\)"),
    detached: (2, r"neither origin/main nor.*\n  fix: name the base: --against .*\(branches here: trunk\)"),
    clone_of_master: (0, r"compared with the merge base with origin/master \("),
    clone_of_trunk: (0, r"compared with the merge base with origin/trunk \("),
    clone_of_another_remote: (2, r"neither origin/main nor.*\n  fix: name the base: --against"),
    work_tree_of_a_bare_clone: (2, r"neither origin/main.*\n  fix: run: git fetch origin BRANCH:.*here: master"),
    shallow_without_base: (2, r"neither origin/main nor.*\n  fix: run: git fetch origin BRANCH:refs/remotes"),
    shallow_without_common_commit: (2, r"no common commit here\n  fix: .*shallow, run: git fetch --unshallow origin"),
    shallow_without_history: (
        2,
        r"needs the whole history, but this clone is shallow\n  fix: run: git fetch --unshal",
    ),
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_outcome_in_a_clone_that_lacks_something(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("CONTRACTS_DIR", raising=False)
    monkeypatch.chdir(make(tmp_path))
    code, words = CASES[make]
    done = run_contracts("check")
    assert done.returncode == code
    assert re.search(words, done.stdout + done.stderr), done.stderr
    for form in ("json", "junit", "github", "gitlab", "markdown"):
        other = run_contracts("check", "--format", form)
        assert (other.returncode, other.stderr) == (code, done.stderr)
        assert bool(other.stdout) == (code == 0) or form == "github"


def test_bare_repository_has_no_files_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository(tmp_path / "a", "main")), "b.git")
    monkeypatch.chdir(tmp_path / "b.git")
    done = run_contracts("check")
    assert done.returncode == 2
    assert "the folder does not exist" in done.stderr
    shutil.copytree(tmp_path / "a/schemas", tmp_path / "b.git/schemas")
    done = run_contracts("check")
    assert done.returncode == 2
    assert "work tree" in done.stderr
