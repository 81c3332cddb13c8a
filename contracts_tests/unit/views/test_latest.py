"""`FROM contract.latest`: one row for each key, which the newest event of the key decides."""

from __future__ import annotations

from typing import Any

import pytest

from avro_data_contracts.contracts.catalog.choices import Tombstones
from avro_data_contracts.contracts.catalog.loading import from_files
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.tables import views
from avro_data_contracts.contracts.views.derived import Derived, derive
from contracts_tests.fixtures.viewed import SINKS, catalog, files, header

SQL = "SELECT id, upper(note) AS note FROM orders.latest o WHERE o.flag"


def of(sql: str, tables: dict[str, Any] | None = None, **head: Any) -> Derived:
    found = catalog(files({"v": header(tables) + sql}, **head)).get("orders")
    return derive(found, found.views[0])


@pytest.mark.parametrize("tombstones", ["reject", "delete"])
def test_view_of_the_newest_events_deletes_rows(tombstones: str) -> None:
    found = of(SQL, tombstones=tombstones)
    assert found.problems == ()
    assert found.contract is not None
    assert found.contract.spec.tombstones is Tombstones.delete
    assert found.contract.deletes


#: SQL -> that for Spark.
TEXTS = {
    SQL: "SELECT id, upper(note) AS note FROM latest o WHERE o.flag",
    "SELECT latest.id FROM `orders` . `latest`": "SELECT latest.id FROM latest",
    "SELECT id, note IS DISTINCT FROM 'orders.latest' AS x -- FROM orders.latest\nFROM orders.latest WHERE flag": (
        "SELECT id, note IS DISTINCT FROM 'orders.latest' AS x -- FROM orders.latest\nFROM latest WHERE flag"
    ),
}


@pytest.mark.parametrize("sql", TEXTS)
def test_text_for_spark_has_another_name_and_nothing_else(sql: str) -> None:
    found = of(sql)
    assert found.problems == ()
    assert found.analysis.sql == "\n" + TEXTS[sql]


APPENDS = {"postgres": {"table": "of_view", "mode": "append"}}
OTHER = {"postgres": {"table": "of_view", "primary_key": ["id", "number"]}}
REFUSED = {
    "computed key": ("SELECT upper(id) AS id FROM orders.latest", None, {}, "VIEW_KEY", "the view computes it"),
    "other field": ("SELECT buyer.name AS id FROM orders.latest", None, {}, "VIEW_KEY", "the view computes it"),
    "other key": ("SELECT id, number FROM orders.latest", OTHER, {}, "VIEW_KEY", "another primary key"),
    "every event": ("SELECT id FROM orders.latest", APPENDS, {}, "VIEW_KEY", "another primary key"),
    "aggregate": ("SELECT count(*) AS id FROM orders.latest", None, {}, "VIEW_WATERMARK", "no `refresh`"),
    "no key": (
        "SELECT id FROM orders.latest", None, {"sinks": {"postgres": {"table": "orders", "mode": "append"}}},
        "VIEW_KIND", "has no table with such rows",
    ),
    "events of what is deleted": (
        "SELECT id FROM orders", None, {"tombstones": "delete"}, "VIEW_KIND", "a deleted row would stay",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_view_is_refused_with_a_reason(name: str) -> None:
    sql, tables, head, rule, words = REFUSED[name]
    found = of(sql, tables, **head)
    assert found.contract is None
    assert any(one.rule == rule and words in one.what for one in found.problems), found.problems


def test_table_of_deletions_is_made_and_belongs_to_the_view() -> None:
    made = files({"v": header({"postgres": SINKS["postgres"]}) + SQL})
    tables = [one.sink.qualified for one in views.create(catalog(made).get("orders"))]
    assert tables == ["public.of_view", "public.of_view__deleted"]
    now = catalog(made).get("orders")
    for before in (None, catalog(files({})).get("orders")):
        assert [one.sink.qualified for one in views.between(before, now)] == tables
    assert [one.sink.qualified for one in views.between(now, now)] == tables[:1]
    other = header({"postgres": {"table": "of_view__deleted", "primary_key": ["id"]}})
    with pytest.raises(ConfigurationError, match=r"already writes to the postgres table public\.of_view__deleted"):
        from_files({**made, "orders/views/w.sql": f"{other}SELECT id FROM orders"}, "schemas")


@pytest.mark.parametrize(
    ("sql", "fix"),
    [
        ("SELECT id, orders.note FROM orders.latest", "write latest.note, or give the source an alias"),
        ("SELECT id, ORDERS.buyer.name AS n FROM orders.latest", "write latest.buyer.name, or give"),
        ("SELECT o.id, orders.note FROM orders.latest o", "write o.note, or give"),
    ],
)
def test_name_of_the_contract_in_front_of_a_column_names_what_to_write(sql: str, fix: str) -> None:
    (problem,) = of(sql).problems
    assert "has no field" in problem.what
    assert fix in problem.fix
