"""`make stream`: which contracts its command names."""

from __future__ import annotations

import subprocess

import pytest

from contracts_tests.fixtures.clone import CLONE


@pytest.mark.parametrize(
    ("words", "streamed"),
    [
        ([], "--all"),
        (["ARGS=--available-now"], "--all --available-now"),
        (["ARGS=--all"], "--all --all"),
        (["CONTRACT=page_views"], "--contract page_views"),
        (["CONTRACT=page_views", "ARGS=--available-now"], "--contract page_views --available-now"),
        (["ARGS=--contract a --contract b"], "--contract a --contract b"),
        (["ARGS=--contract=a"], "--contract=a"),
    ],
)
def test_make_stream_streams_every_contract_unless_some_are_named(words: list[str], streamed: str) -> None:
    told = subprocess.run(
        ["make", "--dry-run", "stream", *words], cwd=CLONE, capture_output=True, text=True, check=True
    ).stdout
    [line] = [line for line in told.splitlines() if "-m streaming" in line]
    assert " ".join(line.partition("-m streaming")[2].replace("'", "").split()) == streamed
