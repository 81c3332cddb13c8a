"""After a bug every command exits with code 70 and names the line; a traceback appears only on request."""

from __future__ import annotations

import signal
from collections.abc import Callable
from unittest import mock

import pytest

from avro_data_contracts.contracts import edge
from avro_data_contracts.deploy import __main__ as deploy
from avro_data_contracts.stack import cli


def contracts_command() -> int:
    with pytest.raises(SystemExit) as ended:
        edge.run(broken)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def stack_command() -> int:
    # On exit the command ignores signals, because its process is about to end; this process goes on.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with mock.patch.object(cli, "_parser", side_effect=lambda: mock.Mock(parse_args=parsed)):
            return cli.main(["status"])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def deploy_command() -> int:
    with mock.patch.object(deploy, "_parser", side_effect=lambda: mock.Mock(parse_args=parsed)):
        return deploy.main(["status"])


def parsed(argv: object) -> mock.Mock:
    return mock.Mock(function=lambda arguments: broken())


def broken() -> int:
    return 1 // 0


@pytest.mark.parametrize("command", [contracts_command, stack_command, deploy_command])
def test_bug_exits_with_code_70_and_names_its_line(
    command: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CONTRACTS_DEBUG", raising=False)
    assert command() == 70
    said = capsys.readouterr().err
    assert "test_edge.py:" in said
    assert "ZeroDivisionError" in said
    assert "fix: this is a bug; CONTRACTS_DEBUG=1 shows the traceback" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", [contracts_command, stack_command, deploy_command])
def test_bug_shows_its_traceback_with_contracts_debug(
    command: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTRACTS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        edge.run(broken) if command is contracts_command else command()
