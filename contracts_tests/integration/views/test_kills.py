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


def test_killed_stream_leaves_the_rows_of_the_sql(stack: RunningStack, lean: Pipeline, tmp_path: Path) -> None:
    table = add_view(lean, SQL)
    joined_rows.write_csv(lean)
    reference = {"genders": joined_rows.GENDERS, "places": joined_rows.make_places(lean)}
    joined = add_view(lean, joined_rows.SQL, "joined", reference)
    joined_rows.in_spark(lean)
    schema_id = lean.register()
    stream_killed(stack, lean, tmp_path, schema_id, events)
    lean.stream()
    wanted = as_batch(lean, SQL)
    found = stored(lean, table)
    assert found["postgres"] == wanted
    assert found["cassandra"] == {id_: expected_in_cassandra(row) for id_, row in wanted.items()}
    wanted, found = as_batch(lean, joined_rows.SQL), stored(lean, joined)
    assert found["postgres"] == wanted
    assert found["cassandra"] == {id_: joined_rows.in_cassandra(row) for id_, row in wanted.items()}
