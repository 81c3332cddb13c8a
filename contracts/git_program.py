"""Runs the program `git` in a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_OF_HOOKS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


def run(folder: Path, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run git with these arguments, and `data` as its input.

    Raises:
        FileNotFoundError: git is not installed.
    """
    # A git hook sets variables about the repository; the folder must decide.
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
    environment = {**inherited, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(
        # Without the setting, a user's configuration can hide what the first commit changed.
        ["git", "-C", str(folder), "-c", "log.showRoot=true", *arguments],
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        env=environment,
        check=False,
    )
