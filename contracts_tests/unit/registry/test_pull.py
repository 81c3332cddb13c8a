"""Contract files from the state of a registry, which never overwrite existing files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.writing import normalised
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry import pull, subject_topics
from avro_data_contracts.contracts.registry.plan import TopicState
from avro_data_contracts.contracts.registry.pull import Live, Pulled
from avro_data_contracts.contracts.registry.registered import Config, RegisteredReference, RegisteredSchema
from contracts_tests.fixtures.contract_files import record

ENUM = json.dumps({"type": "enum", "name": "shop.Kind", "symbols": ["A"]})
WITH_KIND = record(("kind", "shop.Kind"), name="shop.One")
REFERENCE = RegisteredReference("shop.Kind", "shop.Kind", 1)


def kept(text: str, references: Sequence[RegisteredReference] = (), kind: str = "AVRO") -> RegisteredSchema:
    return RegisteredSchema(1, text, tuple(references), "s", 1, kind)


def live(**subjects: RegisteredSchema) -> Live:
    """Return subjects at level FULL (`orders_value` is orders-value), one shared type, and no topics."""
    named = {name.replace("_", "-"): (schema, "FULL") for name, schema in subjects.items()}
    topics = {name.rpartition("-")[0] for name in named}
    states = {name: None for topic in topics for name in (topic, f"{topic}.dlq")}
    return Live(named, {("shop.Kind", 1): kept(ENUM)}, states)


def made(state: Live) -> Pulled:
    return pull.files_of(state, "shop")


def test_pull_writes_key_value_and_shared_type() -> None:
    found = made(live(orders_key=kept('"string"'), orders_value=kept(WITH_KIND, [REFERENCE])))
    assert sorted(found.files) == [
        "orders/contract.yaml",
        "orders/key.avsc",
        "orders/value.avsc",
        "types/shop.Kind.avsc",
    ]
    contract = loading.from_files(found.files, "").get("orders")
    assert (contract.spec.owner, contract.compatibility.value) == ("shop", "FULL")
    assert [one.name for one in contract.value.types] == ["shop.Kind"]
    assert found.left_out == {}


def test_pull_notes_what_files_cannot_express() -> None:
    state = live(orders_value=replace(kept(record(("id", "string"))), metadata={"properties": {"team": "x"}}))
    config = Config("FULL", "target-value", "major", True)
    found = made(replace(state, configs={"orders-value": config}, others=(":.staging:a-value", "stray")))
    assert "alias target-value, compatibilityGroup major, normalize true stay in the registry" in found.notes[0]
    assert "metadata (properties team) stays in the registry" in found.notes[1]
    assert "another context" in found.left_out[":.staging:a-value"]
    assert "does not say its topic" in found.left_out["stray"]
    assert made(live(orders_value=kept(record(("id", "string"))))).notes == [
        note for note in found.notes if "registry" not in note
    ]


def test_contract_gets_the_topic_settings_of_the_cluster() -> None:
    state = live(orders_value=kept(record(("id", "string"))))
    topics = {"orders": TopicState(7, 3, {"retention.ms": "5"}), "orders.dlq": TopicState(2, 1, {})}
    found = made(Live(state.subjects, {}, topics))
    spec = loading.from_files(found.files, "").get("orders").spec
    assert (spec.kafka.partitions, spec.kafka.replication_factor, spec.kafka.config) == (7, 3, {"retention.ms": "5"})
    assert (spec.dead_letter.partitions, spec.dead_letter.config) == (2, {})
    assert found.notes == []


@pytest.mark.parametrize(
    ("subjects", "why"),
    [
        ({"orders_key": kept('"string"')}, "there is no subject orders-value"),
        ({"orders_value": kept("{}", kind="JSON")}, "is a JSON schema"),
        ({"orders_value": kept(record(("id", "no.Such")))}, "no.Such"),
        ({"orders_value": kept(record(("a-b", "int")))}, "a-b"),
    ],
)
def test_subject_that_no_contract_can_express_is_left_out(subjects: dict[str, RegisteredSchema], why: str) -> None:
    found = made(live(**subjects, fine_value=kept(record(("id", "string")))))
    assert found.topics == ["fine"]
    assert not [path for path in found.files if path.startswith("orders")]
    [(name, told)] = found.left_out.items()
    assert name.startswith("orders-")
    assert why in told


def test_subject_without_a_topic_is_left_out_unless_referenced() -> None:
    state = live(orders_value=kept(WITH_KIND, [REFERENCE]))
    found = made(Live(state.subjects, state.referred, state.topics, ("shop.Kind", "stray")))
    assert list(found.left_out) == ["stray"]


def test_pull_notes_what_drift_will_report() -> None:
    other = RegisteredReference("shop.Kind", "kinds", 4)
    state = live(a_key=kept('"string"'), a_value=kept(WITH_KIND, [other]))
    subjects = {**state.subjects, "a-key": (kept('"string"'), "NONE")}
    found = made(Live(subjects, {("kinds", 4): kept(ENUM)}, state.topics))
    told = "\n".join(found.notes)
    assert "a-key has level NONE" in told
    assert "as subject kinds" in told
    assert "there is no topic a;" in told


def test_pull_notes_two_versions_of_one_type() -> None:
    newer = json.dumps({"type": "enum", "name": "shop.Kind", "symbols": ["A", "B"]})
    second = RegisteredReference("shop.Kind", "shop.Kind", 2)
    state = live(a_value=kept(WITH_KIND, [REFERENCE]), b_value=kept(WITH_KIND, [second]))
    found = made(Live(state.subjects, {**state.referred, ("shop.Kind", 2): kept(newer)}, state.topics))
    assert found.topics == ["a", "b"]
    assert any("b refers to another version of" in note for note in found.notes)


INNER = {"type": "record", "name": "Money", "fields": [{"name": "amount", "type": "long"}]}


@pytest.mark.parametrize("used", ["shop.Money", "shop.Price"])
@pytest.mark.parametrize(
    "wrapped", ["%s", "[%s]", "/* Licence */ %s", '[{"type": "fixed", "name": "F", "size": 4}, %s]']
)
def test_pull_writes_type_inside_referenced_type(used: str, wrapped: str) -> None:
    text = wrapped % record(("money", INNER), name="shop.Price")
    state = live(orders_value=kept(f"// Order\n{record(('sum', used))}", [REFERENCE]))
    found = made(Live(state.subjects, {("shop.Kind", 1): kept(text)}, state.topics))
    assert found.left_out == {}
    contract = loading.from_files(found.files, "").get("orders")
    assert [one.name for one in contract.value.types] == ["shop.Price"]
    stored = parsing.parse_stored(record(("sum", used)), named=parsing.parse_stored(text).named)
    assert normalised(contract.value.schema) == normalised(stored)


def test_topic_named_types_is_kept_apart_from_the_shared_types() -> None:
    found = made(live(types_value=kept(WITH_KIND, [REFERENCE])))
    assert "types_/shop.Kind.avsc" in found.files


@pytest.mark.parametrize("name", ["..-value", ".-value", "a/b-value", ":.ctx:a-value", "-value"])
def test_subject_with_an_unsafe_name_gets_no_folder(name: str) -> None:
    assert subject_topics.OF_A_TOPIC.fullmatch(name) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "record", "name": "X", "fields": [{"name": "f", "type": "double", "default": 1e2}]}',
        '"string"',
        '{"type": "array", "items": {"type": "string", "avro.java.string": "String"}}',
    ],
)
def test_reformatted_schema_stays_the_same(text: str) -> None:
    found = made(live(a_value=kept(text)))
    contract = loading.from_files(found.files, "").get("a")
    assert normalised(contract.value.schema) == normalised(parsing.parse_stored(text))


def test_write_refuses_to_overwrite_and_writes_nothing(tmp_path: Path) -> None:
    found = made(live(orders_value=kept(record(("id", "string")))))
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "value.avsc").write_text("mine")
    with pytest.raises(ConfigurationError) as refused:
        pull.write(tmp_path, found)
    assert "orders/value.avsc" in str(refused.value)
    assert "--dir" in refused.value.fix
    assert [path.name for path in (tmp_path / "orders").iterdir()] == ["value.avsc"]
    assert (tmp_path / "orders" / "value.avsc").read_text() == "mine"


def test_write_refuses_a_second_contract_for_a_topic(tmp_path: Path) -> None:
    found = made(live(orders_value=kept(record(("id", "string")))))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "contract.yaml").write_text("topic: orders\nowner: me\ncompatibility: NONE\n")
    (tmp_path / "mine" / "value.avsc").write_text('"string"')
    with pytest.raises(ConfigurationError, match="already has a contract"):
        pull.write(tmp_path, found)
    assert not (tmp_path / "orders").exists()


def test_write_reports_an_unwritable_folder(tmp_path: Path) -> None:
    found = made(live(orders_value=kept(record(("id", "string")))))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="0 of 2 files were written"):
        pull.write(tmp_path / "file" / "below", found)


def test_types_referenced_along_many_paths_are_read_once() -> None:
    """Each of forty types refers to the two before it, so following every path would take practically forever."""

    def reference(number: int) -> RegisteredReference:
        return RegisteredReference(f"shop.T{number}", f"shop.T{number}", 1)

    referred = {}
    for number in range(40):
        below = [one for one in (number - 1, number - 2) if one >= 0]
        text = record(*((f"f{one}", f"shop.T{one}") for one in below), name=f"shop.T{number}")
        referred[f"shop.T{number}", 1] = kept(text, [reference(one) for one in below])
    state = live(orders_value=kept(record(("t", "shop.T39"), name="shop.One"), [reference(39)]))
    found = made(Live(state.subjects, referred, state.topics))
    assert found.left_out == {}
    assert sum(path.startswith("types/") for path in found.files) == 40


def shop(name: str, *, field: str = "id") -> RegisteredSchema:
    return kept(record((field, "string"), name=f"shop.{name}"))


@pytest.mark.parametrize(
    ("name", "schema", "told", "topics"),
    [
        ("orders-value", shop("Paid"), {}, ()),
        ("orders-shop.Paid", shop("Paid"), {}, ("orders",)),
        ("orders-eu-shop.Paid", shop("Paid"), {}, ("orders-eu",)),
        ("orders-shop.Paid", shop("Sent"), {}, ()),
        ("shop.Paid", shop("Paid"), {}, ()),
        ("shop.Paid", shop("Paid"), {"shop.Paid": ["a", "b"]}, ("a", "b")),
        ("orders-value", shop("Paid"), {"orders-value": ["a"]}, ("a",)),
        ("any thing", kept('"string"'), {}, ()),
        ("any thing", kept("{}", kind="JSON"), {}, ()),
        ("-shop.Paid", shop("Paid"), {}, ()),
        ("..-shop.Paid", shop("Paid"), {}, ()),
        ("a b-shop.Paid", shop("Paid"), {}, ()),
    ],
)
def test_topic_of_a_subject_is_in_its_name_or_told(
    name: str, schema: RegisteredSchema, told: dict[str, list[str]], topics: tuple[str, ...]
) -> None:
    assert subject_topics.of(name, schema, told) == topics


def named(**subjects: RegisteredSchema) -> Live:
    """Subjects that are named after records (`orders__Paid` is orders-shop.Paid), and their topics."""
    state = live(**{name: one for name, one in subjects.items() if "__" not in name})
    records = {name.replace("__", "-shop."): (one, "FULL") for name, one in subjects.items() if "__" in name}
    values = {name: (name.partition("-")[0],) for name in records}
    states = {name: TopicState(6, 1, {}) for (topic,) in values.values() for name in (topic, f"{topic}.dlq")}
    merged = {**state.subjects, **records}
    return replace(state, subjects=merged, topics={**(state.topics or {}), **states}, values=values)


def test_subjects_of_records_become_contracts_that_share_the_topic() -> None:
    state = named(orders__Paid=shop("Paid"), orders__Sent=shop("Sent"), orders_key=kept('"string"'))
    found = made(state)
    assert found.left_out == {}
    catalog = loading.from_files(found.files, "")
    assert [one.value.name for one in catalog.contracts.values()] == ["orders-shop.Paid", "orders-shop.Sent"]
    assert {(one.spec.kafka.partitions, one.key.name if one.key else "") for one in catalog.contracts.values()} == {
        (6, "orders-key")
    }
    assert sum("kafka:" in text for text in found.files.values()) == 1


def test_subjects_of_one_topic_that_cannot_be_told_apart_are_left_out() -> None:
    state = named(orders__Paid=shop("Paid"), orders_value=kept('["null", "string"]'), orders__Sent=shop("Sent"))
    subjects = {**state.subjects, "x": (shop("Sent"), "FULL")}
    found = made(replace(state, subjects=subjects, values={**state.values, "x": ("orders",)}))
    assert found.topics == ["orders", "orders"]
    assert len(found.left_out) == 2
    assert "this one has no name" in found.left_out["orders-value"]
    assert any("records shop.Sent of the topic orders" in why for why in found.left_out.values())
    assert len(loading.from_files(found.files, "").contracts) == 2


@pytest.mark.parametrize("default", ["TopicName", "TopicRecordName", "RecordName"])
def test_pulled_contract_names_its_subject_whatever_contracts_toml_says(default: str) -> None:
    state = named(a_value=shop("A"), b__B=shop("B"))
    more = {"shop.C": (shop("C"), "FULL"), "d d": (shop("D"), "FULL")}
    topics = {**state.topics, "c": None, "c.dlq": None, "d": None, "d.dlq": None} if state.topics else None
    values = {**state.values, "shop.C": ("c",), "d d": ("d",)}
    found = pull.files_of(
        replace(state, subjects={**state.subjects, **more}, topics=topics, values=values), "shop", default
    )
    catalog = loading.read(Folder(found.files, defaults={"subject_strategy": default}), "").whole()
    assert {one.topic: one.value.name for one in catalog.contracts.values()} == {
        "a": "a-value", "b": "b-shop.B", "c": "shop.C", "d": "d d",
    }  # fmt: skip


def test_subject_whose_topic_nobody_knows_is_left_out_with_the_option_that_says_it() -> None:
    found = made(replace(live(a_value=shop("A")), others=("shop.Paid",)))
    assert "--topic shop.Paid=TOPIC" in found.left_out["shop.Paid"]


def test_without_a_broker_the_topics_are_external() -> None:
    found = made(replace(live(a_value=shop("A")), topics=None))
    assert loading.from_files(found.files, "").get("a").spec.kafka.external
    assert "topics were not checked" in found.notes[0]
