"""`contracts check`: every rule by a change that breaks it, approvals, formats, and the command itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

import pytest

from contracts import formats, report
from contracts.catalog import loading
from contracts.catalog.earlier import Earlier
from contracts.catalog.findings import FailOn, Finding, Severity
from contracts.catalog.places import Texts
from contracts.check import run
from contracts.check.rules import APPROVABLE, CHECK_RULES
from contracts.check.run import Baseline, Checked
from contracts.errors import ConfigurationError
from contracts.formats import Result
from contracts_tests.fixtures.changes import (
    STATES,
    TO_MICROS,
    Edit,
    Files,
    both,
    count_is_text,
    level,
    rename,
    retype,
    write,
)
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_contracts

TODAY = date(2026, 6, 1)


def changed(*edits: Edit, history: tuple[Edit, ...] = (), today: date = TODAY) -> Checked:
    """The last edit compared with the one before (with no change, if there is but one)."""
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

#: Rule -> edits, the path of the finding, and words of its line.
CASES: dict[str, tuple[tuple[Edit, ...], str, str]] = {
    "READER_FIELD_MISSING_DEFAULT_VALUE": ((lambda f: f.add("city", "string"),), "city", '"city"'),
    "TYPE_MISMATCH": ((count_is_text,), "count", "{"),
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
    "CONSUMER_LOSES_FIELD": ((lambda f: f.drop("note"),), "consumers.1", "name: search"),
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
def test_each_rule_finds_its_change_and_says_where(rule: str) -> None:
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
def test_a_type_that_a_wider_one_reads_may_mean_something_else(old: Any, new: Any) -> None:
    found = rules(changed(lambda f: (f.spec.pop("sinks"), f.add("late", old)), retype("late", new)))
    assert found["LOGICAL_TYPE_CHANGED"].path.startswith("late")


def test_a_decimal_that_holds_fewer_digits_or_others() -> None:
    for precision, scale, words in ((6, 2, "such records cannot be read"), (8, 3, "as another number")):
        kind = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        assert words in rules(changed(retype("total", kind)))["DECIMAL_CHANGED"].message


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda f: f.key.update(doc="Key."), "key: doc: none -> 'Key.'), and no value of it is written otherwise"),
        (lambda f: f.key.update(doc=""), 'doc: none -> ""), and no value of it is written otherwise'),
        (lambda f: f.key.update(type="error"), 'type: "record" -> "error"). It gets a new id'),
        (
            lambda f: (f.key["fields"][0].update(type="bytes"), f.key.update(doc="K", name="Other")),
            "key: type name: com.example.OrderKey -> com.example.Other; key: doc: none -> 'K'; id: retyped: "
            "string -> bytes). It gets a new id",
        ),
    ],
)
def test_what_changed_in_a_key_is_said(edit: Edit, words: str) -> None:
    (one,) = (one for one in changed(level("NONE"), edit).findings if one.rule == "KEY_CHANGED")
    assert words in one.message
    assert "the bytes of a key begin with its schema's id" in one.message


def config(**settings: Any) -> Edit:
    return lambda f: f.spec["kafka"].update(config={name.replace("_", "."): one for name, one in settings.items()})


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ((config(retention_ms="10"), config(retention_ms="9")), "retention.ms was 10 ms, and is now 9 ms"),
        ((config(retention_ms="-1"), config()), "was without limit, and is now Kafka's default (604800000 ms)"),
        ((config(retention_ms="9"), config(retention_ms="10")), ""),
        ((config(retention_ms="9"), config(retention_ms="-1")), ""),
        ((config(retention_bytes="-1"), config(retention_bytes="5")), "retention.bytes was without limit"),
        (
            (config(cleanup_policy="compact", retention_ms="9"), config(cleanup_policy="compact", retention_ms="8")),
            "",
        ),
        ((config(cleanup_policy="delete"), config()), ""),
        ((config(cleanup_policy="compact,delete"), config(cleanup_policy="delete,compact")), ""),
        ((config(cleanup_policy="compact"),), "one without a key is refused; no record goes because of its age"),
        ((config(cleanup_policy="compact"), config()), "older records of a key stay from now on; the newest"),
        ((lambda f: f.spec.update(dead_letter={"config": {}}),), "was without limit, and is now Kafka's default"),
        ((lambda f: f.spec.update(dead_letter={"partitions": 2}),), "had 1 partitions, and the contract now says 2"),
        ((lambda f: f.spec.update(dead_letter={"topic": "orders.dlq"}),), ""),
        ((lambda f: f.spec.update(dead_letter={"topic": "orders.dead", "config": {}}),), "those that are there stay"),
    ],
)
def test_what_a_topic_in_use_loses(edits: tuple[Edit, ...], words: str) -> None:
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
def test_a_consumer_that_is_taken_out_where_it_breaks(edit: Edit, told: bool) -> None:
    found = rules(changed(both(lambda f: f.drop("note"), edit)))
    assert ("CONSUMER_REMOVED" in found) is told
    if told:
        assert "search was taken out here, and no longer gets note" in found["CONSUMER_REMOVED"].message
        assert not found["CONSUMER_REMOVED"].fails(FailOn.error)


def test_a_consumer_that_is_taken_out_where_nothing_breaks() -> None:
    assert changed(lambda f: f.spec.update(consumers=[])).findings == ()
    grows = both(lambda f: f.spec.update(consumers=[]), lambda f: f.add("city", "string", default=""))
    assert changed(grows).findings == ()


def test_a_consumer_that_breaks_loses_its_field_too() -> None:
    read = lambda f: (f.add("city", "string"), f.spec["consumers"][1].update(fields=["city"]))  # noqa: E731
    found = rules(changed(read, lambda f: f.drop("city")))
    assert "cannot read new records" in found["CONSUMER_LOSES_FIELD"].message


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
def test_only_a_rule_that_asks_for_more_is_told(
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


def test_every_rule_has_a_case_and_is_documented() -> None:
    assert {*CASES, "NOTHING_COMPARED"} == set(CHECK_RULES)
    page = (CLONE / "docs" / "reference" / "check.md").read_text(encoding="utf-8")
    for rule in CHECK_RULES.values():
        assert f"| `{rule.id}` | {rule.severity} | {rule.purpose} |" in page


def test_no_change_no_finding() -> None:
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
def test_what_is_fine_has_no_finding(edit: Edit) -> None:
    checked = changed(edit)
    assert checked.findings == ()
    assert checked.verdicts[0].status == "changed"


def test_a_new_contract_is_fine() -> None:
    new = loading.from_files(Files().texts, "schemas")
    others = {"orders": loading.from_files(Files().texts, "schemas").contracts["orders"]}
    files = Files()
    files.spec.update(topic="returns", sinks={})
    both = {**Files().texts, **{path.replace("orders/", "returns/"): text for path, text in files.texts.items()}}
    checked = run.run(loading.from_files(both, "schemas"), Baseline("main", others), {}, Texts(), TODAY)
    assert [(one.topic, one.status) for one in checked.verdicts] == [("returns", "new")]
    assert checked.findings == ()
    (one,) = run.run(new, Baseline("main", {}, empty="; it has a/contract.yaml"), {}, Texts(), TODAY).findings
    assert (one.rule, one.severity) == ("NOTHING_COMPARED", Severity.warning)
    assert one.message == (
        "main has no contracts; it has a/contract.yaml: each counts as new, and nothing was compared"
    )
    assert run.run(new, Baseline("the registry", {}, complete=False), {}, Texts(), TODAY).findings == ()


def test_a_lowered_level_does_not_hide_the_break_that_it_is_for() -> None:
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
def test_which_levels_are_lower(old: str, new: str, lowered: bool) -> None:
    assert ("LEVEL_LOWERED" in rules(changed(level(old), level(new)))) is lowered


def test_a_transitive_level_looks_at_the_whole_history_and_names_the_version() -> None:
    edits = (level("BACKWARD_TRANSITIVE"), lambda f: f.add("city", "string", default="x"))
    history = (count_is_text, retype("note", ["null", "string", "long"]))
    found = [one for one in changed(*edits, history=history).findings if one.rule != "LOGICAL_TYPE_CHANGED"]
    assert [(one.rule, one.path) for one in found] == [("MISSING_UNION_BRANCH", "note"), ("TYPE_MISMATCH", "count")]
    assert "version 1" in found[0].message
    assert "version 0" in found[1].message
    assert changed(level("BACKWARD"), edits[1], history=history).findings == ()


def test_a_transitive_level_sees_another_meaning_in_the_whole_history() -> None:
    added = lambda f: f.add("city", "string", default="x")  # noqa: E731
    cents = {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 4}
    history = (both(TO_MICROS, retype("total", cents)), TO_MICROS)
    found = rules(changed(level("BACKWARD_TRANSITIVE"), added, history=history))
    assert (found["LOGICAL_TYPE_CHANGED"].path, found["DECIMAL_CHANGED"].path) == ("at", "total")
    assert found["LOGICAL_TYPE_CHANGED"].message.endswith("(compared with version 0, version 1)")
    assert found["DECIMAL_CHANGED"].message.endswith("(compared with version 0)")
    assert changed(level("BACKWARD"), added, history=history).findings == ()


def test_an_approval_of_another_meaning_in_the_history_stays_in_use() -> None:
    approved = lambda f: f.spec.update(approvals=[approval("LOGICAL_TYPE_CHANGED", "at")])  # noqa: E731
    assert changed(both(level("FULL_TRANSITIVE"), approved), lambda f: None, history=(TO_MICROS,)).findings == ()
    told = rules(changed(both(level("FULL"), approved), lambda f: None, history=(TO_MICROS,)))
    assert set(told) == {"APPROVAL_UNUSED"}


@pytest.mark.parametrize("name", ["NONE", "BACKWARD", "FULL_TRANSITIVE"])
def test_a_column_that_went_and_comes_back_with_another_type_is_found_at_every_level(name: str) -> None:
    extra = ["null", "string"]
    base = level(name)
    back = lambda f: f.add("extra", extra, default=None)  # noqa: E731
    number = lambda f: f.add("extra", ["null", "long"], default=None)  # noqa: E731
    found = [one for one in changed(base, back, history=(number,)).findings if one.rule == "COLUMN_CANNOT_CHANGE"]
    assert [one.path for one in found] == ["extra", "extra"]
    assert "extra was bigint in version 0, whose column is still there, and is now text" in found[0].message
    assert not rules(changed(base, back, history=(back,))).keys() & {"COLUMN_CANNOT_CHANGE"}


def test_a_default_that_is_written_another_way_is_the_same() -> None:
    double = lambda default: lambda f: f.add("rate", "double", default=default)  # noqa: E731
    again = lambda default: lambda f: f.field("rate").update(default=default)  # noqa: E731
    assert changed(double(1), again(1.0)).findings == ()
    assert set(rules(changed(double(0.0), again(-0.0)))) == {"DEFAULT_CHANGED"}
    assert set(rules(changed(double(1), again(1.5)))) == {"DEFAULT_CHANGED"}


def test_a_decimal_of_any_version_was_longer() -> None:
    def digits(precision: int) -> Edit:
        return retype("total", {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2})

    for name, versions in (("BACKWARD_TRANSITIVE", "version 0"), ("BACKWARD", "")):
        found = rules(changed(level(name), digits(10), history=(digits(12), digits(4))))
        assert "compared with" not in found["DECIMAL_WIDENED"].message
        assert ("DECIMAL_CHANGED" in found) is bool(versions)
        assert not versions or f"(compared with {versions})" in found["DECIMAL_CHANGED"].message


def test_an_enum_that_grows_at_a_level_that_asks_old_readers_is_told_once() -> None:
    found = rules(changed(level("FULL"), retype("state", STATES)))
    assert set(found) == {"MISSING_ENUM_SYMBOLS"}


def test_an_enum_with_a_default_may_grow() -> None:
    known = {**STATES, "symbols": ["OPEN", "PAID"], "default": "OPEN"}
    assert changed(retype("state", known), retype("state", {**STATES, "default": "OPEN"})).findings == ()


def test_a_rename_with_an_alias_is_none_that_loses_data() -> None:
    found = rules(changed(lambda f: f.field("count").update(name="counted", aliases=["count"])))
    assert "LOOKS_RENAMED" not in found


# -- shared types ------------------------------------------------------------------------------------------------


def test_a_change_of_a_shared_type_is_told_in_its_own_file() -> None:
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


def test_an_approved_finding_is_printed_and_does_not_fail() -> None:
    (one,) = changed(approving(approval(BREAK, "city"))).findings
    assert (one.rule, one.approved, one.until) == (BREAK, "agreed with finance", "2026-06-01")
    assert not one.fails(FailOn.warning)


def test_an_approval_is_for_one_path() -> None:
    found = rules(changed(approving(approval(BREAK, "town"))))
    assert set(found) == {BREAK, "APPROVAL_UNUSED"}
    assert found[BREAK].fails(FailOn.error)


def in_both(files: Files) -> None:
    """The same break in key and value."""
    for fields in (files.key["fields"], files.value["fields"]):
        fields.append({"name": "city", "type": "string", "doc": "City."})


@pytest.mark.parametrize(
    ("subjects", "approved"),
    [((None,), {"value"}), (("value",), {"value"}), (("key",), {"key"}), (("key", "value"), {"key", "value"})],
)
def test_an_approval_is_for_the_key_or_for_the_value(subjects: tuple[str, ...], approved: set[str]) -> None:
    approvals = [{**approval(BREAK, "city"), **({"subject": one} if one else {})} for one in subjects]
    found = [
        one
        for one in changed(both(in_both, lambda f: f.spec.update(approvals=approvals))).findings
        if one.rule == BREAK
    ]
    assert len(found) == 2
    assert {one.subject.removeprefix("orders-") for one in found if one.approved} == approved


def test_an_approval_of_the_wrong_subject_says_which_is_meant() -> None:
    found = rules(changed(approving({**approval(BREAK, "city"), "subject": "key"})))
    assert set(found) == {BREAK, "APPROVAL_UNUSED"}
    assert "write `subject: value`" in found["APPROVAL_UNUSED"].fix


@pytest.mark.parametrize("subject", ["key", "value"])
def test_a_finding_of_the_contract_is_covered_whatever_the_subject(subject: str) -> None:
    approvals = [{**approval("KEY_CHANGED", ""), "subject": subject}]
    edit = both(lambda f: f.key.update(doc="Key."), lambda f: f.spec.update(approvals=approvals))
    assert [(one.rule, bool(one.approved)) for one in changed(edit).findings] == [("KEY_CHANGED", True)]


@pytest.mark.parametrize(
    "day", ["2026-13-45", "'2026-13-45'", "soon", "20260", "2026-06-01 10:00:00", "2026-06", "1.5"]
)
def test_a_day_that_is_none_is_told_with_its_line(day: str) -> None:
    texts = Files().texts
    texts["orders/contract.yaml"] += f"approvals:\n- rule: {BREAK}\n  path: city\n  until: {day}\n  reason: x\n"
    line = next(n for n, text in enumerate(texts["orders/contract.yaml"].splitlines(), 1) if "until:" in text)
    with pytest.raises(ConfigurationError, match="is not a date") as caught:
        loading.from_files(texts, "schemas")
    assert caught.value.where == f"schemas/orders/contract.yaml:{line}"


def test_an_expired_approval_approves_nothing() -> None:
    found = rules(changed(approving(approval(BREAK, "city")), today=date(2026, 6, 2)))
    assert set(found) == {BREAK, "APPROVAL_EXPIRED"}
    assert all(one.fails(FailOn.error) for one in found.values())


@pytest.mark.parametrize("today", ["2026-06-01", "2026-06-02"])
def test_a_contract_that_goes_is_approved_before_it_goes(today: str) -> None:
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


def test_another_topic_is_approved_in_its_own_contract() -> None:
    edit = both(
        lambda f: f.spec.update(topic="purchases"),
        lambda f: f.spec.update(approvals=[approval("CONTRACT_REMOVED", "topic")]),
    )
    (one,) = changed(edit).findings
    assert (one.rule, one.approved) == ("CONTRACT_REMOVED", "agreed with finance")


def test_an_approval_of_an_unknown_rule_is_an_error_with_its_line() -> None:
    with pytest.raises(ConfigurationError, match="NO_SUCH_RULE") as caught:
        changed(approving(approval("NO_SUCH_RULE", "city")))
    assert caught.value.where.startswith("schemas/orders/contract.yaml:")
    assert all(rule in caught.value.fix for rule in APPROVABLE)


@pytest.mark.parametrize("missing", ["rule", "reason", "until"])
def test_an_approval_says_what_why_and_until_when(missing: str) -> None:
    incomplete = {key: value for key, value in approval(BREAK, "city").items() if key != missing}
    with pytest.raises(ConfigurationError, match=missing):
        changed(approving(incomplete))


def test_an_approval_of_a_break_in_the_history_of_a_transitive_level_stays_in_use() -> None:
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


def test_json_is_one_document() -> None:
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
    assert [one["name"] for one in change["impact"]["consumers"]] == ["billing", "search"]


def test_junit_is_xml_and_counts() -> None:
    suite = ElementTree.fromstring(formats.as_junit(result()))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "2", "0")
    failure = suite[1].find("failure")
    assert failure is not None
    assert "<script>" in failure.get("message", "")
    assert [case.get("classname") for case in suite if len(case) == 0] == ["other", "returns"]


def test_junit_shows_an_approved_finding_as_skipped() -> None:
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


def test_markdown_keeps_its_tables_and_mentions_nobody() -> None:
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


def test_markdown_fits_into_a_comment_and_text_on_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_markdown_of_a_benign_change() -> None:
    checked = changed(lambda f: f.add("city", "string", default=""))
    page = formats.as_markdown(Result("check", ("orders",), checked.findings, FailOn.error, checked))
    assert page.startswith("## ✅")
    assert "Breaking" not in page
    assert "any order" in page


# -- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def contracts(two: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command, in this process and that folder."""
    monkeypatch.chdir(two)
    return run_contracts


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder `old`, and `schemas` where a field without default is new."""
    files = Files()
    write(tmp_path, files, "old")
    files.add("city", "string")
    write(tmp_path, files)
    return tmp_path


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("never", 0)])
def test_against_a_folder(contracts: Callable[..., Done], fail_on: str, code: int) -> None:
    done = contracts("check", "--against", "old", "--fail-on", fail_on)
    assert done.returncode == code
    assert BREAK in done.stdout
    assert "producers first" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_an_empty_folder_is_told(contracts: Callable[..., Done], two: Path) -> None:
    (two / "empty").mkdir()
    done = contracts("check", "--against", "empty", "--fail-on", "warning")
    assert (done.returncode, done.stderr) == (1, "")
    assert "NOTHING_COMPARED" in done.stdout
    assert "empty has no contracts" in done.stdout


@pytest.mark.parametrize("against", ["", " ", ".", "schemas"])
def test_what_would_compare_the_contracts_with_themselves_is_refused(
    contracts: Callable[..., Done], against: str
) -> None:
    done = contracts("check", "--against", against)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing to compare with" in done.stderr


def test_what_people_write_in_a_contract_begins_no_line_of_the_report(
    contracts: Callable[..., Done], two: Path
) -> None:
    """A line that begins with `::` is a command where GitHub runs it."""
    files = Files()
    files.spec["consumers"][0].update(name="bi\n::error::x", owner="me\n::warning::y")
    files.add("city", "string")
    write(two, files)
    done = contracts("check", "--against", "old")
    assert "::error::x" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.strip().startswith("::")]


@pytest.mark.parametrize("command", [("lint",), ("check", "--against", "old")])
def test_json_and_nothing_else_on_stdout(contracts: Callable[..., Done], command: tuple[str, ...]) -> None:
    done = contracts(*command, "--format", "json")
    document = json.loads(done.stdout)
    assert document["version"] == 1
    assert document["command"] == command[0]
    assert done.returncode == 1


@pytest.mark.parametrize("output", ["text", "junit", "github", "markdown"])
def test_every_format_of_both_commands(contracts: Callable[..., Done], output: str) -> None:
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
def test_broken_input_is_a_message(
    contracts: Callable[..., Done], two: Path, path: str, text: str, told: str
) -> None:
    (two / "schemas" / "orders" / path).write_text(text, encoding="utf-8")
    for command in (("lint",), ("check", "--against", "old")):
        done = contracts(*command)
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_a_registry_that_is_not_there_is_exit_3(
    contracts: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:9")
    done = contracts("check", "--against", "registry")
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr


def test_diff_of_files_and_of_folders(contracts: Callable[..., Done]) -> None:
    done = contracts("diff", "old/orders/value.avsc", "schemas/orders/value.avsc")
    assert (done.returncode, done.stdout.split()) == (0, ["+", "city", "added:", "string,", "no", "default"])
    done = contracts("diff", "old", "schemas", "--format", "json")
    (change,) = json.loads(done.stdout)["changes"]
    assert change == {"path": "orders/value.avsc: city", "kind": "added", "old": "", "new": "string, no default"}
    assert contracts("diff", "old", "old").stdout == "no differences\n"


def test_the_schemas_option_stands_before_the_command(contracts: Callable[..., Done]) -> None:
    """As docs/reference/check.md says."""
    assert contracts("--schemas", "schemas", "check", "--against", "old").returncode == 1
    assert contracts("--schemas", "old", "check", "--against", "schemas").stdout != ""
    assert contracts("check", "--schemas", "schemas").returncode == 2


def test_a_date_that_is_none_is_a_message_of_diff_too(contracts: Callable[..., Done], two: Path) -> None:
    with (two / "schemas" / "orders" / "contract.yaml").open("a", encoding="utf-8") as file:
        file.write("description: 2026-13-45\n")
    done = contracts("diff", "old", "schemas")
    assert done.returncode == 2
    assert "2026-13-45 is not a date" in done.stderr


def test_diff_of_nothing_and_of_unlike_things(contracts: Callable[..., Done]) -> None:
    for arguments in (("old", "nowhere"), ("old", "schemas/orders/value.avsc"), ("HEAD:x", "old")):
        done = contracts("diff", *arguments)
        assert done.returncode == 2
        assert "fix:" in done.stderr


def test_the_command_loads_no_heavy_library() -> None:
    code = "import sys, contracts.cli; print([m for m in sys.modules if m.split('.')[0] in sys.argv[1:]])"
    heavy = ("pyspark", "airflow", "confluent_kafka", "cassandra", "psycopg")
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
