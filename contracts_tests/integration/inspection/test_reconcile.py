"""`python -m streaming reconcile` while the stream lags, on real servers."""

from __future__ import annotations

import json

from contracts_tests.fixtures import processes
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user


def test_reconcile_names_the_offsets_that_wait_for_the_stream(stack: RunningStack, pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    pipeline.send(*({"value": pipeline.encode(schema_id, user(number)), "partition": 0} for number in range(3)))
    pipeline.stream()
    newer = (
        {"value": pipeline.encode(schema_id, user(number, first_name="new")), "partition": 0} for number in (0, 1)
    )
    pipeline.send(*newer)

    done = processes.run(stack, pipeline, "reconcile")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    for store in ("Cassandra", "PostgreSQL"):
        assert f"waiting: the stream has not written offsets 3 to 4 of partition 0 to {store} yet" in lines
    assert "missing in" not in done.stdout
    assert f"python -m streaming --contract {pipeline.folder.name} --available-now" in done.stdout
    rows = "rows with their newest event: 1 in Cassandra, 1 in PostgreSQL"
    assert lines[-1] == f"not reconciled yet: 5 events; {rows}; 0 dead-lettered"
    told = json.loads(processes.run(stack, pipeline, "reconcile", "--json").stdout)
    assert {name: (one["rows"], one["older"], one["unwritten"]) for name, one in told["stores"].items()} == {
        "cassandra": (1, 2, {"0": [3, 4]}),
        "postgres": (1, 2, {"0": [3, 4]}),
    }

    pipeline.stream()
    done = processes.run(stack, pipeline, "reconcile")
    assert done.returncode == 0, done.stderr
    words = "reconciled: 5 events; rows: 3 in Cassandra, 3 in PostgreSQL; 0 dead-lettered"
    assert done.stdout.splitlines()[-1] == words
