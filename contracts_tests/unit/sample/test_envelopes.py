"""Samples of a contract in Debezium's envelope: none of envelopes, and rows that its rules accept."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from pathlib import Path

import fastavro
import pytest

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality.judge import Judge
from contracts_tests.fixtures import debezium
from contracts_tests.fixtures.command import run_contracts

RULES = [
    {"name": "known", "field": "email", "required": True},
    {"name": "new", "field": "seen", "min": "2020-01-01T00:00:00"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, text in debezium.files(rules=RULES).items():
        file = tmp_path / "schemas" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "schemas"


@pytest.mark.parametrize("options", [(), ("--invalid", "all"), ("--invalid", "NULL_VALUE")])
def test_command_says_that_it_makes_no_envelopes(folder: Path, options: tuple[str, ...]) -> None:
    done = run_contracts("--schemas", str(folder), "sample", "customers", *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "only the connector knows" in done.stderr
    assert "records(contract.rows)" in done.stderr


def test_rows_satisfy_schema_and_rules(folder: Path) -> None:
    contract = loading.load_one(folder, "customers")
    with pytest.raises(ConfigurationError, match="only the connector knows"):
        next(sample.records(contract))
    judge = Judge(contract.rows.rules)
    schema = fastavro.parse_schema(json.loads(contract.rows.value.schema_text))
    for row in itertools.islice(sample.records(contract.rows, "7"), 50):
        assert fastavro.validate(row, schema)
        assert judge.first_broken(row) is None
        assert row["seen"] is None or isinstance(row["seen"], dt.datetime)
