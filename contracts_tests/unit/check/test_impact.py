"""What a change does: who deploys first (checked against both directions), Spark, tables, consumers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from contracts.avro.paths import field_at, overlap, plain
from contracts.catalog import loading
from contracts.catalog.earlier import Earlier
from contracts.check import impact
from contracts.check.impact import First, Impact, Reads
from contracts.compat import changes
from contracts.lint import run
from contracts.tables import layout
from contracts_tests.fixtures.changes import STATES, TO_MICROS, Edit, Files, both, level, rename, retype


def effect(*edits: Edit, history: tuple[Edit, ...] = ()) -> Impact:
    """Of the last edit, after the one before."""
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
def test_who_deploys_first_comes_from_the_change_and_not_from_the_level(edit: Edit, first: First, name: str) -> None:
    found = effect(level(name), edit)
    assert found.first is first
    assert found.why


def test_what_the_order_does_not_solve_is_told_where_the_level_promises_it() -> None:
    text = lambda f: f.field("count").update(type="string", default="1")  # noqa: E731
    city = lambda f: f.add("city", "string", default="")  # noqa: E731
    history = (text, both(text, TO_MICROS), lambda f: None)
    found = effect(level("FULL_TRANSITIVE"), city, history=history)
    assert found.first is First.any
    assert "cannot read records of version 1 and 1 more, in whichever order" in found.why
    assert "readers that still have version 1 and 1 more cannot read new records" in found.why
    assert "values of version 1 mean something else" in found.why
    assert "readers that still" not in effect(level("BACKWARD_TRANSITIVE"), city, history=history).why
    assert effect(level("FULL"), city, history=history).why == "each side reads the other's records"


# -- Spark -------------------------------------------------------------------------------------------------------


def test_spark_says_which_default_fills_in_and_what_it_leaves_out() -> None:
    spark = effect(lambda f: f.add("city", "string", default="Bonn")).spark
    assert spark is not None
    assert (spark.reads_old, spark.reads_new) == (True, True)
    assert 'old records get city = "Bonn", its default' in spark.notes
    assert "until it restarts with the new contract, it leaves out city" in spark.notes


def test_spark_says_what_goes_to_the_dead_letter_topic() -> None:
    spark = effect(lambda f: f.add("city", "string")).spark
    assert spark is not None
    assert (spark.reads_old, spark.reads_new) == (False, True)
    assert any("records of main go to the dead-letter topic" in note and "city" in note for note in spark.notes)
    spark = effect(lambda f: f.drop("total")).spark
    assert spark is not None
    assert (spark.reads_old, spark.reads_new) == (True, False)
    assert any("new records go to the dead-letter topic" in note and "total" in note for note in spark.notes)


def test_spark_reads_all_that_was_ever_written_or_not() -> None:
    spark = effect(
        lambda f: f.add("city", "string", default=""),
        history=(lambda f: f.field("count").update(type="string", default="1"), lambda f: None),
    ).spark
    assert spark is not None
    assert not spark.reads_old
    assert any("records of version 0" in note and "count" in note for note in spark.notes)


def test_what_becomes_of_a_decimal_that_gets_more_digits_or_fewer() -> None:
    for precision, reads, words in (
        (10, (True, False), "new records go to the dead-letter topic (DECODE_ERROR) in which total has more digits"),
        (6, (False, True), "old records go to the dead-letter topic (DECODE_ERROR) in which total has more digits"),
    ):
        spark = effect(retype("total", decimal(precision))).spark
        assert spark is not None
        assert (spark.reads_old, spark.reads_new) == reads
        assert any(words in note for note in spark.notes)
    assert consumers(retype("total", decimal(10)))["billing"] == (Reads.breaks, ("total",))
    assert consumers(retype("total", decimal(6)))["billing"] == (Reads.on, ("total",))


def test_without_sinks_there_is_no_stream() -> None:
    found = effect(lambda f: f.spec.pop("sinks"), lambda f: f.add("city", "string"))
    assert found.spark is None
    assert found.tables == ()


# -- tables ------------------------------------------------------------------------------------------------------


def test_a_new_field_is_a_new_column_that_may_be_null() -> None:
    found = effect(lambda f: f.add("city", "string", default=""))
    assert migration("cassandra", found).statements == ('ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "city" text',)
    assert migration("postgres", found).statements == (
        'ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "city" text',
    )
    assert "city: null in existing rows" in migration("postgres", found).notes


def test_a_field_that_goes_leaves_its_column() -> None:
    found = effect(lambda f: f.drop("count"))
    assert migration("cassandra", found).statements == ()
    assert migration("postgres", found).statements == (
        'ALTER TABLE "public"."orders" ALTER COLUMN "count" DROP NOT NULL',
    )
    assert migration("cassandra", found).notes == ("count: stays as it is, and is no longer written",)
    assert migration("postgres", effect(lambda f: f.drop("note"))).statements == ()


def test_a_field_that_may_be_null_from_now_on() -> None:
    found = effect(lambda f: f.field("count").update(type=["int", "null"]))
    assert migration("cassandra", found) == layout.Migration()
    assert migration("postgres", found).statements == (
        'ALTER TABLE "public"."orders" ALTER COLUMN "count" DROP NOT NULL',
    )


def test_a_field_that_is_never_null_from_now_on_changes_nothing() -> None:
    found = effect(lambda f: f.field("note").update(type="string", default=""))
    assert [one.migration for one in found.tables] == [layout.Migration()] * 2


def test_a_wider_type_is_an_alter_in_postgresql_and_impossible_in_cassandra() -> None:
    found = effect(retype("count", "long"))
    wanted = 'ALTER TABLE "public"."orders" ALTER COLUMN "count" TYPE bigint'
    assert migration("postgres", found).statements == (wanted,)
    assert "rewrites the whole table" in migration("postgres", found).notes[0]
    (refusal,) = migration("cassandra", found).refusals
    assert refusal.column == "count"
    assert "cannot change" in refusal.why
    assert refusal.fix


@pytest.mark.parametrize(
    ("precision", "scale", "possible"), [(10, 2, True), (9, 3, True), (8, 3, False), (8, 1, False), (6, 2, False)]
)
def test_a_decimal_that_still_holds_what_is_stored(precision: int, scale: int, possible: bool) -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    found = migration("postgres", effect(retype("total", kind)))
    wanted = f'ALTER TABLE "public"."orders" ALTER COLUMN "total" TYPE numeric({precision},{scale})'
    assert found.statements == ((wanted,) if possible else ())
    assert bool(found.refusals) is not possible
    assert bool(found.notes) is (possible and scale != 2), "with the same scale no row is written"


def test_a_type_that_no_value_can_become() -> None:
    found = effect(lambda f: f.field("count").update(type="string", default="1"))
    for one in found.tables:
        assert [refusal.column for refusal in one.migration.refusals] == ["count"]
        assert one.migration.statements == ()


def test_a_type_without_a_column() -> None:
    kind = {"type": "bytes", "logicalType": "big-decimal"}
    for one in effect(lambda f: f.add("amount", ["null", kind], default=None)).tables:
        assert [refusal.column for refusal in one.migration.refusals] == ["amount"]


def test_microseconds_need_another_column_where_a_timestamp_ends_at_milliseconds() -> None:
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
def test_lint_the_tables_and_spark_agree_on_what_cannot_be_stored(edit: Edit) -> None:
    files = Files()
    edit(files)
    told = {one.message for one in run.run(loading.from_files(files.texts, "schemas")) if one.severity == "error"}
    found = effect(edit)
    refused = {no.why for one in found.tables for no in one.migration.refusals}
    assert refused
    assert refused <= told
    assert found.spark is not None
    assert not found.spark.starts


def test_as_many_columns_as_postgresql_takes() -> None:
    found = effect(lambda f: [f.add(f"reading_{number}", "int", default=0) for number in range(1591)])
    assert all(one.migration.refusals == () for one in found.tables)


def test_the_stream_starts_when_every_table_can_be_made() -> None:
    for edit, starts in ((lambda f: f.add("city", "string", default=""), True), (retype("count", "long"), False)):
        spark = effect(edit).spark
        assert spark is not None
        assert spark.starts is starts
        assert any("does not start" in note for note in spark.notes) is not starts


@pytest.mark.parametrize("word", ["user", "order", "select"])
def test_a_reserved_word_is_the_name_of_a_table_in_postgresql(word: str) -> None:
    def edit(files: Files) -> None:
        files.spec["sinks"]["postgres"].update(schema=word, table=word)

    for change in ((edit,), (edit, both(edit, lambda f: f.add("city", "string", default="")))):
        for statement in migration("postgres", effect(*change)).statements:
            assert f'"{word}"' in statement
            assert word not in re.sub('"[^"]*"', "", statement)


def test_an_enum_that_becomes_text_changes_no_column() -> None:
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
def test_a_column_of_the_primary_key_becomes_wider_in_postgresql(old: Any, new: Any, type_: str) -> None:
    found = effect(key_is(old), key_is(new))
    wanted = f'ALTER TABLE "public"."orders" ALTER COLUMN "id" TYPE {type_}'
    assert migration("postgres", found).statements == (wanted,)
    assert migration("postgres", found).refusals == ()


def test_a_key_that_is_a_uuid_does_not_become_text() -> None:
    found = effect(key_is({"type": "string", "logicalType": "uuid"}), key_is("string"))
    (refusal,) = migration("postgres", found).refusals
    assert "case matters" in refusal.why


def test_a_primary_key_is_for_ever() -> None:
    found = effect(lambda f: f.spec["sinks"]["cassandra"].update(primary_key=["id", "at"]))
    (refusal,) = migration("cassandra", found).refusals
    assert "(id)" in refusal.why
    assert "(id, at)" in refusal.why
    assert migration("postgres", found) == layout.Migration()


def test_another_table_is_made_and_the_old_one_stays() -> None:
    found = migration("postgres", effect(lambda f: f.spec["sinks"]["postgres"].update(table="orders_v2")))
    assert found.statements[0].startswith('CREATE TABLE IF NOT EXISTS "public"."orders_v2"')
    assert "public.orders stays" in found.notes[0]


def test_a_new_sink_and_one_that_goes() -> None:
    def without(kind: str) -> Edit:
        return lambda f: f.spec["sinks"].pop(kind)

    def again(files: Files) -> None:
        files.spec["sinks"] = Files().spec["sinks"]

    assert migration("postgres", effect(without("postgres"), again)).statements[0].startswith("CREATE TABLE")
    assert "no longer written" in migration("cassandra", effect(without("cassandra"))).notes[0]


def test_a_column_that_went_is_still_in_the_table() -> None:
    number = lambda f: f.add("extra", "int", default=1)  # noqa: E731
    text = lambda f: f.add("extra", "string", default="")  # noqa: E731
    for one in effect(text, history=(number,)).tables:
        assert one.migration.statements == ()
        assert [refusal.column for refusal in one.migration.refusals] == ["extra"]
    for one in effect(number, history=(text, number)).tables:  # the newest type that it had
        assert one.migration.statements == ()
        assert one.migration.refusals == ()
        assert one.migration.notes == ("extra: exists with the values of version 1, and is written again",)
    wider = effect(lambda f: f.add("extra", "long", default=1), history=(number,))
    assert migration("postgres", wider).statements == (
        'ALTER TABLE "public"."orders" ALTER COLUMN "extra" TYPE bigint',
    )
    (refusal,) = migration("cassandra", wider).refusals
    assert "whose column is still there" in refusal.why


def test_a_version_that_no_table_was_made_for_leaves_no_column() -> None:
    def unstorable(files: Files) -> None:
        files.spec.pop("sinks")
        files.add("extra", "int", default=1)
        files.add("other", "null", default=None)

    found = effect(lambda f: f.add("extra", "string", default=""), history=(unstorable,))
    assert migration("cassandra", found).statements == ('ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "extra" text',)


def test_a_table_is_that_of_its_name_however_long_ago() -> None:
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


def test_a_consumer_breaks_where_its_field_can_no_longer_be_read() -> None:
    found = consumers(lambda f: f.drop("total"))
    assert found["billing"] == (Reads.breaks, ("total",))
    assert found["search"] == (Reads.on, ())


def test_a_consumer_loses_what_its_default_replaces() -> None:
    assert consumers(lambda f: f.drop("note"))["search"] == (Reads.without, ("note",))
    renamed = both(rename("note", "notes"), lambda f: f.field("notes").update(aliases=["note"]))
    assert consumers(renamed)["search"] == (Reads.without, ("note",))


def test_a_consumer_takes_a_number_for_another() -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 3}
    assert consumers(retype("total", kind))["billing"] == (Reads.breaks, ("total",))


def test_a_consumer_of_everything_is_touched_by_everything() -> None:
    everything = both(lambda f: f.spec.update(consumers=[{"name": "lake"}]))
    assert consumers(everything, retype("count", "long"))["lake"] == (Reads.breaks, ("count",))
    assert consumers(everything, lambda f: f.add("city", "string"))["lake"] == (Reads.on, ())


def test_a_consumer_reads_inside_of_what_it_names() -> None:
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


# -- paths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("a.b", "a.b"),
        ("items[].price", "items.price"),
        ("rates{}", "rates"),
        ("payment(Card).number", "payment.number"),
    ],
)
def test_plain_paths(path: str, told: str) -> None:
    assert plain(path) == told


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("a", "a", True), ("a.b", "a", True), ("a", "a.b", True), ("ab", "a", False), ("", "a", True)],
)
def test_overlapping_paths(one: str, other: str, same: bool) -> None:
    assert overlap(one, other) is same


def test_a_field_by_its_path() -> None:
    schema = loading.from_files(Files().texts, "schemas").contracts["orders"].value.schema
    assert field_at(schema, "total") is not None
    assert field_at(schema, "total.cents") is None
    assert field_at(schema, "") is None
