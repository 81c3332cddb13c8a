"""A stream with two views, one of which joins, and an aggregation, killed with -9 between and inside its batches."""

from __future__ import annotations

from pathlib import Path

from contracts_tests.fixtures import grouped_rows, joined_rows
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.view_rows import (
    SQL,
    add_view,
    as_batch,
    expected_in_cassandra,
    stored,
    stream_killed,
)


def test_killed_stream_leaves_the_rows_of_the_sql(stack: RunningStack, lean: Pipeline, tmp_path: Path) -> None:
    schema_id = grouped_rows.add_fields(lean)
    table = add_view(lean, SQL)
    joined_rows.write_csv(lean)
    reference = {"genders": joined_rows.GENDERS, "places": joined_rows.make_places(lean)}
    joined = add_view(lean, joined_rows.SQL, "joined", reference)
    joined_rows.in_spark(lean)
    groups = grouped_rows.add_groups(lean, name="g")
    stream_killed(
        stack,
        lean,
        tmp_path,
        lambda kill: grouped_rows.events(lean, schema_id, 300, kill),
        ("v.postgres", "joined.postgres", "g.cassandra", "g.postgres"),
    )
    lean.stream()
    wanted = as_batch(lean, SQL)
    assert len(wanted) > 10
    found = stored(lean, table)
    assert found["postgres"] == wanted
    assert found["cassandra"] == {id_: expected_in_cassandra(row) for id_, row in wanted.items()}
    wanted, found = as_batch(lean, joined_rows.SQL), stored(lean, joined)
    assert len(wanted) > 10
    assert found["postgres"] == wanted
    assert found["cassandra"] == {id_: joined_rows.in_cassandra(row) for id_, row in wanted.items()}
    of_groups = grouped_rows.as_batch(lean)
    assert len(of_groups) > 10
    assert grouped_rows.stored(lean, groups) == {"cassandra": of_groups, "postgres": of_groups}
