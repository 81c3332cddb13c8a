"""`contracts init --from postgresql://…` reads a real table from its catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.stack import RunningStack

TABLE = """
create type init_mood as enum ('good', 'bad');
create domain init_level as numeric(3, 1);
create table init_orders (
  id uuid primary key, total numeric(12, 2) not null, ratio numeric, placed timestamptz not null, day date,
  tags text[] not null, prices numeric(5, 1)[], mood init_mood, body jsonb,
  level init_level, "odd name" smallint not null
);
comment on column init_orders.day is 'When it is due.'
"""


@pytest.fixture
def address(stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("CONTRACTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    dsn = stack.exports["POSTGRES_DSN"]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        yield f"{dsn}{'&' if '?' in dsn else '?'}table="
        connection.execute("drop table init_orders; drop type init_mood; drop domain init_level")


def test_columns_of_a_table_become_exact_types(address: str, tmp_path: Path) -> None:
    done = run_contracts("init", "--from", f"{address}init_orders")
    assert done.returncode == 0, done.stderr
    fields = {one["name"]: one for one in json.loads((tmp_path / "init_orders.avsc").read_text())["fields"]}
    decimal = {"type": "bytes", "logicalType": "decimal"}
    assert {name: one["type"] for name, one in fields.items()} == {
        "id": {"type": "string", "logicalType": "uuid"},
        "total": {**decimal, "precision": 12, "scale": 2},
        "ratio": ["null", "string"],
        "placed": {"type": "long", "logicalType": "timestamp-micros"},
        "day": ["null", {"type": "int", "logicalType": "date"}],
        "tags": {"type": "array", "items": ["null", "string"]},
        "prices": ["null", {"type": "array", "items": ["null", {**decimal, "precision": 5, "scale": 1}]}],
        "mood": ["null", "string"],
        "body": ["null", "string"],
        "level": ["null", {**decimal, "precision": 3, "scale": 1}],
        "odd_name": "int",
    }
    assert fields["day"]["doc"] == "When it is due."
    assert {name for name, one in fields.items() if "TODO" in one.get("doc", "")} == {
        "ratio", "mood", "body", "odd_name",
    }  # fmt: skip
    assert "primary_key: [id]" in (tmp_path / "init_orders.contract.yaml").read_text()
    assert run_contracts("lint").returncode == 0


def test_table_that_does_not_exist_exits_with_2_and_lists_tables_of_like_names_first(address: str) -> None:
    others = [f"aaa_{number}" for number in range(25)]
    with psycopg.connect(address.rpartition("table=")[0][:-1], autocommit=True) as connection:
        connection.execute("".join(f"create table {one} ();" for one in others))
        try:
            done = run_contracts("init", "--from", f"{address}init_order")
        finally:
            connection.execute("".join(f"drop table {one};" for one in others))
    assert (done.returncode, "tables here: public.init_orders, " in done.stderr) == (2, True), done.stderr
    assert re.search(r"and [\d,]+ more$", done.stderr.strip()), done.stderr


def test_server_that_does_not_answer_exits_with_3(address: str) -> None:
    done = run_contracts("init", "--from", "postgresql://127.0.0.1:1/shop?table=orders")
    assert (done.returncode, "PostgreSQL" in done.stderr) == (3, True)
