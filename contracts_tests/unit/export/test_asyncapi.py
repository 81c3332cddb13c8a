"""Contracts exported as AsyncAPI 3.0, validated against AsyncAPI's own JSON Schema."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.writing import normalised
from avro_data_contracts.contracts.catalog import dead_letter, loading
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.export import asyncapi, yaml_out
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_files import CONTRACT, load, record
from contracts_tests.fixtures.nested import doubled, mesh, records, values

VENDORED = CLONE / "contracts_tests" / "vendored"
STANDARD = VENDORED / "asyncapi-3.0.0.json"
VALIDATOR = Draft7Validator(json.loads(STANDARD.read_text(encoding="utf-8")))
PLAIN = "topic: orders\nowner: shop\ncompatibility: FULL\n"


def document(catalog: loading.Catalog, *servers: str, registry: str = "") -> dict[str, Any]:
    """The exported document of all contracts, valid, after a round trip through YAML."""
    found = asyncapi.of(list(catalog.contracts.values()), asyncapi.servers(servers, registry))
    VALIDATOR.validate(found)
    again = yaml.safe_load(yaml_out.text(found))
    assert again == found
    return again


def resolved(found: dict[str, Any], reference: dict[str, str]) -> Any:
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_vendored_schema_is_the_published_one() -> None:
    digest = hashlib.sha256(STANDARD.read_bytes()).hexdigest()
    assert digest in (VENDORED / "README.md").read_text(encoding="utf-8")


def test_contracts_of_this_repository_are_one_valid_document() -> None:
    found = document(loading.load(CLONE / "schemas"), "127.0.0.1:19092", registry="http://127.0.0.1:18081")
    assert found["servers"]["kafka"] == {
        "host": "127.0.0.1:19092",
        "protocol": "kafka",
        "bindings": {
            "kafka": {
                "schemaRegistryUrl": "http://127.0.0.1:18081",
                "schemaRegistryVendor": "confluent",
                "bindingVersion": "0.5.0",
            }
        },
    }
    assert list(found["channels"]) == ["orders_placed", "orders_placed.dlq", "users_created", "users_created.dlq"]
    assert found["info"]["tags"] == [{"name": "PII"}]
    channel = found["channels"]["users_created"]
    assert channel["bindings"]["kafka"] == {
        "topic": "users_created",
        "partitions": 3,
        "topicConfiguration": {"compression.type": "producer", "retention.ms": 604_800_000},
        "bindingVersion": "0.5.0",
    }
    message = channel["messages"]["users_created"]
    assert (message["name"], message["x-owner"]) == ("com.example.users.UserCreated", "data-platform")
    key = message["bindings"]["kafka"]["key"]
    assert key["properties"] == {
        "id": {"type": "string", "format": "uuid", "description": "Identity of the user."},
    }
    assert key["required"] == ["id"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found["info"].pop("version"),
        lambda found: found.update(asyncapi="2.6.0"),
        lambda found: found.update(colour="red"),
        lambda found: found["channels"]["orders"].update(owner="shop"),
        lambda found: found["channels"]["orders"]["bindings"]["kafka"].update(partitions="3"),
        lambda found: found["channels"]["orders"]["messages"]["orders"].update(owner="shop"),
        lambda found: found["channels"]["orders"]["messages"]["orders"]["payload"]["schema"].pop("fields"),
        lambda found: found["operations"]["orders.send"].update(action="publish"),
        lambda found: found["servers"]["kafka"].pop("host"),
    ],
)
def test_standard_refuses_broken_document(spoil: Callable[[dict[str, Any]], object]) -> None:
    found = document(load(), "kafka:9092")
    spoil(found)
    assert not VALIDATOR.is_valid(found)


def test_operations_name_messages_of_their_channels() -> None:
    found = document(load())
    assert {name: one["action"] for name, one in found["operations"].items()} == {
        "orders.send": "send",
        "orders.receive": "receive",
        "orders.send_dead_letter": "send",
    }
    for name, one in found["operations"].items():
        channel = resolved(found, one["channel"])
        assert [resolved(found, message) in channel["messages"].values() for message in one["messages"]] == [True], (
            name
        )
    assert found["operations"]["orders.receive"]["summary"] == "Write the records to public.orders in postgres."


def test_contract_without_tables_receives_nothing() -> None:
    found = document(load(orders__contract_yaml=PLAIN))
    assert list(found["operations"]) == ["orders.send", "orders.send_dead_letter"]


def test_topic_of_several_contracts_is_one_channel() -> None:
    files = {
        f"shop/{name}/{file}": text
        for name in ("paid", "sent")
        for file, text in (
            ("contract.yaml", PLAIN + "subject_strategy: TopicRecordName\n"),
            ("value.avsc", record(("id", "string"), name=f"shop.{name.title()}")),
        )
    }
    catalog = loading.from_files(files, "schemas")
    found = document(catalog)
    assert list(found["channels"]) == ["orders", "orders.dlq"]
    messages = found["channels"]["orders"]["messages"]
    assert {name: one["name"] for name, one in messages.items()} == {
        "shop_paid": "shop.Paid",
        "shop_sent": "shop.Sent",
    }
    assert messages["shop_paid"]["x-subjects"] == ["orders-shop.Paid"]


def test_names_that_a_reference_cannot_have_stay_apart() -> None:
    files = {}
    for name in ("größe", "gröβe", "dead_letter"):
        topic = f"t{len(files)}"
        files[f"{name}/contract.yaml"] = f"topic: {topic}\nowner: shop\ncompatibility: FULL\n"
        files[f"{name}/value.avsc"] = record(("id", "string"), name=f"shop.R{len(files)}")
    found = document(loading.from_files(files, "schemas"))
    names = [name for one in found["channels"].values() for name in one["messages"] if name != "dead_letter"]
    assert sorted(names) == ["dead_letter_2", "gr__e", "gr__e_2"]
    assert all(resolved(found, message) for one in found["operations"].values() for message in one["messages"])


def test_dead_letters_have_the_headers_of_the_project() -> None:
    message = document(load())["channels"]["orders.dlq"]["messages"]["dead_letter"]
    assert tuple(message["headers"]["properties"]) == dead_letter.ADDED
    of_a_producer = {dead_letter.PARTITION, dead_letter.OFFSET}
    assert set(message["headers"]["required"]) == set(dead_letter.ADDED) - of_a_producer


def test_contracts_may_share_a_dead_letter_topic() -> None:
    files = {}
    for name in ("a", "b"):
        files[f"{name}/contract.yaml"] = PLAIN.replace("orders", name) + "dead_letter: {topic: letters}\n"
        files[f"{name}/value.avsc"] = record(("id", "string"), name=f"shop.{name.title()}")
    found = document(loading.from_files(files, "schemas"))
    assert list(found["channels"]) == ["a", "letters", "b"]
    for name in ("a", "b"):
        assert found["operations"][f"{name}.send_dead_letter"]["channel"] == {"$ref": "#/channels/letters"}


def test_schema_ids_in_headers_are_headers_of_the_message() -> None:
    extra = "producer: {schema_id: header}\nkey: key.avsc\n"
    found = document(
        load(orders__contract_yaml=CONTRACT + extra, orders__key_avsc=record(("id", "string"), name="shop.Key"))
    )
    message = found["channels"]["orders"]["messages"]["orders"]
    assert list(message["headers"]["properties"]) == ["__key_schema_id", "__value_schema_id"]
    assert message["bindings"]["kafka"]["schemaIdLocation"] == "header"
    assert "schemaIdPayloadEncoding" not in message["bindings"]["kafka"]


@pytest.mark.parametrize(
    ("owner", "contact"),
    [
        ("shop", {"name": "shop"}),
        ("shop@example.com", {"name": "shop@example.com", "email": "shop@example.com"}),
        ("https://example.com/shop", {"name": "https://example.com/shop", "url": "https://example.com/shop"}),
        ("Läden @ Köln", {"name": "Läden @ Köln"}),
    ],
)
def test_owner_is_the_contact(owner: str, contact: dict[str, str]) -> None:
    found = document(load(orders__contract_yaml=CONTRACT.replace("owner: shop", f"owner: {json.dumps(owner)}")))
    assert found["info"]["contact"] == contact


def test_settings_of_the_topic_have_the_types_of_the_binding() -> None:
    config = {
        "cleanup.policy": ["compact", "delete"],
        "retention.ms": -1,
        "max.message.bytes": 1_000_000,
        "confluent.value.schema.validation": True,
        "min.insync.replicas": 2,
    }
    kafka = f"kafka: {{partitions: 6, replication_factor: 3, config: {json.dumps(config)}}}\n"
    found = document(load(orders__contract_yaml=CONTRACT + kafka))["channels"]["orders"]["bindings"]["kafka"]
    assert (found["partitions"], found["replicas"]) == (6, 3)
    assert found["topicConfiguration"] == config | {"min.insync.replicas": "2"}


def test_external_topic_has_the_settings_of_its_owner() -> None:
    found = document(load(orders__contract_yaml=CONTRACT + "kafka: external\n"))
    for name in ("orders", "orders.dlq"):
        assert found["channels"][name]["bindings"]["kafka"] == {"topic": name, "bindingVersion": "0.5.0"}


def test_servers_have_names_and_protocols() -> None:
    found = document(load(), "test=kafka:9092", "live=kafka-secure://kafka.example:9093")
    assert found["servers"] == {
        "test": {"host": "kafka:9092", "protocol": "kafka"},
        "live": {"host": "kafka.example:9093", "protocol": "kafka-secure"},
    }


@pytest.mark.parametrize(
    "wrong", ["", "kafka", "a b=kafka:1", "http://kafka:1", "kafka:1/x", "a:1,b:2", "kafka:port"]
)
def test_server_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a server"):
        asyncapi.servers([wrong], "")


def test_two_servers_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two servers are called kafka"):
        asyncapi.servers(["a:1", "b:2"], "")


def test_alias_of_another_namespace_is_kept_apart() -> None:
    text = json.dumps(
        {
            "type": "record",
            "name": "shop.Order",
            "aliases": ["Old", "elsewhere.Order"],
            "fields": [{"name": "id", "type": "string", "aliases": ["number"]}],
        }
    )
    payload = document(load(orders__value_avsc=text))["channels"]["orders"]["messages"]["orders"]["payload"]
    assert payload["schema"]["aliases"] == ["Old"]
    assert payload["schema"]["x-aliases"] == ["Old", "elsewhere.Order"]
    assert payload["schema"]["fields"][0]["aliases"] == ["number"]


@given(values(tags=True, depth=4))
@settings(max_examples=examples.of(60), deadline=None)
def test_payload_is_the_schema_of_the_contract(kind: Any) -> None:
    catalog = load(orders__contract_yaml=PLAIN, orders__value_avsc=json.dumps(kind))
    found = document(catalog)
    written = found["channels"]["orders"]["messages"]["orders"]["payload"]["schema"]
    again = parsing.parse(json.dumps(written))
    assert normalised(again) == normalised(catalog.get("orders").value.schema)
    fastavro.parse_schema(written)


@given(values(depth=3))
@settings(max_examples=examples.of(30), deadline=None)
def test_key_is_a_json_schema_with_its_avro_schema(kind: Any) -> None:
    catalog = load(orders__contract_yaml=PLAIN + "key: key.avsc\n", orders__key_avsc=json.dumps(kind))
    found = document(catalog)["channels"]["orders"]["messages"]["orders"]["bindings"]["kafka"]["key"]
    Draft7Validator.check_schema({name: one for name, one in found.items() if name != "x-avro-schema"})
    subject = catalog.get("orders").key
    assert subject is not None
    assert normalised(parsing.parse(json.dumps(found["x-avro-schema"]))) == normalised(subject.schema)


@pytest.mark.parametrize("kind", [mesh(16), doubled(60)], ids=["mesh", "doubled"])
def test_key_has_the_fields_of_each_record_once(kind: Any) -> None:
    catalog = load(orders__contract_yaml=PLAIN + "key: key.avsc\n", orders__key_avsc=json.dumps(kind))
    found = document(catalog)["channels"]["orders"]["messages"]["orders"]["bindings"]["kafka"]["key"]
    Draft7Validator.check_schema({name: one for name, one in found.items() if name != "x-avro-schema"})
    titled = [one for one in _inside(found) if "properties" in one]
    assert {one["title"]: list(one["properties"]) for one in titled} == {
        one["name"]: [field["name"] for field in one["fields"]] for one in records(kind)
    }
    assert len(titled) == len(records(kind))


def _inside(value: Any) -> list[dict[str, Any]]:
    """Every JSON Schema of an object in another one."""
    if isinstance(value, list):
        return [one for branch in value for one in _inside(branch)]
    if not isinstance(value, dict):
        return []
    deeper = (one for name, part in value.items() if name != "x-avro-schema" for one in _inside(part))
    return [*([value] if value.get("type") == "object" else []), *deeper]


@given(st.text(max_size=12) | st.from_regex(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?|0[xo][0-7]+", fullmatch=True))
@settings(max_examples=examples.of(300), deadline=None)
def test_yaml_keeps_every_text(text: str) -> None:
    assert yaml.safe_load(yaml_out.text({"a": text})) == {"a": text}


@pytest.mark.parametrize("text", ["1e3", "0o17", "1.", ".5", "0x1F", "12", "-1e-5"])
def test_yaml_quotes_what_yaml_1_2_takes_for_a_number(text: str) -> None:
    assert yaml_out.text({"a": text}) == f"a: '{text}'\n"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "contracts"), "--schemas", str(CLONE / "schemas"), "export"]
    return subprocess.run([*command, "asyncapi", *arguments], capture_output=True, text=True, check=False)


def test_command_exports_what_is_named() -> None:
    one = run("users_created", "--title", "Users", "--document-version", "2.1.0")
    info = yaml.safe_load(one.stdout)["info"]
    assert (info["title"], info["version"]) == ("Users", "2.1.0")
    assert yaml.safe_load(run("--all").stdout) == document(loading.load(CLONE / "schemas"))


@pytest.mark.parametrize("arguments", [(), ("users_created", "--all"), ("nobody",), ("--all", "--server", "x")])
def test_command_refuses_what_it_does_not_know(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "fix:" in done.stderr
