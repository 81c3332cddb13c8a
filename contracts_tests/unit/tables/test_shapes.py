"""The shape of a table in `sinks`: it is read strictly, made, and kept as it is once the table exists."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.wording import told
from contracts_tests.fixtures.changes import Files, write
from contracts_tests.fixtures.command import run_contracts

CITY = {"type": "record", "name": "Address", "fields": [
    {"name": "city", "type": "string"},
    {"name": "at", "type": ["null", {"type": "record", "name": "At", "fields": [{"name": "lat", "type": "double"}]}]},
    {"name": "either", "type": ["null", "int", "string"]},
    {"name": "kind", "type": [{"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]}, "string"]},
    {"name": "lines", "type": {"type": "array", "items": "string"}},
    {"name": "by_name", "type": {"type": "map", "values": "int"}},
]}  # fmt: skip


def files(kind: str, **said: Any) -> Files:
    """The contract with one sink, of these keys beside its place."""
    found = Files()
    found.spec["consumers"] = []
    place = {"keyspace": "shop", "table": "orders"} if kind == "cassandra" else {"table": "orders"}
    found.spec["sinks"] = {kind: {**place, **said}}
    found.add("day", {"type": "int", "logicalType": "date"})
    found.add("address", CITY)
    found.add("home", ["null", "Address"], default=None)
    return found


def load(kind: str, **said: Any) -> tuple[Contract, SinkSpec]:
    contract = loading.from_files(files(kind, **said).texts, "schemas").get("orders")
    return contract, contract.sinks[0]


def migrated(kind: str, before: dict[str, Any], after: dict[str, Any]) -> layout.Migration:
    old, new = (layout.of(*load(kind, **said)) for said in (before, after))
    return layout.migrate(old, new)


ID = {"primary_key": ["id"]}
BY_DAY = {"column": "day", "every": "month"}
#: Kind, keys of the sink, and the end of the statement that creates its table.
MADE = [
    ("cassandra", ID, 'PRIMARY KEY ("id")\n)'),
    ("cassandra", {"primary_key": ["id", "at"]}, 'PRIMARY KEY ("id", "at")\n)'),
    ("cassandra", {"partition_key": ["id", "day"]}, 'PRIMARY KEY (("id", "day"))\n)'),
    (
        "cassandra",
        {"partition_key": ["id", "day"], "clustering": ["at DESC", "count"], "ttl": "2d"},
        'PRIMARY KEY (("id", "day"), "at", "count")\n) WITH CLUSTERING ORDER BY ("at" DESC, "count" ASC)'
        " AND default_time_to_live = 172800",
    ),
    (
        "cassandra",
        {"mode": "append"},
        'PRIMARY KEY (("kafka_topic_id", "kafka_partition", "kafka_offset"))\n)',
    ),
    (
        "cassandra",
        {"mode": "append", "partition_key": ["id"], "clustering": ["kafka_timestamp desc"]},
        'PRIMARY KEY ("id", "kafka_timestamp", "kafka_topic_id", "kafka_partition", "kafka_offset")\n)'
        ' WITH CLUSTERING ORDER BY ("kafka_timestamp" DESC,'
        ' "kafka_topic_id" ASC, "kafka_partition" ASC, "kafka_offset" ASC)',
    ),
    ("postgres", ID, 'PRIMARY KEY ("id")\n)'),
    ("postgres", {"mode": "append"}, 'PRIMARY KEY ("kafka_topic_id", "kafka_partition", "kafka_offset")\n)'),
    (
        "postgres",
        {"primary_key": ["id", "day"], "partition_by": BY_DAY},
        'PRIMARY KEY ("id", "day")\n) PARTITION BY RANGE ("day")',
    ),
    (
        "postgres",
        {"mode": "append", "partition_by": {"column": "kafka_timestamp", "every": "day"}},
        'PRIMARY KEY ("kafka_topic_id", "kafka_partition", "kafka_offset", "kafka_timestamp")\n)'
        ' PARTITION BY RANGE ("kafka_timestamp")',
    ),
]


@pytest.mark.parametrize(("kind", "said", "ending"), MADE)
def test_table_is_created_in_its_shape(kind: str, said: dict[str, Any], ending: str) -> None:
    statement = next(one for one in layout.migrate(None, layout.of(*load(kind, **said))).statements if "TABLE" in one)
    assert statement.endswith(f"\n  {ending}")
    appends = said.get("mode") == "append"
    assert ('"kafka_topic_id" text' in statement) is appends


def test_declared_indexes_are_created_once_by_names_that_fit() -> None:
    long = [{"columns": ["customer_with_a_very_long_name_indeed", "placed_at_with_a_long_name"]}]
    found = files("postgres", **ID, indexes=[*long, {"columns": ["at"], "type": "brin"}])
    for name in long[0]["columns"]:
        found.add(name, "int")
    contract = loading.from_files(found.texts, "schemas").get("orders")
    created = [
        one for one in layout.migrate(None, layout.of(contract, contract.sinks[0])).statements if "INDEX" in one
    ]
    assert created[1] == 'CREATE INDEX IF NOT EXISTS "orders__at_brin" ON "public"."orders" USING brin ("at")'
    name = created[0].split('"')[1]
    assert len(name) <= 63
    assert name.startswith("orders__")


#: Kind, before, after, and what the refusals say; none where the change is possible.
CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("cassandra", {"primary_key": ["id", "at"]}, {"partition_key": ["id"], "clustering": ["at"]}, []),
    ("cassandra", ID, {"mode": "append"}, ["the mode was upsert (a row for each key), and is now append"]),
    ("postgres", {"mode": "append"}, ID, ["the mode was append (a row for each event), and is now upsert"]),
    ("cassandra", ID, {"primary_key": ["id", "at"]}, ["the primary key was (id), and is now (id, at)"]),
    (
        "cassandra",
        {"primary_key": ["id", "at"]},
        {"partition_key": ["id", "at"]},
        ["the primary key was (id, at), and is now ((id, at))"],
    ),
    (
        "cassandra",
        {"partition_key": ["id"], "clustering": ["at"]},
        {"partition_key": ["id"], "clustering": ["at desc"]},
        ["the clustering order was at ASC, and is now at DESC"],
    ),
    (
        "postgres",
        {"primary_key": ["id", "day"]},
        {"primary_key": ["id", "day"], "partition_by": BY_DAY},
        ["the partitioning was none, and is now by day"],
    ),
    (
        "postgres",
        {"mode": "append", "partition_by": {"column": "at", "every": "day"}},
        {"mode": "append", "partition_by": {"column": "day", "every": "day"}},
        ["the partitioning was by at, and is now by day", "the primary key was (kafka_topic_id, kafka_partition, "],
    ),
    (
        "postgres",
        {"primary_key": ["id", "day"], "partition_by": BY_DAY},
        {"primary_key": ["id", "day"], "partition_by": {**BY_DAY, "every": "day", "ahead": 9}},
        [],
    ),
    ("cassandra", ID, {**ID, "ttl": 60}, []),
    ("postgres", ID, {**ID, "indexes": [{"columns": ["at"]}]}, []),
    ("postgres", ID, {**ID, "columns": {"city": "address.city"}}, []),
]


@pytest.mark.parametrize(("kind", "before", "after", "words"), CHANGES)
def test_what_cannot_change_is_refused_and_the_rest_is_altered(
    kind: str, before: dict[str, Any], after: dict[str, Any], words: list[str]
) -> None:
    found = migrated(kind, before, after)
    assert len(found.refusals) == len(words)
    for refusal, begins in zip(found.refusals, words, strict=True):
        assert refusal.why.startswith(begins)
        assert refusal.why.endswith(", but that of an existing table cannot change")
        assert refusal.fix.endswith("; or name another table, and read the topic from its beginning")
    if words:
        assert found.statements == ()


def test_altered_settings_are_told() -> None:
    found = migrated("cassandra", {**ID, "ttl": "1d"}, {**ID, "ttl": "90d"})
    assert found.statements == ('ALTER TABLE "shop"."orders" WITH default_time_to_live = 7776000',)
    words = "rows stayed 1 day; those written from now on stay 90 days, existing ones as long as before"
    assert [told(note) for note in found.notes] == [words]
    assert migrated("cassandra", {**ID, "ttl": "1d"}, {**ID, "ttl": 0}).statements[0].endswith("to_live = 0")
    # Somebody else may have set it: the stream alters only what the contract says.
    found = migrated("cassandra", {**ID, "ttl": "1d"}, ID)
    assert found.statements == ()
    words = "rows still go 1 day after they were written: write `ttl: 0` to keep them for ever"
    assert [told(note) for note in found.notes] == [words]
    assert migrated("cassandra", ID, {**ID, "ttl": 0}) == layout.Migration()

    found = migrated(
        "postgres", {**ID, "indexes": [{"columns": ["at"]}]}, {**ID, "indexes": [{"columns": ["count"]}]}
    )
    assert found.statements == ('CREATE INDEX IF NOT EXISTS "orders__count_btree" ON "public"."orders" ("count")',)
    assert told(found.notes[0]).startswith("the index orders__at_btree stays: drop it if no query needs it")


def test_column_of_a_path_is_added_and_left_like_a_field() -> None:
    city = {**ID, "columns": {"city": "home.city"}}
    found = migrated("postgres", ID, city)
    assert found.statements == ('ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "city" text',)
    assert [told(note) for note in found.notes] == ["existing rows have null in city"]
    found = migrated("postgres", city, ID)
    assert [told(note) for note in found.notes] == ["city stays in the table, but nothing writes to it"]
    found = migrated("postgres", city, {**ID, "columns": {"city": "address.at.lat"}})
    assert [refusal.why.split(",")[0] for refusal in found.refusals] == ["city was text"]


@pytest.mark.parametrize(
    ("path", "type_", "nullable"),
    [
        ("address.city", "text", False),
        ("home.city", "text", True),
        ("address.at.lat", "double precision", True),
        ("address.either", "jsonb", True),
        ("address.at", "jsonb", True),
        ("address.lines", "jsonb", False),
    ],
)
def test_path_has_the_column_of_its_last_field(path: str, type_: str, nullable: bool) -> None:
    table = layout.of(*load("postgres", **ID, columns={"inner": path}))
    column = next(one for one in table.columns if one.name == "inner")
    assert (column.type, column.nullable) == (type_, nullable)


#: Kind, keys of the sink, the keys of the fault, and its words.
FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("postgres", {}, "sinks.postgres", "primary_key is missing: name the fields that identify a row"),
    (
        "cassandra",
        {"mode": "append", **ID},
        "sinks.cassandra",
        "remove primary_key, or write partition_key and cluster",
    ),
    ("postgres", {"mode": "append", **ID}, "sinks.postgres", "`mode: append` has a row for each event"),
    ("postgres", {"mode": "insert", **ID}, "sinks.postgres.mode", "input should be 'upsert' or 'append'"),
    ("cassandra", {**ID, "partition_key": ["id"]}, "sinks.cassandra", "the key is there twice"),
    ("cassandra", {"clustering": ["at"]}, "sinks.cassandra", "name its fields in partition_key"),
    ("cassandra", {"mode": "append", "clustering": ["at"]}, "sinks.cassandra", "name its fields in partition_key"),
    (
        "cassandra",
        {"partition_key": ["id"], "clustering": [{"at": "desc"}]},
        "sinks.cassandra.clustering.0",
        "at desc",
    ),
    (
        "postgres",
        {**ID, "columns": {"note": "address.city"}},
        "sinks.postgres.columns.note",
        "value has a field note",
    ),
    (
        "cassandra",
        {"partition_key": ["id"], "clustering": ["at down"]},
        "sinks.cassandra.clustering.0",
        "not a column",
    ),
    ("cassandra", {"partition_key": ["id"], "clustering": ["note"]}, "", "clustering: field 'note' may be null"),
    ("cassandra", {"partition_key": ["idd"]}, "sinks.cassandra.partition_key", "there is no field 'idd'"),
    (
        "cassandra",
        {"partition_key": ["id"], "clustering": ["kafka_offset"]},
        "sinks.cassandra.clustering",
        "is another",
    ),
    (
        "cassandra",
        {"mode": "append", "partition_key": ["id"], "clustering": ["kafka_offset"]},
        "sinks.cassandra.clustering",
        "kafka_offset is in the key already",
    ),
    ("cassandra", {**ID, "ttl": "90 days"}, "sinks.cassandra.ttl", "write one like 90d"),
    ("cassandra", {**ID, "ttl": -1}, "sinks.cassandra.ttl", "more than 20 years"),
    ("cassandra", {**ID, "ttl": "1044w"}, "sinks.cassandra.ttl", "is more than 20 years"),
    ("cassandra", {**ID, "ttl": True}, "sinks.cassandra.ttl", "is not a time"),
    ("postgres", {**ID, "ttl": "9d"}, "sinks.postgres.ttl", "unknown key"),
    ("postgres", {**ID, "partition_by": BY_DAY}, "sinks.postgres", "day is not in the primary key"),
    ("postgres", {**ID, "partition_by": {**BY_DAY, "by": 1}}, "sinks.postgres.partition_by.by", "unknown key"),
    ("postgres", {**ID, "indexes": [{"column": "at"}]}, "sinks.postgres.indexes.0.column", "unknown key"),
    ("postgres", {**ID, "indexes": [{"columns": []}]}, "sinks.postgres.indexes.0.columns", "at least 1 item"),
    ("postgres", {**ID, "columns": {"total": "address.city"}}, "sinks.postgres.columns.total", "has a field total"),
    (
        "postgres",
        {**ID, "columns": {"kafka_offset": "address.city"}},
        "sinks.postgres.columns.kafka_offset",
        "adds its",
    ),
    ("postgres", {**ID, "columns": {"c": "total"}}, "sinks.postgres.columns.c", "is not inside a field"),
    ("postgres", {**ID, "columns": {"c": "address.cty"}}, "sinks.postgres.columns.c", "address has no field 'cty'"),
    (
        "postgres",
        {**ID, "columns": {"c": "adress.city"}},
        "sinks.postgres.columns.c",
        "the value has no field 'adress'",
    ),
    (
        "postgres",
        {**ID, "columns": {"c": "address.city.x"}},
        "sinks.postgres.columns.c",
        "address.city is string, and",
    ),
    ("postgres", {**ID, "columns": {"c": "address.kind.x"}}, "sinks.postgres.columns.c", "union of several types"),
    ("postgres", {**ID, "columns": {"c": "address.lines.x"}}, "sinks.postgres.columns.c", "an array"),
    ("postgres", {**ID, "columns": {"c": "address.by_name.x"}}, "sinks.postgres.columns.c", "a map"),
    (
        "postgres",
        {"primary_key": ["c"], "columns": {"c": "address.city"}},
        "sinks.postgres.primary_key",
        "a path inside",
    ),
]


@pytest.mark.parametrize(("kind", "said", "path", "words"), FAULTS)
def test_fault_names_its_key_and_line(kind: str, said: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(kind, **said)
    error = caught.value
    assert words in error.what
    assert error.fix
    assert error.line > 0
    if path:
        assert (error.file, error.path) == ("schemas/orders/contract.yaml", path)
        text = files(kind, **said).texts["orders/contract.yaml"].splitlines()
        last = path.split(".")[-1]
        assert any(one.split(":")[0].strip(" -") == last for one in text[: error.line]) or last.isdigit()


#: Keys of the PostgreSQL sink, where the finding is, and its words.
IMPOSSIBLE: list[tuple[dict[str, Any], str, str]] = [
    ({**ID, "indexes": [{"columns": ["idd"]}]}, "indexes.0", "the table has no column 'idd'"),
    ({**ID, "indexes": [{"columns": ["id", "id"]}]}, "indexes.0", "has a column twice"),
    ({**ID, "indexes": [{"columns": ["id"]}, {"columns": ["id"]}]}, "indexes.1", "is there twice"),
    ({**ID, "indexes": [{"columns": ["id", "at"], "type": "hash"}]}, "indexes.0", "a hash index has one column"),
    ({**ID, "indexes": [{"columns": ["id"], "type": "gin"}]}, "indexes.0", "a gin index is for JSON"),
    ({**ID, "indexes": [{"columns": ["address"], "type": "brin"}]}, "indexes.0", "no order for jsonb"),
    ({"primary_key": ["id"], "partition_by": {"column": "id", "every": "day"}}, "partition_by.column", "is text"),
    ({"primary_key": ["day"], "partition_by": {"column": "day", "every": "hour"}}, "partition_by.column", "no hours"),
]


@pytest.mark.parametrize(("said", "path", "words"), IMPOSSIBLE)
def test_impossible_shape_is_refused_by_lint_check_and_tables(
    said: dict[str, Any], path: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, files("postgres", **ID), "old")
    write(tmp_path, files("postgres", **said))
    for command, rule in (("lint", "TABLE_SHAPE"), ("check", "TABLE_CANNOT_CHANGE")):
        against = ("--against", "old") if command == "check" else ()
        done = run_contracts(command, "--format", "json", *against)
        found = [one for one in json.loads(done.stdout)["findings"] if one["rule"] == rule]
        assert done.returncode == 1
        assert [(one["path"], words in one["message"]) for one in found] == [(f"sinks.postgres.{path}", True)]
        assert found[0]["line"] > 0
    done = run_contracts("tables", "--against", "old")
    assert done.returncode == 1
    assert words in done.stdout


def test_check_and_tables_refuse_in_the_words_of_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, files("cassandra", partition_key=["id"], clustering=["at"]), "old")
    write(tmp_path, files("cassandra", partition_key=["id"], clustering=["at desc"]))
    words = "the clustering order was at ASC, and is now at DESC, but that of an existing table cannot change"
    done = run_contracts("check", "--against", "old")
    assert done.returncode == 1
    assert words in done.stdout
    assert "sinks.cassandra.clustering" in done.stdout
    done = run_contracts("tables", "--against", "old")
    assert done.returncode == 1
    assert f"-- NOT POSSIBLE: {words}" in done.stdout


SHAPES = [
    *(("cassandra", said) for kind, said, _ in MADE if kind == "cassandra"),
    *(("postgres", said) for kind, said, _ in MADE if kind == "postgres"),
]


def test_every_shape_becomes_itself_without_a_statement_and_no_other_in_silence() -> None:
    for (kind, before), (other, after) in itertools.product(SHAPES, SHAPES):
        if kind == other:
            found = migrated(kind, before, after)
            if before == after:
                assert found == layout.Migration()
            else:
                assert found.refusals


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(["id", "at", "count", "day"]), st.integers(1, 4), st.lists(st.booleans(), min_size=4, max_size=4)
)
def test_key_in_parts_has_each_column_once_in_its_order(names: list[str], count: int, down: list[bool]) -> None:
    clustering = [f"{name} desc" if falls else name for name, falls in zip(names[count:], down, strict=False)]
    for mode in ({}, {"mode": "append"}):
        _, sink = load("cassandra", **mode, partition_key=names[:count], clustering=clustering)
        assert sink.partition == tuple(names[:count])
        assert sink.key[: len(names)] == tuple(names) == sink.key_fields
        assert len(set(sink.key)) == len(sink.key) == len(names) + 3 * bool(mode)
        assert store_of(sink).key_room(sink) <= 65_535


def test_earlier_version_keeps_its_columns_although_it_lacks_what_the_sink_says_today() -> None:
    """A column that is gone is still in the table, and comes back only with its own type."""
    today = {**ID, "columns": {"city": "address.city"}, "indexes": [{"columns": ["day"]}]}
    old, now = files("postgres", **ID), files("postgres", **today)
    for name in ("day", "address", "home"):
        old.drop(name)
    old.add("colour", "string")
    now.add("colour", "int", default=0)
    first, second = (loading.from_files(one.texts, "schemas").get("orders") for one in (old, now))
    without, sink = load("postgres", **today)
    versions = [("main", without), ("version 1", first)]
    table = layout.as_written(layout.Written(label, one.value.schema, sink) for label, one in versions)
    assert table is not None
    assert [one.column.name for one in table.left] == ["colour"]
    (refusal,) = layout.migrate(table, layout.of(second, second.sinks[0])).refusals
    assert refusal.why.startswith("colour was text in version 1, whose column is still there, and is now integer")
