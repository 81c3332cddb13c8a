"""The parts of the producer's command and report that need no server."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from avro_data_contracts.contracts.errors import FindingsError
from avro_data_contracts.producers import dead_letter
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.run import Report
from avro_data_contracts.stack import ports
from contracts_tests.fixtures.clone import CLONE


@pytest.fixture
def nobody() -> str:
    """A host:port where nothing listens."""
    return f"127.0.0.1:{ports.pick(['nobody'])['nobody']}"


def test_contract_without_source_is_refused_before_any_request(tmp_path: Path, nobody: str) -> None:
    """No server listens, so an earlier request would fail with a different error."""
    schemas = tmp_path / "schemas"
    shutil.copytree(CLONE / "schemas", schemas)
    done = subprocess.run(
        [sys.executable, "-m", "producers", "--contract", "orders_placed", "--count", "5"],
        cwd=CLONE,
        env=os.environ
        | {
            "CONTRACTS_DIR": str(schemas),
            "KAFKA_BOOTSTRAP_SERVERS": nobody,
            "SCHEMA_REGISTRY_URL": f"http://{nobody}",
            "DATASOURCE_URL": f"http://{nobody}/api/",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "contract orders_placed has no source" in done.stderr
    assert "`python -m avro_data_contracts.producers --contract orders_placed --from FILE`" in done.stderr
    assert "contract.yaml" in done.stderr
    assert "docs/how-to/publisher.md" in done.stderr
    assert nobody not in done.stderr


@pytest.mark.parametrize("ended", ["count", "duration", "source", "SIGTERM"])
def test_run_with_every_user_refused_is_a_finding(ended: str) -> None:
    report = Report(fetched=5, refused=Counter(MISSING_EMAIL=2, INVALID_RECORD=3), ended=ended)
    with pytest.raises(FindingsError) as caught:
        report.check()
    assert caught.value.exit_code == 1
    assert "fetched 5, produced 0, refused 5 (INVALID_RECORD 3, MISSING_EMAIL 2)" in str(caught.value)


@pytest.mark.parametrize(
    "report",
    [
        Report(ended="SIGTERM"),
        Report(fetched=5, produced=5, ended="count"),
        Report(fetched=5, produced=1, refused=Counter(MISSING_EMAIL=4), ended="count"),
        Report(fetched=1, refused=Counter(MISSING_EMAIL=1), ended="SIGINT"),
    ],
)
def test_run_that_produced_or_was_stopped_succeeds(report: Report) -> None:
    report.check()


def test_dead_letter_encodes_values_that_json_cannot_express() -> None:
    record = {
        "on": dt.date(2024, 2, 29),
        "price": Decimal("1.50"),
        "id": uuid.UUID(int=1),
        "raw": b"\x00\xff",
        "n": None,
    }
    letter = dead_letter.of(record, Rejection("INVALID_RECORD", "x"), topic="t", producer="p")
    assert json.loads(letter.value) == {
        "on": "2024-02-29",
        "price": "1.50",
        "id": str(uuid.UUID(int=1)),
        "raw": "AP8=",
        "n": None,
    }
