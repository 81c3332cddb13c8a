"""Aggregations: what they group by, what they keep, their columns, and what the stream cannot continue."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables.views import wanted
from avro_data_contracts.contracts.views import durations, spark_functions
from avro_data_contracts.contracts.views.aggregates import CONTINUED
from avro_data_contracts.contracts.views.derived import Derived
from avro_data_contracts.streaming.stores.known import STORES
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.viewed import FIELDS, derived

KEY = ["hour", "colour"]
SINKS: dict[str, Any] = {
    "postgres": {"table": "of_view", "primary_key": KEY},
    "cassandra": {"keyspace": "shop", "table": "of_view", "primary_key": KEY},
}
GROUP = "GROUP BY window(at, '1 hour'), colour"


def grouped(sql: str, sinks: dict[str, Any] | None = None, **more: Any) -> Derived:
    return derived(sql, sinks=sinks or SINKS, **{"time": "at", "lateness": "10 minutes", **more})


def of_values(values: str, group: str = GROUP) -> Derived:
    return grouped(f"SELECT window.start AS hour, colour, {values} FROM orders {group}")


def test_each_store_has_a_sink_for_an_aggregation() -> None:
    contract = of_values("count(*) AS n").whole()
    settings_ = Settings(postgres_dsn="postgresql://u@127.0.0.1/x")
    for spec in contract.sinks:
        assert STORES[spec.kind].sink(settings_, contract, spec).spec is spec


def test_aggregation_groups_by_window_and_key_and_keeps_its_parts() -> None:
    found = grouped(
        "SELECT window(at, '1 hour').start AS hour, o.colour, -- the colour\n"
        "  count(*) AS n, sum(o.number) FILTER (WHERE ratio > 1) AS big, avg(amount) AS mean, count(*) + 1 AS more\n"
        "FROM orders o -- FROM\nWHERE o.number IS DISTINCT FROM 3 GROUP BY window(at, '1 hour'), COLOUR;"
    )
    assert found.problems == ()
    groups = found.analysis.grouping
    assert groups is not None
    assert groups.identity == ("window(at, 3600000, 3600000, 0)", "colour", "number is distinct from 3")
    assert groups.source == "FROM orders o -- FROM\nWHERE o.number IS DISTINCT FROM 3"
    assert groups.groups == {"hour": None, "colour": 0}
    assert {one.name: (one.said, one.of_events, one.merge) for one in groups.kept} == {
        "__kept0": ("count ( * ) #0", "count(*)", "sum(`__kept0`)"),
        "__kept1": (
            "sum ( number ) filter ( where ratio > 1 ) #0",
            "sum(o.number) FILTER (WHERE ratio > 1)",
            "sum(`__kept1`)",
        ),
        "__kept2": ("avg ( amount ) #0", "sum(CAST(amount AS DOUBLE))", "sum(`__kept2`)"),
        "__kept3": ("avg ( amount ) #1", "count(amount)", "sum(`__kept3`)"),
    }
    assert groups.values[0] == "`__start` AS `hour`"
    assert groups.values[-1] == "(`__kept0`) + 1\nAS `more`"


#: Two texts of which Spark makes two values, or which are two things.
DIFFERENT = [
    ("'A'", "'a'"),
    ("r'A'", "r'a'"),
    ("r'a'", "note"),
    (r"'\%'", r"'\\%'"),
    (r"r'\n'", r"'\n'"),
    ("'note'", "note"),
    ("'1'", "1"),
    ("'null'", "null"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_texts_that_differ_are_two_aggregates_and_two_conditions(one: str, other: str) -> None:
    found = of_values(f"count_if(note = {one}) AS x, count_if(note = {other}) AS y")
    assert found.analysis.grouping is not None
    assert len(found.analysis.grouping.kept) == 2
    where = f"SELECT window.start AS hour, colour, count(*) AS n FROM orders WHERE note = {{}} {GROUP}"
    conditions = [grouped(where.format(text)).analysis.grouping for text in (one, other)]
    assert None not in conditions
    assert len({groups.identity for groups in conditions if groups is not None}) == 2


def test_texts_that_differ_only_in_how_names_are_written_are_one_aggregate() -> None:
    found = of_values(
        "count_if(NOTE = r'A') AS x, COUNT_IF( `note` = r'A' /* A */) AS y, count_if(orders.note=r'A') z"
    )
    assert found.analysis.grouping is not None
    assert [one.said for one in found.analysis.grouping.kept] == ["count_if ( note = r'A' ) #0"]


def test_name_in_quotes_is_not_the_word() -> None:
    fields = {**FIELDS, "true": "boolean"}
    sql = f"SELECT window.start AS hour, colour, count_if(`true`) AS x, count_if(true) AS y FROM orders {GROUP}"
    found = derived(sql, fields, sinks=SINKS, time="at", lateness="1 hour")
    assert found.analysis.grouping is not None
    assert [one.of_events for one in found.analysis.grouping.kept] == ["count_if(`true`)", "count_if(true)"]


#: A value -> Spark's type and whether it may be null.
VALUES = {
    "count(*)": ("bigint", False),
    "count(note)": ("bigint", False),
    "count_if(flag)": ("bigint", False),
    "sum(number)": ("bigint", False),
    "sum(ratio)": ("double", False),
    "sum(price)": ("decimal(20,2)", False),
    "try_sum(amount)": ("bigint", True),
    "avg(number)": ("double", False),
    "mean(score)": ("double", False),
    "min(day)": ("date", False),
    "max(note)": ("string", True),
    "max(number) FILTER (WHERE flag)": ("int", True),
    "bool_and(flag)": ("boolean", False),
    "bool_or(flag)": ("boolean", False),
    "every(flag)": ("boolean", False),
    "some(flag)": ("boolean", False),
    "bit_or(number)": ("int", False),
    "bit_and(amount)": ("bigint", False),
    "bit_xor(number)": ("int", False),
    "sum(number) / count(*)": ("double", True),
    "CAST(sum(price) / count(price) AS DECIMAL(12, 4))": ("decimal(12,4)", True),
    "window.end": ("timestamp", False),
    "CASE WHEN count(*) > 1 THEN 'many' ELSE 'one' END": ("string", False),
}


@pytest.mark.parametrize("value", VALUES)
def test_value_of_a_group_has_its_type(value: str) -> None:
    found = of_values(f"{value} AS x")
    assert found.problems == ()
    x = found.analysis.by_name["x"]
    assert (x.spark, x.nullable) == VALUES[value]


def test_every_continued_function_has_a_value() -> None:
    assert set(CONTINUED) <= {value.partition("(")[0] for value in VALUES} | {"every", "some"}
    assert set(CONTINUED) <= spark_functions.AGGREGATES <= spark_functions.KNOWN


def test_table_has_a_row_for_each_group_and_counts_its_events() -> None:
    found = of_values("max(at) AS last")
    columns = {}
    for sink in found.sinks:
        table = wanted(found, sink)
        assert isinstance(table, Table)
        columns[sink.kind] = {one.name: one.type for one in table.all_columns}
    assert columns == {
        "cassandra": {
            "hour": "timestamp",
            "colour": "text",
            "last": "timestamp",
            "kafka_timestamp": "timestamp",
            "kafka_events": "bigint",
        },
        "postgres": {
            "hour": "timestamp with time zone",
            "colour": "text",
            "last": "timestamp with time zone",
            "kafka_timestamp": "timestamp with time zone",
            "kafka_events": "bigint",
        },
    }
    # No contract can say so.
    said = {"postgres": {**SINKS["postgres"], "groups": True}}
    with pytest.raises(ConfigurationError, match=r"unknown key .sinks\.postgres\.groups"):
        grouped(f"SELECT window.start AS hour, colour, count(*) AS n FROM orders {GROUP}", said)


def test_window_over_local_time_has_local_bounds() -> None:
    keys = "window(local, '1 hour', '5 minutes'), colour"
    sql = f"SELECT window.start AS hour, colour, count(*) AS n FROM orders GROUP BY {keys}"
    found = grouped(sql, time="local")
    assert found.contract is not None
    assert found.analysis.by_name["hour"].spark == "timestamp_ntz"
    assert type_name(found.contract.value.record.by_name["hour"].type) == "local-timestamp-millis"


@pytest.mark.parametrize("column", ["at", "exact", "local"])
def test_session_has_the_bounds_of_its_events(column: str) -> None:
    found = grouped(
        f"SELECT session_window({column}, '30 minutes').start AS hour, colour, session_window.end AS until, "
        f"count(*) AS n FROM orders GROUP BY session_window({column}, '30 minutes'), colour",
        time=column,
    )
    assert found.problems == ()
    assert found.analysis.grouping is not None
    assert found.analysis.grouping.window.is_session
    assert found.contract is not None
    for name in ("hour", "until"):
        kind = type_name(found.contract.value.record.by_name[name].type)
        wanted = {"at": "timestamp-millis", "exact": "timestamp-micros", "local": "local-timestamp-micros"}
        assert kind == wanted[column]


#: What a group divides, and whether the divisor may be zero.
DIVISIONS = [
    ("sum(number) / count_if(flag)", True),
    ("sum(number) / count(note)", True),
    ("sum(number) / count(*) FILTER (WHERE flag)", True),
    ("sum(number) % max(number)", True),
    ("sum(number) div min(number)", True),
    ("mod(sum(number), max(number))", True),
    ("pmod(sum(number), max(number))", True),
    ("1 / (count(*) - 1)", True),
    ("sum(number) / CAST(0.5 AS INT)", True),
    ("sum(number) / 0", True),
    ("upper(CASE WHEN sum(number) / bit_xor(number) > 1 THEN 'a' ELSE 'b' END)", True),
    ("sum(number) FILTER (WHERE flag) / count(number) FILTER (WHERE NOT flag)", True),
    ("sum(number) / count(*)", False),
    ("sum(number) / count(amount)", False),
    ("max(length(note)) / count(length(note))", False),
    ("sum(number) FILTER (WHERE flag) / count(number) FILTER (WHERE flag)", False),
    ("CAST(sum(number) AS DOUBLE) / CAST(count(number) AS DOUBLE)", False),
    ("sum(number) / nullif(count_if(flag), 0)", False),
    ("sum(number) % 2", False),
    ("sum(number) / -60", False),
    ("sum(number) / CAST(0.5 AS DOUBLE)", False),
    ("sum(number / amount)", False),
    ("count(*) FILTER (WHERE number / amount > 1)", False),
]


@pytest.mark.parametrize(("value", "is_refused"), DIVISIONS)
def test_division_of_a_group_is_never_by_zero(value: str, is_refused: bool) -> None:
    found = of_values(f"CAST({value} AS STRING) AS x")
    told = [one for one in found.problems if "may be 0" in one.what]
    assert found.problems == tuple(told)
    assert bool(told) == is_refused
    for one in told:
        assert (one.rule, "nullif(" in one.fix, "try_divide" in one.fix) == ("VIEW_SQL", True, True)


def test_key_may_be_zero_too() -> None:
    keys = ["hour", "number"]
    sql = "SELECT window.start AS hour, number, sum(amount) / number AS x FROM orders GROUP BY window(at, '1 hour'), "
    (one,) = grouped(sql + "number", {"postgres": {"table": "of_view", "primary_key": keys}}).problems
    assert "number may be 0" in one.what


def test_uuid_is_compared_in_one_case() -> None:
    """The stores do not tell `A` from `a` in one, and Spark would make two groups of one row."""
    sql = "SELECT window.start AS hour, {0} AS key, min({0}) AS least FROM orders GROUP BY window(at, '1 hour'), {0}"
    sinks = {"postgres": {"table": "of_view", "primary_key": ["hour", "key"]}}
    for column, lowered in (("token", True), ("orders.token", True), ("id", False), ("upper(token)", False)):
        groups = grouped(sql.format(column), sinks).analysis.grouping
        assert groups is not None
        text = f"lower({column})" if lowered else column
        assert ([one.computed for one in groups.keys], groups.kept[0].of_events) == ([text], f"min({text})")


#: SQL behind `SELECT window.start AS hour, colour, `, the rule, words, and the text at the place.
WRONG = [
    (f"collect_list(id) AS x FROM orders {GROUP}", "VIEW_KIND", "cannot continue collect_list", "collect_list"),
    (f"first(id) AS x FROM orders {GROUP}", "VIEW_KIND", "cannot continue first", "first"),
    (f"max_by(id, at) AS x FROM orders {GROUP}", "VIEW_KIND", "cannot continue max_by", "id"),
    (f"any(flag) AS x FROM orders {GROUP}", "VIEW_SQL", "neither in GROUP BY", "flag"),
    (f"count(DISTINCT id) AS x FROM orders {GROUP}", "VIEW_SQL", "cannot have DISTINCT", "id"),
    (f"sum(count(*)) AS x FROM orders {GROUP}", "VIEW_SQL", "inside another aggregate", "count"),
    (f"count(*) AS x FROM orders WHERE sum(number) > 1 {GROUP}", "VIEW_SQL", "in WHERE", "sum"),
    (f"count(*) AS x FROM orders {GROUP} HAVING count(*) > 1", "VIEW_SQL", "cannot have HAVING", "count"),
    (f"id AS x FROM orders {GROUP}", "VIEW_SQL", "neither in GROUP BY", "id"),
    (f"upper(colour) AS x FROM orders {GROUP}", "VIEW_SQL", "neither in GROUP BY", "colour"),
    (f"avg(price) AS x FROM orders {GROUP}", "VIEW_TYPE", "computed in binary", "avg"),
    (f"CAST(avg(price) AS DECIMAL(9, 2)) AS x FROM orders {GROUP}", "VIEW_TYPE", "computed in binary", "avg"),
    (f"sum(price * 2) AS x FROM orders {GROUP}", "VIEW_TYPE", "not certain", "sum"),
    (f"count(nmber) AS x FROM orders {GROUP}", "VIEW_COLUMN", "no field 'nmber'", "nmber"),
    (f"count(*) AS kafka_events FROM orders {GROUP}", "", "", ""),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 hour'), nmber", "VIEW_COLUMN", "no field 'nmber'", "nmber"),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 hour'), 2", "VIEW_SQL", "GROUP BY 2", "2"),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 hour'), 'a'", "VIEW_SQL", "GROUP BY a", "'a'"),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 hour'), rand()", "VIEW_SQL", "another value", "rand"),
    ("count(*) AS x FROM orders GROUP BY ALL", "VIEW_SQL", "GROUP BY ALL", "SELECT"),
    ("count(*) AS x FROM orders GROUP BY CUBE(colour), window(at, '1 hour')", "VIEW_SQL", "one list", "colour"),
    ("count(*) AS x FROM orders GROUP BY colour WITH ROLLUP", "VIEW_SQL", "ROLLUP", "colour"),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 month'), colour", "VIEW_SQL", "not clear", "window"),
    ("count(*) AS x FROM orders GROUP BY window(at), colour", "VIEW_SQL", "not clear", "window"),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 hour', '2 hours'), colour", "VIEW_SQL", "slide", "window"),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 day', '1 second'), colour", "VIEW_SQL", "slide", "window"),
    ("count(*) AS x FROM orders GROUP BY window(at, '0 hours'), colour", "VIEW_SQL", "longer than 0", "window"),
    ("count(*) AS x FROM orders GROUP BY window(at, '1 hour'), window(at, '2 hours')", "VIEW_SQL", "one window", "w"),
    ("count(*) AS x FROM orders GROUP BY window(day, '1 hour'), colour", "VIEW_WATERMARK", "timestamp", "window"),
    ("count(*) AS x FROM orders GROUP BY window(number, '1 hour'), colour", "VIEW_WATERMARK", "number", "window"),
    ("count(*) AS x FROM orders GROUP BY session_window(at, '1 hour', '1 hour'), colour", "VIEW_SQL", "clear", "ses"),
    ("window.end AS x FROM orders GROUP BY session_window(at, '1 hour'), colour", "VIEW_SQL", "neither", "w"),
    ("count(*) AS x FROM orders GROUP BY colour", "VIEW_WATERMARK", "no window", "colour"),
    ("window(at, '2 hours').end AS x FROM orders GROUP BY window(at, '1 hour'), colour", "VIEW_SQL", "another", "w"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rule", "words", "at"), [one for one in WRONG if one[1]])
def test_wrong_aggregation_is_told_with_its_place(sql: str, rule: str, words: str, at: str) -> None:
    found = grouped(f"SELECT window.start AS hour, colour, {sql}")
    assert found.contract is None
    one = next(one for one in found.problems if one.rule == rule and words in one.what)
    assert found.view.text.splitlines()[one.line - 1][one.column - 1 :].startswith(at)
    assert one.fix


@pytest.mark.parametrize(
    "clause",
    [
        "HAVING count(*) > 1", "HAVING colour > 'A'", "ORDER BY colour", "ORDER BY colour, n DESC", "SORT BY colour",
        "DISTRIBUTE BY colour", "CLUSTER BY colour", "LIMIT 3", "LIMIT 3 OFFSET 1", "OFFSET 2",
        "HAVING count(*) > 1 ORDER BY n LIMIT 3",
    ],
)  # fmt: skip
def test_clause_behind_the_groups_is_the_only_problem(clause: str) -> None:
    found = grouped(f"SELECT window.start AS hour, colour, count(*) AS n FROM orders {GROUP} {clause}")
    assert found.problems
    assert [one.what for one in found.problems if not one.what.startswith("a view cannot have ")] == []


#: The primary key, what is wrong with it, and the fix.
KEYS = [
    (["colour"], "the view groups by the window, which is not in the primary key of public.of_view", "add hour"),
    (["hour"], "the view groups by colour, which is not in the primary key of public.of_view", "add colour"),
    (["hour", "colour", "n"], "n is in the primary key of public.of_view, and the view does not group", "remove it"),
]


@pytest.mark.parametrize(("key", "words", "fix"), KEYS)
def test_key_of_the_table_is_that_of_the_groups(key: list[str], words: str, fix: str) -> None:
    sinks = {"postgres": {"table": "of_view", "primary_key": key}}
    found = grouped(f"SELECT window.start AS hour, colour, count(*) AS n FROM orders {GROUP}", sinks)
    (one,) = found.problems
    assert (one.rule, one.line) == ("VIEW_KEY", 1)
    assert one.what.startswith(words)
    assert one.fix.startswith(fix)


def test_group_that_is_not_selected_or_may_be_null_is_refused() -> None:
    found = grouped(f"SELECT window.start AS hour, colour, count(*) AS n FROM orders {GROUP}, flag")
    assert {one.fix for one in found.problems} == {"select flag, and add it to primary_key"}
    note = {"postgres": {"table": "of_view", "primary_key": ["hour", "note"]}}
    sql = "SELECT window.start AS hour, {0} AS note, count(*) AS n FROM orders GROUP BY window(at, '1 hour'), {0}"
    assert "may be null" in grouped(sql.format("note"), note).problems[0].what
    assert grouped(sql.format("coalesce(note, '')"), note).problems == ()
    append = {"postgres": {"table": "of_view", "mode": "append"}}
    (one,) = grouped(sql.format("note"), append).problems
    assert "a row for each event (`mode: append`)" in one.what


def test_lateness_of_zero_is_a_lateness() -> None:
    assert grouped(f"SELECT window.start AS hour, colour FROM orders {GROUP}", lateness="0 seconds").problems == ()


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1 hour", 3_600_000),
        ("INTERVAL 90 minutes", 5_400_000),
        ("1 day 2 hours", 93_600_000),
        ("-5 seconds", -5_000),
        ("250 milliseconds", 250),
        ("2 weeks", 1_209_600_000),
        ("1 month", None),
        ("1 microsecond", None),
        ("1.5 hours", None),
        ("", None),
        ("hour", None),
    ],
)
def test_length_of_a_window_is_exact_or_refused(text: str, millis: int | None) -> None:
    assert durations.millis(text) == millis


_WORDS = (
    "SELECT FROM WHERE orders GROUP BY window(at,'1 hour') window.start window colour count(*) sum( number ) , avg "
    "FILTER ( WHERE note ) AS hour HAVING max min try_sum CASE WHEN END session_window ROLLUP 1 'x' + . ' -- /* */ ;"
)


@settings(max_examples=examples.of(300), deadline=None)
@given(st.lists(st.sampled_from(_WORDS.split()), max_size=18).map(" ".join))
def test_any_text_gives_problems_or_groups(text: str) -> None:
    found = grouped(f"\n{text} {GROUP}")
    assert (found.contract is None) == bool(found.problems)
    lines = found.view.text.count("\n") + 1
    assert all(1 <= one.line <= lines + 1 and one.column >= 1 for one in found.problems)
    if found.contract is not None:
        assert found.analysis.grouping is not None
        assert len(found.analysis.grouping.values) == len(found.analysis.outputs)
