"""What lint says of a schema that Debezium has made: what nobody here can change is no finding."""

from __future__ import annotations

from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.lint import run
from avro_data_contracts.contracts.lint.rules import RULES
from contracts_tests.fixtures import debezium

LEFT = {
    "rate": ("io.debezium.data.VariableScaleDecimal", "record", "decimal.handling.mode"),
    "paid": ("io.debezium.time.ZonedTimestamp", "string", "ISO 8601"),
}


def found(files: dict[str, str]) -> list[Finding]:
    return list(run.run(loading.from_files(files, "schemas"), Texts.of(files, "schemas")))


def test_types_that_stay_as_they_are_are_told_with_their_names() -> None:
    hits = {one.path.removeprefix("before."): one for one in found(debezium.files()) if one.rule == "ENVELOPE_TYPE"}
    assert hits.keys() == LEFT.keys()
    for path, (name, stays, fix) in LEFT.items():
        assert name in hits[path].message
        assert hits[path].message.endswith(f"stays {stays}")
        assert fix in hits[path].fix
        assert hits[path].severity == "warning"
        assert hits[path].line > 0


@pytest.mark.parametrize(
    ("kind", "stays"),
    [
        (debezium.semantic("long", "io.debezium.time.NanoTime"), "long"),
        (debezium.semantic("long", "io.debezium.time.MicroDuration"), "long"),
        (debezium.semantic("string", "io.debezium.time.ZonedTime"), "string"),
        (debezium.semantic("bytes", "io.debezium.data.Bits", length="8"), "bytes"),
        (debezium.semantic("bytes", "org.apache.kafka.connect.data.Decimal", scale="2"), "bytes"),
        ({"type": "array", "items": ["null", debezium.semantic("string", "io.debezium.time.ZonedTime")]}, "string"),
        (debezium.semantic("long", "io.debezium.time.MicroTimestamp"), None),
        (debezium.semantic("string", "io.debezium.data.Json"), None),
        (debezium.semantic("string", "io.debezium.data.Enum", allowed="a,b"), None),
        (debezium.decimal(9, 2), None),
        ("string", None),
    ],
)
def test_each_type_is_told_or_becomes_a_column_of_its_own_type(kind: Any, stays: str | None) -> None:
    texts = debezium.files({"id": "int", "it": kind})
    hits = [one for one in found(texts) if one.rule == "ENVELOPE_TYPE"]
    assert [one.message.rpartition(" ")[2] for one in hits] == ([stays] if stays else [])


def test_names_and_docs_that_the_database_gave_are_no_findings() -> None:
    style = {rule.id for rule in RULES if rule.style}
    assert not [one for one in found(debezium.files()) if one.rule in style]
    assert [one for one in found(debezium.files(envelope=None, sinks={})) if one.rule in style]


def test_a_setting_still_decides_about_a_rule_and_a_field() -> None:
    lint = {"ENVELOPE_TYPE": {"fields": ["before.paid"], "reason": "we read texts"}}
    hits = [one.path for one in found(debezium.files(lint=lint)) if one.rule in ("ENVELOPE_TYPE", "LINT_UNUSED")]
    assert hits == ["before.rate"]


def test_consumer_and_column_names_are_those_of_the_row() -> None:
    consumers = [{"name": "billing", "fields": ["email", "after.email", "source.lsn"]}]
    hits = [one for one in found(debezium.files(consumers=consumers)) if one.rule == "CONSUMER_FIELD"]
    assert [one.path for one in hits] == ["consumers.0.fields.1", "consumers.0.fields.2"]
    columns = {"id": "int", "kafka_offset": "long"}
    assert "COLUMN_NAME" in {one.rule for one in found(debezium.files(columns))}


def test_a_view_of_an_envelope_is_refused_in_words() -> None:
    sql = "-- sinks: {postgres: {table: emails, primary_key: [id]}}\nSELECT id, email FROM customers"
    files = debezium.files() | {"customers/views/emails.sql": sql}
    (one,) = [one for one in found(files) if one.severity == "error"]
    assert (one.rule, one.file, one.line) == ("VIEW_KIND", "schemas/customers/views/emails.sql", 2)
    assert "a deleted row would stay in the view" in one.message
