"""`contracts check`: a change that breaks each rule, approvals, output formats, and the command itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

import pytest

from avro_data_contracts.contracts import formats, report
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.catalog.findings import FailOn, Finding, Severity
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run
from avro_data_contracts.contracts.check.rules import APPROVABLE, CHECK_RULES
from avro_data_contracts.contracts.check.run import Baseline, Checked
from avro_data_contracts.contracts.compat.wording import describe
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.formats import Result
from contracts_tests.fixtures.changes import (
    STATES,
    TO_MICROS,
    Edit,
    Files,
    aggregation,
    both,
    count_is_text,
    level,
    rename,
    retype,
    shops,
    view,
    write,
)
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_contracts

TODAY = date(2026, 6, 1)


def changed(*edits: Edit, history: tuple[Edit, ...] = (), today: date = TODAY) -> Checked:
    """Compare the contract after the last edit with the contract before it."""
    before, after = Files(), Files()
    for edit in edits[:-1]:
        edit(before)
        edit(after)
    edits[-1](after)
    old = loading.from_files(before.texts, "schemas")
    new = loading.from_files(after.texts, "schemas")
    base = Baseline("main", MappingProxyType({one.topic: one for one in old.contracts.values()}))
    versions = []
    for number, edit in enumerate(history):
        files = Files()
        edit(files)
        value = loading.from_files(files.texts, "schemas").contracts["orders"].value
        versions.append(Earlier(f"version {number}", value.schema))
    histories = {}
    if history:
        histories = {"orders-value": (*versions, Earlier("main", old.contracts["orders"].value.schema))}
    return run.run(new, base, histories, Texts.of(after.texts, "schemas"), today)


def rules(checked: Checked) -> dict[str, Finding]:
    return {one.rule: one for one in reversed(checked.findings)}


PAYMENT = ["null", "string", "int"]

#: Rule -> edits, path of the finding, and text in its line.
CASES: dict[str, tuple[tuple[Edit, ...], str, str]] = {
    "READER_FIELD_MISSING_DEFAULT_VALUE": ((lambda f: f.add("city", "string"),), "city", '"city"'),
    "TYPE_MISMATCH": ((count_is_text,), "count", '"count"'),
    "NAME_MISMATCH": ((lambda f: f.value.update(name="Purchase"),), "", '"Purchase"'),
    "MISSING_UNION_BRANCH": (
        (lambda f: (f.spec.pop("sinks"), retype("note", PAYMENT)(f)), retype("note", ["null", "string"])),
        "note",
        "[",
    ),
    "MISSING_ENUM_SYMBOLS": (
        (retype("state", {"type": "enum", "name": "State", "symbols": ["OPEN"]}),),
        "state",
        "[",
    ),
    "FIXED_SIZE_MISMATCH": (
        (
            lambda f: f.add("sum", {"type": "fixed", "name": "Sum", "size": 4}),
            retype("sum", {"type": "fixed", "name": "Sum", "size": 8}),
        ),
        "sum",
        "8",
    ),
    "READER_FIELD_MATCHES_SEVERAL": ((lambda f: f.field("count").update(aliases=["id"]),), "count", '"count"'),
    "DECIMAL_CHANGED": (
        (retype("total", {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 3}),),
        "total",
        '"decimal"',
    ),
    "DECIMAL_WIDENED": (
        (retype("total", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}),),
        "total",
        '"decimal"',
    ),
    "LOGICAL_TYPE_CHANGED": ((TO_MICROS,), "at", '"timestamp-micros"'),
    "LOGICAL_TYPE_READ": (
        (
            lambda f: (f.spec.pop("sinks"), f.field("count").update(logicalType="date")),
            lambda f: [
                f.field("count").pop("logicalType"),
                retype("count", {"type": "int", "logicalType": "date"})(f),
            ],
        ),
        "count",
        '"date"',
    ),
    "LOOKS_RENAMED": ((rename("note", "notes"),), "notes", '"notes"'),
    "ENUM_WITHOUT_DEFAULT": ((retype("state", STATES),), "state", "["),
    "SYMBOL_BECOMES_DEFAULT": (
        (retype("state", {"type": "enum", "name": "State", "symbols": ["OPEN"], "default": "OPEN"}),),
        "state",
        "[",
    ),
    "REPLICATION_CHANGED": (
        (lambda f: f.spec["kafka"].update(replication_factor=3),),
        "kafka.replication_factor",
        "replication_factor: 3",
    ),
    "RETENTION_SHORTENED": (
        (lambda f: f.spec["kafka"].update(config={"retention.ms": "3600000"}),),
        "kafka.config.retention.ms",
        "retention.ms",
    ),
    "CLEANUP_CHANGED": (
        (lambda f: f.spec["kafka"].update(config={"cleanup.policy": "compact"}),),
        "kafka.config.cleanup.policy",
        "cleanup.policy",
    ),
    "DEAD_LETTERS_MOVED": (
        (lambda f: f.spec.update(dead_letter={"topic": "orders.dead"}),),
        "dead_letter.topic",
        "topic: orders.dead",
    ),
    "CONSUMER_REMOVED": (
        (lambda f: (f.drop("note"), f.spec.update(consumers=f.spec["consumers"][:1])),),
        "consumers",
        "consumers:",
    ),
    "KEY_CHANGED": ((lambda f: f.key.update(doc="Key."),), "", "{"),
    "PARTITIONS_CHANGED": ((lambda f: f.spec["kafka"].update(partitions=6),), "kafka.partitions", "partitions: 6"),
    "SUBJECT_CHANGED": (
        (lambda f: f.spec.update(subject_strategy="RecordName"),),
        "subject_strategy",
        "subject_strategy: RecordName",
    ),
    "SCHEMA_ID_MOVED": (
        (lambda f: f.spec.update(producer={"schema_id": "header"}),),
        "producer.schema_id",
        "schema_id: header",
    ),
    "LEVEL_LOWERED": ((level("NONE"),), "compatibility", "compatibility: NONE"),
    "CONTRACT_REMOVED": ((lambda f: f.spec.update(topic="purchases"),), "topic", ""),
    "COLUMN_CANNOT_CHANGE": ((retype("count", "long"),), "count", '"long"'),
    "TABLE_CANNOT_CHANGE": (
        (lambda f: f.spec["sinks"]["postgres"].update(primary_key=["id", "count"]),),
        "sinks.postgres.primary_key",
        "primary_key",
    ),
    "TABLE_ABANDONED": ((lambda f: f.spec["sinks"]["postgres"].update(table="o2"),), "sinks.postgres", "postgres"),
    "MASK_REMOVED": (
        (
            lambda f: f.spec.update(masks=[{"tag": "PII", "mask": "hash"}]),
            lambda f: f.spec.update(masks=[{"tag": "PII", "mask": "hash", "stores": ["postgres"]}]),
        ),
        "masks",
        "masks",
    ),
    "CONSUMER_LOSES_FIELD": ((lambda f: f.drop("note"),), "consumers.1", "name: search"),
    "VIEW_BROKEN": (
        (view("SELECT id,\n  count + 1 AS next\nFROM orders"), rename("count", "quantity")),
        "views.counts",
        "count + 1",
    ),
    "VIEW_CHANGED": (
        (view("SELECT id, count FROM orders"), view("SELECT id, count + 1 AS count FROM orders")),
        "views.counts",
        "SELECT",
    ),
    "REFERENCE_CHANGED": (
        (shops("1,One", "2,Two"), shops("1,Eins", "2,Two")),
        "views.joined.reference.shops",
        "id,name",
    ),
    "VIEW_REBUILD": (
        (aggregation("count(*) AS n"), aggregation("count(*) AS n, sum(count) AS total")),
        "views.hours",
        "SELECT",
    ),
    "RULE_TIGHTENED": (
        (lambda f: f.spec.update(rules=[{"name": "counted", "field": "count", "min": 1}]),),
        "rules.0",
        "name: counted",
    ),
    "DEFAULT_CHANGED": ((lambda f: f.field("count").update(default=2),), "count", "2,"),
    "NAMESPACE_CHANGED": ((lambda f: f.value.update(namespace="org.example"),), "", '"org.example"'),
    "TAG_REMOVED": ((lambda f: f.field("note").pop("confluent:tags"),), "note", "{"),
    "DOC_REMOVED": ((lambda f: f.field("count").pop("doc"),), "count", "{"),
    "APPROVAL_EXPIRED": (
        (lambda f: f.spec.update(approvals=[approval("DOC_REMOVED", "id", until="2026-05-31")]),),
        "approvals.0",
        "rule: DOC_REMOVED",
    ),
    "APPROVAL_UNUSED": (
        (lambda f: f.spec.update(approvals=[approval("DOC_REMOVED", "id")]),),
        "approvals.0",
        "rule: DOC_REMOVED",
    ),
}


def approval(rule: str, path: str, until: str = "2026-06-01") -> dict[str, Any]:
    return {"rule": rule, "path": path, "reason": "agreed with finance", "until": date.fromisoformat(until)}


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_reports_its_change_with_position(rule: str) -> None:
    edits, path, words = CASES[rule]
    found = rules(changed(*edits))
    assert rule in found
    one = found[rule]
    assert one.severity is CHECK_RULES[rule].severity
    assert one.path == path
    assert one.message
    assert one.fix
    after = Files()
    for edit in edits:
        edit(after)
    if words:
        line = after.texts[one.file.removeprefix("schemas/")].splitlines()[one.line - 1]
        assert words in line[one.column - 1 :]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "int", "logicalType": "date"}, {"type": "long", "logicalType": "timestamp-millis"}),
        ("int", {"type": "long", "logicalType": "timestamp-millis"}),
        (
            ["null", {"type": "int", "logicalType": "time-millis"}],
            ["null", {"type": "long", "logicalType": "time-micros"}],
        ),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "string"),
    ],
)
def test_wider_type_with_another_logical_type_is_reported(old: Any, new: Any) -> None:
    found = rules(changed(lambda f: (f.spec.pop("sinks"), f.add("late", old)), retype("late", new)))
    assert found["LOGICAL_TYPE_CHANGED"].path.startswith("late")


def test_decimal_with_fewer_digits_or_another_scale_is_reported() -> None:
    for precision, scale, words in ((6, 2, "such records cannot be read"), (8, 3, "as another number")):
        kind = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        assert words in rules(changed(retype("total", kind)))["DECIMAL_CHANGED"].message


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            lambda f: f.key.update(doc="Key."),
            "key: doc: none -> 'Key.'), and its values are still written the same way",
        ),
        (lambda f: f.key.update(doc=""), 'doc: none -> ""), and its values are still written the same way'),
        (lambda f: f.key.update(type="error"), 'type: "record" -> "error"). It gets a new id'),
        (
            lambda f: (f.key["fields"][0].update(type="bytes"), f.key.update(doc="K", name="Other")),
            "key: type name: com.example.OrderKey -> com.example.Other; key: doc: none -> 'K'; id: retyped: "
            "string -> bytes). It gets a new id",
        ),
    ],
)
def test_key_changed_lists_what_changed_in_the_key(edit: Edit, words: str) -> None:
    (one,) = (one for one in changed(level("NONE"), edit).findings if one.rule == "KEY_CHANGED")
    assert words in one.message
    assert "the bytes of a key begin with its schema's id" in one.message


def config(**settings: Any) -> Edit:
    return lambda f: f.spec["kafka"].update(config={name.replace("_", "."): one for name, one in settings.items()})


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ((config(retention_ms="10"), config(retention_ms="9")), "retention.ms was 10 ms, and is now 9 ms"),
        ((config(retention_ms="-1"), config()), "was unlimited, and is now Kafka's default (604800000 ms)"),
        ((config(retention_ms="9"), config(retention_ms="10")), ""),
        ((config(retention_ms="9"), config(retention_ms="-1")), ""),
        ((config(retention_bytes="-1"), config(retention_bytes="5")), "retention.bytes was unlimited"),
        (
            (config(cleanup_policy="compact", retention_ms="9"), config(cleanup_policy="compact", retention_ms="8")),
            "",
        ),
        ((config(cleanup_policy="delete"), config()), ""),
        ((config(cleanup_policy="compact,delete"), config(cleanup_policy="delete,compact")), ""),
        (
            (config(cleanup_policy="compact"),),
            "refuses records without a key; Kafka no longer deletes records because of their age",
        ),
        (
            (config(cleanup_policy="compact"), config()),
            "Kafka now keeps older records of a key; Kafka also deletes the newest",
        ),
        ((lambda f: f.spec.update(dead_letter={"config": {}}),), "was 2592000000 ms, and is now Kafka's default"),
        ((lambda f: f.spec.update(dead_letter={"partitions": 2}),), "number of partitions was 1, and is now 2"),
        ((lambda f: f.spec.update(dead_letter={"topic": "orders.dlq"}),), ""),
        (
            (lambda f: f.spec.update(dead_letter={"topic": "orders.dead", "config": {}}),),
            "old ones stay in orders.dlq",
        ),
    ],
)
def test_only_harmful_changes_of_topic_settings_are_reported(edits: tuple[Edit, ...], words: str) -> None:
    found = changed(*edits).findings
    assert len(found) == bool(words)
    assert all(words in one.message for one in found)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda f: f.spec["consumers"].pop(1), True),
        (lambda f: f.spec["consumers"][1].update(fields=["id"]), True),
        (lambda f: f.spec["consumers"].pop(0), False),
        (lambda f: None, False),
    ],
)
def test_removed_consumer_is_reported_if_the_change_breaks_it(edit: Edit, told: bool) -> None:
    found = rules(changed(both(lambda f: f.drop("note"), edit)))
    assert ("CONSUMER_REMOVED" in found) is told
    if told:
        assert "changes what it reads (note): the consumer loses data" in found["CONSUMER_REMOVED"].message
        assert not found["CONSUMER_REMOVED"].fails(FailOn.error)


def test_removed_consumer_is_fine_if_nothing_breaks_it() -> None:
    assert changed(lambda f: f.spec.update(consumers=[])).findings == ()
    grows = both(lambda f: f.spec.update(consumers=[]), lambda f: f.add("city", "string", default=""))
    assert changed(grows).findings == ()


def test_broken_consumer_is_reported_as_losing_its_field() -> None:
    read = lambda f: (f.add("city", "string"), f.spec["consumers"][1].update(fields=["city"]))  # noqa: E731
    found = rules(changed(read, lambda f: f.drop("city")))
    assert found["CONSUMER_LOSES_FIELD"].message.startswith("the consumer search breaks: it reads city")


@pytest.mark.parametrize(
    ("old", "new", "is_told"),
    [
        ({"min": 1}, {"min": 0}, False),
        ({"min": 1}, {"min": 2}, True),
        ({"min": 1, "max": 5}, {"max": 6}, False),
        ({"max": 5}, {"min": 1, "max": 5}, True),
        ({"max": 5}, {"max": "5"}, True),
        ({"one_of": [1, 2]}, {"one_of": [3, 2, 1]}, False),
        ({"one_of": [1, 2]}, {"one_of": [1]}, True),
        ({"min": 1}, {"min": 1, "description": "told"}, False),
        ({"min": 1}, {"min": 1, "name": "renamed"}, False),
        ({"min": 1}, {"required": True}, True),
        ({"min": 1}, None, False),
    ],
)
def test_changed_quality_rule_is_reported_only_if_stricter(
    old: dict[str, Any], new: dict[str, Any] | None, is_told: bool
) -> None:
    def with_rule(rule: dict[str, Any] | None) -> Edit:
        return lambda files: files.spec.update(rules=[{"name": "counted", "field": "count", **rule}] if rule else [])

    before, after = Files(), Files()
    with_rule(old)(before)
    with_rule(new)(after)
    loaded = [loading.from_files(one.texts, "schemas") for one in (before, after)]
    base = Baseline("main", MappingProxyType({one.topic: one for one in loaded[0].contracts.values()}))
    checked = run.run(loaded[1], base, {}, Texts.of(after.texts, "schemas"), TODAY)
    assert [one.rule for one in checked.findings] == ["RULE_TIGHTENED"] * is_told


def test_every_rule_has_a_case_and_documentation() -> None:
    assert {*CASES, "NOTHING_COMPARED", "BASE_UNREADABLE"} == set(CHECK_RULES)
    page = (CLONE / "docs" / "reference" / "check.md").read_text(encoding="utf-8")
    for rule in CHECK_RULES.values():
        assert f"| `{rule.id}` | {rule.severity} | {rule.purpose} |" in page


def test_unchanged_contract_has_no_findings() -> None:
    checked = changed(lambda files: None)
    assert (checked.verdicts, checked.unchanged) == ((), 1)


@pytest.mark.parametrize(
    "edit",
    [
        lambda f: f.add("city", ["null", "string"], default=None),
        lambda f: f.field("count").update(doc="Another doc."),
        lambda f: f.value["fields"].reverse(),
        lambda f: f.spec["kafka"].update(config={"retention.ms": "2000000000"}),
    ],
)
def test_harmless_change_has_no_findings(edit: Edit) -> None:
    checked = changed(edit)
    assert checked.findings == ()
    assert checked.verdicts[0].status == "changed"


def test_new_contract_has_no_findings_unless_base_is_empty() -> None:
    new = loading.from_files(Files().texts, "schemas")
    others = {"orders": loading.from_files(Files().texts, "schemas").contracts["orders"]}
    files = Files()
    files.spec.update(topic="returns", sinks={})
    both = {**Files().texts, **{path.replace("orders/", "returns/"): text for path, text in files.texts.items()}}
    checked = run.run(loading.from_files(both, "schemas"), Baseline("main", others), {}, Texts(), TODAY)
    assert [(one.topic, one.status) for one in checked.verdicts] == [("returns", "new")]
    assert checked.findings == ()
    (one,) = run.run(
        new, Baseline("main", {}, was_empty=True, empty="; it has a/contract.yaml"), {}, Texts(), TODAY
    ).findings
    assert (one.rule, one.severity) == ("NOTHING_COMPARED", Severity.warning)
    assert one.message == (
        "main has no contracts; it has a/contract.yaml: nothing was compared, and every contract counts as new"
    )
    assert run.run(new, Baseline("the registry", {}, complete=False), {}, Texts(), TODAY).findings == ()


def test_lowered_level_does_not_hide_breaking_change() -> None:
    found = rules(changed(both(level("NONE"), lambda f: f.add("city", "string"))))
    assert {"LEVEL_LOWERED", "READER_FIELD_MISSING_DEFAULT_VALUE"} <= set(found)


@pytest.mark.parametrize(
    ("old", "new", "lowered"),
    [
        ("BACKWARD", "BACKWARD_TRANSITIVE", False),
        ("BACKWARD_TRANSITIVE", "BACKWARD", True),
        ("BACKWARD", "FORWARD", True),
        ("FORWARD", "FULL", False),
        ("NONE", "BACKWARD", False),
        ("FULL", "BACKWARD_TRANSITIVE", True),
        ("BACKWARD_TRANSITIVE", "FULL", True),
    ],
)
def test_level_change_is_reported_only_if_the_new_level_is_weaker(old: str, new: str, lowered: bool) -> None:
    assert ("LEVEL_LOWERED" in rules(changed(level(old), level(new)))) is lowered


def test_transitive_level_checks_whole_history_and_names_the_version() -> None:
    edits = (level("BACKWARD_TRANSITIVE"), lambda f: f.add("city", "string", default="x"))
    history = (count_is_text, retype("note", ["null", "string", "long"]))
    found = [one for one in changed(*edits, history=history).findings if one.rule != "LOGICAL_TYPE_CHANGED"]
    assert [(one.rule, one.path) for one in found] == [("MISSING_UNION_BRANCH", "note"), ("TYPE_MISMATCH", "count")]
    assert "version 1" in found[0].message
    assert "version 0" in found[1].message
    assert changed(level("BACKWARD"), edits[1], history=history).findings == ()


def test_transitive_level_reports_changed_meaning_in_history() -> None:
    added = lambda f: f.add("city", "string", default="x")  # noqa: E731
    cents = {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 4}
    history = (both(TO_MICROS, retype("total", cents)), TO_MICROS)
    found = rules(changed(level("BACKWARD_TRANSITIVE"), added, history=history))
    assert (found["LOGICAL_TYPE_CHANGED"].path, found["DECIMAL_CHANGED"].path) == ("at", "total")
    assert found["LOGICAL_TYPE_CHANGED"].message.endswith("(compared with version 0, version 1)")
    assert found["DECIMAL_CHANGED"].message.endswith("(compared with version 0)")
    assert changed(level("BACKWARD"), added, history=history).findings == ()


def test_approval_of_changed_meaning_in_history_stays_in_use() -> None:
    approved = lambda f: f.spec.update(approvals=[approval("LOGICAL_TYPE_CHANGED", "at")])  # noqa: E731
    assert changed(both(level("FULL_TRANSITIVE"), approved), lambda f: None, history=(TO_MICROS,)).findings == ()
    told = rules(changed(both(level("FULL"), approved), lambda f: None, history=(TO_MICROS,)))
    assert set(told) == {"APPROVAL_UNUSED"}


@pytest.mark.parametrize("name", ["NONE", "BACKWARD", "FULL_TRANSITIVE"])
def test_column_readded_with_another_type_is_reported_at_every_level(name: str) -> None:
    extra = ["null", "string"]
    base = level(name)
    back = lambda f: f.add("extra", extra, default=None)  # noqa: E731
    number = lambda f: f.add("extra", ["null", "long"], default=None)  # noqa: E731
    found = [one for one in changed(base, back, history=(number,)).findings if one.rule == "COLUMN_CANNOT_CHANGE"]
    assert [one.path for one in found] == ["extra", "extra"]
    assert "extra was bigint in version 0, whose column is still there, and is now text" in found[0].message
    assert not rules(changed(base, back, history=(back,))).keys() & {"COLUMN_CANNOT_CHANGE"}


def test_default_spelled_differently_is_unchanged() -> None:
    double = lambda default: lambda f: f.add("rate", "double", default=default)  # noqa: E731
    again = lambda default: lambda f: f.field("rate").update(default=default)  # noqa: E731
    assert changed(double(1), again(1.0)).findings == ()
    assert set(rules(changed(double(0.0), again(-0.0)))) == {"DEFAULT_CHANGED"}
    assert set(rules(changed(double(1), again(1.5)))) == {"DEFAULT_CHANGED"}


def test_transitive_level_compares_decimal_with_every_version() -> None:
    def digits(precision: int) -> Edit:
        return retype("total", {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2})

    for name, versions in (("BACKWARD_TRANSITIVE", "version 0"), ("BACKWARD", "")):
        found = rules(changed(level(name), digits(10), history=(digits(12), digits(4))))
        assert "compared with" not in found["DECIMAL_WIDENED"].message
        assert ("DECIMAL_CHANGED" in found) is bool(versions)
        assert not versions or f"(compared with {versions})" in found["DECIMAL_CHANGED"].message


def test_added_enum_symbol_is_reported_once_at_level_full() -> None:
    found = rules(changed(level("FULL"), retype("state", STATES)))
    assert set(found) == {"MISSING_ENUM_SYMBOLS"}


def test_enum_with_default_may_grow() -> None:
    known = {**STATES, "symbols": ["OPEN", "PAID"], "default": "OPEN"}
    assert changed(retype("state", known), retype("state", {**STATES, "default": "OPEN"})).findings == ()


def test_rename_with_alias_is_not_reported_as_looks_renamed() -> None:
    found = rules(changed(lambda f: f.field("count").update(name="counted", aliases=["count"])))
    assert "LOOKS_RENAMED" not in found


# -- shared types ------------------------------------------------------------------------------------------------


def test_change_of_shared_type_is_reported_in_its_own_file() -> None:
    def catalog_with(size: str) -> tuple[loading.Catalog, dict[str, str]]:
        files = Files()
        files.spec.pop("sinks")
        files.add("size", "com.example.Size")
        size_type = {"type": "record", "name": "Size", "namespace": "com.example"}
        fields = [{"name": "unit", "type": "string", "doc": size}, {"name": "n", "type": size}]
        texts = {**files.texts, "types/size.avsc": json.dumps({**size_type, "fields": fields}, indent=1)}
        return loading.from_files(texts, "schemas"), texts

    old, _ = catalog_with("string")
    new, texts = catalog_with("int")
    base = Baseline("main", {"orders": old.contracts["orders"]})
    (one,) = run.run(new, base, {}, Texts.of(texts, "schemas"), TODAY).findings
    assert (one.rule, one.file, one.path) == ("TYPE_MISMATCH", "schemas/types/size.avsc", "size.n")
    assert '"n"' in texts["types/size.avsc"].splitlines()[one.line - 1]


# -- approvals ---------------------------------------------------------------------------------------------------


def approving(*approvals: dict[str, Any]) -> Edit:
    return both(lambda f: f.add("city", "string"), lambda f: f.spec.update(approvals=list(approvals)))


BREAK = "READER_FIELD_MISSING_DEFAULT_VALUE"


def test_approved_finding_is_reported_but_does_not_fail() -> None:
    (one,) = changed(approving(approval(BREAK, "city"))).findings
    assert (one.rule, one.approved, one.until) == (BREAK, "agreed with finance", "2026-06-01")
    assert not one.fails(FailOn.warning)


def test_approval_covers_only_its_path() -> None:
    found = rules(changed(approving(approval(BREAK, "town"))))
    assert set(found) == {BREAK, "APPROVAL_UNUSED"}
    assert found[BREAK].fails(FailOn.error)


def in_both(files: Files) -> None:
    """Make the same breaking change in key and value."""
    for fields in (files.key["fields"], files.value["fields"]):
        fields.append({"name": "city", "type": "string", "doc": "City."})


@pytest.mark.parametrize(
    ("subjects", "approved"),
    [((None,), {"value"}), (("value",), {"value"}), (("key",), {"key"}), (("key", "value"), {"key", "value"})],
)
def test_approval_covers_only_its_subject(subjects: tuple[str, ...], approved: set[str]) -> None:
    approvals = [{**approval(BREAK, "city"), **({"subject": one} if one else {})} for one in subjects]
    found = [
        one
        for one in changed(both(in_both, lambda f: f.spec.update(approvals=approvals))).findings
        if one.rule == BREAK
    ]
    assert len(found) == 2
    assert {one.subject.removeprefix("orders-") for one in found if one.approved} == approved


def test_approval_of_wrong_subject_suggests_the_right_one() -> None:
    found = rules(changed(approving({**approval(BREAK, "city"), "subject": "key"})))
    assert set(found) == {BREAK, "APPROVAL_UNUSED"}
    assert "write `subject: value`" in found["APPROVAL_UNUSED"].fix


@pytest.mark.parametrize("subject", ["key", "value"])
def test_approval_of_contract_finding_ignores_the_subject(subject: str) -> None:
    approvals = [{**approval("KEY_CHANGED", ""), "subject": subject}]
    edit = both(lambda f: f.key.update(doc="Key."), lambda f: f.spec.update(approvals=approvals))
    assert [(one.rule, bool(one.approved)) for one in changed(edit).findings] == [("KEY_CHANGED", True)]


@pytest.mark.parametrize(
    "day", ["2026-13-45", "'2026-13-45'", "soon", "20260", "2026-06-01 10:00:00", "2026-06", "1.5"]
)
def test_invalid_until_date_is_refused_with_its_line(day: str) -> None:
    texts = Files().texts
    texts["orders/contract.yaml"] += f"approvals:\n- rule: {BREAK}\n  path: city\n  until: {day}\n  reason: x\n"
    line = next(n for n, text in enumerate(texts["orders/contract.yaml"].splitlines(), 1) if "until:" in text)
    with pytest.raises(ConfigurationError, match="is not a date") as caught:
        loading.from_files(texts, "schemas")
    assert caught.value.where == f"schemas/orders/contract.yaml:{line}"


def test_expired_approval_approves_nothing() -> None:
    found = rules(changed(approving(approval(BREAK, "city")), today=date(2026, 6, 2)))
    assert set(found) == {BREAK, "APPROVAL_EXPIRED"}
    assert all(one.fails(FailOn.error) for one in found.values())


@pytest.mark.parametrize("today", ["2026-06-01", "2026-06-02"])
def test_contract_removal_is_approved_by_approval_in_the_base(today: str) -> None:
    approved = approval("CONTRACT_REMOVED", "topic")
    gone = Files()
    gone.spec["topic"] = "returns"
    new = loading.from_files({path.replace("orders/", "returns/"): text for path, text in gone.texts.items()}, "s")
    before = Files()
    before.spec["approvals"] = [approved]
    base = Baseline("main", {"orders": loading.from_files(before.texts, "s").contracts["orders"]})
    (one,) = run.run(new, base, {}, Texts(), date.fromisoformat(today)).findings
    assert one.rule == "CONTRACT_REMOVED"
    assert bool(one.approved) is (today == "2026-06-01")


def test_topic_rename_is_approved_in_the_renamed_contract() -> None:
    edit = both(
        lambda f: f.spec.update(topic="purchases"),
        lambda f: f.spec.update(approvals=[approval("CONTRACT_REMOVED", "topic")]),
    )
    (one,) = changed(edit).findings
    assert (one.rule, one.approved) == ("CONTRACT_REMOVED", "agreed with finance")


def test_approval_of_unknown_rule_is_refused_with_its_line() -> None:
    one = rules(changed(approving(approval("NO_SUCH_RULE", "city"))))["UNREADABLE"]
    assert one.place.startswith("schemas/orders/contract.yaml:")
    assert "NO_SUCH_RULE" in one.message
    assert all(rule in one.fix for rule in APPROVABLE)


@pytest.mark.parametrize("missing", ["rule", "reason", "until"])
def test_approval_without_rule_reason_or_until_is_refused(missing: str) -> None:
    incomplete = {key: value for key, value in approval(BREAK, "city").items() if key != missing}
    with pytest.raises(ConfigurationError, match=missing):
        changed(approving(incomplete))


def test_approval_of_break_in_transitive_history_stays_in_use() -> None:
    kept = both(level("BACKWARD_TRANSITIVE"), lambda f: f.spec.update(approvals=[approval("TYPE_MISMATCH", "count")]))
    history = (count_is_text,)
    assert changed(kept, lambda f: None, history=history).findings == ()
    assert set(rules(changed(kept, lambda f: None))) == {"APPROVAL_UNUSED"}


# -- formats -----------------------------------------------------------------------------------------------------

NASTY = "a|b `c` <script>\n::error::x %0A,:\x1b[31m @team [link](x) \x00 ]]>"


def result(**more: Any) -> Result:
    checked = changed(lambda f: f.add("city", "string"))
    nasty = Finding("RULE", Severity.error, NASTY, NASTY, NASTY, 1, 2, NASTY, NASTY, **more)
    return Result("check", ("orders", "other", "returns"), (*checked.findings, nasty), FailOn.error, checked)


def test_json_contains_findings_and_impact() -> None:
    document = json.loads(json.dumps(formats.as_document(result())))
    assert document["failed"] is True
    assert document["findings"][0]["rule"] == BREAK
    assert document["findings"][0]["line"] > 1
    assert document["findings"][1]["message"] == NASTY
    (change,) = document["changes"]
    assert change["impact"]["deploy"]["first"] == "producers first"
    assert change["impact"]["tables"][0]["statements"] == [
        'ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "city" text'
    ]
    assert change["impact"]["deploy"]["reason"] == "new_cannot_read_old"
    assert [(one["name"], one["cause"]) for one in change["impact"]["consumers"]] == [
        ("billing", "untouched"),
        ("search", "untouched"),
    ]


def test_json_lists_changed_topic_settings() -> None:
    checked = changed(config(retention_ms="10"), both(config(), lambda f: f.spec["kafka"].update(partitions=6)))
    document = formats.as_document(Result("check", ("orders",), checked.findings, FailOn.error, checked))
    assert document["changes"][0]["impact"]["topic"] == [{"setting": "kafka.partitions", "before": "3", "after": "6"}]


def test_junit_is_valid_xml_with_counts() -> None:
    suite = ElementTree.fromstring(formats.as_junit(result()))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "2", "0")
    failure = suite[1].find("failure")
    assert failure is not None
    assert "<script>" in failure.get("message", "")
    assert [case.get("classname") for case in suite if len(case) == 0] == ["other", "returns"]


def test_junit_shows_approved_finding_as_skipped() -> None:
    suite = ElementTree.fromstring(formats.as_junit(result(approved="agreed", until="2026-06-01")))[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "1")


def test_github_annotations_are_one_line_each() -> None:
    lines = formats.as_github(result()).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("::error file=schemas/orders/value.avsc,line=")
    assert f",title={BREAK}::city: " in lines[0]
    assert lines[1].startswith("::error ")
    assert "%0A::error::x" in lines[1]
    assert "%250A" in lines[1]
    properties = lines[1].split(" ", 1)[1].split("::", 1)[0]
    assert "%2C%3A" in properties


def test_markdown_escapes_table_cells_html_and_mentions() -> None:
    page = formats.as_markdown(result())
    (row,) = [line for line in page.splitlines() if line.startswith("| `RULE`")]
    assert row.replace("\\|", "").count("|") == 5
    text = re.sub("`[^`]*`", "", row)
    assert "<script>" not in text
    assert "@team" not in text
    assert "\x1b" not in page
    assert "### Breaking" in page
    assert "producers first" in page
    assert 'ALTER TABLE "shop"."orders" ADD IF NOT EXISTS "city" text' in page


def test_markdown_fits_a_comment_and_text_fits_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    checked = changed(lambda f: [f.add(f"field_{number}", "string", default="") for number in range(1500)])
    found = Result("check", ("orders",), checked.findings, FailOn.error, checked)
    page = formats.as_markdown(found)
    assert len(page) < 65_536
    assert "more than fits" in page
    assert page.count("<details>") == page.count("</details>")
    report.result(found, report.Format.text)
    told = capsys.readouterr().out
    assert "1481 more" in told
    assert len(told.splitlines()) < 100


@pytest.mark.parametrize("name", ["BACKWARD", "FORWARD", "FULL", "NONE"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda f: f.add("city", "string"),
        lambda f: f.drop("total"),
        count_is_text,
        retype("state", STATES),
        retype("count", "long"),
        retype("total", {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 3}),
        TO_MICROS,
        lambda f: f.spec["sinks"].pop("postgres"),
        lambda f: f.spec["sinks"]["postgres"].update(primary_key=["id", "count"]),
    ],
)
def test_each_explanation_is_printed_once(name: str, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    def everything(files: Files) -> None:
        files.spec.update(consumers=[{"name": "lake"}, {"name": "search", "fields": ["total", "count", "state"]}])

    checked = changed(both(level(name), everything), edit)
    found = Result("check", ("orders",), checked.findings, FailOn.error, checked)
    (effect,) = (one.impact for one in checked.verdicts)
    assert effect is not None
    spark, deployment = effect.spark, effect.deployment
    assert spark is not None
    obstacles = {deployment.obstacle, spark.rejects, *(one.obstacle for one in effect.consumers)} - {None}
    obstacles |= {one.obstacle for one in spark.unread}
    told = [
        describe(one.difference, one.new, new_reads=one.direction == "BACKWARD").message for one in obstacles if one
    ]
    told += [one.message for one in checked.findings]
    told += [no.why for table in effect.tables for no in table.migration.refusals]
    report.result(found, report.Format.text)
    text, page, notes = capsys.readouterr().out, formats.as_markdown(found), formats.as_github(found)
    for message in told:
        times = text.count(message)
        assert times == page.count(formats._md(message))
        # A separate rule explains the new symbols of an enum in its own words.
        assert times == 1 or (times == 0 and "ENUM_WITHOUT_DEFAULT" in text)
        assert notes.count(formats._data(message)) <= 1


def test_markdown_of_harmless_change_has_no_breaking_section() -> None:
    checked = changed(lambda f: f.add("city", "string", default=""))
    page = formats.as_markdown(Result("check", ("orders",), checked.findings, FailOn.error, checked))
    assert page.startswith("## ✅")
    assert "Breaking" not in page
    assert "any order" in page


# -- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def contracts(two: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command, run in this process in the folder `two`."""
    monkeypatch.chdir(two)
    return run_contracts


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder `old`, and a folder `schemas` with a new field that has no default."""
    files = Files()
    write(tmp_path, files, "old")
    files.add("city", "string")
    write(tmp_path, files)
    return tmp_path


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("never", 0)])
def test_check_against_folder_follows_fail_on_option(contracts: Callable[..., Done], fail_on: str, code: int) -> None:
    done = contracts("check", "--against", "old", "--fail-on", fail_on)
    assert done.returncode == code
    assert BREAK in done.stdout
    assert "producers first" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_readme_shows_exact_output_for_a_refused_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contracts: Callable[..., Done]
) -> None:
    readme = (CLONE / "README.md").read_text(encoding="utf-8")
    shown = readme.split("$ .venv/bin/contracts check\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("schemas")
    for folder in ("before", "schemas"):
        shutil.copytree(CLONE / "schemas", folder)
    file = Path("schemas", "users_created", "value.avsc")
    text = file.read_text(encoding="utf-8")
    last = text.rindex("    {")
    new = '    {"name": "country", "type": "string", "doc": "Country."},\n'
    file.write_text(text[:last] + new + text[last:], encoding="utf-8")
    done = contracts("check", "--against", "before")
    against = "compared with the merge base with origin/main (0944a5114)"
    out = done.stdout.replace("compared with before", against).replace("of before", "of origin/main (0944a5114)")
    assert out == shown


def test_check_against_empty_folder_warns(contracts: Callable[..., Done], two: Path) -> None:
    (two / "empty").mkdir()
    done = contracts("check", "--against", "empty", "--fail-on", "warning")
    assert (done.returncode, done.stderr) == (1, "")
    assert "NOTHING_COMPARED" in done.stdout
    assert "empty has no contracts" in done.stdout


@pytest.mark.parametrize("against", ["", " ", ".", "schemas"])
def test_check_refuses_to_compare_contracts_with_themselves(contracts: Callable[..., Done], against: str) -> None:
    done = contracts("check", "--against", against)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing to compare with" in done.stderr


def test_contract_text_never_starts_a_line_of_the_report(contracts: Callable[..., Done], two: Path) -> None:
    """Contract text stays inside a line: GitHub Actions runs a line that begins with `::` as a command."""
    files = Files()
    files.spec["consumers"][0].update(name="bi\n::error::x", owner="me\n::warning::y")
    files.add("city", "string")
    write(two, files)
    done = contracts("check", "--against", "old")
    assert "::error::x" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.strip().startswith("::")]


@pytest.mark.parametrize("command", [("lint",), ("check", "--against", "old")])
def test_json_format_prints_only_json_to_stdout(contracts: Callable[..., Done], command: tuple[str, ...]) -> None:
    done = contracts(*command, "--format", "json")
    document = json.loads(done.stdout)
    assert document["version"] == 1
    assert document["command"] == command[0]
    assert done.returncode == 1


@pytest.mark.parametrize("output", ["text", "junit", "github", "markdown"])
def test_lint_and_check_support_every_format(contracts: Callable[..., Done], output: str) -> None:
    for command in (("lint",), ("check", "--against", "old")):
        done = contracts(*command, "--format", output)
        assert done.returncode == 1
        assert "city" in done.stdout or command == ("lint",)
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("value.avsc", '{"type": "record",\n "name": }', "schemas/orders/value.avsc:2:10"),
        ("value.avsc", "\N{DESERT}" * 3, "not valid JSON"),
        ("contract.yaml", "topic: [", "not YAML"),
        ("contract.yaml", "", "is not a mapping"),
        ("contract.yaml", "topic: orders\ntopic: orders\n", "appears twice"),
        ("value.avsc", '{"type": "record", "name": "A", "fields": [{"name": "b", "type": "No"}]}', "No"),
        ("value.avsc", "[" * 3000, "not valid JSON"),
    ],
)
def test_broken_input_exits_2_with_a_message(
    contracts: Callable[..., Done], two: Path, path: str, text: str, told: str
) -> None:
    (two / "schemas" / "orders" / path).write_text(text, encoding="utf-8")
    for command in (("lint",), ("check", "--against", "old")):
        done = contracts(*command)
        assert done.returncode == 2
        assert told in done.stdout
        assert done.stderr == ""


@pytest.mark.parametrize("command", [("lint",), ("check", "--against", "old")])
@pytest.mark.parametrize("output", ["text", "json", "junit", "github", "markdown"])
def test_every_unreadable_file_is_in_every_format(
    contracts: Callable[..., Done], two: Path, command: tuple[str, ...], output: str
) -> None:
    for number, (name, text) in enumerate(
        (("contract.yaml", "topic: ["), ("value.avsc", '{\n"type": "reco'), ("key.avsc", "\ufeff{}"))
    ):
        shutil.copytree(two / "old" / "orders", two / "schemas" / f"broken{number}")
        spec = two / "schemas" / f"broken{number}" / "contract.yaml"
        spec.write_text(re.sub("(topic|table): orders", rf"\1: broken{number}", spec.read_text()))
        (two / "schemas" / f"broken{number}" / name).write_text(text, encoding="utf-8")
    (two / "schemas" / "latin.avsc").write_bytes(b'"\n\xe9"')
    for fail_on, code in (("never", 0), ("warning", 2), ("error", 2)):
        done = contracts(*command, "--format", output, "--fail-on", fail_on)
        assert (done.returncode, done.stderr) == (code, "")
        assert done.stdout.count("UNREADABLE") == 4
        for place in ("broken0/contract.yaml:1", "broken1/value.avsc:2", "broken2/key.avsc:1", "latin.avsc:2"):
            file, _, line = place.partition(":")
            where = {"json": f'{file}",\n      "line": {line},', "github": f"{file},line={line}"}
            assert where.get(output, place) in done.stdout
    if command[0] == "check":
        assert "BASE_UNREADABLE" not in done.stdout
        assert ("city" in done.stdout, "CONTRACT_REMOVED" in done.stdout) == (True, False)


@pytest.mark.parametrize(
    ("name", "text"),
    [("contract.yaml", "topic: ["), ("contract.yaml", "topic: orders\n"), ("value.avsc", "{"), ("key.avsc", "[")],
)
def test_contract_that_cannot_be_read_does_not_count_as_removed(
    contracts: Callable[..., Done], two: Path, name: str, text: str
) -> None:
    (two / "schemas" / "orders" / name).write_text(text, encoding="utf-8")
    found = json.loads(contracts("check", "--against", "old", "--format", "json").stdout)
    assert [one["rule"] for one in found["findings"]] == ["UNREADABLE"]
    assert found["changes"] == []


@pytest.mark.parametrize("name", ["contract.yaml", "value.avsc", "key.avsc"])
def test_change_that_repairs_its_base_passes_with_a_note(
    contracts: Callable[..., Done], two: Path, name: str
) -> None:
    shutil.rmtree(two / "schemas")
    shutil.copytree(two / "old", two / "schemas")
    (two / "old" / "orders" / name).write_text("{", encoding="utf-8")
    done = contracts("check", "--against", "old")
    assert done.returncode == 0
    assert f"BASE_UNREADABLE  old/orders/{name}:1" in done.stdout
    assert "CONTRACT_REMOVED" not in done.stdout


def test_bad_default_or_namespace_of_the_base_is_no_fault(contracts: Callable[..., Done], two: Path) -> None:
    value = two / "old" / "orders" / "value.avsc"
    document = json.loads(value.read_text())
    document["fields"].append({"name": "city", "type": "string", "default": 5})
    document["namespace"] = "com.ex-ample"
    value.write_text(json.dumps(document), encoding="utf-8")
    found = json.loads(contracts("check", "--against", "old", "--format", "json").stdout)
    assert "BASE_UNREADABLE" not in {one["rule"] for one in found["findings"]}
    assert [one["status"] for one in found["changes"]] == ["changed"]


def test_unreachable_registry_exits_3(contracts: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:9")
    done = contracts("check", "--against", "registry")
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr


def test_diff_compares_files_and_folders(contracts: Callable[..., Done]) -> None:
    done = contracts("diff", "old/orders/value.avsc", "schemas/orders/value.avsc")
    assert (done.returncode, done.stdout.split()) == (0, ["+", "city", "added:", "string,", "no", "default"])
    done = contracts("diff", "old", "schemas", "--format", "json")
    (change,) = json.loads(done.stdout)["changes"]
    assert change == {"path": "orders/value.avsc: city", "kind": "added", "old": "", "new": "string, no default"}
    assert contracts("diff", "old", "old").stdout == "no differences\n"


def test_schemas_option_goes_before_the_command(contracts: Callable[..., Done]) -> None:
    """The order that docs/reference/check.md documents."""
    assert contracts("--schemas", "schemas", "check", "--against", "old").returncode == 1
    assert contracts("--schemas", "old", "check", "--against", "schemas").stdout != ""
    assert contracts("check", "--schemas", "schemas").returncode == 2


def test_diff_reports_invalid_date(contracts: Callable[..., Done], two: Path) -> None:
    with (two / "schemas" / "orders" / "contract.yaml").open("a", encoding="utf-8") as file:
        file.write("description: 2026-13-45\n")
    done = contracts("diff", "old", "schemas")
    assert done.returncode == 2
    assert "2026-13-45 is not a date" in done.stderr


def test_diff_refuses_missing_or_mismatched_arguments(contracts: Callable[..., Done]) -> None:
    for arguments in (("old", "nowhere"), ("old", "schemas/orders/value.avsc"), ("HEAD:x", "old")):
        done = contracts("diff", *arguments)
        assert done.returncode == 2
        assert "fix:" in done.stderr


def test_cli_import_loads_no_heavy_library() -> None:
    code = """if True:
        import sys, avro_data_contracts.contracts.cli
        print([name for name in sys.modules if name.split('.')[0] in sys.argv[1:]])
    """
    heavy = ("pyspark", "airflow", "confluent_kafka", "cassandra", "psycopg")
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
