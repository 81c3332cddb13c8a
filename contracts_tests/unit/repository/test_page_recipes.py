"""Commands that the pages offer for files of the reader's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.reject_file import RejectFile
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.file.source import FileSource
from avro_data_contracts.producers.sources.source import Request
from contracts_tests.fixtures import pages
from contracts_tests.fixtures.bodies import record_schema

SCHEMA = record_schema(
    [
        {"name": "id", "type": "int"},
        {"name": "wind", "type": ["null", "double"], "default": None},
        {"name": "sunny", "type": "boolean"},
    ]
)[1]


def recipe(page: str, begins: str) -> str:
    [text] = [block.text for block in pages.read(page).blocks() if block.text.startswith(begins)]
    return text


def run(command: str, folder: Path) -> None:
    subprocess.run(["bash", "-ec", command], cwd=folder, check=True, timeout=60)


def test_cleaning_a_file_empties_na_and_rewrites_dates(tmp_path: Path) -> None:
    (tmp_path / "FILE.csv").write_text(
        'date,wind,note\n2015-01-01,NA,"a, ""b"""\n1/2/2015,4.7,NAN\n3.1.2015,0,NA\nJan 4,1,x\n5,6\n'
    )
    run(recipe("docs/tutorial/own-data.md", "python3 -c"), tmp_path)
    assert (tmp_path / "CLEAN.csv").read_text() == (
        'date,wind,note\n2015-01-01,,"a, ""b"""\n2015-01-02,4.7,NAN\n2015-01-03,0,\nJan 4,1,x\n5,6\n'
    )


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_refused_rows_of_csv_can_be_sent_as_json_lines(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,wind,sunny\n1,,yes\n2,4.5,no\n")
    rejects = RejectFile(str(tmp_path / "rejects.jsonl"), append=False)
    for item in FileSource(str(tmp_path / "rows.csv"), SCHEMA).items(Request("")):
        assert isinstance(item.outcome, Rejection)
        rejects.refuse(item.given, item.outcome)
    rejects.flush()
    command, send = recipe("docs/reference/producer.md", "jq ").splitlines()
    run(command, tmp_path)
    again = tmp_path / "again.jsonl"
    assert [json.loads(line) for line in again.read_text().splitlines()] == [
        {"id": "1", "sunny": "yes"},
        {"id": "2", "wind": "4.5", "sunny": "no"},
    ]
    words = send.split()
    asked = Asked.of([words[at + 1] for at, word in enumerate(words) if word == "--coerce"])
    found = [item.outcome for item in FileSource(str(again), SCHEMA, asked=asked).items(Request(""))]
    assert found == [{"id": 1, "sunny": True}, {"id": 2, "wind": 4.5, "sunny": False}]
