"""Log formats for people and for programs."""

from __future__ import annotations

import contextlib
import io
import json
import logging

import pytest
import structlog

from avro_data_contracts.contracts import logs


def line(form: logs.Format) -> str:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        logs.configure(form)
        structlog.get_logger("test").bind(contract="users").info("batch written", records=3, why='a "b"\nc')
    return err.getvalue()


def test_json_writes_one_object_per_line() -> None:
    text = line("json")
    assert text.count("\n") == 1
    told = json.loads(text)
    assert told.pop("timestamp")
    assert told == {
        "level": "info", "event": "batch written", "contract": "users", "records": 3, "why": 'a "b"\nc',
    }  # fmt: skip


@pytest.mark.parametrize("form", ["logfmt", "auto"])
def test_logfmt_is_one_line_and_the_default_without_a_terminal(form: logs.Format) -> None:
    text = line(form)
    assert text.count("\n") == 1
    assert 'level=info event="batch written" contract=users records=3' in text


def test_library_log_is_one_line_without_a_traceback() -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        for _ in range(2):  # once is enough
            logs.configure("json")
        try:
            raise ConnectionError("gone")
        except ConnectionError:
            logging.getLogger("library").exception("while it sent\n%s", "a command")
        logging.getLogger("library").info("not of interest")
    told = json.loads(err.getvalue())
    assert (told["level"], told["event"], told["logger"]) == ("error", "while it sent a command", "library")
    assert told["why"] == "ConnectionError: gone"


def test_used_logger_follows_a_later_configure() -> None:
    used = structlog.get_logger("used")
    first, second = io.StringIO(), io.StringIO()
    for err in (first, second):
        with contextlib.redirect_stderr(err):
            logs.configure("json")
            used.info("here")
    assert first.getvalue().count("here") == second.getvalue().count("here") == 1
    with structlog.testing.capture_logs() as seen:
        used.info("seen")
    assert [line["event"] for line in seen] == ["seen"]
