"""What the embedded stack says on a system other than Linux, and that docs/reference/machines.md has all versions."""

from __future__ import annotations

import re
import signal
import sys
import tomllib
from unittest import mock

import pytest

from avro_data_contracts.stack import cli
from contracts_tests.fixtures.clone import CLONE

ARGUMENTS = {"jars": ["spark"], "logs": ["kafka"], "airflow": ["version"]}


def names() -> list[str]:
    (commands,) = (action.choices for action in cli._parser()._actions if action.dest == "command")
    return list(commands)


@pytest.mark.parametrize("name", names())
def test_only_commands_without_servers_run_on_macos(name, monkeypatch, capsys):
    called = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(signal, "signal", mock.Mock())
    monkeypatch.setattr(cli, f"_{name}", lambda arguments: called.append(name) or 0)
    code = cli.main([name, *ARGUMENTS.get(name, [])])
    if name in ("fetch", "jars", "lock"):
        assert (code, called) == (0, [name])
    else:
        assert (code, called) == (2, [])
        assert "runs on Linux only, not on darwin" in capsys.readouterr().err


def test_page_has_a_row_for_each_supported_python():
    page = (CLONE / "docs" / "reference" / "machines.md").read_text()
    classifiers = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]["classifiers"]
    supported = re.findall(r"Python :: (3\.\d+)", str(classifiers))
    assert supported
    assert sorted(set(re.findall(r"^\| (3\.\d+)\.\d+ ", page, flags=re.MULTILINE))) == sorted(supported)
