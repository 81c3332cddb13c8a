"""What `check` says when the reference data of a view changes: a CSV, or the contract whose table it is."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.check import diffs
from avro_data_contracts.contracts.check.examine import examine
from avro_data_contracts.contracts.views.derived import derive
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.git import git
from contracts_tests.fixtures.viewed import Files, catalog, files, header, logical

CSV = "code,name\nDE,Germany\nFR,France\nIT,Italy\n"
COUNTRIES = {"csv": "../../shared/countries.csv", "key": ["code"], "columns": {"code": "string", "name": "string"}}
SQL = "SELECT id, name FROM orders LEFT JOIN countries ON note = countries.code"


def with_csv(text: str, sql: str = SQL, **reference: Any) -> Files:
    made = files({"v": header(reference={"countries": {**COUNTRIES, **reference}}) + sql})
    return {**made, "shared/countries.csv": text}


def write(folder: Path, made: Files) -> None:
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def changed(folder: Path, old: Files, new: Files) -> tuple[int, list[Finding]]:
    """How many contracts changed, and what `check` finds, compared with git."""
    root = folder / "schemas"
    git(folder, "init", "-q", "-b", "main")
    write(root, old)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    for path in old.keys() - new.keys():
        (root / path).unlink()
    write(root, new)
    _, found = examine(root, "HEAD", (), date(2026, 6, 1), settings.load)
    return len(found.verdicts), [one for one in found.findings if one.path.startswith("views.")]


def test_changed_rows_of_a_csv_are_counted(tmp_path: Path) -> None:
    new = "code,name\nDE,Deutschland\nFR,France\nES,Spain\nPT,Portugal\n"
    number, (one,) = changed(tmp_path, with_csv(CSV), with_csv(new))
    assert (number, one.rule, one.severity) == (1, "REFERENCE_CHANGED", "warning")
    assert (one.path, one.line) == ("views.v.reference.countries", 1)
    assert one.file.endswith("schemas/shared/countries.csv")
    assert "of its 4 rows: 2 new, 1 gone, 1 with other values" in one.message
    assert "rows of earlier events keep the old values" in one.message
    assert "views rebuild v" in one.fix


@pytest.mark.parametrize("text", [CSV, "name,code\nItaly,IT\nGermany,DE\n\nFrance,FR\n", CSV.replace("\n", "\r\n")])
def test_same_rows_in_another_order_change_nothing(tmp_path: Path, text: str) -> None:
    _, found = changed(tmp_path, with_csv(CSV), with_csv(text))
    assert found == []


def test_csv_that_no_longer_fits_breaks_the_view_at_its_line(tmp_path: Path) -> None:
    _, (one,) = changed(tmp_path, with_csv(CSV), with_csv(CSV + "DE,Again\n"))
    assert (one.rule, one.line, one.file.rpartition("/")[2]) == ("VIEW_BROKEN", 5, "countries.csv")


def test_csv_that_is_gone_breaks_the_view(tmp_path: Path) -> None:
    new = {path: text for path, text in with_csv(CSV).items() if not path.endswith(".csv")}
    _, (one,) = changed(tmp_path, with_csv(CSV), new)
    assert (one.rule, "there is no file" in one.message) == ("VIEW_BROKEN", True)


def test_other_condition_of_a_join_is_a_changed_view(tmp_path: Path) -> None:
    _, (one,) = changed(tmp_path, with_csv(CSV), with_csv(CSV, SQL.replace("LEFT JOIN", "JOIN")))
    assert one.rule == "VIEW_CHANGED"
    assert "it was LEFT JOIN countries ON note = countries.code" in one.message


def test_other_join_of_an_aggregation_needs_a_rebuild(tmp_path: Path) -> None:
    sinks = {"postgres": {"table": "of_view", "primary_key": ["hour", "name"]}}
    head = header(sinks, time="at", lateness="1 hour", reference={"countries": COUNTRIES})
    sql = "SELECT window.start AS hour, name, count(*) AS n FROM orders JOIN countries ON {} = code "
    both = [
        {**files({"v": f"{head}{sql.format(on)}GROUP BY window(at, '1 hour'), name"}), "shared/countries.csv": CSV}
        for on in ("note", "orders.id")
    ]
    _, (one,) = changed(tmp_path, *both)
    assert one.rule == "VIEW_REBUILD"
    assert "it joined join countries on note = code" in one.message


def customers(fields: dict[str, Any], **head: Any) -> Files:
    sinks = {"postgres": {"table": "customers", "primary_key": ["id"]}}
    made = files({}, fields, name="customers", topic="customers", sinks=sinks, **head)
    return {path: text.replace('"Order"', '"Customer"').replace('"Key"', '"CKey"') for path, text in made.items()}


FIELDS: dict[str, Any] = {
    "name": "string",
    "level": {"type": "enum", "name": "Level", "symbols": ["A", "B"]},
    "balance": ["null", logical("bytes", "decimal", precision=8, scale=2)],
    "tags": {"type": "array", "items": "string"},
}
OF_CONTRACT = {"customers": {"contract": "customers", "store": "postgres", "refresh": "10 seconds"}}
BY_CONTRACT = "SELECT id,\n  c.name,\n  level,\n  balance\nFROM orders JOIN customers c ON note = c.id"


def with_customers(fields: dict[str, Any], sql: str = BY_CONTRACT, **head: Any) -> Files:
    sql = sql.replace("SELECT id", "SELECT orders.id")
    return {**files({"v": header(reference=OF_CONTRACT) + sql}), **customers(fields, **head)}


def test_table_of_another_contract_has_its_columns_and_key() -> None:
    found = catalog(with_customers(FIELDS)).get("orders")
    derived = derive(found, found.views[0])
    assert derived.problems == ()
    data = derived.analysis.data["customers"]
    assert (data.table, data.key, data.refresh, list(data.record.by_name)) == (
        "public.customers",
        ("id",),
        10,
        ["id", "name", "level", "balance"],
    )
    spark = {one.name: (one.spark, one.nullable) for one in derived.analysis.outputs}
    assert spark == {
        "id": ("string", False),
        "name": ("string", False),
        "level": ("string", False),
        "balance": ("decimal(8,2)", True),
    }


def test_field_of_another_contract_that_is_renamed_breaks_the_view_at_its_line(tmp_path: Path) -> None:
    new = {("title" if name == "name" else name): kind for name, kind in FIELDS.items()}
    number, (one,) = changed(tmp_path, with_customers(FIELDS), with_customers(new))
    assert number == 2
    assert (one.rule, one.contract, one.line, one.column) == ("VIEW_BROKEN", "orders", 3, 3)
    assert "customers has no column 'name'" in one.message


@pytest.mark.parametrize(
    ("mask", "line", "words"),
    [
        ({"field": "name", "mask": "hash", "stores": ["cassandra"]}, 3, "name is customers.name, which its contract"),
        ({"field": "name", "mask": "drop"}, 3, "no field 'name'"),
        ({"field": "id", "mask": "hash"}, 6, "customers.id is masked where it is read (hash)"),
    ],
)
def test_new_mask_of_another_contract_breaks_the_view(
    tmp_path: Path, mask: dict[str, Any], line: int, words: str
) -> None:
    sql = BY_CONTRACT.replace("c.name", "name")
    number, found = changed(tmp_path, with_customers(FIELDS, sql), with_customers(FIELDS, sql, masks=[mask]))
    assert number == 2
    (one,) = (one for one in found if one.rule == "VIEW_BROKEN")
    assert (one.contract, one.severity, one.line) == ("orders", "error", line)
    assert words in one.message


def test_wider_field_of_another_contract_is_a_column_that_cannot_change(tmp_path: Path) -> None:
    old, new = ({**FIELDS, "name": kind} for kind in ("int", "long"))
    _, found = changed(tmp_path, with_customers(old), with_customers(new))
    assert [(one.rule, one.path) for one in found] == [("COLUMN_CANNOT_CHANGE", "views.v.name")]


def test_doc_of_another_contract_changes_no_view(tmp_path: Path) -> None:
    new = with_customers(FIELDS)
    new["customers/value.avsc"] = new["customers/value.avsc"].replace('"name": "tags"', '"doc": "x", "name": "tags"')
    number, found = changed(tmp_path, with_customers(FIELDS), new)
    assert found == []
    assert number <= 1


def test_contract_that_is_gone_breaks_the_view(tmp_path: Path) -> None:
    new = {path: text for path, text in with_customers(FIELDS).items() if not path.startswith("customers/")}
    _, found = changed(tmp_path, with_customers(FIELDS), new)
    assert [(one.rule, one.contract) for one in found] == [("VIEW_BROKEN", "orders")]
    assert "there is no contract customers" in found[0].message


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (
            {"sinks": {"cassandra": {"keyspace": "s", "table": "c", "primary_key": ["id"]}}},
            "has no table in postgres",
        ),
        ({"sinks": {"postgres": {"table": "customers", "mode": "append"}}}, "cannot join on"),
    ],
)
def test_contract_without_such_a_table_is_refused(head: dict[str, Any], words: str) -> None:
    made = with_customers(FIELDS)
    spec = yaml.safe_load(made["customers/contract.yaml"])
    made["customers/contract.yaml"] = yaml.safe_dump({**spec, **head})
    found = catalog(made).get("orders")
    assert words in derive(found, found.views[0]).problems[0].what


def test_one_contract_is_loaded_with_those_whose_tables_its_views_join(tmp_path: Path) -> None:
    write(tmp_path, {**with_customers(FIELDS), **with_csv(CSV, "").fromkeys(["x/ignored.csv"], "not read")})
    loaded, part = loading.load_some(tmp_path, ["orders"])
    assert loaded.faults == ()
    assert sorted(path for path in part.texts if path.endswith(".yaml")) == [
        "customers/contract.yaml",
        "orders/contract.yaml",
    ]
    assert "x/ignored.csv" not in part.texts
    (view,) = loaded.catalog.get("orders").views
    assert view.references[0].contract is not None


def test_lint_tells_the_line_of_the_csv(tmp_path: Path) -> None:
    write(tmp_path, with_csv(CSV + "FR,Again\n"))
    done = run_contracts("--schemas", str(tmp_path), "lint", "--format", "json")
    (one,) = (one for one in json.loads(done.stdout)["findings"] if one["rule"] == "VIEW_REFERENCE")
    assert (one["file"].rpartition("/")[2], one["line"], one["severity"]) == ("countries.csv", 5, "error")


def test_csv_that_is_not_utf8_breaks_its_contract(tmp_path: Path) -> None:
    write(tmp_path, with_csv(CSV))
    (tmp_path / "shared/countries.csv").write_bytes(b"code,name\nDE,\xe9\n")
    loaded, _ = loading.load_folder(tmp_path)
    assert list(loaded.broken) == ["orders"]
    assert {one.error.what.split(":")[0] for one in loaded.faults} == {"the file is not UTF-8"}


def test_diff_tells_changed_reference_data(tmp_path: Path) -> None:
    for name, text in (("a", CSV), ("b", CSV.replace("Italy", "Italia"))):
        write(tmp_path / name, with_csv(text))
    (one,) = diffs.compare(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (one.path, one.old, one.new) == (
        "shared/countries.csv: reference data",
        "4 lines",
        "4 lines, 1 of them new",
    )
