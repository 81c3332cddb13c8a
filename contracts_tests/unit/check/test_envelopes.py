"""What `check` and `tables` say of a contract in Debezium's envelope: its rows decide, not what is around them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.check.verdict import Verdict
from avro_data_contracts.contracts.tables import migrations
from contracts_tests.fixtures import debezium

PLAIN = {
    "envelope": None,
    "sinks": {
        "cassandra": {"keyspace": "shop", "table": "customers", "primary_key": ["op"]},
        "postgres": {"table": "customers", "primary_key": ["op"]},
    },
}


def contract(files: dict[str, str]) -> Contract:
    return loading.from_files(files, "schemas").get("customers")


def verdict(old: dict[str, str], new: dict[str, str]) -> Verdict:
    base = Baseline("main", {"customers": contract(old)})
    texts = Texts.of(new, "schemas")
    (found,) = run.run(loading.from_files(new, "schemas"), base, {}, texts, date(2026, 6, 1)).verdicts
    return found


def errors(one: Verdict) -> list[tuple[str, str]]:
    return [(found.rule, found.path) for found in one.findings if found.severity == "error"]


def changed(change: Callable[[list[dict[str, Any]], dict[str, Any]], None]) -> dict[str, Any]:
    """The envelope after a change of its rows' columns, or of `source`."""
    found = copy.deepcopy(debezium.envelope())
    change(found["fields"][0]["type"][1]["fields"], found["fields"][2]["type"])
    return found


def test_new_column_alters_both_tables_and_nobody_has_to_wait() -> None:
    city = {"name": "city", "type": ["null", "string"], "default": None}
    found = verdict(debezium.files(), debezium.files(value=changed(lambda row, _: row.append(city))))
    assert errors(found) == []
    assert found.impact is not None
    assert [one.migration.statements for one in found.impact.tables] == [
        ('ALTER TABLE "shop"."customers" ADD IF NOT EXISTS "city" text',),
        ('ALTER TABLE "public"."customers" ADD COLUMN IF NOT EXISTS "city" text',),
    ]
    assert [change.path for change in found.impact.changes] == ["city"]


def test_change_of_the_source_block_concerns_no_table_and_no_consumer() -> None:
    new = {"name": "commit", "type": ["null", "long"], "default": None}
    consumers = [{"name": "billing"}]
    old = debezium.files(consumers=consumers)
    found = verdict(
        old, debezium.files(value=changed(lambda _, source: source["fields"].append(new)), consumers=consumers)
    )
    assert errors(found) == []
    assert found.status == "changed"
    assert found.impact is not None
    assert [one.migration for one in found.impact.tables] == [migrations.Migration()] * 2
    assert found.impact.changes == ()
    assert [one.touched for one in found.impact.consumers] == [()]


def test_consumer_loses_a_column_by_its_name_in_the_row() -> None:
    consumers = [{"name": "billing", "fields": ["email"]}, {"name": "stock", "fields": ["id"]}]
    new = changed(lambda row, _: row.remove(next(field for field in row if field["name"] == "email")))
    found = verdict(debezium.files(consumers=consumers), debezium.files(value=new, consumers=consumers[1:]))
    assert ("CONSUMER_REMOVED", "consumers") in [(one.rule, one.path) for one in found.findings]
    kept = debezium.files(value=new, consumers=consumers)
    found = verdict(debezium.files(consumers=consumers), kept)
    assert ("CONSUMER_LOSES_FIELD", "consumers.0") in errors(found)
    assert found.impact is not None
    assert {one.name: one.lost for one in found.impact.consumers} == {"billing": ("email",), "stock": ()}


@pytest.mark.parametrize(
    ("column", "name", "rule"),
    [
        ("changed", "io.debezium.time.Timestamp", "LOGICAL_TYPE_CHANGED"),
        ("changed", "io.debezium.time.NanoTimestamp", "LOGICAL_TYPE_CHANGED"),
        ("opens", "io.debezium.time.NanoTime", "LOGICAL_TYPE_CHANGED"),
    ],
)
def test_another_precision_is_the_change_of_a_logical_type(column: str, name: str, rule: str) -> None:
    def change(row: list[dict[str, Any]], _: object) -> None:
        field = next(field for field in row if field["name"] == column)
        field["type"][1]["connect.name"] = name

    found = verdict(debezium.files(), debezium.files(value=changed(change)))
    assert (rule, f"before.{column}") in errors(found)


def test_envelope_that_comes_or_goes_needs_another_table() -> None:
    inside, plain = debezium.files(), debezium.files(**PLAIN)
    for old, new, words in (
        (plain, inside, "its rows were the whole value, and are now what is inside of the debezium envelope"),
        (inside, plain, "its rows were what is inside of the debezium envelope, and are now the whole value"),
    ):
        found = verdict(old, new)
        refused = [one for one in found.findings if one.rule == "TABLE_CANNOT_CHANGE"]
        assert [one.path for one in refused] == ["sinks.cassandra.table", "sinks.postgres.table"]
        assert all(words in one.message for one in refused)
        assert all("another table" in one.fix for one in refused)
        needed = migrations.between({"customers": contract(old)}, [contract(new)], {})
        assert migrations.failed(needed)
        assert [bool(one.migration.refusals) for one in needed[:1]] == [True]

    elsewhere = {kind: {**sink, "table": "rows", "primary_key": ["id"]} for kind, sink in PLAIN["sinks"].items()}
    found = verdict(plain, debezium.files(sinks=elsewhere))
    assert not [one for one in found.findings if one.rule == "TABLE_CANNOT_CHANGE"]
    needed = migrations.between({"customers": contract(plain)}, [contract(debezium.files(sinks=elsewhere))], {})
    assert not migrations.failed(needed)


def test_version_from_before_the_envelope_is_compared_as_it_was() -> None:
    """A registry may have it: contract.yaml is today's, and the schema an old one."""
    flat = {"type": "record", "name": "Value", "namespace": "n", "fields": [{"name": "id", "type": "int"}]}
    new = contract(debezium.files())
    plain = contract(debezium.files(envelope=None, sinks={}, value=flat))
    base = Baseline("registry", {"customers": replace(new, value=plain.value)})
    files = debezium.files()
    (found,) = run.run(
        loading.from_files(files, "schemas"), base, {}, Texts.of(files, "schemas"), date(2026, 6, 1)
    ).verdicts
    assert found.status == "changed"
    assert errors(found)
