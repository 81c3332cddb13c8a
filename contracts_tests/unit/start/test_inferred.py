"""`contracts init --from`: the types of a sample and of a table, what stays in doubt, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.start import numbers, postgres, samples
from contracts_tests.fixtures.command import run_contracts

DATE = {"type": "int", "logicalType": "date"}
UUID = {"type": "string", "logicalType": "uuid"}
ONE_UUID = "0188ee3c-0000-7000-8000-000000000000"


def moment(unit: str) -> dict[str, str]:
    return {"type": "long", "logicalType": unit}


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CONTRACTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inferred(top: Path, name: str, text: str) -> dict[str, Any]:
    (top / name).write_text(text, encoding="utf-8")
    done = run_contracts("init", "--from", name)
    assert done.returncode == 0, done.stderr
    schema = json.loads((top / f"{Path(name).stem}.avsc").read_text(encoding="utf-8"))
    linted = run_contracts("lint")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    return {one["name"]: one for one in schema["fields"]}


@pytest.mark.parametrize(
    ("values", "kind", "doubt"),
    [
        (["1", "2"], "long", ""),
        (["1", "2.5", "2.25"], "double", ""),
        (["12.50", "3.75"], numbers.decimal(4, 2), "4 digits"),
        (["0.05"], numbers.decimal(2, 2), "2 digits"),
        ([str(2**63)], numbers.decimal(19, 0), "19 digits"),
        (["1e3"], "double", ""),
        (["true", "false"], "boolean", ""),
        (['"2026-01-31"'], DATE, ""),
        (['"2026-01-31"', '"2026-02-31"'], "string", ""),
        (['"2026-01-31T10:00:00Z"', '"2026-01-31T10:00:00.5+01:00"'], moment("timestamp-millis"), ""),
        (['"2026-01-31T10:00:00.123456Z"'], moment("timestamp-micros"), ""),
        (['"2026-01-31 10:00:00"'], moment("local-timestamp-millis"), ""),
        (['"2026-01-31T10:00:00Z"', '"2026-01-31T10:00:00"'], "string", "offset"),
        ([f'"{ONE_UUID}"'], UUID, ""),
        ([f'"{ONE_UUID}"', '"none"'], "string", ""),
        (["1", "null"], ["null", "long"], ""),
        (["null"], ["null", "string"], "only null"),
        (["1", '"a"'], ["long", "string"], "numbers and texts"),
        (["1", '"N/A"', '"-"'], ["long", "string"], "'N/A' or '-'"),
        (["0.12345678901234567", "2.5"], numbers.decimal(18, 17), "a double would lose"),
        (["123456789012345678.5", "0.123456789012345678901"], "double", "more digits than a double or a decimal"),
        (["1e400"], "double", "more digits than a double or a decimal"),
        (["[]"], {"type": "array", "items": "string"}, "empty lists"),
        (["[1]", "[null]"], {"type": "array", "items": ["null", "long"]}, ""),
        (['["A"]'], {"type": "array", "items": "string"}, ""),
    ],
)
def test_type_of_json_values(values: list[str], kind: Any, doubt: str, top: Path) -> None:
    field = inferred(top, "events.jsonl", "\n".join(f'{{"x": {one}}}' for one in values))["x"]
    assert field["type"] == kind
    assert doubt in field.get("doc", "")
    assert bool(doubt) == field.get("doc", "").startswith("TODO")
    assert ("default" in field) == (isinstance(kind, list) and kind[0] == "null")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "22"], "long"),
        (["007", "12"], "string"),
        (["1.5", "2.25"], "double"),
        (["1.50", "2.25"], numbers.decimal(3, 2)),
        (["1", ""], ["null", "long"]),
        (["1", "a"], "string"),
        (["true", "false"], "boolean"),
        (["2026-01-31"], DATE),
        (["1e-5", "3"], "double"),
        (["0.12345678901234567", "2.5"], numbers.decimal(18, 17)),
        ([f"0.{'3' * 38}", "2.5"], "string"),
        (["1e400", "2.5"], "string"),
    ],
)
def test_type_of_csv_cells(cells: list[str], kind: Any, top: Path) -> None:
    text = "\n".join(["a,x", *(f"z,{one}" for one in cells)])
    assert inferred(top, "events.csv", text)["x"]["type"] == kind


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["1", "NA", "", "2"], "'NA' in 1 of 3 cells is no long"),
        (["1.25", "NULL", "null", "2"], "'NULL' or 'null' in 2 of 4 cells is no double"),
        (["1.5", "-"], "'-' in 1 of 2 cells is no decimal"),
        (["2026-01-31", "?"], "'?' in 1 of 2 cells is no date"),
        (["true", "n/a"], "'n/a' in 1 of 2 cells is no boolean"),
        (["AT", "NA"], ""),
        (["NA", "NA"], ""),
        (["1", "unknown place"], ""),
    ],
)
def test_word_for_nothing_is_told_with_what_to_do(cells: list[str], told: str, top: Path) -> None:
    """NA is also Namibia: in a column of texts it stays what it is."""
    (top / "events.csv").write_text("\n".join(["a,x", *(f"z,{one}" for one in cells)]))
    done = run_contracts("init", "--from", "events.csv")
    field = json.loads((top / "events.avsc").read_text())["fields"][1]
    assert field["type"] in ("string", ["null", "string"])
    assert field.get("doc", "").startswith(f"TODO: {told}" if told else "")
    assert bool(told) == ("doc" in field)
    for shown in (field.get("doc", ""), done.stdout):
        assert ("empty these cells, and make this a nullable" in " ".join(shown.split())) == bool(told)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_that_of_the_header(delimiter: str, top: Path) -> None:
    text = "\n".join(delimiter.join(row) for row in (["a", '"x, ; y"', "b"], ["1", "2", '"3;|,4"']))
    assert [one["type"] for one in inferred(top, "events.csv", text).values()] == ["long", "long", "string"]


def test_nested_objects_are_records_and_missing_keys_are_nullable(top: Path) -> None:
    fields = inferred(top, "orders.jsonl", '{"to": {"zip": "1", "geo": {"at": 1}}}\n{"to": {"zip": "2"}, "tip": 1}')
    inner = fields["to"]["type"]
    assert (inner["type"], inner["name"]) == ("record", "OrdersTo")
    assert [one["type"][0] for one in inner["fields"] if one["name"] == "geo"] == ["null"]
    assert fields["tip"]["default"] is None


def test_name_that_avro_does_not_allow_is_replaced_and_told(top: Path) -> None:
    fields = inferred(top, "o.jsonl", '{"order-total": 1, "order_total": 2, "1st": 3}')
    assert set(fields) == {"order_total", "order_total_2", "_1st"}
    assert "'order-total'" in fields["order_total"]["doc"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"x": 1}\n{', "a.jsonl:2"),
        ("a.jsonl", "[1]", "not a JSON object"),
        ("a.jsonl", '{"x": NaN}', "NaN"),
        ("a.jsonl", "", "no records"),
        ("a.jsonl", '{"x":' + "[" * 100_000, "nested too deeply"),
        ("a.jsonl", '{"x":' * 2_000 + "1" + "}" * 2_000, "nested too deeply"),
        ("a.csv", "x,y\n1", "a.csv:2"),
        ("a.csv", "x,x\n1,2", "same name"),
        ("a.jsonl", '{"x": 1}\n{"y": {"x": 1, "x": 2}}', "a.jsonl:2"),
        ("a.csv", "x\n", "no records"),
        ("a.parquet", "PAR1", "jsonl"),
    ],
)
def test_sample_that_cannot_be_read_exits_with_2(name: str, text: str, words: str, top: Path) -> None:
    (top / name).write_text(text, encoding="utf-8")
    done = run_contracts("init", "--from", name)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert [one.name for one in top.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("arr.json", '[{"x": 1}, {"x": 2}]', "jq -c '.[]' arr.json > arr.jsonl"),
        ("arr.json", '[\n  {"x": 1}\n]\n', "jq -c '.[]' arr.json > arr.jsonl"),
        ("my data.json", '[{"x": 1},\n{"x": 2}]', "jq -c '.[]' 'my data.json' > 'my data.jsonl'"),
        ("one.json", '{\n  "x": 1\n}\n', "jq -c . one.json > one.jsonl"),
        ("a.jsonl", "[1]", "jq -c '.[]' a.jsonl > a-lines.jsonl"),
    ],
)
def test_array_or_indented_object_is_refused_with_the_command(name: str, text: str, command: str, top: Path) -> None:
    (top / name).write_text(text, encoding="utf-8")
    done = run_contracts("init", "--from", name)
    assert done.returncode == 2
    assert f"fix: one object in each line is needed: {command}, and give that to --from" in done.stderr


def test_bad_line_of_a_good_file_gets_no_command(top: Path) -> None:
    (top / "a.jsonl").write_text('{"x": 1}\n[1]\n', encoding="utf-8")
    assert "jq" not in run_contracts("init", "--from", "a.jsonl").stderr


def test_second_init_from_a_sample_overwrites_nothing(top: Path) -> None:
    inferred(top, "a.jsonl", '{"x": 1}')
    done = run_contracts("init", "--from", "a.jsonl")
    assert (done.returncode, "exists already" in done.stderr) == (2, True)


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.dates().map(str) | st.uuids().map(str)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)
)


@given(st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), min_size=1, max_size=4))
def test_schema_of_any_sample_is_valid_and_the_same_each_time(records: list[dict[str, Any]]) -> None:
    schema = samples.record("Any", records, "todo")
    assert samples.record("Any", records, "todo") == schema
    parsing.parse(json.dumps(schema))
    fastavro.parse_schema(schema)


@pytest.mark.parametrize(
    ("column", "kind", "doubt"),
    [
        ("numeric(12,2)", numbers.decimal(12, 2), ""),
        ("numeric", "string", "numeric"),
        ("numeric(2,-3)", "string", "numeric"),
        ("numeric(2,5)", "string", "numeric"),
        ("integer", "int", ""),
        ("character varying(20)", "string", ""),
        ("timestamp with time zone", moment("timestamp-micros"), ""),
        ("timestamp(3) with time zone", moment("timestamp-micros"), ""),
        ("timestamp without time zone", moment("local-timestamp-micros"), ""),
        ("time without time zone", moment("time-micros"), ""),
        ("date", DATE, ""),
        ("uuid", UUID, ""),
        ("jsonb", "string", "jsonb"),
        ("interval", "string", "interval"),
        ("integer[]", {"type": "array", "items": ["null", "int"]}, ""),
        ("numeric(5,1)[]", {"type": "array", "items": ["null", numbers.decimal(5, 1)]}, ""),
        ("mood[]", {"type": "array", "items": ["null", "string"]}, "mood"),
    ],
)
def test_type_of_a_postgres_column(column: str, kind: Any, doubt: str) -> None:
    for nullable in (False, True):
        schema = postgres.schema_of("orders", [("x", column, nullable, None)])
        parsing.parse(json.dumps(schema))
        [field] = schema["fields"]
        assert field["type"] == (["null", kind] if nullable else kind)
        assert (doubt in field.get("doc", ""), bool(doubt)) == (True, "doc" in field)


def test_comment_of_a_postgres_column_is_its_doc() -> None:
    [field] = postgres.schema_of("orders", [("x", "text", False, "Who ordered.")])["fields"]
    assert field["doc"] == "Who ordered."


def test_table_is_taken_out_of_the_address() -> None:
    split = postgres._split("postgresql://me@db:5432/shop?sslmode=require&table=sales.orders")
    assert split == ("postgresql://me@db:5432/shop?sslmode=require", "sales.orders")
