"""The impact of a change: who deploys first (checked in both directions), Spark, tables and consumers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.check import impact
from avro_data_contracts.contracts.check.effects import First, Impact, Reads, Reason, Trouble
from avro_data_contracts.contracts.compat import changes
from avro_data_contracts.contracts.impact_wording import ImpactWording
from avro_data_contracts.contracts.lint import run
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.wording import told as note_told
from contracts_tests.fixtures.changes import STATES, TO_MICROS, Edit, Files, both, level, rename, retype


def effect(*edits: Edit, history: tuple[Edit, ...] = ()) -> Impact:
    """The impact of the last edit on the contract before it."""
    before, after = Files(), Files()
    for edit in edits[:-1]:
        edit(before)
        edit(after)
    edits[-1](after)
    old, new = (loading.from_files(one.texts, "schemas").contracts["orders"] for one in (before, after))
    versions = []
    for number, edit in enumerate(history):
        files = Files()
        edit(files)
        schema = loading.from_files(files.texts, "schemas").contracts["orders"].value.schema
        versions.append(Earlier(f"version {number}", schema))
    told = changes.between(old.value.schema, new.value.schema)
    return impact.of(old, new, (*versions, Earlier("main", old.value.schema)), told)


def migration(kind: str, found: Impact) -> layout.Migration:
    return next(one.migration for one in found.tables if one.kind == kind)


def why(found: Impact) -> str:
    return ImpactWording(found, once=False).deployment(found.deployment)


def stream_lines(found: Impact) -> list[str]:
    assert found.spark is not None
    return ImpactWording(found, once=False).spark(found.spark)


def table_lines(kind: str, found: Impact) -> list[str]:
    return [note_told(note) for note in migration(kind, found).notes]


def decimal(precision: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2}


# -- who deploys first -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "first"),
    [
        (lambda f: None, First.any),
        (lambda f: f.add("city", "string", default=""), First.any),
        (lambda f: f.add("city", "string"), First.producers),
        (lambda f: f.drop("total"), First.consumers),
        (lambda f: f.drop("count"), First.any),
        (retype("count", "long"), First.consumers),
        (retype("state", STATES), First.consumers),
        (retype("state", {**STATES, "symbols": ["OPEN"]}), First.producers),
        (both(lambda f: f.add("city", "string"), lambda f: f.drop("total")), First.together),
        (TO_MICROS, First.together),
        (lambda f: f.field("total").update(doc="Another."), First.any),
        (retype("total", decimal(10)), First.consumers),
        (retype("total", decimal(6)), First.producers),
        (both(retype("total", decimal(10)), lambda f: f.add("city", "string")), First.together),
        (both(retype("total", decimal(10)), TO_MICROS), First.together),
    ],
)
@pytest.mark.parametrize("name", ["NONE", "BACKWARD", "FORWARD", "FULL_TRANSITIVE"])
def test_deployment_order_follows_from_the_change_not_the_level(edit: Edit, first: First, name: str) -> None:
    found = effect(level(name), edit)
    assert found.first is first
    assert why(found)


def test_deployment_lists_problems_that_no_order_solves() -> None:
    text = lambda f: f.field("count").update(type="string", default="1")  # noqa: E731
    city = lambda f: f.add("city", "string", default="")  # noqa: E731
    history = (text, both(text, TO_MICROS), lambda f: None)
    found = effect(level("FULL_TRANSITIVE"), city, history=history)
    assert found.first is First.any
    assert [(one.trouble, one.labels) for one in found.deployment.unsolved] == [
        (Trouble.unreadable_records, ("version 0", "version 1")),
        (Trouble.unable_readers, ("version 0", "version 1")),
        (Trouble.other_meaning, ("version 1",)),
    ]
    assert "whatever the order, the new schema cannot read records of version 1 and 1 more" in why(found)
    assert "readers that still use version 1 and 1 more cannot read new records" in why(found)
    assert "the same bytes mean something else in records of version 1" in why(found)
    backward = effect(level("BACKWARD_TRANSITIVE"), city, history=history).deployment
    assert Trouble.unable_readers not in [one.trouble for one in backward.unsolved]
    full = effect(level("FULL"), city, history=history).deployment
    assert (full.reason, full.unsolved) == (Reason.both_read, ())


# -- Spark -------------------------------------------------------------------------------------------------------


def test_spark_reports_filled_defaults_and_ignored_fields() -> None:
    found = effect(lambda f: f.add("city", "string", default="Bonn"))
    spark = found.spark
    assert spark is not None
    assert (spark.reads_old, spark.reads_new) == (True, True)
    assert ([one.path for one in spark.filled], spark.ignores) == (["city"], ("city",))
    assert stream_lines(found) == [
        'old records get city = "Bonn", its default',
        "until you restart it with the new contract, the stream ignores city",
    ]


def test_spark_reports_what_goes_to_the_dead_letter_topic() -> None:
    found = effect(lambda f: f.add("city", "string"))
    spark = found.spark
    assert spark is not None
    assert (spark.reads_old, spark.reads_new) == (False, True)
    assert [(one.label, one.obstacle.path) for one in spark.unread] == [("main", "city")]
    assert stream_lines(found)[0].startswith("records of main are dead-lettered as INCOMPATIBLE_SCHEMA: city: ")
    found = effect(lambda f: f.drop("total"))
    spark = found.spark
    assert spark is not None
    assert (spark.reads_old, spark.reads_new) == (True, False)
    assert spark.rejects is not None
    assert spark.rejects.path == "total"
    assert "the stream dead-letters new records: total: " in stream_lines(found)[0]


def test_spark_reports_earlier_versions_that_it_cannot_read() -> None:
    spark = effect(
        lambda f: f.add("city", "string", default=""),
        history=(lambda f: f.field("count").update(type="string", default="1"), lambda f: None),
    ).spark
    assert spark is not None
    assert not spark.reads_old
    assert [(one.label, one.obstacle.path) for one in spark.unread] == [("version 0", "count")]


def test_decimal_with_more_or_fewer_digits_affects_spark_and_consumers() -> None:
    for precision, reads, words in (
        (10, (True, False), "the stream dead-letters new records with more digits in total than decimal(8,2)"),
        (6, (False, True), "old records with more digits in total than decimal(6,2) are dead-lettered"),
    ):
        found = effect(retype("total", decimal(precision)))
        assert found.spark is not None
        assert (found.spark.reads_old, found.spark.reads_new) == reads
        assert words in " ".join(stream_lines(found))
    assert consumers(retype("total", decimal(10)))["billing"] == (Reads.breaks, ("total",))
    assert consumers(retype("total", decimal(6)))["billing"] == (Reads.on, ("total",))


def test_contract_without_sinks_has_no_stream() -> None:
    found = effect(lambda f: f.spec.pop("sinks"), lambda f: f.add("city", "string"))
    assert found.spark is None
    assert found.tables == ()


# -- tables ------------------------------------------------------------------------------------------------------


def test_new_field_adds_a_nullable_column() -> None:
    found = effect(lambda f: f.add("city", "string", default=""))
    assert migration("cassandra", found).statements == ('ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "city" text',)
    assert migration("postgres", found).statements == (
        'ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "city" text',
    )
    assert "existing rows have null in city" in table_lines("postgres", found)


def test_removed_field_keeps_its_column() -> None:
    found = effect(lambda f: f.drop("count"))
    assert migration("cassandra", found).statements == ()
    assert migration("postgres", found).statements == (
        'ALTER TABLE "public"."orders" ALTER COLUMN "count" DROP NOT NULL',
    )
    assert table_lines("cassandra", found) == ["count stays in the table, but nothing writes to it"]
    assert migration("postgres", effect(lambda f: f.drop("note"))).statements == ()


def test_field_made_nullable_drops_not_null_in_postgresql() -> None:
    found = effect(lambda f: f.field("count").update(type=["int", "null"]))
    assert migration("cassandra", found) == layout.Migration()
    assert migration("postgres", found).statements == (
        'ALTER TABLE "public"."orders" ALTER COLUMN "count" DROP NOT NULL',
    )


def test_field_made_required_changes_no_column() -> None:
    found = effect(lambda f: f.field("note").update(type="string", default=""))
    assert [one.migration for one in found.tables] == [layout.Migration()] * 2


def test_postgresql_alters_wider_type_and_cassandra_refuses_it() -> None:
    found = effect(retype("count", "long"))
    wanted = 'ALTER TABLE "public"."orders" ALTER COLUMN "count" TYPE bigint'
    assert migration("postgres", found).statements == (wanted,)
    assert "rewrite the whole table" in table_lines("postgres", found)[0]
    (refusal,) = migration("cassandra", found).refusals
    assert refusal.column == "count"
    assert "cannot change" in refusal.why
    assert refusal.fix


@pytest.mark.parametrize(
    ("precision", "scale", "possible"), [(10, 2, True), (9, 3, True), (8, 3, False), (8, 1, False), (6, 2, False)]
)
def test_decimal_is_altered_only_if_stored_values_still_fit(precision: int, scale: int, possible: bool) -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    found = migration("postgres", effect(retype("total", kind)))
    wanted = f'ALTER TABLE "public"."orders" ALTER COLUMN "total" TYPE numeric({precision},{scale})'
    assert found.statements == ((wanted,) if possible else ())
    assert bool(found.refusals) is not possible
    assert bool(found.notes) is (possible and scale != 2), "PostgreSQL rewrites rows only if the scale changes"


def test_int_that_becomes_text_is_refused_by_every_store() -> None:
    found = effect(lambda f: f.field("count").update(type="string", default="1"))
    for one in found.tables:
        assert [refusal.column for refusal in one.migration.refusals] == ["count"]
        assert one.migration.statements == ()


def test_new_field_without_column_type_is_refused_by_every_store() -> None:
    kind = {"type": "bytes", "logicalType": "big-decimal"}
    for one in effect(lambda f: f.add("amount", ["null", kind], default=None)).tables:
        assert [refusal.column for refusal in one.migration.refusals] == ["amount"]


def test_cassandra_refuses_timestamp_that_becomes_microseconds() -> None:
    found = effect(TO_MICROS)
    assert [refusal.column for refusal in migration("cassandra", found).refusals] == ["at"]
    assert migration("postgres", found) == layout.Migration()


@pytest.mark.parametrize(
    "edit",
    [
        retype("at", {"type": "bytes", "logicalType": "big-decimal"}),
        retype("state", {"type": "array", "items": ["null", {"type": "bytes", "logicalType": "big-decimal"}]}),
        lambda f: f.add("parent", ["null", "Order"], default=None),
        retype("total", {"type": "bytes", "logicalType": "decimal", "precision": 39, "scale": 2}),
        lambda f: f.add("ctid", "int", default=0),
        lambda f: f.add("Kafka_Offset", "int", default=0),
        lambda f: [f.add(f"reading_{number}", "int", default=0) for number in range(1592)],
        lambda f: f.spec["sinks"]["postgres"].update(schema="pg_orders"),
        lambda f: f.spec["sinks"]["cassandra"].update(keyspace="system"),
        lambda f: f.spec["sinks"]["cassandra"].update(table="order"),
    ],
)
def test_lint_tables_and_spark_agree_on_what_cannot_be_stored(edit: Edit) -> None:
    files = Files()
    edit(files)
    told = {one.message for one in run.run(loading.from_files(files.texts, "schemas")) if one.severity == "error"}
    found = effect(edit)
    refused = {no.why for one in found.tables for no in one.migration.refusals}
    assert refused
    assert refused <= told
    assert found.spark is not None
    assert not found.spark.starts


def test_table_with_maximum_number_of_columns_is_accepted() -> None:
    found = effect(lambda f: [f.add(f"reading_{number}", "int", default=0) for number in range(1591)])
    assert all(one.migration.refusals == () for one in found.tables)


def test_stream_starts_only_if_every_migration_is_possible() -> None:
    for edit, starts in ((lambda f: f.add("city", "string", default=""), True), (retype("count", "long"), False)):
        found = effect(edit)
        assert found.spark is not None
        assert found.spark.starts is starts
        assert ("does not start" in ImpactWording(found).blocked(found.spark)) is not starts


@pytest.mark.parametrize("word", ["user", "order", "select"])
def test_reserved_word_as_table_name_is_quoted_in_postgresql(word: str) -> None:
    def edit(files: Files) -> None:
        files.spec["sinks"]["postgres"].update(schema=word, table=word)

    for change in ((edit,), (edit, both(edit, lambda f: f.add("city", "string", default="")))):
        for statement in migration("postgres", effect(*change)).statements:
            assert f'"{word}"' in statement
            assert word not in re.sub('"[^"]*"', "", statement)


def test_enum_that_becomes_text_changes_no_column() -> None:
    assert all(one.migration == layout.Migration() for one in effect(retype("state", "string")).tables)


def key_is(kind: Any) -> Edit:
    return lambda f: (f.key["fields"][0].update(type=kind), f.field("id").update(type=kind))


@pytest.mark.parametrize(
    ("old", "new", "type_"),
    [
        ("int", "long", "bigint"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 0},
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 0},
            "numeric(9,0)",
        ),
    ],
)
def test_postgresql_widens_column_of_the_primary_key(old: Any, new: Any, type_: str) -> None:
    found = effect(key_is(old), key_is(new))
    wanted = f'ALTER TABLE "public"."orders" ALTER COLUMN "id" TYPE {type_}'
    assert migration("postgres", found).statements == (wanted,)
    assert migration("postgres", found).refusals == ()


def test_postgresql_refuses_uuid_key_that_becomes_text() -> None:
    found = effect(key_is({"type": "string", "logicalType": "uuid"}), key_is("string"))
    (refusal,) = migration("postgres", found).refusals
    assert "case matters" in refusal.why


def test_cassandra_refuses_changed_primary_key() -> None:
    found = effect(lambda f: f.spec["sinks"]["cassandra"].update(primary_key=["id", "at"]))
    (refusal,) = migration("cassandra", found).refusals
    assert "(id)" in refusal.why
    assert "(id, at)" in refusal.why
    assert migration("postgres", found) == layout.Migration()


def test_renamed_table_is_created_and_the_old_one_stays() -> None:
    found = migration("postgres", effect(lambda f: f.spec["sinks"]["postgres"].update(table="orders_v2")))
    assert found.statements[0].startswith('CREATE TABLE IF NOT EXISTS "public"."orders_v2"')
    assert [note.kind for note in found.notes] == [layout.NoteKind.new_table]


def test_new_sink_creates_table_and_removed_sink_keeps_it() -> None:
    def without(kind: str) -> Edit:
        return lambda f: f.spec["sinks"].pop(kind)

    def again(files: Files) -> None:
        files.spec["sinks"] = Files().spec["sinks"]

    assert migration("postgres", effect(without("postgres"), again)).statements[0].startswith("CREATE TABLE")
    assert "nothing writes to it" in table_lines("cassandra", effect(without("cassandra")))[0]


def test_removed_column_still_counts_when_its_field_returns() -> None:
    number = lambda f: f.add("extra", "int", default=1)  # noqa: E731
    text = lambda f: f.add("extra", "string", default="")  # noqa: E731
    for one in effect(text, history=(number,)).tables:
        assert one.migration.statements == ()
        assert [refusal.column for refusal in one.migration.refusals] == ["extra"]
    for one in effect(number, history=(text, number)).tables:  # the column has its newest type
        assert one.migration.statements == ()
        assert one.migration.refusals == ()
        assert [note_told(note) for note in one.migration.notes] == [
            "extra still has the values that version 1 wrote, and is written again"
        ]
    wider = effect(lambda f: f.add("extra", "long", default=1), history=(number,))
    assert migration("postgres", wider).statements == (
        'ALTER TABLE "public"."orders" ALTER COLUMN "extra" TYPE bigint',
    )
    (refusal,) = migration("cassandra", wider).refusals
    assert "whose column is still there" in refusal.why


def test_version_without_a_table_leaves_no_column() -> None:
    def unstorable(files: Files) -> None:
        files.spec.pop("sinks")
        files.add("extra", "int", default=1)
        files.add("other", "null", default=None)

    found = effect(lambda f: f.add("extra", "string", default=""), history=(unstorable,))
    assert migration("cassandra", found).statements == ('ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "extra" text',)


def test_reused_table_name_brings_back_columns_of_the_old_table() -> None:
    sinks = {name: loading.from_files(_named(name).texts, "s").contracts["orders"] for name in ("orders", "o2")}
    number = _named("orders")
    number.add("extra", "int", default=1)
    first = loading.from_files(number.texts, "s").contracts["orders"]
    new = _named("orders")
    new.add("extra", "string", default="")
    wanted = loading.from_files(new.texts, "s").contracts["orders"]
    history = [Earlier("one", first.value.schema, first.sinks), Earlier("two", first.value.schema, sinks["o2"].sinks)]
    found = impact.of(sinks["o2"], wanted, history, changes.between(sinks["o2"].value.schema, wanted.value.schema))
    (refusal,) = migration("postgres", found).refusals
    assert refusal.column == "extra"


def _named(table: str) -> Files:
    files = Files()
    files.spec["sinks"]["postgres"]["table"] = table
    return files


# -- consumers ---------------------------------------------------------------------------------------------------


def consumers(*edits: Edit) -> dict[str, tuple[Reads, tuple[str, ...]]]:
    return {one.name: (one.reads, one.touched) for one in effect(*edits).consumers}


def test_consumer_breaks_if_its_field_becomes_unreadable() -> None:
    found = consumers(lambda f: f.drop("total"))
    assert found["billing"] == (Reads.breaks, ("total",))
    assert found["search"] == (Reads.on, ())


def test_consumer_loses_field_that_a_default_replaces() -> None:
    assert consumers(lambda f: f.drop("note"))["search"] == (Reads.without, ("note",))
    renamed = both(rename("note", "notes"), lambda f: f.field("notes").update(aliases=["note"]))
    assert consumers(renamed)["search"] == (Reads.without, ("note",))


def test_consumer_breaks_if_the_scale_of_its_decimal_changes() -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 3}
    assert consumers(retype("total", kind))["billing"] == (Reads.breaks, ("total",))


def test_consumer_without_listed_fields_reads_every_field() -> None:
    everything = both(lambda f: f.spec.update(consumers=[{"name": "lake"}]))
    assert consumers(everything, retype("count", "long"))["lake"] == (Reads.breaks, ("count",))
    assert consumers(everything, lambda f: f.add("city", "string"))["lake"] == (Reads.on, ())


def test_consumer_reads_nested_fields_of_what_it_lists() -> None:
    def nested(kind: str) -> Edit:
        inner = {"type": "record", "name": "Item", "fields": [{"name": "price", "type": kind}]}

        def edit(files: Files) -> None:
            files.spec.pop("sinks", None)
            files.spec["consumers"] = [{"name": "a", "fields": ["items"]}, {"name": "b", "fields": ["items.price"]}]
            if not any(one["name"] == "items" for one in files.value["fields"]):
                files.add("items", None)
            retype("items", {"type": "array", "items": inner})(files)

        return edit

    found = consumers(nested("int"), nested("long"))
    assert found == {name: (Reads.breaks, ("items[].price",)) for name in ("a", "b")}
