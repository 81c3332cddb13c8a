"""A new source is one package in `contracts` and one in `producers`; no other file changes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from avro_data_contracts.stack import ports
from contracts_tests.fixtures.another_source import contract_of_lines, with_lines_source
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.third_store import run

SHOW_ITEMS = """
from avro_data_contracts.contracts import catalog, settings
from avro_data_contracts.producers.sources.known import opener
from avro_data_contracts.producers.sources.source import Request

contract = catalog.load_one(settings.load().contracts_dir, "cities")
source = opener("lines")(contract, settings.load())
for item in source.items(Request(seed="")):
    print(source.position, repr(item.outcome), sep=": ")
"""


def produce(copy: Path, schemas: Path) -> subprocess.CompletedProcess[str]:
    """Run the producer's command while nothing listens at Kafka's address."""
    nobody = f"127.0.0.1:{ports.pick(['nobody'])['nobody']}"
    variables = {"KAFKA_BOOTSTRAP_SERVERS": nobody, "KAFKA_MAX_BLOCK_MS": "1000", "CONTRACTS_DIR": str(schemas)}
    return run(copy, "producers", "--contract", "cities", "--count", "all", **variables)


def test_producer_finds_a_source_by_its_package(tmp_path: Path) -> None:
    copy, schemas = with_lines_source(tmp_path, "contracts", "producers"), contract_of_lines(tmp_path)

    linted = run(copy, "contracts", "lint", CONTRACTS_DIR=str(schemas))
    produced = produce(copy, schemas)
    (copy / "show_items.py").write_text(SHOW_ITEMS)
    shown = run(copy, "show_items", CONTRACTS_DIR=str(schemas))

    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert produced.returncode == 3, produced.stderr
    assert f"source={tmp_path / 'cities.jsonl'}" in produced.stderr
    assert "error: Kafka" in produced.stderr
    assert shown.stdout.splitlines() == [
        "line 1: {'name': 'Łódź', 'people': 670642}",
        "line 2: Rejection('the line is not JSON')",
        "line 3: {'name': 'Graz', 'people': 'many'}",
        "line 4: {'name': 'Łódź', 'people': 1}",
    ]


def test_configuration_error_of_the_source_exits_with_2(tmp_path: Path) -> None:
    copy = with_lines_source(tmp_path, "contracts", "producers")
    produced = produce(copy, contract_of_lines(tmp_path, file="/nowhere.jsonl"))
    assert produced.returncode == 2
    assert "/nowhere.jsonl: is not a file" in produced.stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            {"api": "nothing"},
            "source.api: 'nothing' is not a source; valid names here: http, lines, python, randomuser",
        ),
        ({"api": ["lines"]}, "source.api: should be text"),
        ({"url": "x"}, "unknown key 'source.url'\n    fix: valid names here: api, count, file"),
        ({"api": "randomuser"}, "unknown key 'source.file'\n    fix: valid names here: api, count"),
        ({"file": ""}, "source.file: string should have at least 1 character"),
    ],
)
def test_source_keys_are_validated_without_the_producer(tmp_path: Path, source: dict, words: str) -> None:
    copy, schemas = with_lines_source(tmp_path, "contracts"), contract_of_lines(tmp_path, **source)
    linted = run(copy, "contracts", "lint", CONTRACTS_DIR=str(schemas))
    assert linted.returncode == 2, linted.stdout
    assert words in linted.stdout


def test_new_source_needs_only_two_files() -> None:
    rooms = CLONE / "contracts_tests" / "fixtures" / "lines_source"
    assert len([file for file in rooms.rglob("*.py") if file.name != "__init__.py"]) == 2
