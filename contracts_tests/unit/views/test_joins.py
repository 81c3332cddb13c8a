"""Joins with reference data: what a view may join, and what each column of the result is."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables.views import wanted
from avro_data_contracts.contracts.views import csv_rows, references
from avro_data_contracts.contracts.views.derived import Derived, derive
from contracts_tests.fixtures.viewed import catalog, files, header

CSV = "code,name,population,area\nDE,Germany,83000000,357.58\nFR,France,,\n"
COLUMNS: dict[str, Any] = {
    "code": "string",
    "name": "string",
    "population": ["null", "long"],
    "area": [None, "decimal(12,2)"],
}
COUNTRIES: dict[str, Any] = {"csv": "countries.csv", "key": ["code"], "columns": COLUMNS}
REGIONS: dict[str, Any] = {
    "table": "geo.regions",
    "key": ["code", "number"],
    "columns": {"code": "string", "number": "int", "title": "string", "since": "timestamp-micros"},
    "refresh": "5 minutes",
}


def joined(sql: str, text: str | None = CSV, data: dict[str, Any] | None = None, **more: Any) -> Derived:
    """A view of this SQL, which begins in line 2, and countries.csv beside it."""
    made = files({"v": header(reference={"countries": COUNTRIES} if data is None else data, **more) + sql})
    if text is not None:
        made["orders/views/countries.csv"] = text
    found = catalog(made).get("orders")
    return derive(found, found.views[0])


def outputs(found: Derived) -> dict[str, tuple[Any, ...]]:
    assert found.problems == ()
    return {one.name: (one.spark, one.nullable, one.paths, one.references) for one in found.analysis.outputs}


def test_columns_of_a_reference_have_their_types_and_sources() -> None:
    found = joined(
        "SELECT id, name, c.population, area, coalesce(c.population, amount) AS people\n"
        "FROM orders JOIN countries c ON upper(note) = c.code"
    )
    assert outputs(found) == {
        "id": ("string", False, ("id",), ()),
        "name": ("string", False, (), (("countries", "name"),)),
        "population": ("bigint", True, (), (("countries", "population"),)),
        "area": ("decimal(12,2)", True, (), (("countries", "area"),)),
        "people": ("bigint", False, ("amount",), (("countries", "population"),)),
    }
    analysis = found.analysis
    assert (analysis.filtered, analysis.matched, analysis.filtering) == ((), ("note",), ())
    table = wanted(found, found.view.spec.sinks.postgres)
    assert isinstance(table, Table)
    types = {one.name: one.type for one in table.columns}
    assert types["area"] == "numeric(12,2)"


def test_left_join_makes_its_columns_nullable() -> None:
    sql = "SELECT id, name, coalesce(name, '?') AS known FROM orders LEFT JOIN countries ON countries.code = note"
    found = outputs(joined(sql))
    assert [found[name][1] for name in ("id", "name", "known")] == [False, True, False]


def test_one_reference_joined_twice_is_two_tables() -> None:
    sql = "SELECT id, a.name, b.name AS other FROM orders JOIN countries a ON note = a.code"
    found = outputs(joined(f"{sql} LEFT JOIN countries b ON orders.id = b.code"))
    assert (found["name"][1], found["other"][1]) == (False, True)


def test_table_is_joined_by_its_whole_key() -> None:
    on = "note = r.code AND r.number = orders.number"
    sql = f"SELECT id, title, since FROM orders JOIN regions r ON {on} WHERE since < at"
    found = joined(sql, data={"regions": REGIONS})
    assert {name: one[0] for name, one in outputs(found).items()} == {
        "id": "string",
        "title": "string",
        "since": "timestamp",
    }
    data = found.analysis.data["regions"]
    assert (data.table, data.key, data.refresh) == ("geo.regions", ("code", "number"), 300)


def test_aggregation_groups_by_a_column_of_a_reference() -> None:
    sinks = {"postgres": {"table": "of_view", "primary_key": ["hour", "name"]}}
    found = joined(
        "SELECT window.start AS hour, c.name, count(*) AS n, sum(c.population) AS people\n"
        "FROM orders JOIN countries c ON note = c.code WHERE flag GROUP BY window(at, '1 hour'), c.name",
        sinks=sinks,
        time="at",
        lateness="1 hour",
    )
    assert outputs(found)["people"] == ("bigint", True, (), (("countries", "population"),))
    grouping = found.analysis.grouping
    assert grouping is not None
    assert grouping.identity[-2:] == ("join countries c on note = c . code", "flag")


#: SQL -> rule, words of the problem, and the text at its place.
REFUSED: dict[str, tuple[str, str, str]] = {
    "SELECT id FROM orders JOIN countries ON note = name": ("VIEW_KIND", "may|not in the key", "name"),
    "SELECT id FROM orders JOIN countries ON note = code OR id = code": ("VIEW_KIND", "by = and AND alone", "note"),
    "SELECT id FROM orders JOIN countries ON note < code": ("VIEW_KIND", "by = and AND alone", "note"),
    "SELECT id FROM orders JOIN countries ON note = upper(code)": ("VIEW_KIND", "neither side is a column", "note"),
    "SELECT id FROM orders JOIN countries ON note.a.b.c.d = code": ("VIEW_KIND", "not a field|neither", "note"),
    "SELECT id FROM orders JOIN countries ON 'DE' = code": ("VIEW_KIND", "not a field of the event", "'DE'"),
    "SELECT id FROM orders JOIN countries ON note = code AND id = code": ("VIEW_KIND", "compared twice", "id"),
    "SELECT id FROM orders JOIN countries ON number = code": ("VIEW_TYPE", "string, and number is a int", "number"),
    "SELECT id FROM orders RIGHT JOIN countries ON note = code": ("VIEW_KIND", "RIGHT JOIN", "countries"),
    "SELECT id FROM orders FULL OUTER JOIN countries ON note = code": ("VIEW_KIND", "FULL OUTER JOIN", "countries"),
    "SELECT id FROM orders LEFT ANTI JOIN countries ON note = code": ("VIEW_KIND", "LEFT ANTI JOIN", "countries"),
    "SELECT id FROM orders CROSS JOIN countries": ("VIEW_KIND", "CROSS JOIN", "countries"),
    "SELECT id FROM orders, countries": ("VIEW_KIND", "CROSS JOIN", "countries"),
    "SELECT id FROM orders JOIN countries USING (code)": ("VIEW_KIND", "USING", "countries"),
    "SELECT id FROM orders JOIN countries": ("VIEW_KIND", "without a condition", "countries"),
    "SELECT id FROM orders JOIN countries TABLESAMPLE (5 ROWS) ON note = code": ("VIEW_KIND", "SAMPLE", "c"),
    "SELECT id FROM orders JOIN (SELECT 'DE' AS code) countries ON note = code": ("VIEW_KIND", "than a name", ""),
    "SELECT id FROM orders JOIN countries orders ON note = orders.code": ("VIEW_SQL", "two tables", "countries"),
    "SELECT id FROM orders JOIN shops ON note = shops.id": ("VIEW_COLUMN", "no reference data shops", "shops"),
    "SELECT id FROM orders": ("VIEW_REFERENCE", "does not join countries", ""),
    "SELECT id, countries.capital FROM orders JOIN countries ON note = code": (
        "VIEW_COLUMN", "countries has no column 'capital'", "countries.capital",
    ),
    "SELECT id FROM orders JOIN countries ON note = code WHERE name = rand()": ("VIEW_SQL", "another value", "rand"),
    "SELECT id FROM orders JOIN countries ON upper(note || uuid()) = code": ("VIEW_SQL", "another value", "uuid"),
    "SELECT id, a.name FROM orders JOIN countries a ON note = a.code JOIN countries b ON a.name = b.code": (
        "VIEW_KIND", "is of reference data", "a.name",
    ),
    "SELECT id, note AS code, name FROM orders o JOIN countries ON o.note = code JOIN countries c ON note = c.code": (
        "VIEW_COLUMN", "a column of several tables", "name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sql", REFUSED)
def test_other_join_is_refused_with_a_reason(sql: str) -> None:
    rule, words, at = REFUSED[sql]
    found = joined(sql)
    assert found.contract is None
    matching = [one for one in found.problems if one.rule == rule and any(w in one.what for w in words.split("|"))]
    assert matching, found.problems
    assert all(one.fix for one in found.problems)
    if at:
        lines = {1: header(reference={"countries": COUNTRIES}), 2: sql}
        assert any(lines[one.line][one.column - 1 :].startswith(at) for one in matching)


def test_second_column_of_the_key_is_missing() -> None:
    found = joined("SELECT id FROM orders JOIN regions r ON note = r.code", data={"regions": REGIONS})
    (one,) = found.problems
    assert (one.rule, one.what) == ("VIEW_KIND", "regions may have several rows for an event: its key has number too")


#: Text of the CSV -> the line, and words of the problem; None: there is no file.
BAD: list[tuple[str | None, int, str]] = [
    (None, 1, "there is no file schemas/orders/views/countries.csv"),
    ("", 1, "the file is empty"),
    ("code,name,population,area\n", 1, "has no rows"),
    ("code;name;population;area\nDE;Germany;1;1\n", 1, "has no column code, name, population, area"),
    ("code,name,name,population,area\nDE,a,b,1,1\n", 1, "two columns are called name"),
    (CSV + "DE,Germany,1,1\n", 4, "the row has the code of line 2"),
    (CSV + "GB,Britain\n", 4, "has 2 cells, and the header 4"),
    (CSV + "GB,Britain,1.5,1\n", 4, "population has a fraction"),
    (CSV + "GB,Britain,07,1\n", 4, "population is text that is not a number"),
    (CSV + "GB,Britain,9223372036854775808,1\n", 4, "population does not fit into 64 bits"),
    (CSV + "GB,Britain,1,1.001\n", 4, "area has more than 12 digits, 2 of them after the point"),
    (CSV + '\n"a\nb",Two,1,1\nGB,"Brit"ain,1,1\n', 7, "this is not CSV"),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD)
def test_bad_csv_is_a_problem_of_its_line(text: str | None, line: int, words: str) -> None:
    found = joined("SELECT id, name FROM orders JOIN countries ON note = code", text)
    assert found.contract is None
    (one,) = found.problems
    assert (one.rule, one.line) == ("VIEW_REFERENCE", line)
    assert words in one.what
    assert one.file == ("" if text is None else "schemas/orders/views/countries.csv")


def test_every_bad_line_is_told() -> None:
    found = joined("SELECT id FROM orders JOIN countries ON note = code", CSV + "DE,a,,\nGB,b,x,\nIT,c,,\nFR,d,,\n")
    assert [one.line for one in found.problems] == [4, 5, 7]


@pytest.mark.parametrize(
    "path", ["../../../secret.csv", "/etc/passwd", "countries.txt", "../..", "x/../../../../a.csv"]
)
def test_file_outside_of_the_contracts_is_refused(path: str) -> None:
    data = {"countries": {**COUNTRIES, "csv": path}}
    found = joined("SELECT id FROM orders JOIN countries ON note = code", data=data)
    assert [one.rule for one in found.problems] == ["VIEW_REFERENCE"]
    assert "inside of the folder of the contracts" in found.problems[0].what


def test_csv_of_another_folder_is_read() -> None:
    head = header(reference={"countries": {**COUNTRIES, "csv": "../../shared/c.csv"}})
    made = files({"v": f"{head}SELECT id, name FROM orders JOIN countries ON note = code"})
    found = catalog({**made, "shared/c.csv": "\ufeff" + CSV}).get("orders")
    rows = derive(found, found.views[0]).analysis.data["countries"].rows
    assert rows is not None
    assert [one["code"] for one in rows.rows] == ["DE", "FR"]


def test_key_of_a_type_that_is_never_equal_is_refused() -> None:
    data = {"countries": {"csv": "countries.csv", "key": ["code"], "columns": {"code": "double"}}}
    found = joined("SELECT id FROM orders JOIN countries ON score = code", "code\n1.5\n", data)
    assert ["in the key" in one.what for one in found.problems] == [True]


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.integers(-(2**63), 2**63 - 1)),
        min_size=1,
        max_size=5,
    )
)
def test_any_rows_come_back_as_they_were_written(rows: dict[str, tuple[str, int | None]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["code", "name", "population"])
    writer.writerows([code, name, "" if many is None else many] for code, (name, many) in rows.items())
    said = references.schema_of("c", {"code": "string", "name": "string", "population": ["null", "long"]})
    found = csv_rows.read(out.getvalue(), said, ("code",))
    assert found.faults == ()
    assert {one["code"]: (one["name"], one["population"]) for one in found.rows} == rows
