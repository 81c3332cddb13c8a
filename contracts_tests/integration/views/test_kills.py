"""A stream with two views, one of which joins, killed with -9 between and inside its batches."""

from __future__ import annotations

from pathlib import Path

from contracts_tests.fixtures import joined_rows
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.view_rows import (
    SQL,
    add_view,
    as_batch,
    events,
    expected_in_cassandra,
    stored,
    stream_killed,
)


def test_killed_stream_leaves_the_rows_of_the_sql(stack: RunningStack, pipeline: Pipeline, tmp_path: Path) -> None:
    table = add_view(pipeline, SQL)
    joined_rows.write_csv(pipeline)
    reference = {"genders": joined_rows.GENDERS, "places": joined_rows.make_places(pipeline)}
    joined = add_view(pipeline, joined_rows.SQL, "joined", reference)
    joined_rows.in_spark(pipeline)
    schema_id = pipeline.register()
    stream_killed(stack, pipeline, tmp_path, schema_id, events)
    pipeline.stream()
    wanted = as_batch(pipeline, SQL)
    found = stored(pipeline, table)
    assert found["postgres"] == wanted
    assert found["cassandra"] == {id_: expected_in_cassandra(row) for id_, row in wanted.items()}
    wanted, found = as_batch(pipeline, joined_rows.SQL), stored(pipeline, joined)
    assert found["postgres"] == wanted
    assert found["cassandra"] == {id_: joined_rows.in_cassandra(row) for id_, row in wanted.items()}
