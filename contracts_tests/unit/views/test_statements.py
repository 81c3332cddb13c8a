"""SQL that no view can have: each problem has its rule and its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.views.derived import derive
from avro_data_contracts.contracts.views.statement import with_column
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.viewed import catalog, derived, files, header

#: SQL, the rule, words of the message, and the text that begins at the place.
WRONG = [
    ("", "VIEW_SQL", "no SELECT", ""),
    ("SELEC id FROM orders", "VIEW_SQL", "not SQL", "FROM"),
    ("SELECT id FROM orders WHERE", "VIEW_SQL", "not SQL", ""),
    ("SELECT id FROM orders WHERE note = 'x", "VIEW_SQL", "has no end", "SELECT"),
    ("SELECT id, FROM", "VIEW_SQL", "not SQL", "FROM"),
    ("SELECT id, number::bigint AS n FROM orders", "VIEW_SQL", "'::'", "::"),
    ("SELECT id, note, FROM orders", "VIEW_SQL", "a comma", ","),
    ("SELECT id", "VIEW_SQL", "FROM does not name the contract", "id"),
    ("SELECT id FROM orders; SELECT id FROM orders", "VIEW_SQL", "2 statements", "SELECT"),
    ("DROP TABLE orders", "VIEW_SQL", "not a SELECT", "DROP"),
    ("INSERT INTO orders SELECT id FROM orders", "VIEW_SQL", "not a SELECT", "INSERT"),
    ("SELECT id FROM orders UNION ALL SELECT id FROM orders", "VIEW_SQL", "not a SELECT", "SELECT"),
    ("SELECT id FROM VALUES ('a') AS t(id)", "VIEW_SQL", "FROM does not name the contract", "id"),
    ("SELECT id FROM (SELECT id FROM orders) o", "VIEW_SQL", "FROM does not name the contract", "id"),
    ("SELECT DISTINCT id FROM orders", "VIEW_SQL", "cannot have DISTINCT", ""),
    ("SELECT id FROM orders ORDER BY number", "VIEW_SQL", "cannot have ORDER BY", "number"),
    ("SELECT id FROM orders LIMIT 3", "VIEW_SQL", "cannot have LIMIT", "3"),
    ("WITH q AS (SELECT 1 AS one) SELECT id FROM orders", "VIEW_SQL", "cannot have WITH", "q"),
    ("SELECT id, x FROM orders LATERAL VIEW explode(tags) t AS x", "VIEW_SQL", "cannot have LATERAL VIEW", "explode"),
    ("SELECT id, explode(tags) AS tag FROM orders", "VIEW_SQL", "several rows", "explode"),
    ("SELECT id, row_number() OVER (ORDER BY number) AS r FROM orders", "VIEW_SQL", "cannot have OVER", "row_number"),
    ("SELECT id FROM orders WHERE number IN (SELECT 1)", "VIEW_SQL", "a query inside", "1"),
    ("SELECT id, rand() AS r FROM orders", "VIEW_SQL", "another value", "rand"),
    ("SELECT id, now() AS n FROM orders", "VIEW_SQL", "another value", "now"),
    ("SELECT id, current_timestamp AS n FROM orders", "VIEW_SQL", "another value", "SELECT"),
    ("SELECT id, unix_timestamp() AS n FROM orders", "VIEW_SQL", "another value", "SELECT"),
    ("SELECT id, DATE 'today' AS n FROM orders", "VIEW_SQL", "another time", "'today'"),
    ("SELECT id, CAST(' Now ' AS TIMESTAMP) AS n FROM orders", "VIEW_SQL", "another time", "' Now '"),
    ("SELECT /* é€𝄞 */ id, nmber FROM orders", "VIEW_COLUMN", "no field 'nmber'", "nmber"),
    ("SELECT id, uuid() AS u FROM orders", "VIEW_SQL", "another value", "uuid"),
    ("SELECT id, reflect('java.lang.System', 'exit', 1) AS r FROM orders", "VIEW_SQL", "another value", "reflect"),
    ("SELECT id, number + 1 FROM orders", "VIEW_SQL", "has no name", "number"),
    ("SELECT id, number AS `a b` FROM orders", "VIEW_SQL", "cannot be the name", "number"),
    ("SELECT id, note AS n, number AS N FROM orders", "VIEW_SQL", "two columns", "number"),
    ("SELECT id FROM v", "VIEW_SQL", "reads itself", "v"),
    ("SELECT * FROM orders", "VIEW_STAR", "another list", "*"),
    ("SELECT id, o.* FROM orders o", "VIEW_STAR", "another list", "*"),
    ("SELECT id, nmber FROM orders", "VIEW_COLUMN", "no field 'nmber'", "nmber"),
    ("SELECT id, buyer.nme AS n FROM orders", "VIEW_COLUMN", "buyer has no field 'nme'", "buyer.nme"),
    ("SELECT id, note.x AS n FROM orders", "VIEW_COLUMN", "note is string", "note.x"),
    ("SELECT id, tags.x AS n FROM orders", "VIEW_COLUMN", "tags is an array", "tags.x"),
    ("SELECT id, either.x AS n FROM orders", "VIEW_COLUMN", "union of several types", "either.x"),
    ("SELECT id FROM orders WHERE numbr > 1", "VIEW_COLUMN", "no field 'numbr'", "numbr"),
    ("SELECT id, uper(note) AS n FROM orders", "VIEW_COLUMN", "no function uper", "uper"),
    ("SELECT id FROM customers", "VIEW_COLUMN", "there is no customers", "customers"),
    ("SELECT id, split(note, ',') AS parts FROM orders", "VIEW_TYPE", "not certain", "split"),
    ("SELECT id, 1.5 AS x FROM orders", "VIEW_TYPE", "not certain", "1.5"),
    ("SELECT id, NULL AS x FROM orders", "VIEW_TYPE", "not certain", ""),
    ("SELECT id, price * 2 AS x FROM orders", "VIEW_TYPE", "not certain", "price"),
    ("SELECT id, CAST(number AS SMALLINT) AS x FROM orders", "VIEW_TYPE", "smallint", "number"),
    ("SELECT id, CAST(tags AS ARRAY<INT>) AS x FROM orders", "VIEW_TYPE", "array<int>", "tags"),
    ("SELECT number FROM orders", "VIEW_KEY", "'id', which is not a column", "-- {sinks"),
    ("SELECT note AS id FROM orders", "VIEW_KEY", "may be null", "note"),
    ("SELECT score AS id FROM orders", "VIEW_KEY", "double", "score"),
    ("SELECT buyer AS id FROM orders", "VIEW_KEY", "record", "buyer"),
    ("SELECT count(*) AS id FROM orders.latest", "VIEW_WATERMARK", "no `refresh`", "orders.latest"),
    ("SELECT id FROM orders.newest", "VIEW_COLUMN", "there is no orders.newest", "orders.newest"),
    ("SELECT o.id FROM orders o JOIN shops s ON s.id = o.note", "VIEW_COLUMN", "no reference data shops", "shops"),
    ("SELECT note AS id, count(*) AS n FROM orders GROUP BY note", "VIEW_WATERMARK", "no window", "note"),
    ("SELECT max(number) AS id FROM orders", "VIEW_WATERMARK", "no window", "max"),
    ("SELECT id, max(day) AS n FROM orders GROUP BY window(at, '1 hour'), id", "VIEW_WATERMARK", "`time`", "window"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rule", "words", "at"), WRONG)
def test_wrong_sql_is_told_with_its_place(sql: str, rule: str, words: str, at: str) -> None:
    found = derived(f"  {sql}")
    assert found.contract is None
    one = next(one for one in found.problems if one.rule == rule and words in one.what)
    line = found.view.text.splitlines()[one.line - 1] if one.line <= found.view.text.count("\n") + 1 else ""
    assert line[one.column - 1 :].startswith(at)
    assert one.fix


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT id FROM orders", "SELECT `e`, id FROM orders"),
        (
            "\n/* SELECT é€𝄞 */ select\n  'é' AS x FROM o -- SELECT",
            "\n/* SELECT é€𝄞 */ select `e`,\n  'é' AS x FROM o -- SELECT",
        ),
        ("FROM orders SELECT id", "FROM orders SELECT `e`, id"),
    ],
)
def test_further_column_is_in_front_and_the_rest_stays(sql: str, wanted: str) -> None:
    assert with_column(sql, "`e`") == wanted


def test_problem_of_a_later_line_has_that_line_and_column() -> None:
    (one,) = derived("SELECT id,\n\n       nmber\nFROM orders").problems
    assert (one.line, one.column) == (4, 8)


def test_window_over_another_column_than_the_time_is_told() -> None:
    sql = "SELECT id, count(*) AS n FROM orders GROUP BY window(at, '1 hour'), id"
    found = derived(sql, time="kafka_timestamp", lateness="10 minutes")
    assert [one.what for one in found.problems if one.rule == "VIEW_WATERMARK"] == [
        "the window is over at, and the header's time is kafka_timestamp"
    ]
    found = derived(sql, time="at", lateness="10 minutes")
    assert {one.rule for one in found.problems} == {"VIEW_KEY"}


def problems(views: dict[str, str], **head: object) -> dict[str, list[str]]:
    """View -> its problems; each view has a table of its own."""
    texts = {
        name: header({"postgres": {"table": f"table_{name}", "primary_key": ["id"]}}) + sql
        for name, sql in views.items()
    }
    found = catalog(files(texts, **head)).get("orders")
    return {view.name: [one.what for one in derive(found, view).problems] for view in found.views}


def test_views_that_read_each_other_are_a_circle() -> None:
    ring = {"a": "SELECT id FROM b", "b": "SELECT id FROM c", "c": "SELECT id FROM a", "d": "SELECT id FROM a"}
    found = problems(ring)
    assert found["a"] == ["the views read each other in a circle: a → b → c → a"]
    assert found["c"] == ["the views read each other in a circle: c → a → b → c"]
    assert found["d"] == ["the stream does not run a view of a view (a) yet"]


def test_contract_whose_tombstones_delete_has_no_views_of_its_events() -> None:
    (told,) = problems({"a": "SELECT id FROM orders"}, tombstones="delete")["a"]
    assert "a deleted row would stay in a view of its events" in told


_RECORD = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"], "default": None}]}


@pytest.mark.parametrize(
    "kind",
    [
        "null",
        {"type": "bytes", "logicalType": "big-decimal"},
        {"type": "bytes", "logicalType": "decimal", "precision": 39},
        _RECORD,
        {"type": "array", "items": _RECORD},
        ["null", {"type": "map", "values": {"type": "bytes", "logicalType": "big-decimal"}}],
    ],
)
def test_field_that_no_store_holds_is_no_column_of_a_view(kind: object) -> None:
    found = derived("SELECT id, odd FROM orders", {"odd": kind})
    assert [(one.rule, one.what) for one in found.problems] == [("VIEW_TYPE", "no store has a column for odd")]
    assert derived("SELECT id FROM orders", {"odd": kind}).problems == ()


_WORDS = (
    "SELECT FROM WHERE orders id note number AS ( ) , . * + - ' ` -- /* */ ; GROUP BY JOIN window CASE WHEN END CAST "
    "upper explode buyer.address.city tags[0] sizes['a'] NULL 1 1.5 'x' OVER WITH latest é \n"
)
_PIECES = st.sampled_from(_WORDS.split(" "))


@settings(max_examples=examples.of(300), deadline=None)
@given(st.lists(_PIECES, max_size=14).map(" ".join) | st.text(max_size=30))
def test_any_text_gives_problems_or_columns(text: str) -> None:
    found = derived(f"\n{text}")  # a comment right below the header would belong to it
    assert (found.contract is None) == bool(found.problems)
    lines = found.view.text.count("\n") + 1
    assert all(1 <= one.line <= lines + 1 and one.column >= 1 for one in found.problems)
