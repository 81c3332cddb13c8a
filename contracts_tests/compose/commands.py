"""Runs a program, and says what it printed if it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from avro_data_contracts.stack.errors import ServerError


def run(
    command: Sequence[str],
    what: str,
    *,
    where: str,
    fix: str = "see the messages above",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    check: bool = True,
) -> str:
    """Run a program to its end, and return its standard output.

    Args:
        what: what has failed if it fails, for the error.
        folder: where it runs.
        environment: all of its variables; by default those of this process.

    Raises:
        ServerError: it failed, unless `check` is false.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        detail = (done.stdout[-1500:] + done.stderr[-3000:]).strip()
        raise ServerError(f"{what} (exit {done.returncode})", where=where, detail=detail, fix=fix)
    return done.stdout
