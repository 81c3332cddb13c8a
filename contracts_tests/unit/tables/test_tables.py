"""`contracts tables`: statements that create the tables, and statements that migrate them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts_tests.fixtures.changes import Edit, Files, both, count_is_text, retype, write
from contracts_tests.fixtures.command import Done, run_contracts

BIG_DECIMAL = {"type": "bytes", "logicalType": "big-decimal"}
ADD_CQL = 'ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "city" text'
ADD_SQL = 'ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "city" text'


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command, run in this process for a contract that `edit` changed since the folder `old`."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, Files(), "old")

    def run(edit: Edit, *arguments: str) -> Done:
        files = Files()
        edit(files)
        write(tmp_path, files)
        return run_contracts("tables", *arguments)

    return run


def city(files: Files) -> None:
    files.add("city", ["null", "string"], default=None)


def postgres(name: str) -> Edit:
    return lambda files: files.spec["sinks"]["postgres"].update(table=name)


def run_by_a_store(done: Done) -> list[str]:
    """The lines of a script that are not comments."""
    return [line for line in done.stdout.splitlines() if line and not line.startswith("--")]


def test_without_base_every_table_is_created(tables: Callable[..., Done]) -> None:
    done = tables(city)
    assert done.returncode == 0
    made = [line for line in run_by_a_store(done) if line.startswith("CREATE")]
    assert [line.split(" (")[0].split(" WITH")[0] for line in made] == [
        'CREATE KEYSPACE IF NOT EXISTS "shop"',
        'CREATE TABLE IF NOT EXISTS "shop"."orders"',
        'CREATE TABLE IF NOT EXISTS "public"."orders"',
    ]
    assert done.stdout.count('"city" text') == 2


def test_new_field_needs_one_statement_per_store(tables: Callable[..., Done]) -> None:
    done = tables(city, "--against", "old")
    assert done.returncode == 0
    assert run_by_a_store(done) == [f"{ADD_CQL};", f"{ADD_SQL};"]
    assert "-- orders: cassandra shop.orders, since old" in done.stdout
    assert "-- existing rows have null in city" in done.stdout


def test_store_option_limits_output_to_one_store(tables: Callable[..., Done]) -> None:
    done = tables(city, "--against", "old", "--store", "postgres")
    assert run_by_a_store(done) == [f"{ADD_SQL};"]
    assert "cassandra" not in done.stdout


def test_unchanged_contract_needs_no_statement(tables: Callable[..., Done]) -> None:
    done = tables(lambda files: None, "--against", "old")
    assert (done.returncode, run_by_a_store(done)) == (0, [])
    assert done.stdout.count("-- stays as it is") == 2


def test_impossible_change_exits_1_without_statements_to_run(tables: Callable[..., Done]) -> None:
    done = tables(both(city, count_is_text), "--against", "old")
    assert done.returncode == 1
    assert run_by_a_store(done) == []
    assert "-- NOT POSSIBLE: count was int, and is now text; Cassandra cannot change" in done.stdout
    assert "-- NOT POSSIBLE: count was integer, and is now text" in done.stdout
    assert "-- fix: add another field with the new type" in done.stdout
    assert f"-- not enough: {ADD_CQL};" in done.stdout


def test_change_that_only_one_store_can_make_exits_1(tables: Callable[..., Done]) -> None:
    done = tables(retype("count", "long"), "--against", "old")
    assert done.returncode == 1
    assert run_by_a_store(done) == ['ALTER TABLE "public"."orders" ALTER COLUMN "count" TYPE bigint;']
    assert tables(retype("count", "long"), "--against", "old", "--store", "postgres").returncode == 0


def test_type_without_column_is_refused_with_its_line(tables: Callable[..., Done]) -> None:
    done = tables(lambda files: files.add("amount", BIG_DECIMAL), "--against", "old")
    assert done.returncode == 1
    assert "-- NOT POSSIBLE: schemas/orders/value.avsc:" in done.stdout
    assert "no store has a column for the Avro type big-decimal" in done.stdout


def test_new_field_of_nested_record_needs_no_statement(tables: Callable[..., Done], tmp_path: Path) -> None:
    def nested(*names: str) -> Edit:
        fields = [{"name": name, "type": "int", "default": 0} for name in names]
        return lambda files: files.add("size", {"type": "record", "name": "Size", "fields": fields}, default={})

    files = Files()
    nested("wide")(files)
    write(tmp_path, files, "old")
    done = tables(nested("wide", "high"), "--against", "old")
    assert (done.returncode, run_by_a_store(done)) == (0, [])


def test_text_that_becomes_json_is_refused(tables: Callable[..., Done], tmp_path: Path) -> None:
    """The column is `text` for both in Cassandra, and old rows would not be JSON."""
    files = Files()
    city(files)
    write(tmp_path, files, "old")
    done = tables(lambda files: files.add("city", ["null", "string", "int"], default=None), "--against", "old")
    assert done.returncode == 1
    assert run_by_a_store(done) == []
    assert "-- NOT POSSIBLE: city was plain text, and is now JSON" in done.stdout
    assert "-- NOT POSSIBLE: city was text, and is now jsonb" in done.stdout


def test_renamed_table_is_created_and_the_old_one_stays(tables: Callable[..., Done]) -> None:
    done = tables(postgres("purchases"), "--against", "old", "--store", "postgres")
    assert run_by_a_store(done)[0] == 'CREATE TABLE IF NOT EXISTS "public"."purchases" ('
    assert "postgres public.orders, since old\n-- public.orders stays, but nothing writes to it" in done.stdout


def test_table_that_moves_to_another_topic_is_altered(tables: Callable[..., Done]) -> None:
    done = tables(both(city, lambda files: files.spec.update(topic="purchases")), "--against", "old")
    assert run_by_a_store(done) == [f"{ADD_CQL};", f"{ADD_SQL};"]


def test_json_format_lists_statements_and_impossible_changes(tables: Callable[..., Done]) -> None:
    document = json.loads(tables(both(city, retype("count", "long")), "--against", "old", "--format", "json").stdout)
    assert (document["version"], document["command"], document["failed"]) == (1, "tables", True)
    assert document["against"] == "old"
    cassandra, postgres = document["tables"]
    assert (cassandra["contract"], cassandra["kind"], cassandra["table"]) == ("orders", "cassandra", "shop.orders")
    assert [one["column"] for one in cassandra["impossible"]] == ["count"]
    assert postgres["statements"] == ['ALTER TABLE "public"."orders" ALTER COLUMN "count" TYPE bigint', ADD_SQL]
    assert postgres["impossible"] == []
    alone = json.loads(tables(city, "--format", "json").stdout)
    assert (alone["against"], alone["failed"], len(alone["tables"])) == (None, False, 2)


def test_against_commit_migrates_from_that_commit(tables: Callable[..., Done], tmp_path: Path) -> None:
    write(tmp_path, Files())
    author = ("-c", "user.name=t", "-c", "user.email=t")
    for command in (("init", "-q"), ("add", "schemas"), (*author, "commit", "-q", "-m", "one")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    done = tables(city, "--against", "HEAD")
    assert (done.returncode, run_by_a_store(done)) == (0, [f"{ADD_CQL};", f"{ADD_SQL};"])
    nowhere = tables(city, "--against", "nowhere")
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert "git has no commit 'nowhere'" in nowhere.stderr
