"""The files of views: which are read, and what is wrong with a header."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import read_folder
from avro_data_contracts.contracts.catalog.header import body_of, header_of
from avro_data_contracts.contracts.errors import ConfigurationError
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.viewed import Files, catalog, files, header

SQL = "SELECT id FROM orders"


def write(folder: Path, made: Files) -> None:
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_views_of_a_contract_are_read_by_name() -> None:
    other = header({"postgres": {"table": "other", "primary_key": ["id"]}})
    found = catalog(files({"b": header() + SQL, "a": other + SQL})).get("orders")
    assert [(one.name, one.file, one.sql) for one in found.views] == [
        ("a", "schemas/orders/views/a.sql", f"\n{SQL}"),
        ("b", "schemas/orders/views/b.sql", f"\n{SQL}"),
    ]


def test_views_of_a_contract_beside_its_schema_are_in_the_folder_of_its_name() -> None:
    made = files({"v": header() + SQL})
    moved = {path.replace("orders/contract.yaml", "orders.contract.yaml"): text for path, text in made.items()}
    moved["orders.contract.yaml"] += "value: orders/value.avsc\n"
    moved["orders.contract.yaml"] = moved["orders.contract.yaml"].replace("key: key.avsc", "key: orders/key.avsc")
    assert [one.name for one in catalog(moved).get("orders").views] == ["v"]


def test_sql_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, files({"v": header() + SQL}))
    others = ["views/x.sql", "orders/x.sql", "orders/views/old/x.sql", "shop/views/x.sql", "orders/views/x.txt"]
    write(tmp_path, dict.fromkeys(others, "not a view"))
    (tmp_path / "shop/views/latin.sql").write_bytes(b"\xe9")
    read = read_folder(tmp_path)
    assert read.faults == ()
    assert [path for path in read.texts if path.endswith(".sql")] == ["orders/views/v.sql"]
    assert [one.name for one in loading.load(tmp_path).get("orders").views] == ["v"]


def test_view_that_is_not_utf8_breaks_its_contract(tmp_path: Path) -> None:
    write(tmp_path, files({"v": header() + SQL}))
    (tmp_path / "orders/views/v.sql").write_bytes(b"-- \xe9")
    loaded, _ = loading.load_folder(tmp_path)
    assert list(loaded.broken) == ["orders"]
    assert [one.error.what.split(":")[0] for one in loaded.faults] == ["the file is not UTF-8"]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (SQL, "has no header", 1),
        ("-- sinks: [\n" + SQL, "not YAML", 1),
        ("-- just words\n" + SQL, "is not a mapping", 1),
        ("-- description: x\n" + SQL, "sinks: is missing", 1),
        ("-- description: x\n-- sinks: {}\n" + SQL, "name the table of a store", 2),
        ("-- sinks:\n--   postgres: {table: V, primary_key: [id]}\n" + SQL, "should have only", 2),
        (header() + "-- key: [id]\n" + SQL, "unknown key 'key'", 2),
        (header(lateness="soon") + SQL, "is not a time", 1),
        (
            "-- sinks: {postgres: {table: orders, primary_key: [id]}}\n" + SQL,
            "already writes to the postgres table",
            1,
        ),
    ],
)
def test_wrong_header_is_told_with_its_line(text: str, words: str, line: int) -> None:
    if words.startswith("unknown"):
        text = text.replace("-- {", "-- ").replace("}}}\n", "}}\n", 1)
    with pytest.raises(ConfigurationError, match=words) as raised:
        catalog(files({"v": text}))
    assert (raised.value.file, raised.value.line) == ("schemas/orders/views/v.sql", line)


def test_two_views_of_one_table_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"views/a.sql already writes to the cassandra table shop.of_view"):
        catalog(files({"a": header() + SQL, "b": header() + SQL}))


def test_name_of_a_view_is_an_identifier() -> None:
    with pytest.raises(ConfigurationError, match="the name of the view"):
        catalog(files({"My-View": header() + SQL}))


def test_view_of_a_contract_without_sinks_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="views but no sinks"):
        catalog(files({"v": header() + SQL}, sinks={}))


def test_header_and_body_keep_their_lines() -> None:
    text = "-- a: 1\n--\n--b: 2\nSELECT 1 -- c\n"
    assert header_of(text) == "a: 1\n\nb: 2\n"
    assert body_of(text) == "\n\n\nSELECT 1 -- c\n"


def test_lint_loads_sqlglot_only_for_views(tmp_path: Path) -> None:
    program = (
        "import sys; from avro_data_contracts.contracts import cli\n"
        "try: cli.app(['--schemas', sys.argv[1], sys.argv[2]], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print('sqlglot' in sys.modules)"
    )
    for views, loads in (({}, "False"), ({"v": header() + SQL}, "True")):
        folder = tmp_path / loads
        write(folder, files(views))
        for command in ("lint", "tables"):
            done = subprocess.run(
                [sys.executable, "-c", program, str(folder), command], capture_output=True, text=True, check=True
            )
            assert done.stdout.splitlines()[-1] == loads, done.stderr


def test_lint_tells_a_wrong_view_at_its_line(tmp_path: Path) -> None:
    write(tmp_path, files({"v": header() + "SELECT id,\n  nmber\nFROM orders"}))
    done = run_contracts("--schemas", str(tmp_path), "lint", "--format", "github")
    assert done.returncode == 1
    assert f"file={tmp_path}/orders/views/v.sql,line=3,col=3,title=VIEW_COLUMN" in done.stdout.replace("%3A", ":")
