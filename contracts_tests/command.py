"""The `contracts` command, called in the tests' own process from its entry point on."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from unittest import mock

import pytest

from contracts import cli


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run_contracts(*arguments: str) -> Done:
    """`contracts ARGUMENTS`, in the working directory and the environment as they are."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch("sys.argv", ["contracts", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, out.getvalue(), err.getvalue())
