"""A stream writes to a third store, whose modules are added to a copy of the project without editing its files."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.processes import environment
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.third_store import run, with_files_store
from contracts_tests.fixtures.users import user


def test_stream_reconcile_and_status_support_a_third_store(
    stack: RunningStack, pipeline: Pipeline, tmp_path: Path
) -> None:
    copy, rows = with_files_store(tmp_path), tmp_path / "rows"
    file = pipeline.folder / "contract.yaml"
    contract = yaml.safe_load(file.read_text())
    contract["sinks"]["files"] = {"folder": str(rows), "table": "users", "primary_key": ["id"]}
    schema_id = pipeline.register()
    events = [user(1), user(2), user(1, email="newer@example.com")]
    for number, event in enumerate(events):
        value = pipeline.encode(schema_id, event)
        pipeline.send({"value": value, "key": event["id"], "partition": 0, "timestamp": 1_600_000_000_000 + number})
    pipeline.send({"value": b"bad", "partition": 0})
    file.write_text(yaml.safe_dump(contract, sort_keys=False))

    def streaming(*arguments: str) -> str:
        variables = environment(stack, pipeline)
        done = run(copy, "streaming", "--contract", pipeline.folder.name, *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    streaming("--available-now")
    stored = {row["id"]: row["email"] for row in (json.loads(one.read_text()) for one in rows.rglob("*.json"))}
    assert stored == {events[0]["id"]: "newer@example.com", events[1]["id"]: "2@example.com"}
    assert stored == {number: row["email"] for number, row in pipeline_rows(pipeline, contract).items()}

    reconciled = json.loads(streaming("reconcile", "--json"))
    stores = ("cassandra", "files", "postgres")
    found = {name: (one["rows"], one["missing"]) for name, one in reconciled["stores"].items()}
    assert found == dict.fromkeys(stores, (2, []))
    [status] = json.loads(streaming("status", "--json"))["contracts"]
    assert {one["sink"]: one["rows"]["number"] for one in status["sinks"]} == dict.fromkeys(stores, 2)


def pipeline_rows(pipeline: Pipeline, contract: dict[str, object]) -> dict[str, dict[str, object]]:
    """Return the rows of PostgreSQL without the third store, which this process does not know."""
    sinks = {name: sink for name, sink in contract["sinks"].items() if name != "files"}
    (pipeline.folder / "contract.yaml").write_text(yaml.safe_dump({**contract, "sinks": sinks}, sort_keys=False))
    rows = pipeline.postgres_rows()
    (pipeline.folder / "contract.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))
    return rows
