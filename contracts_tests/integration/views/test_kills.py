"""A stream with a view, killed with -9 between and inside its batches."""

from __future__ import annotations

from pathlib import Path

from contracts_tests.fixtures import processes
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.view_rows import SQL, add_view, as_batch, events, expected_in_cassandra, stored


def test_killed_stream_leaves_the_rows_of_the_sql(stack: RunningStack, pipeline: Pipeline, tmp_path: Path) -> None:
    table = add_view(pipeline, SQL)
    schema_id = pipeline.register()
    for kill, batches in enumerate((1, 3, 2)):
        pipeline.send(*events(pipeline, schema_id, 300, kill))
        log = tmp_path / f"stream{kill}.log"
        small = {"STREAM_MAX_PER_BATCH": "20", "STREAM_INTERVAL": "0.1"}
        with processes.running(stack, pipeline, log, **small):
            processes.wait_for(lambda: log.read_text().count("sink=v.postgres") >= batches, log)  # noqa: B023
        assert "Traceback" not in log.read_text()
    pipeline.stream()
    wanted = as_batch(pipeline, SQL)
    found = stored(pipeline, table)
    assert found["postgres"] == wanted
    assert found["cassandra"] == {id_: expected_in_cassandra(row) for id_, row in wanted.items()}
