"""Size of a PostgreSQL row as `contracts lint` and the stream compute it; integration tests measure real rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import parsing, shapes
from avro_data_contracts.contracts.avro.nodes import Record, Schema
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.postgres import row_size
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.tables import layout

POSTGRES = PostgresSpec(table="wide", primary_key=["f0"])
CASSANDRA = CassandraSpec(keyspace="k", table="wide", primary_key=["f0"])


def schema(*kinds: Any) -> Schema:
    fields = [{"name": f"f{at}", "type": kind} for at, kind in enumerate(kinds)]
    return parsing.parse(json.dumps({"type": "record", "name": "Wide", "fields": fields}))


@pytest.mark.parametrize(
    ("kinds", "full", "least"),
    [
        # Header (24), fields, position of the event (8, 4, 4 of padding, 8); rounded up to a multiple of 8.
        (["long"], 24 + 8 + 24, 56),
        (["int"], 24 + 8 + 24, 56),
        (["boolean", "long"], 24 + 16 + 24, 64),
        (["long", "boolean", "boolean"], 24 + 16 + 24, 64),
        (["string"], 24 + 24 + 24, 24 + 8 + 24),
        (["string", "string", "string"], 24 + 56 + 24, 24 + 8 + 24),
        (["long", ["null", "long"]], 24 + 16 + 24, 24 + 8 + 24),
        ([["null", "long"]] * 9, 32 + 72 + 24, 32 + 24),
    ],
)
def test_row_size_matches_postgresql(kinds: list[Any], full: int, least: int) -> None:
    found = schema(*kinds)
    assert (row_size.full(found.root, found, POSTGRES), row_size.least(found.root, found, POSTGRES)) == (full, least)


@pytest.mark.parametrize(
    ("kind", "count", "can_be_made", "is_full"),
    [
        ("double", 1014, True, False),
        ("double", 1015, False, False),
        ("double", 1100, False, False),
        (["null", "double"], 999, True, False),
        (["null", "double"], 1000, True, True),
        ("string", 450, True, False),
        ("string", 451, True, True),
        ("boolean", 1597, True, False),
        ("boolean", 1598, False, False),
    ],
)
def test_stream_refuses_only_tables_that_cannot_hold_any_row(
    kind: Any, count: int, can_be_made: bool, is_full: bool
) -> None:
    found = schema(*[kind] * count)
    assert any(STORES["postgres"].size_refusals(POSTGRES, found.root, found)) is not can_be_made
    assert any(STORES["postgres"].full_row_refusals(POSTGRES, found.root, found)) is is_full
    assert not any(STORES["cassandra"].size_refusals(CASSANDRA, found.root, found))
    assert not any(STORES["cassandra"].full_row_refusals(CASSANDRA, found.root, found))


def test_row_of_an_event_has_its_topic_and_a_path_may_be_null() -> None:
    """A row with a null has a bit for each column, and the id of a topic is a text of 22 characters."""
    appends = PostgresSpec(table="wide", mode="append")
    found = schema("long")
    assert row_size.full(found.root, found, appends) == 24 + 8 + 24 + 24 == row_size.least(found.root, found, appends)
    assert any(STORES["postgres"].size_refusals(appends, *of_columns(1597)))
    assert not any(STORES["postgres"].size_refusals(appends, *of_columns(1596)))
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "long"}, {"name": "y", "type": "A"}]}
    inner["fields"][1]["type"] = ["null", {"type": "record", "name": "A", "fields": [{"name": "z", "type": "long"}]}]
    outer = schema(["null", inner])
    sink = PostgresSpec(table="wide", primary_key=["f0"], columns={"x": "f0.x", "z": "f0.y.z"})
    whole = layout.with_nested(outer.root, outer, sink)
    nullable = [shapes.nullability(outer, field.type)[1] for field in whole.fields]
    assert nullable == [True, True, True]
    assert row_size.least(whole, outer, sink) == 24 + 24  # all null: the bits of six columns are in the header


def of_columns(count: int) -> tuple[Record, Schema]:
    found = schema(*["boolean"] * count)
    assert isinstance(found.root, Record)
    return found.root, found
