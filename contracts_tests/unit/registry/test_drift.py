"""Differences between the desired and the actual state, each with its fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from avro_data_contracts.contracts.catalog.findings import FailOn, Finding, Severity
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.registry import drift, plan
from avro_data_contracts.contracts.registry.plan import Actual, SubjectState, TopicState
from avro_data_contracts.contracts.registry.steps import SetLevel
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_files import CONTRACT, load, record
from contracts_tests.fixtures.registry_state import actual, desired

TEXT = CONTRACT + "kafka:\n  partitions: 3\n  config: {retention.ms: 1000}\n"


def found(actual: Actual) -> list[Finding]:
    return list(drift.find(desired(), actual, Texts.of({"orders/contract.yaml": TEXT}, "schemas")))


def rules(actual: Actual) -> list[str]:
    return [one.rule for one in found(actual)]


def test_matching_state_has_no_drift() -> None:
    assert rules(actual()) == []


def test_missing_subject_is_one_finding_without_its_level() -> None:
    [one] = found(actual(value=SubjectState("NONE")))
    assert (one.rule, one.subject, one.file) == ("SUBJECT_MISSING", "orders-value", "schemas/orders/value.avsc")
    assert "contracts register" in one.fix


def test_missing_shared_type_names_the_contract_that_uses_it() -> None:
    [one] = found(actual(address=SubjectState()))
    assert (one.rule, one.contract, one.subject) == ("SUBJECT_MISSING", "orders", "shop.Address")


def test_different_schema_is_found_with_its_versions() -> None:
    [one] = found(actual(value=SubjectState("FULL", (1, 2), None)))
    assert one.rule == "SCHEMA_DIFFERS"
    assert "version 1, 2" in one.message


def test_different_references_are_found() -> None:
    assert rules(actual(value=SubjectState("FULL", (1,), None, references_differ=True))) == ["REFERENCES_DIFFER"]


def test_newer_version_in_the_registry_is_found() -> None:
    [one] = found(actual(value=SubjectState("FULL", (1, 2), 1)))
    assert (one.rule, one.severity) == ("NOT_LATEST", Severity.error)
    [one] = found(actual(address=SubjectState(None, (1, 2), 1)))
    assert (one.rule, one.severity) == ("TYPE_NOT_LATEST", Severity.warning)


def test_different_level_is_found_with_its_line_in_the_contract() -> None:
    [one] = found(actual(value=SubjectState("NONE", (1,), 1)))
    assert (one.rule, one.place) == ("LEVEL_DIFFERS", "schemas/orders/contract.yaml:3:1")
    assert "NONE" in one.message
    assert "FULL" in one.message


def test_level_inherited_from_the_global_one_does_not_fail() -> None:
    state = actual(value=SubjectState(None, (1,), 1))
    assert rules(state) == ["LEVEL_DIFFERS"]
    [one] = found(Actual(state.subjects, state.topics, global_level="FULL"))
    assert (one.rule, one.fails(FailOn.error)) == ("LEVEL_INHERITED", False)


def test_different_docs_are_only_a_warning() -> None:
    [one] = found(actual(value=SubjectState("FULL", (1,), 1, exact=False)))
    assert (one.rule, one.severity) == ("DOCS_DIFFER", Severity.warning)


def test_extra_metadata_and_lost_tags_are_found() -> None:
    [one] = found(actual(value=SubjectState("FULL", (1,), 1, metadata="properties team")))
    assert (one.rule, one.severity, "properties team" in one.message) == ("METADATA_EXTRA", Severity.warning, True)
    both = found(actual(value=SubjectState("FULL", (1, 2), 1, lost_tags="shop.Order.id: PII")))
    assert [one.rule for one in both] == ["NOT_LATEST", "TAGS_DIFFER"]


def test_read_only_mode_is_found_beside_the_difference() -> None:
    state = replace(actual(value=SubjectState("FULL", (1,), None)), modes={"orders-value": "READONLY"})
    assert rules(state) == ["SCHEMA_DIFFERS", "MODE_REFUSES"]
    extra = replace(actual(), extra={"orders-key": (1,)}, modes={"orders-key": "READONLY"})
    assert rules(extra) == ["SUBJECT_EXTRA"]


def test_undeclared_subject_is_found() -> None:
    state = actual()
    [one] = found(Actual(state.subjects, state.topics, {"orders-key": (1, 2)}))
    assert (one.rule, one.subject, one.path) == ("SUBJECT_EXTRA", "orders-key", "key")
    assert "--prune" in one.fix


def test_missing_and_different_topics_are_found() -> None:
    assert rules(actual(topic=None, letters=None)) == ["TOPIC_MISSING", "TOPIC_MISSING"]
    assert rules(actual(topic=TopicState(6, 1, {"retention.ms": "1000"}))) == ["TOPIC_DIFFERS"]
    [one] = found(actual(topic=TopicState(3, 1, {"retention.ms": "5"})))
    assert (one.rule, one.path) == ("TOPIC_CONFIG_DIFFERS", "kafka.config.retention.ms")
    assert one.line == 11
    [one] = found(actual(letters=TopicState(1, 1, {})))
    assert (one.rule, one.path) == ("TOPIC_CONFIG_DIFFERS", "dead_letter.config.retention.ms")
    assert "the broker's default" in one.message


def test_missing_dead_letter_topic_without_sinks_is_a_warning() -> None:
    catalog = load(
        orders__contract_yaml="topic: orders\nowner: shop\ncompatibility: FULL\n",
        orders__value_avsc=record(("id", "string")),
    )
    state = Actual(
        {"orders-value": SubjectState("FULL", (1,), 1)}, {"orders": TopicState(1, 1, {}), "orders.dlq": None}
    )
    [one] = drift.find(catalog, state, Texts())
    assert (one.rule, one.severity) == ("DEAD_LETTERS_MISSING", Severity.warning)


def test_every_step_and_conflict_is_a_finding() -> None:
    """If the plan has steps or conflicts, drift reports findings too."""
    nothing = actual(address=SubjectState(), value=SubjectState(), topic=None, letters=None)
    other = actual(value=SubjectState("NONE", (1,), None), topic=TopicState(1, 3, {}), letters=TopicState(2, 1, {}))
    for state in (nothing, other):
        made = plan.make(desired(), state)
        steps = (*made.steps, *made.held)
        assert steps
        assert len(rules(state)) >= len(made.conflicts) + sum(type(s) is not SetLevel for s in steps)


def test_docs_list_every_drift_rule() -> None:
    page = (CLONE / "docs" / "reference" / "drift.md").read_text(encoding="utf-8")
    for rule, (severity, purpose) in drift.DRIFT_RULES.items():
        assert f"| `{rule}` | {severity} | {purpose} |" in page
    code = Path(drift.__file__).read_text(encoding="utf-8")
    assert all(code.count(f'"{rule}"') > 1 for rule in drift.DRIFT_RULES)
