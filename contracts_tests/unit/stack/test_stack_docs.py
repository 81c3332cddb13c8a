"""docs/reference/stack.md and `make help` are complete."""

from __future__ import annotations

import re
import subprocess

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.cli import _parser
from avro_data_contracts.stack.jars.pins import server_versions
from contracts_tests.fixtures.clone import CLONE

PAGE = (CLONE / "docs" / "reference" / "stack.md").read_text()


def test_docs_list_every_port_and_version():
    table = PAGE.partition("## Addresses and ports")[2].partition("## ")[0]
    assert {int(number) for number in re.findall(r"\b1[0-9]{4}\b", table)} == set(ports.FIXED.values())
    versions = server_versions()
    for name, row in (
        ("kafka", "Kafka"),
        ("registry", "registry"),
        ("cassandra", "Cassandra"),
        ("postgres", "Postgre"),
    ):
        assert re.search(rf"^\| {row}[^|]*\| {re.escape(versions[name])} \|", table, flags=re.MULTILINE)


def test_docs_list_every_command_and_flag():
    (commands,) = (action.choices for action in _parser()._actions if action.dest == "command")
    table = PAGE.partition("## Commands")[2].partition("## ")[0]
    documented = re.findall(r"^\| `(?!python)(\w+)", table, flags=re.MULTILINE)
    assert sorted(documented) == sorted(commands)
    for name, parser in commands.items():
        assert parser.description, name
        for flag in (flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")):
            assert flag in ("--help", "--dir") or flag in table or flag in ("--follow", "--lines"), f"{name} {flag}"


def test_make_help_lists_every_target():
    makefile = (CLONE / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: ([\w-]+)$", makefile, flags=re.MULTILINE))
    shown = subprocess.run(["make", "help"], cwd=CLONE, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([\w-]+) ", shown, flags=re.MULTILINE)) == targets
    assert {"setup", "up", "down", "status", "test", "register-schemas", "produce", "stream", "help"} <= targets
