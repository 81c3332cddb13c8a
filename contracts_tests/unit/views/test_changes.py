"""What `check` and `tables` say of the views when a schema or a view changes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog.findings import FailOn, Finding
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run as check
from avro_data_contracts.contracts.check.effects import Impact
from avro_data_contracts.contracts.check.examine import examine
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.formats import Result, as_document, as_markdown
from avro_data_contracts.contracts.tables import migrations
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.git import git
from contracts_tests.fixtures.viewed import FIELDS, Files, catalog, files, header

SQL = "SELECT id,\n  upper(note) AS note,\n  number\nFROM orders\nWHERE flag"


def checked(old: Files, new: Files) -> tuple[list[Finding], Impact]:
    base = Baseline("main", {one.topic: one for one in catalog(old).contracts.values()})
    found = check.run(catalog(new), base, {}, Texts.of(new, "schemas"), date(2026, 6, 1))
    (verdict,) = found.verdicts
    assert verdict.impact is not None
    return list(verdict.findings), verdict.impact


def with_view(sql: str, **fields: Any) -> Files:
    return files({"v": header() + sql}, {**FIELDS, **fields})


def of_views(found: list[Finding]) -> list[tuple[str, str, int, int]]:
    return [(one.rule, one.path, one.line, one.column) for one in found if one.path.startswith("views.")]


def tables_of(impact: Impact) -> dict[str, Any]:
    return {one.kind: one.migration for one in impact.tables if one.view == "v"}


def test_rename_of_a_field_shows_the_broken_view_at_its_line() -> None:
    fields = {("remark" if name == "note" else name): kind for name, kind in FIELDS.items()}
    found, impact = checked(with_view(SQL), files({"v": header() + SQL}, fields))
    assert of_views(found) == [("VIEW_BROKEN", "views.v", 3, 9)]
    one = next(one for one in found if one.rule == "VIEW_BROKEN")
    assert (one.file, one.message) == ("schemas/orders/views/v.sql", "view v: the value has no field 'note'")
    assert impact.spark is not None
    assert not impact.spark.starts


def test_field_that_no_view_names_changes_no_view() -> None:
    found, impact = checked(with_view(SQL), with_view(SQL, more=["null", "string"]))
    assert of_views(found) == []
    assert all(one.statements == one.refusals == one.notes == () for one in tables_of(impact).values())


def test_new_column_of_a_view_is_added_to_its_tables() -> None:
    found, impact = checked(with_view(SQL), with_view(SQL.replace("number", "number, amount")))
    assert of_views(found) == []
    assert {kind: one.statements for kind, one in tables_of(impact).items()} == {
        "postgres": ('ALTER TABLE "public"."of_view" ADD COLUMN IF NOT EXISTS "amount" bigint',),
        "cassandra": ('ALTER TABLE "shop"."of_view" ADD IF NOT EXISTS "amount" bigint',),
    }


def test_wider_field_widens_the_column_or_is_refused_at_the_sql() -> None:
    found, impact = checked(with_view(SQL, number="int"), with_view(SQL, number="long"))
    assert tables_of(impact)["postgres"].statements == (
        'ALTER TABLE "public"."of_view" ALTER COLUMN "number" TYPE bigint',
    )
    assert of_views(found) == [("COLUMN_CANNOT_CHANGE", "views.v.number", 4, 3)]


def test_other_key_of_a_view_is_refused_at_its_header() -> None:
    sinks = {"postgres": {"table": "of_view", "primary_key": ["id", "number"]}}
    new = files({"v": header(sinks) + SQL})
    old = files({"v": header({"postgres": {"table": "of_view", "primary_key": ["id"]}}) + SQL})
    found, _ = checked(old, new)
    assert of_views(found) == [("TABLE_CANNOT_CHANGE", "views.v.sinks.postgres.primary_key", 1, 1)]


def test_other_expression_or_condition_is_a_warning() -> None:
    found, impact = checked(with_view(SQL), with_view(SQL.replace("upper", "lower").replace("flag", "number > 1")))
    assert of_views(found) == [("VIEW_CHANGED", "views.v", 2, 1)]
    (one,) = (one for one in found if one.rule == "VIEW_CHANGED")
    assert "note was UPPER(note); WHERE was flag" in one.message
    assert [note.words for note in tables_of(impact)["postgres"].notes] == ["LOWER(note)"]


GROUPED = "SELECT window.start AS hour, id, {} FROM orders {} GROUP BY {}, id"


def with_groups(
    values: str = "count(*) AS n",
    where: str = "",
    group: str = "window(at, '1 hour')",
    lateness: str = "1 hour",
    **fields: Any,
) -> Files:
    sinks = {"postgres": {"table": "of_view", "primary_key": ["hour", "id"]}}
    head = header(sinks, time="at", lateness=lateness)
    return files({"v": head + GROUPED.format(values, where, group)}, {**FIELDS, **fields})


#: A change, and why the state does not go on; empty if it does.
STATES: list[tuple[Files, Files, str]] = [
    (with_groups(), with_groups("count(*) AS n, sum(number) AS total"), "sum ( number ) is new"),
    (with_groups("sum(number) AS n"), with_groups("sum(amount) AS n"), "sum ( amount ) is new"),
    (with_groups(), with_groups(where="WHERE flag"), "there was no WHERE"),
    (with_groups(where="WHERE flag"), with_groups(where="WHERE NOT flag"), "WHERE was flag"),
    (with_groups(), with_groups(group="window(at, '2 hours')"), "it grouped by window(at, 3600000"),
    (
        with_groups("max(number) AS n"),
        with_groups("max(number) AS n", number="long"),
        "max ( number ) was int, and is bigint",
    ),
    (
        with_groups("CAST(max(number) AS BIGINT) AS n"),
        with_groups("CAST(max(number) AS BIGINT) AS n", number="long"),
        "max ( number ) was int, and is bigint",
    ),
    (
        with_groups("max(number) > 3 AS n"),
        with_groups("max(number) > 3 AS n", number="long"),
        "max ( number ) was int, and is bigint",
    ),
    (
        with_groups("CAST(sum(price * number) AS DECIMAL(9, 2)) AS n"),
        with_groups("CAST(sum(price * number) AS DECIMAL(9, 2)) AS n", number="long"),
        "number in sum ( price * number ) was int, and is bigint",
    ),
    (
        with_groups("max(number) FILTER (WHERE amount > 1) AS n"),
        with_groups("max(number) FILTER (WHERE amount > 1) AS n", amount="int"),
        "",
    ),
    (with_groups("sum(number) AS n"), with_groups("sum(number) AS n", number="long"), ""),
    (with_groups("avg(number) AS n"), with_groups("avg(number) AS n", number="long"), ""),
    (with_groups("count(number) AS n"), with_groups("count(number) AS n", number="string"), ""),
    (
        with_view("SELECT id FROM orders"),
        with_groups(),
        "it was of the kind projection, and is of the kind aggregation",
    ),
    (with_groups("count(*) AS n, sum(number) AS total"), with_groups(), ""),
    (with_groups("sum(number) AS n"), with_groups("sum(number) + 1 AS n"), ""),
    (with_groups(), with_groups("window.end AS until, count(*) AS n"), ""),
    (with_groups(), with_groups(lateness="2 hours"), ""),
    (with_groups(), with_groups(" COUNT( * )  AS n -- all\n"), ""),
    (with_groups("avg(number) AS n"), with_groups("mean(orders.number) AS n"), "mean ( number ) is new"),
    (with_groups("sum(number) AS n"), with_groups("sum(orders.number) AS n"), ""),
]


@pytest.mark.parametrize(("old", "new", "words"), STATES)
def test_state_of_an_aggregation_goes_on_or_is_rebuilt(old: Files, new: Files, words: str) -> None:
    found, _ = checked(old, new)
    told = [one for one in found if one.rule == "VIEW_REBUILD"]
    assert [words in one.message for one in told] == ([True] if words else [])
    for one in told:
        assert one.file == "schemas/orders/views/v.sql"
        assert "views rebuild v" in one.fix
        assert one.severity == "error"


def test_other_value_of_a_group_is_a_warning() -> None:
    found, _ = checked(with_groups("sum(number) AS n"), with_groups("sum(number) + 1 AS n"))
    assert [(one.rule, one.severity) for one in found if one.path.startswith("views")] == [
        ("VIEW_CHANGED", "warning")
    ]


def test_view_that_is_gone_abandons_its_tables() -> None:
    found, impact = checked(with_view(SQL), files({}))
    assert [one.path for one in found if one.rule == "TABLE_ABANDONED"] == [
        "views.v.sinks.cassandra",
        "views.v.sinks.postgres",
    ]
    assert all(one.abandoned for one in impact.tables if one.view == "v")


def test_new_view_creates_its_tables() -> None:
    found, impact = checked(files({}), with_view(SQL))
    assert of_views(found) == []
    assert {kind: one.statements[-1].split("(")[0] for kind, one in tables_of(impact).items()} == {
        "cassandra": 'CREATE TABLE IF NOT EXISTS "shop"."of_view" ',
        "postgres": 'CREATE TABLE IF NOT EXISTS "public"."of_view" ',
    }


def test_view_of_the_same_text_is_unchanged() -> None:
    made = with_view(SQL)
    base = Baseline("main", {one.topic: one for one in catalog(made).contracts.values()})
    found = check.run(catalog(made), base, {}, Texts.of(made, "schemas"), date(2026, 6, 1))
    assert (found.verdicts, found.unchanged) == ((), 1)


def write(folder: Path, made: Files) -> None:
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_check_against_git_tells_the_broken_view_in_the_report(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    git(tmp_path, "init", "-q", "-b", "main")
    write(folder, with_view(SQL))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    names, found = examine(folder, "HEAD", (), date(2026, 6, 1), settings.load)
    assert found.verdicts == ()
    value = folder / "orders/value.avsc"
    value.write_text(value.read_text().replace('"note"', '"remark"'))
    names, found = examine(folder, "HEAD", (), date(2026, 6, 1), settings.load)
    assert ("VIEW_BROKEN", 3) in {(one.rule, one.line) for one in found.findings}
    result = Result("check", names, found.findings, FailOn.error, found)
    assert "orders/views/v.sql:3:9" in as_markdown(result).replace("\\", "")
    (document,) = (one for one in as_document(result)["changes"])
    assert [one["view"] for one in document["impact"]["tables"] if "view" in one] == ["v", "v"]
    value.write_text(value.read_text().replace('"remark"', '"note"'))
    (folder / "orders/views/v.sql").write_text(header() + SQL.replace("upper", "lower"))
    _, found = examine(folder, "HEAD", (), date(2026, 6, 1), settings.load)
    assert [one.rule for one in found.findings] == ["VIEW_CHANGED"]


def test_tables_prints_those_of_views(tmp_path: Path) -> None:
    write(tmp_path, with_view(SQL))
    done = run_contracts("--schemas", str(tmp_path), "tables", "--store", "postgres", "--format", "json")
    assert done.returncode == 0, done.stderr
    printed = {one["table"]: one["statements"] for one in json.loads(done.stdout)["tables"]}
    assert printed["public.of_view"] == [
        'CREATE TABLE IF NOT EXISTS "public"."of_view" (\n'
        '  "id" text NOT NULL,\n'
        '  "note" text,\n'
        '  "number" integer NOT NULL,\n'
        '  "kafka_timestamp" timestamp with time zone NOT NULL,\n'
        '  "kafka_partition" integer NOT NULL,\n'
        '  "kafka_offset" bigint NOT NULL,\n'
        '  PRIMARY KEY ("id")\n'
        ")"
    ]


def test_tables_of_a_wrong_view_are_refused_at_its_line(tmp_path: Path) -> None:
    write(tmp_path, with_view(SQL.replace("number", "nmber")))
    done = run_contracts("--schemas", str(tmp_path), "tables")
    assert done.returncode == 2
    assert "orders/views/v.sql:4:3: view v: the value has no field 'nmber'" in done.stderr


def test_tables_between_two_states_has_those_of_views() -> None:
    old, new = catalog(with_view(SQL)).contracts, catalog(with_view(SQL.replace("number", "amount"))).contracts
    needed = {(one.kind, one.table): one.migration for one in migrations.between(old, new.values(), {})}
    assert needed["postgres", "public.of_view"].statements == (
        'ALTER TABLE "public"."of_view" ADD COLUMN IF NOT EXISTS "amount" bigint',
        'ALTER TABLE "public"."of_view" ALTER COLUMN "number" DROP NOT NULL',
    )
    gone = {
        one.table: one.migration.notes[0].kind
        for one in migrations.between(old, catalog(files({})).contracts.values(), {})
        if one.table.endswith("of_view")
    }
    assert gone == {"public.of_view": "abandoned", "shop.of_view": "abandoned"}


@pytest.mark.parametrize("folders", [False, True], ids=["git", "folders"])
def test_diff_shows_the_sql_of_a_view(tmp_path: Path, folders: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    new = tmp_path / "schemas"
    write(new, with_view(SQL))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    old = "HEAD:schemas"
    if folders:
        write(tmp_path / "old", with_view(SQL))
        old = str(tmp_path / "old")
    (new / "orders/views/v.sql").write_text(header() + "SELECT id FROM orders")
    done = run_contracts("diff", old, str(new), "--format", "json")
    assert [one["path"] for one in json.loads(done.stdout)["changes"]] == ["orders/views/v.sql: SQL"]
