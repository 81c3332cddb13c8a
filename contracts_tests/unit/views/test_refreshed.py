"""Aggregations over `CONTRACT.latest`: what they group by, what their tables have, and what is refused."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.catalog.choices import Tombstones
from avro_data_contracts.contracts.check import views as changes
from avro_data_contracts.contracts.errors import Refused
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import views
from avro_data_contracts.contracts.views.derived import Derived, derive
from avro_data_contracts.streaming.failures import RowRefused
from avro_data_contracts.streaming.inspection import refreshed_table
from avro_data_contracts.streaming.inspection.view_tables import left_out
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.run.refreshing import Refreshing
from avro_data_contracts.streaming.views import freshness
from avro_data_contracts.streaming.views.freshness import Freshness, file_of, forget, keep, newest, read
from avro_data_contracts.streaming.views.refreshed import RefreshedView
from contracts_tests.fixtures.viewed import FIELDS, catalog, contract, derived, files, header

SQL = "SELECT colour, count(*) AS n, sum(o.price) AS price FROM orders.latest o WHERE o.flag GROUP BY o.colour"
SINKS: dict[str, Any] = {"postgres": {"table": "of_view", "primary_key": ["colour"]}}


def of(sql: str, sinks: dict[str, Any] | None = None, refresh: str | None = "10 minutes", **more: Any) -> Derived:
    head = {"refresh": refresh} if refresh is not None else {}
    return derived(sql, sinks=sinks or SINKS, **head, **more)


def test_rows_are_grouped_without_a_window() -> None:
    found = of(SQL)
    assert found.problems == ()
    assert found.analysis.refreshed is not None
    assert [key.said for key in found.analysis.keys] == ["colour"]
    assert found.analysis.groups == {"colour": 0}
    assert found.analysis.grouping is None
    assert found.analysis.sql.strip() == SQL.replace("orders.latest", "latest")
    assert [(one.name, one.spark) for one in found.analysis.outputs] == [
        ("colour", "string"),
        ("n", "bigint"),
        ("price", "decimal(20,2)"),
    ]


def test_table_has_a_row_for_each_group_and_no_deletions() -> None:
    found = of(SQL)
    (sink,) = found.sinks
    table = views.wanted(found, sink)
    assert isinstance(table, Table)
    assert [column.name for column in table.all_columns] == [
        "colour",
        "n",
        "price",
        "kafka_timestamp",
        "kafka_events",
    ]
    assert found.whole().spec.tombstones is Tombstones.reject
    assert sink.bookkeeping == ("kafka_timestamp", "kafka_events")


def test_no_query_writes_a_table_that_is_refreshed() -> None:
    found = contract(SQL, sinks=SINKS, refresh="10 minutes")
    assert [name for name, _ in queries.of(found)] == ["postgres"]
    assert [(one.name, one.every_s) for one in queries.refreshed(found)] == [("v.postgres", 600)]
    assert [name for name, _ in queries.all_of(found)] == ["postgres", "v.postgres"]


CASSANDRA = {"cassandra": {"keyspace": "shop", "table": "of_view", "primary_key": ["colour"]}}
PARTITIONED = {
    "postgres": {"table": "v", "primary_key": ["day"], "partition_by": {"column": "day", "every": "month"}},
}
#: Name -> SQL, header, rule and words.
REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "no refresh": (SQL, {"refresh": None}, "VIEW_WATERMARK", "no `refresh` in its header"),
    "refresh of nothing": (SQL, {"refresh": "0 seconds"}, "VIEW_WATERMARK", "`refresh` is 0 seconds"),
    "refresh of events": (
        "SELECT colour FROM orders", {}, "VIEW_WATERMARK", "writes the rows of this view as events come",
    ),
    "refresh of a projection": (
        "SELECT id FROM orders.latest", {"sinks": {"postgres": {"table": "of_view", "primary_key": ["id"]}}},
        "VIEW_WATERMARK", "writes the rows of this view as events come",
    ),
    "time": (SQL, {"time": "at"}, "VIEW_WATERMARK", "has `time`"),
    "lateness": (SQL, {"lateness": "1 hour"}, "VIEW_WATERMARK", "has `lateness`"),
    "window": (
        "SELECT window.start AS colour, count(*) AS n FROM orders.latest GROUP BY window(at, '1 hour')", {},
        "VIEW_SQL", "has no window",
    ),
    "another store": (SQL, {"sinks": CASSANDRA}, "VIEW_KIND", "own table in cassandra, and there is none"),
    "partitions": (
        "SELECT day, count(*) AS n FROM orders.latest GROUP BY day",
        {"sinks": PARTITIONED},
        "VIEW_KIND", "refreshed as a whole",
    ),
    "key of an aggregate": (
        "SELECT count(*) AS colour FROM orders.latest GROUP BY flag", {}, "VIEW_KEY", "does not group by it",
    ),
    "group that is not in the key": (
        "SELECT colour, flag, count(*) AS n FROM orders.latest GROUP BY colour, flag", {},
        "VIEW_KEY", "groups by flag, which is not in the primary key",
    ),
    "null in the key": (
        "SELECT note AS colour, count(*) AS n FROM orders.latest GROUP BY note", {}, "VIEW_KEY", "may be null",
    ),
    "column of no group": (
        "SELECT colour, number FROM orders.latest GROUP BY colour", {}, "VIEW_SQL", "neither in GROUP BY",
    ),
    "another aggregate": (
        "SELECT colour, first(id) AS one FROM orders.latest GROUP BY colour", {},
        "VIEW_KIND", "cannot have the aggregate first",
    ),
    "path into a record": (
        "SELECT colour, max(buyer.name) AS n FROM orders.latest GROUP BY colour", {},
        "VIEW_KIND", "postgres public.orders holds buyer as JSON",
    ),
    "array": (
        "SELECT colour, max(size(tags)) AS n FROM orders.latest GROUP BY colour", {},
        "VIEW_KIND", "holds tags as JSON",
    ),
    "union": (
        "SELECT colour, count(either) AS n FROM orders.latest GROUP BY colour", {},
        "VIEW_KIND", "holds either as JSON",
    ),
    "condition on a map": (
        "SELECT colour, count(*) AS n FROM orders.latest WHERE sizes['a'] = 1 GROUP BY colour", {},
        "VIEW_KIND", "holds sizes as JSON",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_view_is_refused_with_a_reason(name: str) -> None:
    sql, head, rule, words = REFUSED[name]
    found = of(sql, **{"refresh": "10 minutes", **head})
    assert found.contract is None
    assert any(one.rule == rule and words in one.what for one in found.problems), found.problems


def test_every_other_scalar_can_be_read_back() -> None:
    nested = {"buyer", "tags", "sizes", "either", "colour"}
    counts = ", ".join(f"count({name}) AS n_{name}" for name in FIELDS if name not in nested)
    assert of(f"SELECT colour, {counts} FROM orders.latest GROUP BY colour").problems == ()


def test_null_that_may_be_a_default_is_not_read() -> None:
    fields = {"colour": "string", "note": ["string", "null"], "flag": "boolean"}
    made = files({"v": header(SINKS, refresh="1 hour")}, fields)
    value = json.loads(made["orders/value.avsc"])
    next(one for one in value["fields"] if one["name"] == "note")["default"] = "none"
    text = made["orders/views/v.sql"] + "SELECT colour, count(note) AS n FROM orders.latest GROUP BY colour"
    found = catalog({**made, "orders/value.avsc": json.dumps(value), "orders/views/v.sql": text}).get("orders")
    (problem,) = derive(found, found.views[0]).problems
    assert "may be null, or the default of note" in problem.what


def test_masked_field_is_not_aggregated() -> None:
    sql = "SELECT colour, count(DISTINCT_NOTE) AS n FROM orders.latest GROUP BY colour".replace(
        "DISTINCT_NOTE", "note"
    )
    made = files({"v": header(SINKS, refresh="1 hour") + sql}, masks=[{"field": "note", "mask": "hash"}])
    found = catalog(made).get("orders")
    (problem,) = derive(found, found.views[0]).problems
    assert problem.rule == "VIEW_MASK"
    assert "note is masked in postgres public.orders" in problem.what


OTHERS = {
    "an expression": (SQL.replace("count(*)", "count(note)"), "10 minutes"),
    "the condition": (SQL.replace("WHERE o.flag", "WHERE number > 1"), "10 minutes"),
    "the interval": (SQL, "1 hour"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_changed_sql_needs_nothing_because_the_table_is_refreshed(name: str) -> None:
    sql, refresh = OTHERS[name]
    old = contract(SQL, sinks=SINKS, refresh="10 minutes")
    new = contract(sql, sinks=SINKS, refresh=refresh)
    assert list(changes.facts(old, new)) == []


def test_view_that_is_no_longer_refreshed_is_rebuilt() -> None:
    old = contract(SQL, sinks=SINKS, refresh="10 minutes")
    new = contract("SELECT colour FROM orders", sinks={"postgres": {"table": "other", "primary_key": ["colour"]}})
    rebuilt = [one for one in changes.facts(old, new) if one.rule == "VIEW_REBUILD"]
    assert ["computed from the table of the contract" in one.message for one in rebuilt] == [True]
    assert [one.rule for one in changes.facts(new, old)] == ["TABLE_ABANDONED"]


def test_freshness_is_kept_whole_and_another_version_is_none(tmp_path: Any) -> None:
    folder = tmp_path / "topic-a"
    folder.mkdir()
    found = Freshness(12.5, 3, 0.25, "abc", {0: 7, 1: 0})
    keep(file_of(folder, "v.postgres"), found)
    assert read(file_of(folder, "v.postgres")) == found
    assert newest(tmp_path, "v.postgres") == found
    assert newest(tmp_path, "w.postgres") is None
    for text in ("", "[]", '{"as_of": 1}', "{"):
        file_of(folder, "v.postgres").write_text(text)
        assert read(file_of(folder, "v.postgres")) is None


SMALL, LARGE = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"
#: What a view of groups selects and groups by -> whether it may be a uuid in capital letters.
OF_UUIDS = {
    ("owner AS colour, count(*) AS n", "owner"): False,
    ("coalesce(owner, token) AS colour, count(*) AS n", "coalesce(owner, token)"): False,
    ("colour, max(owner) AS n", "colour"): False,
    ("colour, count(*) AS n", "colour"): True,
    ("title AS colour, count(*) AS n", "title"): True,
}


@pytest.mark.parametrize("owner", [SMALL, LARGE])
@pytest.mark.parametrize(("select", "group"), OF_UUIDS)
def test_uuids_of_a_csv_in_capital_letters_are_no_groups(select: str, group: str, owner: str) -> None:
    columns = {"code": "string", "title": "string", "owner": "uuid"}
    reference = {"shops": {"csv": "shops.csv", "key": ["code"], "columns": columns}}
    sql = f"SELECT {select} FROM orders.latest o JOIN shops ON o.id = shops.code GROUP BY {group}"
    made = files({"v": header(SINKS, refresh="1 hour", reference=reference) + sql})
    made["orders/views/shops.csv"] = f"code,title,owner\na,A,{SMALL}\nb,B,{owner}\n"
    found = catalog(made).get("orders")
    problems = derive(found, found.views[0]).problems
    if owner == SMALL or OF_UUIDS[select, group]:
        assert problems == ()
    else:
        assert {one.rule for one in problems} == {"VIEW_REFERENCE"}
        assert f"shops.owner has the uuid {LARGE}" in problems[0].what
        assert problems[0].fix.endswith("orders/views/shops.csv in lower case")


def test_a_table_that_is_emptied_has_no_freshness_of_any_topic(tmp_path: Any) -> None:
    found = Freshness(12.5, 3, 0.25, "abc", None)
    for topic in ("topic-a", "topic-b"):
        (tmp_path / topic).mkdir()
        for name in ("v.postgres", "w.postgres"):
            keep(file_of(tmp_path / topic, name), found)
    forget(tmp_path, "v.postgres")
    forget(tmp_path, "x.postgres")
    assert newest(tmp_path, "v.postgres") is None
    assert newest(tmp_path, "w.postgres") == found


def refreshed(folder: Path, ttl: int | None = None) -> RefreshedView:
    """The table of a view in Cassandra, where rows of the contract's own table expire, or stay."""
    own = {"keyspace": "shop", "table": "orders", "primary_key": ["id"], **({"ttl": ttl} if ttl else {})}
    made = files({"v": header(CASSANDRA, refresh="10 minutes") + SQL}, sinks={"cassandra": own})
    (found,) = job.refreshed(Settings(checkpoint_dir=folder), catalog(made).get("orders"))
    return found


def test_table_of_rows_that_expire_is_not_compared(tmp_path: Path) -> None:
    stays, expires = refreshed(tmp_path), refreshed(tmp_path, ttl=86_400)
    assert (stays.changes_by_itself, expires.changes_by_itself) == (False, True)
    for view in (stays, expires):
        said = freshness.said_by(view.derived.view)
        keep(file_of(tmp_path, view.name), Freshness(12.5, 3, 0.25, said, {0: 7}))
        checkpoint = tmp_path / "cassandra"
        for log in ("offsets", "commits"):
            (checkpoint / log).mkdir(parents=True, exist_ok=True)
            (checkpoint / log / "0").write_text(f'v1\n{{}}\n{{"{view._contract.topic}": {{"0": 7}}}}')
    assert refreshed_table._moves(stays._contract, stays, tmp_path) == ""
    words = "cassandra: rows of shop.orders expire by themselves"
    assert refreshed_table._moves(expires._contract, expires, tmp_path) == words


def test_refused_row_of_a_group_names_the_view_and_no_dead_letter(tmp_path: Path) -> None:
    view = refreshed(tmp_path)
    told = view._refused(RowRefused("CheckViolation", where="PostgreSQL", fix="dlq show", server="postgres"))
    assert isinstance(told, Refused)
    assert (told.what, told.where, told.server) == ("CheckViolation", "PostgreSQL", "postgres")
    assert "WHERE in" in told.fix
    assert view.derived.view.file in told.fix
    assert "dlq" not in told.fix


@pytest.mark.parametrize("before", [None, 12.5])
def test_metric_has_the_last_refresh_from_the_start(tmp_path: Path, before: float | None) -> None:
    view = refreshed(tmp_path)
    metrics = Metrics(view._contract)
    if before is not None:
        keep(file_of(tmp_path, view.name), Freshness(before, 3, 0.25, "abc", None))
    none: Any = None
    Refreshing(none, Settings(), view._contract, view, tmp_path, threading.Event(), metrics, structlog.get_logger())
    labels = {"contract": "orders", "sink": "v.cassandra"}
    found = metrics.families.registry.get_sample_value("stream_view_refreshed_timestamp_seconds", labels)
    assert found == (before or 0)


@pytest.mark.parametrize(
    ("sql", "refresh", "words"),
    [
        (
            "SELECT colour, count(*) AS n FROM orders.latest o JOIN c ON o.colour = c.code GROUP BY colour",
            "10 minutes",
            "each refresh has joined the reference data of its time",
        ),
        (
            "SELECT o.colour FROM orders o JOIN c ON o.colour = c.code",
            None,
            "each batch has joined the reference data of its time",
        ),
        (SQL, "10 minutes", None),
    ],
)
def test_view_with_a_join_is_not_compared(sql: str, refresh: str | None, words: str | None) -> None:
    data = {"c": {"table": "public.c", "columns": {"code": "string"}, "key": ["code"]}} if words else None
    head = {"refresh": refresh} if refresh else {}
    found = contract(sql, sinks=SINKS, **head, **({"reference": data} if data else {}))
    assert left_out(found) == ({"v": words} if words else {})
