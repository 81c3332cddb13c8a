"""Desired and actual state -> steps."""

from __future__ import annotations

from contracts import plan
from contracts.catalog import Catalog
from contracts.plan import (
    Actual,
    ConfigureTopic,
    CreateTopic,
    DeleteSubject,
    RegisterSchema,
    SetLevel,
    SubjectState,
    TopicState,
)
from contracts_tests.unit.test_catalog import CONTRACT, load, record


def desired() -> Catalog:
    return load(
        orders__contract_yaml=CONTRACT + "kafka:\n  partitions: 3\n  config: {retention.ms: 1000}\n",
        orders__value_avsc=record(("id", "string"), ("to", "shop.Address")),
        types__address_avsc=record(("street", "string"), name="shop.Address"),
    )


def actual(**changes: SubjectState | TopicState | None) -> Actual:
    """Everything as it is wanted, but for `changes`: address, value, topic, letters."""
    state = {
        "address": SubjectState(None, (1,), 1),
        "value": SubjectState("FULL", (1,), 1),
        "topic": TopicState(3, 1, {"retention.ms": "1000"}),
        "letters": TopicState(1, 1, {"retention.ms": "-1"}),
        **changes,
    }
    return Actual(
        {"shop.Address": state["address"], "orders-value": state["value"]},
        {"orders": state["topic"], "orders.dlq": state["letters"]},
    )


def kinds(made: plan.Plan) -> list[tuple[type, str]]:
    return [
        (type(s), s.topic if isinstance(s, (CreateTopic, ConfigureTopic)) else getattr(s.subject, "name", s.subject))
        for s in made.steps
    ]


def test_nothing_there_yet() -> None:
    made = plan.make(desired(), actual(address=SubjectState(), value=SubjectState(), topic=None, letters=None))
    assert kinds(made) == [
        (RegisterSchema, "shop.Address"),
        (RegisterSchema, "orders-value"),
        (SetLevel, "orders-value"),
        (CreateTopic, "orders"),
        (CreateTopic, "orders.dlq"),
    ]
    assert made.unchanged == ()


def test_no_changes_is_an_empty_list() -> None:
    made = plan.make(desired(), actual())
    assert made.steps == made.notes == made.conflicts == ()
    assert made.unchanged == ("shop.Address", "orders-value", "orders", "orders.dlq")


def test_an_existing_subject_gets_its_level_before_its_new_version() -> None:
    made = plan.make(desired(), actual(value=SubjectState("NONE", (1, 2), None)))
    assert kinds(made) == [(SetLevel, "orders-value"), (RegisterSchema, "orders-value")]
    assert made.steps[1].version == 3


def test_a_revert_is_a_no_op_and_the_plan_says_so() -> None:
    made = plan.make(desired(), actual(value=SubjectState("FULL", (1, 2), 1)))
    assert made.steps == ()
    assert "no-op" in made.notes[0]
    assert "version 1" in made.notes[0]


def test_settings_of_a_topic_that_differ_are_set_and_others_left_alone() -> None:
    made = plan.make(desired(), actual(topic=TopicState(3, 1, {"retention.ms": "5", "max.message.bytes": "7"})))
    assert [step.changes for step in made.steps] == [{"retention.ms": ("5", "1000")}]


def test_another_number_of_partitions_is_a_conflict() -> None:
    made = plan.make(desired(), actual(topic=TopicState(6, 1, {"retention.ms": "1000"})))
    assert "moves keys" in made.conflicts[0].mend


def test_what_the_repository_owns_and_does_not_declare() -> None:
    """Only subjects of its own topics: never a shared type, never those of another topic."""
    assert plan.undeclared(desired()) == ["orders-key"]
    both = load(orders__contract_yaml=CONTRACT + "key: key.avsc\n", orders__key_avsc=record(name="shop.Key"))
    assert plan.undeclared(both) == []


def test_a_subject_goes_with_prune_only_and_last() -> None:
    state = actual(value=SubjectState("FULL", (1, 2), None))
    state = Actual(state.subjects, state.topics, {"orders-key": (1, 2)})
    kept = plan.make(desired(), state)
    assert kinds(kept) == [(RegisterSchema, "orders-value")]
    assert "--prune" in kept.notes[0]
    pruned = plan.make(desired(), state, prune=True)
    assert kinds(pruned) == [(RegisterSchema, "orders-value"), (DeleteSubject, "orders-key")]
    assert str(pruned.steps[-1]) == "delete subject orders-key, softly: versions 1, 2"
    assert pruned.notes == ()
