"""Which tables `rewrite` empties: all of them, or old values of masked fields stay."""

from __future__ import annotations

from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.rewrite import tables
from contracts_tests.fixtures.viewed import contract

SINKS: dict[str, Any] = {"postgres": {"table": "of_view", "primary_key": ["colour"]}}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "refreshed": ("SELECT colour, count(*) AS n FROM orders.latest GROUP BY colour", {"refresh": "10 minutes"}),
    "a projection": ("SELECT colour FROM orders", {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_table_of_a_contract_and_its_views_is_written_again(name: str) -> None:
    sql, head = KINDS[name]
    found = contract(sql, sinks=SINKS, **head)
    written, refreshed = tables(Settings(), found)
    emptied = {one.name: one.spec.qualified for one in (*written, *refreshed)}
    assert emptied == {name: spec.qualified for name, spec in queries.all_of(found)}
    assert [one.name for one in refreshed] == (["v.postgres"] if name == "refreshed" else [])
