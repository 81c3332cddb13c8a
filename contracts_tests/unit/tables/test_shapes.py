"""The shape of a table in `sinks`: it is read strictly, made, and kept as it is once the table exists."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.postgres.spec import IndexSpec, IndexType, PostgresSpec
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Refusal, Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.wording import told
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.changes import Files, write
from contracts_tests.fixtures.command import run_contracts

DAY = {"type": "int", "logicalType": "date"}
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
    assert created[1].startswith('CREATE INDEX IF NOT EXISTS "orders_at_brin_')
    assert created[1].endswith('" ON "public"."orders" USING brin ("at")')
    name = created[0].split('"')[1]
    assert len(name) == 63
    assert name.startswith("orders_customer_with_a_very_long_name_indeed_placed_at_")


NAMES = st.text("ab_", min_size=1, max_size=30)


@settings(max_examples=examples.of(200), deadline=None)
@given(st.lists(st.tuples(NAMES, st.lists(NAMES, min_size=1, max_size=3, unique=True)), min_size=2, max_size=8))
@example([("orders", ["a_b"]), ("orders", ["a", "b"]), ("orders_a", ["b"]), ("o" * 47, ["a"] * 3)])
def test_two_indexes_never_have_one_name_and_each_fits(indexes: list[tuple[str, list[str]]]) -> None:
    names = {}
    for table, columns in indexes:
        for type_ in IndexType:
            name = PostgresSpec(table=f"t{table}", primary_key=["id"]).index_name(
                IndexSpec(columns=columns, type=type_)
            )
            assert len(name) <= 63
            assert names.setdefault(name, (table, columns, type_)) == (table, columns, type_)


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
        ["the partitioning was by at, and is now by day"],
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
    # Nobody knows what the table has if no contract has said it.
    found = migrated("cassandra", ID, {**ID, "ttl": 0})
    assert found.statements == ('ALTER TABLE "shop"."orders" WITH default_time_to_live = 0',)
    words = "rows written from now on stay for ever, existing ones as long as before"
    assert [told(note) for note in found.notes] == [words]
    assert migrated("cassandra", {**ID, "ttl": 0}, ID) == layout.Migration()

    found = migrated(
        "postgres", {**ID, "indexes": [{"columns": ["at"]}]}, {**ID, "indexes": [{"columns": ["count"]}]}
    )
    assert found.statements == (
        'CREATE INDEX IF NOT EXISTS "orders_count_btree_NAME" ON "public"."orders" ("count")'.replace(
            "NAME", found.statements[0].split('"')[1][-8:]
        ),
    )
    assert told(found.notes[0]).startswith("the index orders_at_btree_")
    assert " stays: drop it if no query needs it" in told(found.notes[0])


def test_column_of_a_path_is_added_and_left_like_a_field() -> None:
    city = {**ID, "columns": {"city": "home.city"}}
    found = migrated("postgres", ID, city)
    assert found.statements == ('ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "city" text',)
    assert [told(note) for note in found.notes] == ["existing rows have null in city"]
    found = migrated("postgres", city, ID)
    assert [told(note) for note in found.notes] == ["city stays in the table, but nothing writes to it"]
    found = migrated("postgres", city, {**ID, "columns": {"city": "address.at.lat"}})
    assert [(no.why.split(",")[0], no.at) for no in found.refusals] == [("city was text", ("columns", "city"))]
    assert found.refusals[0].fix.startswith("choose another name for the column")
    assert found.notes == ()


def test_other_path_of_a_column_is_told() -> None:
    """No statement is needed, and a store knows no paths: only a note can say that old rows have another field."""
    for kind in ("cassandra", "postgres"):
        before, after = ({**ID, "columns": {"city": path}} for path in ("address.city", "home.city"))
        found = migrated(kind, before, after)
        words = "city has had the values of address.city, and gets those of home.city from now on"
        assert words in [told(note) for note in found.notes]
        assert not found.refusals
        assert migrated(kind, before, before) == layout.Migration()


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
    ("cassandra", {**ID, "ttl": -1}, "sinks.cassandra.ttl", "-1 is not a time"),
    ("cassandra", {**ID, "ttl": "٣d"}, "sinks.cassandra.ttl", "is not a time"),
    ("cassandra", {"partition_key": ["id"], "clustering": ["at", "at desc"]}, "sinks.cassandra", "names 'at' twice"),
    ("cassandra", {"partition_key": ["id"], "clustering": ["id"]}, "sinks.cassandra", "names 'id' twice"),
    ("cassandra", {"mode": "append", "partition_key": ["id", "id"]}, "sinks.cassandra", "names 'id' twice"),
    ("cassandra", {"partition_key": [], "clustering": ["at"]}, "sinks.cassandra", "name its fields in partition_key"),
    ("cassandra", {"partition_key": []}, "sinks.cassandra", "primary_key is missing"),
    (
        "cassandra",
        {"mode": "append", "partition_key": ["id", "kafka_partition"]},
        "sinks.cassandra.partition_key",
        "kafka_partition is in the key already",
    ),
    ("cassandra", {"primary_key": ["kafka_offset"]}, "sinks.cassandra.primary_key", "is another one in each event"),
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


#: Keys of the PostgreSQL sink whose column has no time.
NOT_A_TIME: list[dict[str, Any]] = [
    {"mode": "append", "partition_by": {"column": "id", "every": "day"}, "columns": {"inner": "address.day"}},
    {"primary_key": ["id", "day"], "partition_by": {"column": "id", "every": "day"}},
    {"primary_key": ["id"], "partition_by": {"column": "id", "every": "day"}},
]


@pytest.mark.parametrize("said", NOT_A_TIME)
def test_every_column_that_a_refusal_names_for_partitions_is_accepted(said: dict[str, Any]) -> None:
    found = files("postgres", **said)
    found.drop("address")
    found.drop("home")
    found.add("address", {"type": "record", "name": "A", "fields": [{"name": "day", "type": DAY}]})
    contract = loading.from_files(found.texts, "schemas").get("orders")
    (refusal,) = cast("tuple[Refusal, ...]", layout.wanted(contract, contract.sinks[0]))
    assert refusal.at == ("partition_by", "column")
    if said.get("mode") == "append":
        assert refusal.fix == "name one of at, day, kafka_timestamp"
    named = refusal.fix.removeprefix("name one of ").split(", ") if refusal.fix.startswith("name") else []
    assert bool(named) is ("day" in said.get("primary_key", ["day"]))
    for name in named:
        found.spec["sinks"]["postgres"]["partition_by"]["column"] = name
        again = loading.from_files(found.texts, "schemas").get("orders")
        assert isinstance(layout.wanted(again, again.sinks[0]), Table)


def test_names_are_reserved_where_the_stream_needs_them_and_nowhere_else() -> None:
    """`kafka_ttl` with a ttl; the topic's id in a table with a row for each event."""
    for name, kind, said, refused in (
        ("kafka_ttl", "cassandra", ID, False),
        ("kafka_ttl", "cassandra", {**ID, "ttl": 0}, False),
        ("kafka_ttl", "cassandra", {**ID, "ttl": "9d"}, True),
        ("kafka_ttl", "postgres", ID, False),
        ("kafka_topic_id", "postgres", {"primary_key": ["kafka_topic_id"]}, False),
        ("kafka_topic_id", "cassandra", {"primary_key": ["id", "kafka_topic_id"]}, False),
        ("kafka_topic_id", "postgres", {"mode": "append"}, True),
        ("KAFKA_OFFSET", "postgres", ID, True),
    ):
        found = files(kind, **said)
        found.add(name, "string")
        contract = loading.from_files(found.texts, "schemas").get("orders")
        assert isinstance(layout.wanted(contract, contract.sinks[0]), tuple) is refused, (name, kind, said)


#: Kind, before, after, and the path of the finding: a key that the new contract has, or the sink.
PLACES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "cassandra",
        {**ID, "columns": {"zip": "address.city"}},
        {**ID, "columns": {"zip": "address.at.lat"}},
        "columns.zip",
    ),
    ("cassandra", ID, {"mode": "append"}, "mode"),
    ("cassandra", {"mode": "append"}, ID, ""),
    ("cassandra", ID, {"partition_key": ["at"], "clustering": ["id"]}, "partition_key"),
    ("cassandra", {"mode": "append", "partition_key": ["id"]}, {"mode": "append"}, ""),
    ("postgres", ID, {"primary_key": ["at"]}, "primary_key"),
    ("postgres", {"mode": "append", "partition_by": BY_DAY}, {"mode": "append"}, ""),
    ("postgres", {"mode": "append"}, {"mode": "append", "partition_by": BY_DAY}, "partition_by"),
]


@pytest.mark.parametrize(("kind", "before", "after", "path"), PLACES)
def test_one_finding_of_a_change_at_the_key_that_says_it(
    kind: str,
    before: dict[str, Any],
    after: dict[str, Any],
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, files(kind, **before), "old")
    write(tmp_path, files(kind, **after))
    done = run_contracts("check", "--format", "json", "--against", "old")
    found = [one["path"] for one in json.loads(done.stdout)["findings"] if one["rule"] == "TABLE_CANNOT_CHANGE"]
    assert found == [".".join(filter(None, ("sinks", kind, path)))]


@pytest.mark.parametrize("number", ["1:30", "010", "-017", "1:30.5"])
def test_number_that_yaml_reads_in_another_base_is_refused(number: str) -> None:
    texts = files("cassandra", **ID, ttl=777).texts
    name = "orders/contract.yaml"
    texts = {**texts, name: texts[name].replace("777", number)}
    with pytest.raises(ConfigurationError, match=f"{number} is not decimal"):
        loading.from_files(texts, "schemas").get("orders")


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


@settings(max_examples=examples.of(60), deadline=None)
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


@pytest.mark.parametrize(
    ("said", "grows"),
    [
        ({"mode": "append"}, False),
        ({"mode": "append", "partition_key": ["id"]}, True),
        ({"mode": "append", "partition_key": ["id", "count"], "clustering": ["at"]}, True),
        ({"mode": "append", "partition_key": ["id", "day"]}, False),
        ({"mode": "append", "partition_key": ["kafka_timestamp", "id"]}, False),
        ({"mode": "append", "partition_key": ["id"], "ttl": "9d"}, False),
        (ID, False),
    ],
)
def test_partition_that_each_event_makes_larger_is_a_finding(
    said: dict[str, Any], grows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, files("cassandra", **said))
    found = json.loads(run_contracts("lint", "--format", "json").stdout)["findings"]
    assert ("GROWING_PARTITION" in {one["rule"] for one in found}) is grows


def test_table_that_the_stream_of_another_drops_is_refused() -> None:
    found = files("postgres", **ID)
    found.spec["sinks"]["postgres"]["table"] = "orders__staging"
    contract = loading.from_files(found.texts, "schemas").get("orders")
    (refusal,) = cast("tuple[Refusal, ...]", layout.wanted(contract, contract.sinks[0]))
    assert refusal.at == ("table",)
    assert "the stream of the table orders drops" in refusal.why
