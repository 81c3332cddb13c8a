"""Loading contracts from schemas/: the error for a broken file names the file, the line and what is valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading, spec
from avro_data_contracts.contracts.catalog.contract import ContractSpec
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, InvalidSchema
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_files import CONTRACT, load, record


def refusal(**changes: str | None) -> str:
    with pytest.raises(ContractsError) as caught:
        load(**changes)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_contracts_of_this_repository_load() -> None:
    users = loading.load(CLONE / "schemas").get("users_created")
    assert users.topic == "users_created"
    assert users.dead_letter_topic == "users_created.dlq"
    assert [subject.name for subject in users.subjects] == ["users_created-key", "users_created-value"]
    assert [sink.qualified for sink in users.sinks] == ["spark_streams.created_users", "public.created_users"]
    assert [rule.name for rule in users.rules] == ["email_form", "dob_plausible", "picture_url"]
    tagged = {f.name for f in users.value.record.fields if "PII" in f.props.get("confluent:tags", ())}
    assert {"first_name", "last_name", "email", "phone", "dob", "address"} <= tagged
    assert all(field.doc for subject in users.subjects for field in subject.record.fields)


def test_unknown_key_error_names_line_and_valid_keys() -> None:
    told = refusal(orders__contract_yaml=CONTRACT.replace("owner: shop", "owner: shop\npartitions: 3"))
    assert "schemas/orders/contract.yaml:3: unknown key 'partitions'" in told
    assert "topic, owner, description, compatibility" in told


def test_unknown_nested_key_error_names_valid_keys_at_that_level() -> None:
    told = refusal(orders__contract_yaml=CONTRACT.replace("table: orders", "tabel: orders"))
    assert "schemas/orders/contract.yaml:7" in told
    assert "valid names here: table, primary_key, columns, mode, schema, partition_by, indexes" in told


#: Each line stands for nine times the values of the one before.
ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("owner: shop", "owner: shop\nowner: other", "contract.yaml:3: the key 'owner' appears twice, first"),
        ("FULL", "SOMETIMES", "contract.yaml:3: compatibility"),
        ("topic: orders", "topic: or ders", "contract.yaml:1: topic"),
        ("owner: shop\n", "", "owner: is missing"),
        ("owner: shop", "owner: [", ": not YAML: "),
        ("primary_key: [id]", "primary_key: [nr]", "there is no field 'nr'"),
        ("value: value.avsc", "value: other.avsc", "value: the file other.avsc does not exist"),
        ("owner: shop", "owner: 2026-13-45", "contract.yaml:2: not YAML: 2026-13-45 is not a date: month must be"),
        ("owner: shop", "owner: \x07", "contract.yaml:2: not YAML"),
        ("owner: shop", "owner: " + "[" * 3000, "not YAML"),
        ("owner: shop", f"owner: shop\n{ALIASES}", "its aliases (*name) stand for more than 100,000 values"),
    ],
)
def test_broken_contract_error_names_file_and_cause(old: str, new: str, words: str) -> None:
    assert words in refusal(orders__contract_yaml=CONTRACT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("table: orders", "table: Orders", ".table: 'Orders' should have only lower-case letters"),
        (
            "table: orders",
            "table: orders\n    columns: {City: id}",
            ".columns.City: 'City' should have only lower-case",
        ),
        ("table: orders", "table: orders\n    columns: {city: 5}", ".columns.city: should be text"),
        ("table: orders", "table: 2026-01-01", ".table: should be text; a number, a date"),
        ("topic: orders", "topic: a b", "topic: 'a b' should have only letters, digits, '.', '_' and '-'"),
    ],
)
def test_wrong_name_error_says_which_characters_a_name_has(old: str, new: str, words: str) -> None:
    assert words in refusal(orders__contract_yaml=CONTRACT.replace(old, new))


def test_every_pattern_of_a_name_has_words() -> None:
    def patterns(node: Any) -> Iterator[str]:
        for key, value in (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        ):
            yield from [value] if key == "pattern" and isinstance(value, str) else patterns(value)
            yield from node.get("patternProperties", ()) if key == "patternProperties" else ()

    assert set(patterns(ContractSpec.model_json_schema())) == set(spec.PATTERNS)


def test_broken_schema_error_names_file_and_line() -> None:
    told = refusal(orders__value_avsc='{"type": "record",\n  "name": "Order" "fields": []}')
    assert "schemas/orders/value.avsc:2" in told


def test_error_of_several_broken_files_says_how_many() -> None:
    told = refusal(orders__value_avsc="{", a_avsc="{", b_avsc="[")
    assert "`contracts lint` lists all 3 faults" in told
    assert "contracts lint" not in refusal(orders__value_avsc="{")


def test_nullable_primary_key_is_refused() -> None:
    assert "may be null" in refusal(orders__value_avsc=record(("id", ["null", "string"])))


def test_two_contracts_for_one_table_are_refused() -> None:
    other = CONTRACT.replace("topic: orders", "topic: copies")
    told = refusal(copy__contract_yaml=other, copy__value_avsc=record(("id", "string")))
    assert "schemas/orders/contract.yaml:7: schemas/copy/contract.yaml already writes to the" in told


def test_two_contracts_for_one_topic_are_refused() -> None:
    told = refusal(copy__contract_yaml=CONTRACT, copy__value_avsc=record(("id", "string")))
    assert "topic orders already has a contract" in told


def test_folder_without_contracts_is_refused() -> None:
    assert "no folder has a contract.yaml" in refusal(orders__contract_yaml=None)


def test_references_are_resolved_with_dependencies_first() -> None:
    found = load(
        orders__value_avsc=record(("id", "string"), ("to", "shop.Address")),
        types__address_avsc=record(("country", "shop.Country"), name="shop.Address"),
        types__country_avsc=record(("code", "string"), name="shop.Country"),
        types__unused_avsc=record(("x", "string"), name="shop.Unused"),
    )
    assert [subject.name for subject in found.subjects] == ["shop.Country", "shop.Address", "orders-value"]
    value = found.get("orders").value
    assert [one.name for one in value.types] == ["shop.Address"]
    assert json.loads(value.schema_text)["fields"][1]["type"]["fields"][0]["type"]["name"] == "Country"


def test_reference_to_type_inside_shared_type() -> None:
    inner = {"type": "record", "name": "Country", "fields": [{"name": "code", "type": "string"}]}
    found = load(
        orders__value_avsc=record(("id", "string"), ("to", "shop.Address"), ("country", "shop.Country")),
        types__address_avsc=record(("country", inner), name="shop.Address"),
    )
    value = found.get("orders").value
    assert [one.name for one in value.types] == ["shop.Address"]
    assert json.loads(value.schema_text)["fields"][2]["type"] == "Country"


def test_circular_references_are_refused() -> None:
    with pytest.raises(InvalidSchema, match=r"circle: shop\.A -> shop\.B -> shop\.A"):
        load(
            orders__value_avsc=record(("id", "string"), ("a", "shop.A")),
            a_avsc=record(("b", "shop.B"), name="shop.A"),
            b_avsc=record(("a", "shop.A"), name="shop.B"),
        )


def test_missing_reference_is_refused() -> None:
    assert "shop.Nowhere" in refusal(orders__value_avsc=record(("id", "string"), ("a", "shop.Nowhere")))


def test_unknown_contract_error_names_existing_contracts() -> None:
    with pytest.raises(ConfigurationError, match="users_created"):
        loading.load(CLONE / "schemas").get("user_created")


@pytest.mark.parametrize("topic", [".", "..", "a" * 250, "a/b", ""])
def test_invalid_topic_name_is_refused(topic: str) -> None:
    told = refusal(orders__contract_yaml=CONTRACT.replace("topic: orders", f"topic: {topic!r}"))
    assert "schemas/orders/contract.yaml:1" in told


@pytest.mark.parametrize(
    "kafka",
    [
        "{partitions: 100001}",
        "{replication_factor: 99999}",
        "{config: {retention.ms: null}}",
        "{config: {a: {b: c}}}",
    ],
)
def test_invalid_topic_settings_are_refused(kafka: str) -> None:
    for key in ("kafka", "dead_letter"):
        assert "schemas/orders/contract.yaml" in refusal(orders__contract_yaml=f"{CONTRACT}{key}: {kafka}\n")


def test_topic_settings_are_converted_to_text() -> None:
    config = "{config: {cleanup.policy: [compact, delete], retention.ms: 5, preallocate: true, x: 0.5}}"
    spec = load(orders__contract_yaml=f"{CONTRACT}kafka: {config}\ndead_letter: {config}\n").get("orders").spec
    wanted = {"cleanup.policy": "compact,delete", "retention.ms": "5", "preallocate": "true", "x": "0.5"}
    assert spec.kafka.config == spec.dead_letter.config == wanted
