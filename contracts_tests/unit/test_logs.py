"""Log lines for people and for programs."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator

import pytest
import structlog

from contracts import logs


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def line(form: logs.Format) -> str:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        logs.configure(form)
        structlog.get_logger("test").bind(contract="users").info("batch written", records=3, why='a "b"\nc')
    return err.getvalue()


def test_json_is_one_object_a_line() -> None:
    text = line("json")
    assert text.count("\n") == 1
    told = json.loads(text)
    assert told.pop("timestamp")
    assert told == {
        "level": "info", "event": "batch written", "contract": "users", "records": 3, "why": 'a "b"\nc',
    }  # fmt: skip


@pytest.mark.parametrize("form", ["logfmt", "auto"])
def test_logfmt_is_one_line_of_key_and_value_where_there_is_no_terminal(form: logs.Format) -> None:
    text = line(form)
    assert text.count("\n") == 1
    assert 'level=info event="batch written" contract=users records=3' in text
