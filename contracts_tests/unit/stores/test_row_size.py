"""Size of a PostgreSQL row as `contracts lint` and the stream compute it; integration tests measure real rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.postgres import row_size
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec

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
    assert (row_size.full(found.root, found), row_size.least(found.root, found)) == (full, least)


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
    assert any(STORES["postgres"].size_refusals(found.root, found)) is not can_be_made
    assert any(STORES["postgres"].full_row_refusals(found.root, found)) is is_full
    assert not any(STORES["cassandra"].size_refusals(found.root, found))
    assert not any(STORES["cassandra"].full_row_refusals(found.root, found))
