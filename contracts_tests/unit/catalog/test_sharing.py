"""Several contracts of one topic, one subject of several contracts, and how subjects are named."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.catalog.predecessors import predecessors
from avro_data_contracts.contracts.errors import ConfigurationError
from contracts_tests.fixtures.contract_files import record

PLACED, PAID = record(("id", "string"), name="shop.Placed"), record(("id", "string"), name="shop.Paid")
KEY = record(("id", "string"), name="shop.Key")


def contract(folder: str, schema: str = PLACED, key: str = "", /, **said: Any) -> dict[str, str]:
    """The files of a contract of the topic `orders`, unless `said` has another."""
    spec = {
        "topic": "orders",
        "owner": "shop",
        "compatibility": "FULL",
        **({"key": "key.avsc"} if key else {}),
        **said,
    }
    files = {f"{folder}/contract.yaml": yaml.safe_dump(spec, sort_keys=False), f"{folder}/value.avsc": schema}
    return files | ({f"{folder}/key.avsc": key} if key else {})


def by_record(folder: str, schema: str, key: str = "", /, **said: Any) -> dict[str, str]:
    return contract(folder, schema, key, **{"subject_strategy": "TopicRecordName", **said})


def load(*contracts: dict[str, str]) -> Catalog:
    return loading.from_files({path: text for files in contracts for path, text in files.items()}, "schemas")


@pytest.mark.parametrize(
    ("said", "value", "key"),
    [
        ({}, "orders-value", "orders-key"),
        ({"subject_strategy": "TopicName"}, "orders-value", "orders-key"),
        ({"subject_strategy": "TopicRecordName"}, "orders-shop.Placed", "orders-key"),
        ({"subject_strategy": "RecordName"}, "shop.Placed", "orders-key"),
        ({"subject": "any/thing 1"}, "any/thing 1", "orders-key"),
        ({"subject": "v", "subject_strategy": "RecordName", "key_subject": "k"}, "v", "k"),
    ],
)
@pytest.mark.parametrize("default", [None, "TopicName", "TopicRecordName", "RecordName"])
def test_subjects_are_named_by_the_contract_or_else_by_contracts_toml(
    said: dict[str, str], value: str, key: str, default: Any
) -> None:
    files = contract("a", PLACED, KEY, **said)
    if not said and default:
        value = {"TopicRecordName": "orders-shop.Placed", "RecordName": "shop.Placed"}.get(default, value)
    said_for_all = {"subject_strategy": default} if default else {}
    found = loading.read(Folder(files, defaults=said_for_all), "schemas").whole().get("a")
    assert [one.name for one in found.subjects] == [key, value]


@pytest.mark.parametrize("strategy", ["TopicRecordName", "RecordName"])
def test_strategy_by_record_needs_a_name_or_a_subject(strategy: str) -> None:
    with pytest.raises(ConfigurationError, match=r"a/contract.yaml:4: .*has none") as raised:
        load(contract("a", '"string"', subject_strategy=strategy))
    assert "subject: NAME" in raised.value.fix
    assert load(contract("a", '"string"', subject_strategy=strategy, subject="x")).get("a").value.name == "x"


@pytest.mark.parametrize("name", ["", ":.staging:orders-value", "a\nb", "x" * 256])
@pytest.mark.parametrize("key", ["subject", "key_subject"])
def test_subject_of_another_context_or_with_control_characters_is_refused(key: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"contract.yaml:5: {key}: ") as raised:
        load(contract("a", PLACED, KEY, **{key: name}))
    assert ("write 'orders-value', and set SCHEMA_REGISTRY_URL" in str(raised.value)) is name.startswith(":")


def test_contracts_of_one_topic_know_each_other_and_share_what_one_says() -> None:
    said = {"kafka": {"partitions": 6}, "dead_letter": {"topic": "dead", "partitions": 2}}
    found = load(by_record("b", PAID), by_record("a", PLACED, KEY), by_record("c", record(("x", "int")), **said))
    contracts = [found.get(name) for name in "abc"]
    assert [one.leads for one in contracts] == [True, False, False]
    assert [[each.contract for each in one.siblings] for one in contracts] == [["b", "c"], ["a", "c"], ["a", "b"]]
    assert {(one.spec.kafka.partitions, one.dead_letter_topic) for one in contracts} == {(6, "dead")}
    assert {one.key.name for one in contracts if one.key} == {"orders-key"}
    assert sorted(one.name for one in found.subjects) == [
        "orders-key", "orders-shop.Order", "orders-shop.Paid", "orders-shop.Placed",
    ]  # fmt: skip


#: What is wrong with two contracts -> their files, the place, and the words.
CLASHES = {
    "the same subject by the topic's name": (
        contract("a"), contract("b", PAID), "b/contract.yaml:1", "topic orders already has a contract",
    ),
    "the same explicit subject": (
        contract("a", subject="x"), contract("b", PAID, subject="x"), "b/contract.yaml:4", "with the subject x",
    ),
    "the same record": (
        by_record("a", PLACED), contract("b", PLACED), "b/contract.yaml", "already has a contract for shop.Placed",
    ),
    "an alias of the other's record": (
        by_record("a", PLACED), by_record("b", PAID.replace('"fields"', '"aliases": ["Placed"], "fields"')),
        "b/contract.yaml", "already has a contract for shop.Placed",
    ),
    "a value without a name": (
        by_record("a", PLACED), contract("b", '"string"'), "b/contract.yaml:1", "has none",
    ),
    "a value that is a union": (
        by_record("a", PLACED), contract("b", f'["null", {PAID}]'), "b/contract.yaml:1", "has none",
    ),
    "other settings of the topic": (
        by_record("a", PLACED, kafka={"partitions": 2}), by_record("b", PAID, kafka={"partitions": 3}),
        "b/contract.yaml:5", "kafka: schemas/a/contract.yaml has other settings",
    ),
    "an owned and an external topic": (
        by_record("a", PLACED, kafka={"partitions": 2}), by_record("b", PAID, kafka="external"),
        "b/contract.yaml:5", "kafka: schemas/a/contract.yaml has other settings",
    ),
    "other dead letters": (
        by_record("a", PLACED, dead_letter={"topic": "x"}), by_record("b", PAID, dead_letter={"topic": "y"}),
        "b/contract.yaml:5", "dead_letter: schemas/a/contract.yaml has other settings",
    ),
    "another key": (
        by_record("a", PLACED, KEY), by_record("b", PAID, record(("n", "int"), name="shop.Key")),
        "b/contract.yaml:4", "has another key in schemas/a/contract.yaml",
    ),
    "another subject of the key": (
        by_record("a", PLACED, KEY), by_record("b", PAID, KEY, key_subject="k"),
        "b/contract.yaml", "has another key in schemas/a/contract.yaml",
    ),
    "tombstones that delete": (
        by_record("a", PLACED), by_record("b", PAID, KEY, tombstones="delete"),
        "b/contract.yaml:6", "tombstones: the topic orders has several contracts",
    ),
    "one subject of two topics with two schemas": (
        contract("a", PLACED, subject_strategy="RecordName"),
        contract("b", record(("n", "int"), name="shop.Placed"), topic="other", subject_strategy="RecordName"),
        "b/contract.yaml:4", "also that of schemas/a/value.avsc, which has another schema",
    ),
    "one subject of two topics with two levels": (
        contract("a", PLACED, subject_strategy="RecordName"),
        contract("b", PLACED, topic="other", subject_strategy="RecordName", compatibility="NONE"),
        "b/contract.yaml:3", "also that of schemas/a/contract.yaml, with level FULL",
    ),
    "two levels for the key that both name": (
        by_record("a", PLACED, KEY), by_record("b", PAID, KEY, compatibility="NONE"),
        "b/contract.yaml:3", "keep `key:` in one of the two",
    ),
    "the subject of a shared type with another schema": (
        {**contract("a", record(("to", "shop.Paid"), name="shop.A")), "types/paid.avsc": PAID},
        contract("b", record(("n", "int"), name="shop.B"), topic="other", subject="shop.Paid"),
        "b/contract.yaml:4", "also that of schemas/types/paid.avsc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("clash", CLASHES)
def test_contracts_that_disagree_about_a_topic_or_a_subject_are_refused_with_the_place(clash: str) -> None:
    first, second, place, words = CLASHES[clash]
    with pytest.raises(ConfigurationError) as raised:
        load(first, second)
    assert raised.value.where.startswith(f"schemas/{place}")
    assert words in f"{raised.value.what} {raised.value.fix}"


@pytest.mark.parametrize("strategy", ["TopicName", "RecordName", "TopicRecordName"])
def test_one_file_is_the_schema_of_several_topics(strategy: str) -> None:
    said = {"value": "../shared/placed.avsc", "subject_strategy": strategy}
    files = [contract("a", "", topic="a", **said), contract("b", "", topic="b", **said)]
    for each, name in zip(files, "ab", strict=True):
        del each[f"{name}/value.avsc"]
    user = contract("c", record(("to", "shop.Placed"), name="shop.C"), topic="c")
    found = load(*files, user, {"shared/placed.avsc": PLACED})
    assert {found.get(name).value.file for name in "ab"} == {"schemas/shared/placed.avsc"}
    names = [one.name for one in found.subjects]
    assert len(names) == len(set(names)) == {"TopicName": 4, "RecordName": 2, "TopicRecordName": 4}[strategy]


def test_file_in_the_folder_of_another_contract_can_be_named() -> None:
    other = contract("b", "", topic="b", value="../a/value.avsc")
    del other["b/value.avsc"]
    assert load(contract("a"), other).get("b").value.fullname == "shop.Placed"


@pytest.mark.parametrize("key", ["partitions", "replication_factor", "config"])
@pytest.mark.parametrize("place", ["kafka", "dead_letter"])
def test_settings_of_an_external_topic_are_refused(place: str, key: str) -> None:
    value: Any = {"a": "b"} if key == "config" else 2
    said: dict[str, Any] = {"kafka": {"external": True}, "dead_letter": {}}
    said[place] = {**said[place], key: value}
    with pytest.raises(ConfigurationError, match=f"{place}.*remove {key}"):
        load(contract("a", **said))


def test_external_topic_is_one_word() -> None:
    assert load(contract("a", kafka="external")).get("a").spec.kafka.external


def names(catalog: Catalog) -> list[Contract]:
    return list(catalog.contracts.values())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([contract("a")], [contract("renamed")], {"renamed": "a"}),
        ([contract("a")], [by_record("a", PLACED)], {"a": "a"}),
        ([contract("a")], [by_record("a", PLACED), by_record("b", PAID)], {"a": "a"}),
        ([contract("a")], [by_record("b", PLACED), by_record("c", PAID)], {"b": "a"}),
        ([by_record("a", PLACED), by_record("b", PAID)], [by_record("b", PLACED)], {"b": "a"}),
        ([by_record("a", PLACED), by_record("b", PAID)], [by_record("c", record(("x", "int")))], {}),
        ([by_record("a", PLACED)], [contract("a", topic="other")], {}),
    ],
)  # fmt: skip
def test_predecessor_has_the_same_topic_and_subject_or_folder_or_record(
    old: list[dict[str, str]], new: list[dict[str, str]], expected: dict[str, str]
) -> None:
    found = predecessors(names(load(*old)), names(load(*new)))
    assert {name: one.name for name, one in found.items()} == expected


def test_union_of_records_cannot_have_tables_and_the_fix_is_a_contract_for_each() -> None:
    sink = {"postgres": {"table": "t", "primary_key": ["id"]}}
    types = {"types/placed.avsc": PLACED, "types/paid.avsc": PAID}
    union = '["shop.Placed", "shop.Paid"]'
    assert load(contract("a", union), types).get("a").value.fullname == ""
    with pytest.raises(ConfigurationError, match="needs a record") as raised:
        load(contract("a", union, sinks=sink), types)
    assert "a contract for each of its records" in raised.value.fix
