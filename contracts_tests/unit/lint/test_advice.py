"""What lint advises, done to a topic in use: `check` accepts it, at every level."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run as check
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.lint import run as lint
from avro_data_contracts.contracts.lint.rules import RULES
from avro_data_contracts.contracts.lint.scope import Example, Rule
from contracts_tests.fixtures.lint_files import CONTRACT, files

TODAY = date(2026, 6, 1)
LEVELS = ("BACKWARD", "FORWARD", "FULL_TRANSITIVE")
Texts_ = dict[str, str]


def checked(old: Texts_, new: Texts_) -> list[Finding]:
    base = Baseline("main", {one.topic: one for one in loading.from_files(old, "schemas").contracts.values()})
    found = check.run(loading.from_files(new, "schemas"), base, {}, Texts.of(new, "schemas"), TODAY).findings
    return [one for one in found if one.severity == "error" and not one.approved]


def linted(texts: Texts_) -> list[Finding]:
    return list(lint.run(loading.from_files(texts, "schemas"), Texts.of(texts, "schemas")))


def off(rule: Rule, **more: Any) -> Texts_:
    return files(rule.bad, lint={rule.id: "in use"}, **more)


def other_field(text: str) -> Callable[..., Texts_]:
    return lambda rule, **more: files(Example("field", text), **more)


def without_sinks(rule: Rule, **more: Any) -> Texts_:
    return files(rule.bad, **{**more, "sinks": {}})


def without_postgres(rule: Rule, **more: Any) -> Texts_:
    sinks: dict[str, Any] = {"cassandra": {"keyspace": "shop", "table": "orders", "primary_key": ["id"]}}
    return files(rule.bad, **{**more, "sinks": sinks if more.get("sinks", True) else {}})


def approved(rule: Rule, **more: Any) -> Texts_:
    approval = {"rule": "READER_FIELD_MATCHES_SEVERAL", "path": "total", "reason": "it fails anyway"}
    return files(rule.good, **more, approvals=[{**approval, "until": TODAY}])


#: What the words `in_use` of a rule say, done to its bad example.
IN_USE: dict[str, Callable[..., Texts_]] = {
    "ENVELOPE_TYPE": off,
    **dict.fromkeys(
        ("FIELD_NAME", "FIELD_CASE", "TYPE_NAME", "SYMBOL_NAME", "PARTITION_KEY", "TOPIC_NAME", "SUBJECT_NAME"), off
    ),
    "ALIAS_CLASH": approved,
    "ENUM_DEFAULT": other_field(
        '{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", "doc": "May grow.", '
        '"symbols": ["UNKNOWN", "RED"], "default": "RED"}, "default": "UNKNOWN"}'
    ),
    "LOGICAL_TYPE": other_field('{"name": "day", "type": "long", "doc": "Day of delivery."}'),
    "SINK_TYPE": without_sinks,
    "COLUMN_NAME": without_sinks,
    "COLUMN_COUNT": without_postgres,
    "PRIMARY_KEY": lambda rule, **more: files(
        **more | {"sinks": {"postgres": {"table": "orders_2", "primary_key": ["id"]}}}
    ),
}


@pytest.mark.parametrize("sinks", [{}, {"sinks": {}}], ids=["sinks", "no sinks"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_advice_for_a_topic_in_use_passes_check(rule: Rule, level: str, sinks: dict[str, Any]) -> None:
    more = {"compatibility": level, **sinks}
    old = files(rule.bad, **more)
    if rule.id not in {one.rule for one in linted(old)}:
        return  # a rule about stores
    new = IN_USE[rule.id](rule, **more) if rule.in_use else files(rule.good, **more)
    assert checked(old, new) == []
    assert rule.id not in {one.rule for one in linted(new)}


def test_every_advice_for_a_topic_in_use_is_tried() -> None:
    assert set(IN_USE) == {rule.id for rule in RULES if rule.in_use}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.in_use], ids=lambda rule: rule.id)
def test_finding_says_what_to_do_in_a_topic_in_use(rule: Rule) -> None:
    one = next(one for one in linted(files(rule.bad)) if one.rule == rule.id)
    assert one.fix.endswith(f"if the topic is in use, {rule.in_use}")


MILLIS = {"logicalType": "timestamp-millis"}
TYPED = {"type": "long", **MILLIS}
DECIMAL = {"logicalType": "decimal", "precision": 8, "scale": 2}


def field(kind: Any, **more: Any) -> Texts_:
    text = json.dumps({"name": "at", "doc": "When.", "type": kind, **more})
    return files(Example("field", text), sinks={})


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (field("long", **MILLIS), field(TYPED)),
        (field(["null", "long"], **MILLIS), field(["null", TYPED])),
        (field(["null", "long", "string"], **MILLIS), field(["null", TYPED, "string"])),
        (field({"type": "array", "items": "long", **MILLIS}), field({"type": "array", "items": TYPED})),
        (field({"type": "array", "items": "long"}, **MILLIS), field({"type": "array", "items": TYPED})),
        (field({"type": "map", "values": "long", **MILLIS}), field({"type": "map", "values": TYPED})),
        (field({"type": "long", "logicalType": "timestamp-milis"}), field(TYPED)),
        (field("bytes", **DECIMAL), field({"type": "bytes", **DECIMAL})),
        (field({"type": "bytes", "logicalType": "decimal"}), field({"type": "bytes", **DECIMAL})),
        (field({"type": "string", "logicalType": "UUID"}), field({"type": "string", "logicalType": "uuid"})),
    ],
)  # fmt: skip
def test_logical_type_put_where_avro_reads_it_is_a_warning(old: Texts_, new: Texts_, level: str) -> None:
    def at(texts: Texts_) -> Texts_:
        return {**texts, "orders/contract.yaml": json.dumps({**CONTRACT, "sinks": {}, "compatibility": level})}

    assert "LOGICAL_TYPE" in {one.rule for one in linted(old)}
    assert checked(at(old), at(new)) == []
    base = Baseline("main", {"orders": loading.from_files(at(old), "schemas").contracts["orders"]})
    found = check.run(loading.from_files(at(new), "schemas"), base, {}, Texts(), TODAY)
    assert [one.rule for one in found.findings] == ["LOGICAL_TYPE_READ"]
    assert found.verdicts[0].impact.first == "any order"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (field("long", logicalType="timestamp-micros"), field(TYPED)),
        (field("long"), field(TYPED)),
        (field(TYPED), field("long", **MILLIS)),
        (field("bytes", **DECIMAL), field({"type": "bytes", **DECIMAL, "scale": 3})),
    ],
)
def test_other_changes_of_a_logical_type_stay_errors(old: Texts_, new: Texts_) -> None:
    assert [one.rule for one in checked(old, new)] == ["LOGICAL_TYPE_CHANGED"]
