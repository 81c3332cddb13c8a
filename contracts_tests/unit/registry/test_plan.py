"""Steps that lead from the actual to the desired state."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.catalog.findings import Finding, Severity
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run
from avro_data_contracts.contracts.check.rules import CHECK_RULES
from avro_data_contracts.contracts.registry import plan
from avro_data_contracts.contracts.registry.plan import Actual, SubjectState, TopicState
from avro_data_contracts.contracts.registry.steps import (
    ConfigureTopic,
    CreateTopic,
    DeleteSubject,
    RegisterSchema,
    SetLevel,
    name_of,
)
from contracts_tests.fixtures.contract_files import CONTRACT, load, record
from contracts_tests.fixtures.registry_state import actual, desired


def kinds(made: plan.Plan) -> list[tuple[type, str]]:
    return [
        (type(s), s.topic if isinstance(s, (CreateTopic, ConfigureTopic)) else getattr(s.subject, "name", s.subject))
        for s in made.steps
    ]


def test_empty_registry_gets_every_subject_and_topic() -> None:
    made = plan.make(desired(), actual(address=SubjectState(), value=SubjectState(), topic=None, letters=None))
    assert kinds(made) == [
        (RegisterSchema, "shop.Address"),
        (RegisterSchema, "orders-value"),
        (SetLevel, "orders-value"),
        (CreateTopic, "orders"),
        (CreateTopic, "orders.dlq"),
    ]
    assert made.unchanged == ()


def test_matching_state_needs_no_steps() -> None:
    made = plan.make(desired(), actual())
    assert made.steps == made.notes == made.conflicts == ()
    assert made.unchanged == ("shop.Address", "orders-value", "orders", "orders.dlq")


def lint_error(subject: str, contract: str = "orders", path: str = "id") -> Finding:
    return Finding("FIELD_NAME", Severity.error, "odd", "rename it", contract=contract, subject=subject, path=path)


@pytest.mark.parametrize(
    ("error", "held"),
    [
        (lint_error("orders-value"), {"shop.Address": True, "orders-value": True, "orders": True}),
        # About the contract, such as its tables.  Nothing else needs the shared type.
        (lint_error(""), {"shop.Address": True, "orders-value": True, "orders": True}),
        # What the shared type holds up, the contract that uses it is held up by.
        (lint_error("shop.Address", ""), {"shop.Address": True, "orders-value": True, "orders": True}),
        (lint_error("", "payments"), {"shop.Address": False, "orders-value": False, "orders": False}),
        (lint_error("other-value"), {"shop.Address": False, "orders-value": False, "orders": False}),
    ],
)
def test_error_of_lint_holds_the_contract_of_a_new_schema(error: Finding, held: dict[str, bool]) -> None:
    new = actual(address=SubjectState(), value=SubjectState(), topic=None)
    made = plan.make(desired(), new, errors=lambda: [error])
    stuck = {name_of(step) for step in made.held}
    assert {name: name in stuck for name in held} == held
    assert len(made.conflicts) == any(held.values())
    for conflict in made.conflicts:
        assert (conflict.key, "FIELD_NAME id" in conflict.what, "--no-lint" in conflict.fix) == ("lint", True, True)


def test_nothing_is_linted_when_every_schema_is_registered() -> None:
    level = plan.make(
        desired(), actual(value=SubjectState("NONE", (1,), 1)), errors=lambda: pytest.fail("lint takes seconds")
    )
    assert kinds(level) == [(SetLevel, "orders-value")]
    assert level.conflicts == ()


def test_existing_subject_gets_its_level_before_the_new_version() -> None:
    made = plan.make(desired(), actual(value=SubjectState("NONE", (1, 2), None)))
    assert kinds(made) == [(SetLevel, "orders-value"), (RegisterSchema, "orders-value")]
    assert made.steps[1].version == 3


@pytest.mark.parametrize("versions", [(), (1, 2)])
def test_number_of_a_deleted_version_is_not_reused(versions: tuple[int, ...]) -> None:
    made = plan.make(desired(), actual(value=SubjectState("FULL", versions, None, last=4)))
    assert [step.version for step in made.steps] == [5]


def test_steps_distinguish_new_from_changed() -> None:
    new = plan.make(desired(), actual(value=SubjectState(), topic=None))
    assert {step.change.value for step in new.steps} == {"new"}
    other = TopicState(3, 1, {"retention.ms": "5"})
    changed = plan.make(desired(), actual(value=SubjectState("NONE", (1,), None), topic=other))
    assert [step.change.value for step in changed.steps] == ["changed"] * 3


@pytest.mark.parametrize(
    ("kept", "wanted", "same"),
    [
        ("1000", "1000", True),
        ("1000", " 01000 ", True),
        ("0.5", "0.50", True),
        ("compact,delete", "compact, delete", True),
        ("compact,delete", "delete,compact", False),
        ("true", "TRUE", True),
        ("zstd", "ZSTD", False),
        ("9223372036854775807", "9223372036854775806", False),
        (None, "1000", False),
        ("", "", True),
    ],
)
def test_topic_settings_are_compared_as_kafka_formats_them(kept: str | None, wanted: str, same: bool) -> None:
    assert plan.same_setting(kept, wanted) is same


def sharing(letters: str) -> Catalog:
    """Return two contracts that share a dead-letter topic; `letters` has the settings of the second."""
    dead = "dead_letter: {{topic: dead, partitions: {}}}\n"
    return load(
        orders__contract_yaml=CONTRACT + dead.format(2),
        bills__contract_yaml=CONTRACT.replace("orders", "bills") + letters,
        bills__value_avsc=record(("id", "string"), name="shop.Bill"),
    )


def test_shared_dead_letter_topic_is_created_once() -> None:
    nothing = {name: SubjectState() for name in ("orders-value", "bills-value")}
    topics = dict.fromkeys(("orders", "bills", "dead"))
    agreed = sharing("dead_letter: {topic: dead, partitions: 2}\n")
    assert plan.topic_names(agreed) == ["orders", "dead", "bills"]
    made = plan.make(agreed, Actual(nothing, topics))
    assert made.conflicts == ()
    assert [name for kind, name in kinds(made) if kind is CreateTopic] == ["orders", "dead", "bills"]

    for letters in ("dead_letter: {topic: dead}\n", "dead_letter: {topic: orders}\n"):
        [conflict] = plan.make(sharing(letters), Actual(nothing, topics)).conflicts
        assert "dead_letter.topic" in conflict.fix


def test_plan_notes_that_a_revert_is_a_no_op() -> None:
    made = plan.make(desired(), actual(value=SubjectState("FULL", (1, 2), 1)))
    assert made.steps == ()
    assert "cannot revert" in made.notes[0]
    assert "version 1" in made.notes[0]


def test_plan_changes_only_declared_topic_settings_that_differ() -> None:
    made = plan.make(desired(), actual(topic=TopicState(3, 1, {"retention.ms": "5", "max.message.bytes": "7"})))
    assert [step.changes for step in made.steps] == [{"retention.ms": ("5", "1000")}]


def test_different_partition_count_is_a_conflict() -> None:
    made = plan.make(desired(), actual(topic=TopicState(6, 1, {"retention.ms": "1000"})))
    assert "moves keys" in made.conflicts[0].fix


def test_undeclared_lists_only_subjects_of_own_topics() -> None:
    """Shared types and subjects of other topics are never included."""
    assert plan.undeclared(desired()) == ["orders-key"]
    both = load(orders__contract_yaml=CONTRACT + "key: key.avsc\n", orders__key_avsc=record(name="shop.Key"))
    assert plan.undeclared(both) == []


def test_subject_is_deleted_last_and_only_with_prune() -> None:
    state = actual(value=SubjectState("FULL", (1, 2), None))
    state = Actual(state.subjects, state.topics, {"orders-key": (1, 2)})
    kept = plan.make(desired(), state)
    assert kinds(kept) == [(RegisterSchema, "orders-value")]
    assert "--prune" in kept.notes[0]
    pruned = plan.make(desired(), state, prune=True)
    assert kinds(pruned) == [(RegisterSchema, "orders-value"), (DeleteSubject, "orders-key")]
    assert str(pruned.steps[-1]) == "delete subject orders-key, softly: versions 1, 2"
    assert pruned.notes == ()


def in_mode(mode: str, *names: str, **changes: SubjectState | TopicState | None) -> Actual:
    return replace(actual(**changes), modes=dict.fromkeys(names, mode))


NEWER = SubjectState("FULL", (1,), None)
LOWER = SubjectState("NONE", (1,), 1)


@pytest.mark.parametrize(
    ("mode", "state", "is_held"),
    [
        ("READONLY", NEWER, True),
        ("READONLY_OVERRIDE", NEWER, True),
        ("IMPORT", NEWER, True),
        ("FORWARD", NEWER, False),
        ("READONLY", LOWER, True),
        ("IMPORT", LOWER, False),
    ],
)
def test_mode_that_refuses_the_step_is_a_conflict(mode: str, state: SubjectState, is_held: bool) -> None:
    made = plan.make(desired(), in_mode(mode, "orders-value", value=state))
    assert len(made.steps) + len(made.held) == 1
    assert bool(made.held) is is_held
    assert [(one.name, one.key) for one in made.conflicts] == [("orders-value", "mode")] * is_held
    assert all(mode in str(one) for one in made.conflicts)


def test_read_only_subject_also_holds_the_steps_that_need_it() -> None:
    state = replace(in_mode("READONLY", "orders-key", topic=None), extra={"orders-key": (1,)})
    assert plan.make(desired(), state).held == ()
    pruned = plan.make(desired(), state, prune=True)
    assert [type(step) for step in pruned.held] == [CreateTopic, DeleteSubject]

    held = plan.make(desired(), in_mode("READONLY", "shop.Address", address=SubjectState(), topic=None))
    assert (held.steps, len(held.held)) == ((), 2)


def two(**spec: str) -> Catalog:
    """Return orders and bills, which share a type; `spec` has extra lines for each contract.yaml."""
    return load(
        orders__contract_yaml=CONTRACT + spec.get("orders", ""),
        orders__value_avsc=record(("id", "string"), ("to", "shop.Address")),
        bills__contract_yaml=CONTRACT.replace("orders", "bills") + spec.get("bills", ""),
        bills__value_avsc=record(("id", "string"), ("to", "shop.Address"), name="shop.Bill"),
        types__address_avsc=record(("street", "string"), name="shop.Address"),
    )


def nothing_of(desired: Catalog, **topics: TopicState) -> Actual:
    names = plan.topic_names(desired)
    subjects = {subject.name: SubjectState() for subject in desired.subjects}
    return Actual(subjects, {name: topics.get(name) for name in names})


def test_conflict_holds_only_its_own_contract() -> None:
    catalog = two(orders="kafka: {partitions: 3}\n")
    made = plan.make(catalog, nothing_of(catalog, orders=TopicState(6, 1, {})))
    named = {name_of(step): owners for step, owners in zip(made.steps, made.owners, strict=True)}
    assert named == {
        "shop.Address": {"orders", "bills"},
        "bills-value": {"bills"},
        "bills": {"bills"},
        "bills.dlq": {"bills"},
    }
    assert {name_of(step) for step in made.held} == {"orders-value", "orders.dlq"}
    assert len(made.conflicts) == 1


NAMES = ("orders", "bills", "carts", "goods")
TYPES = ("shop.A", "shop.B", "shop.C")


@given(
    uses=st.lists(st.sets(st.sampled_from(TYPES)), min_size=4, max_size=4),
    partitioned=st.sets(st.sampled_from(NAMES)),
    read_only=st.sets(st.sampled_from([*TYPES, *(f"{name}-value" for name in NAMES)])),
)
def test_plan_runs_every_step_that_an_unblocked_contract_needs(
    uses: list[set[str]], partitioned: set[str], read_only: set[str]
) -> None:
    files = {f"types__{kind[-1]}_avsc": record(("x", "int"), name=kind) for kind in sorted(set().union(*uses))}
    for name, kinds_used in zip(NAMES, uses, strict=True):
        listed = [("id", "string"), *((kind[-1].lower(), kind) for kind in sorted(kinds_used))]
        files[f"{name}__contract_yaml"] = CONTRACT.replace("orders", name)
        files[f"{name}__value_avsc"] = record(*listed, name=f"shop.{name.title()}")
    catalog = load(**files)
    free = nothing_of(catalog)
    everything = plan.make(catalog, free)
    topics = {name: TopicState(6, 1, {}) for name in partitioned}
    state = replace(nothing_of(catalog, **topics), modes=dict.fromkeys(read_only, "READONLY"))

    made = plan.make(catalog, state)

    stuck = {
        name
        for name, kinds_used in zip(NAMES, uses, strict=True)
        if name in partitioned or f"{name}-value" in read_only or kinds_used & read_only
    }
    going = {
        name_of(step)
        for step, owners in zip(everything.steps, everything.owners, strict=True)
        if not owners <= stuck and name_of(step) not in partitioned
    }
    assert {name_of(step) for step in made.steps} == going
    left = {name_of(step) for step in everything.steps} - going - partitioned
    assert {name_of(step) for step in made.held} == left
    assert bool(made.conflicts) is bool(stuck)


def test_partial_plan_takes_the_whole_repository_into_account() -> None:
    whole = two(bills="dead_letter: {topic: orders}\n")
    part = whole.only(["orders"])
    assert list(part.contracts) == ["orders"]
    assert [one.name for one in part.types] == ["shop.Address"]
    state = nothing_of(part)
    assert len(plan.make(part, state).steps) == 5
    made = plan.make(part, state, among=whole)
    assert (made.steps, len(made.held), len(made.conflicts)) == ((), 5, 1)


def test_plan_notes_tags_that_would_be_lost() -> None:
    told = "shop.Order.id: PII"
    registers = plan.make(desired(), actual(value=SubjectState("FULL", (1, 2), None, last=2, lost_tags=told)))
    assert any(f"version 3 will lack: {told}" in note for note in registers.notes)
    older = plan.make(desired(), actual(value=SubjectState("FULL", (1, 2), 1, lost_tags=told)))
    assert any(f"the repository's schema lacks: {told}" in note for note in older.notes)
    assert all("SCHEMA_REGISTRY_KEEP_TAGS" in made.notes[-1] for made in (registers, older))


TODAY = date(2026, 6, 1)
#: FULL refuses both: `total` is new without a default, and `note`, which had no default, is gone.
ADDED, REMOVED = "READER_FIELD_MISSING_DEFAULT_VALUE total", "READER_FIELD_MISSING_DEFAULT_VALUE note"


def breaking(*approvals: str, until: date = TODAY, level: str = "FULL", of: str = "value") -> Catalog:
    """Return the desired orders, with approvals given as "RULE path"."""
    lines = [CONTRACT.replace("FULL", level), "approvals:" if approvals else ""]
    for number, (rule, _, path) in enumerate(one.partition(" ") for one in approvals):
        lines.append(f"  - {{rule: {rule}, path: '{path}', subject: {of}, reason: reason {number}, until: {until}}}")
    return load(
        orders__contract_yaml="\n".join(lines), orders__value_avsc=record(("id", "string"), ("total", "string"))
    )


def before(*histories: str, level: str = "FULL") -> Actual:
    """Return a state where the value has these versions, none of them equal to the repository's schema."""
    history = tuple(parsing.parse_stored(text, where="", named={}) for text in histories)
    value = SubjectState(level, tuple(range(1, len(history) + 1)), None, history=history)
    state = actual(value=value)
    topics = {"orders": TopicState(1, 1, {}), "orders.dlq": state.topics["orders.dlq"]}
    return Actual({"orders-value": value}, topics)


WITH_NOTE = record(("id", "string"), ("note", "string"))


def test_approved_break_shows_its_reasons_and_expiry_dates() -> None:
    others = ("READER_FIELD_MISSING_DEFAULT_VALUE other", "TYPE_MISMATCH total")
    [step] = plan.make(breaking(ADDED, REMOVED, *others), before(WITH_NOTE), today=TODAY).steps
    assert isinstance(step, RegisterSchema)
    assert step.approved is not None
    assert step.approved.level == "FULL"
    assert str(step) == (
        "register orders-value version 2 from schemas/orders/value.avsc, as an approved break of FULL, with the "
        "level at NONE while it is registered (READER_FIELD_MISSING_DEFAULT_VALUE at total until 2026-06-01: "
        "reason 0; READER_FIELD_MISSING_DEFAULT_VALUE at note until 2026-06-01: reason 1)"
    )


@pytest.mark.parametrize(
    ("desired", "today"),
    [
        pytest.param(breaking(), TODAY, id="nothing is approved"),
        pytest.param(breaking(ADDED), TODAY, id="one of two is approved"),
        pytest.param(breaking(ADDED, "TYPE_MISMATCH note"), TODAY, id="another rule is approved"),
        pytest.param(breaking(ADDED, "READER_FIELD_MISSING_DEFAULT_VALUE"), TODAY, id="another path is approved"),
        pytest.param(breaking(ADDED, REMOVED), TODAY + timedelta(days=1), id="the approvals have expired"),
        pytest.param(breaking(ADDED, REMOVED, of="key"), TODAY, id="only the key is approved"),
        pytest.param(breaking(ADDED, REMOVED), None, id="no day is given"),
        pytest.param(breaking(ADDED, REMOVED, level="NONE"), TODAY, id="the level refuses nothing"),
    ],
)
def test_partly_approved_break_is_left_to_the_registry(desired: Catalog, today: date | None) -> None:
    steps = plan.make(desired, before(WITH_NOTE), today=today).steps
    assert isinstance(steps[-1], RegisterSchema)
    assert steps[-1].approved is None
    assert str(steps[-1]).endswith("value.avsc")


def test_compatible_change_is_never_an_approved_break() -> None:
    [step] = plan.make(
        breaking(ADDED, REMOVED), before(record(("id", "string"), ("total", "string"))), today=TODAY
    ).steps
    assert step.approved is None


@pytest.mark.parametrize(("level", "is_break"), [("FULL", False), ("FULL_TRANSITIVE", True)])
def test_transitive_level_needs_the_approval_again(level: str, is_break: bool) -> None:
    """The newest version was registered with the approval, but the next one breaks an older version again."""
    newest = record(("id", "string"), ("total", "string"))
    state = before(WITH_NOTE, newest, level=level)
    [step] = plan.make(breaking(ADDED, REMOVED, level=level), state, today=TODAY).steps
    assert (step.approved is not None) is is_break


def test_level_left_at_none_is_restored() -> None:
    """The process died while the level was NONE: once before the break was registered, once after."""
    desired = breaking(ADDED, REMOVED)
    state = before(WITH_NOTE, level="NONE")
    assert kinds(plan.make(desired, state, today=TODAY)) == [
        (SetLevel, "orders-value"),
        (RegisterSchema, "orders-value"),
    ]
    state = Actual({"orders-value": SubjectState("NONE", (1, 2), 2)}, state.topics)
    made = plan.make(desired, state, today=TODAY)
    assert [str(step) for step in made.steps] == ["set level of orders-value: NONE -> FULL"]


LEVELS = ["BACKWARD", "FORWARD", "FULL", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("approvals", [(), (ADDED,), (REMOVED,), (ADDED, REMOVED)])
@pytest.mark.parametrize("day", [TODAY, TODAY + timedelta(days=1)])
def test_plan_approves_a_break_exactly_when_check_does(level: str, approvals: tuple[str, ...], day: date) -> None:
    desired, state = breaking(*approvals, level=level), before(WITH_NOTE, WITH_NOTE, level=level)
    contract = desired.contracts["orders"]
    history = [Earlier(str(number), schema) for number, schema in enumerate(state.subjects["orders-value"].history)]
    old = replace(contract, value=replace(contract.value, schema=history[-1].schema, text=""))
    base = run.Baseline("the registry", {"orders": old}, complete=False)
    checked = run.run(desired, base, {"orders-value": tuple(history)}, Texts(), day)
    refused = [one for one in checked.findings if CHECK_RULES[one.rule].of_level]

    [step] = plan.make(desired, state, today=day).steps

    assert refused
    assert (step.approved is not None) is all(one.approved for one in refused)


V1, V2 = (parsing.parse(record(("id", "string"), *more)) for more in ((), (("n", "int"),)))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (SubjectState("FULL", (1,), refusals=("the registry's words",), history=(V1,)), "the registry's words"),
        (SubjectState("FULL", (1,), refusals=("",), history=(V1,)), "has no default"),
        (SubjectState("FULL", (1,), refusals=("",)), "it gives no reason"),
        (SubjectState("NONE", (1,), unasked="its level is not FULL yet", history=(V1,)), "has no default"),
        (SubjectState("NONE", (1,), unasked="its level is not FULL yet", history=(V2,)), ""),
        (SubjectState("FULL", (1,), history=(V1,)), ""),
    ],
)
def test_version_that_would_be_refused_is_a_conflict_with_reason_and_fix(state: SubjectState, words: str) -> None:
    catalog = load(orders__value_avsc=record(("id", "string"), ("n", "int")))
    subjects = {"orders-value": state}
    made = plan.make(catalog, Actual(subjects, {"orders": None, "orders.dlq": None}))
    told = [one.what for one in made.conflicts]
    assert len(told) == bool(words)
    if words:
        assert "refuse version 2 of orders-value at level FULL: " in told[0]
        assert words in told[0]
        assert (made.steps, len(made.held)) == ((), 3 + (state.level != "FULL"))
    assert any("cannot be asked" in note for note in made.notes) is bool(state.unasked)


EXTERNAL = CONTRACT + "kafka: external\n"


@pytest.mark.parametrize(
    ("text", "topics", "note"),
    [
        (EXTERNAL, {}, "topic orders was not checked (`kafka: external`)"),
        (EXTERNAL, None, "topic orders was not checked (KAFKA_BOOTSTRAP_SERVERS is empty)"),
        (CONTRACT, None, "topic orders was not checked (KAFKA_BOOTSTRAP_SERVERS is empty)"),
    ],
)
def test_topics_that_are_not_looked_at_are_told(text: str, topics: dict[str, TopicState] | None, note: str) -> None:
    catalog = load(orders__contract_yaml=text)
    made = plan.make(catalog, Actual({"orders-value": SubjectState("FULL", (1,), 1)}, topics))
    assert (made.steps, made.notes) == ((), (note,))


def test_contracts_of_one_topic_plan_its_topics_and_its_key_once() -> None:
    spec = "topic: orders\nowner: shop\ncompatibility: {}\nsubject_strategy: TopicRecordName\n"
    catalog = loading.from_files(
        {
            "a/contract.yaml": spec.format("FULL") + "key: key.avsc\nkafka: {partitions: 2}\n",
            "a/key.avsc": record(("id", "string"), name="shop.Key"),
            "a/value.avsc": record(("id", "string"), name="shop.A"),
            "b/contract.yaml": spec.format("NONE"),
            "b/value.avsc": record(("id", "string"), name="shop.B"),
        },
        "schemas",
    )
    made = plan.make(catalog, nothing_of(catalog))
    assert made.conflicts == ()
    assert [str(one).partition(" from ")[0] for one in made.steps] == [
        "register orders-key version 1",
        "set level of orders-key: none of its own -> FULL",
        "register orders-shop.A version 1",
        "set level of orders-shop.A: none of its own -> FULL",
        "register orders-shop.B version 1",
        "set level of orders-shop.B: none of its own -> NONE",
        "create topic orders: 2 partitions, replication factor the broker's default",
        "create topic orders.dlq: 1 partitions, replication factor the broker's default, retention.ms=2592000000",
    ]
    assert made.owners[0] == frozenset({"a", "b"})


@pytest.mark.parametrize("said", ["subject: x", "subject_strategy: RecordName", "subject_strategy: TopicRecordName"])
def test_only_the_key_of_its_own_topic_is_undeclared(said: str) -> None:
    assert plan.undeclared(load(orders__contract_yaml=CONTRACT + said)) == ["orders-key"]
    key = "key: key.avsc\nkey_subject: k\n"
    other = load(orders__contract_yaml=CONTRACT + key + said, orders__key_avsc=record(name="shop.Key"))
    assert plan.undeclared(other) == []
