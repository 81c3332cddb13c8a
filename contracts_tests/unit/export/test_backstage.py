"""Contracts exported as entities of Backstage, validated against Backstage's own JSON Schemas."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.writing import normalised
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.export import asyncapi, backstage, yaml_out
from avro_data_contracts.contracts.export.definition import Definition
from avro_data_contracts.contracts.export.plain_names import PlainNames
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_files import CONTRACT, load, record

VENDORED = CLONE / "contracts_tests" / "vendored"
SCHEMAS = json.loads((VENDORED / "backstage.json").read_text(encoding="utf-8"))
REGISTRY: Registry[Any] = Registry().with_resources(
    [(name, DRAFT7.create_resource(one)) for name, one in SCHEMAS.items()]
)
VALIDATORS = {
    name: Draft7Validator(SCHEMAS[f"{name.title() if name == 'Resource' else 'Api'}V1alpha1"], registry=REGISTRY)
    for name in ("API", "Resource")
}
#: Rules of Backstage that stand in its code (KubernetesValidatorFunctions), and not in its schemas.
NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
TAG = re.compile(r"[a-z0-9+#]+(-[a-z0-9+#]+)*")
PLAIN = "topic: orders\nowner: shop\ncompatibility: FULL\n"


def entities(catalog: loading.Catalog, **told: Any) -> list[dict[str, Any]]:
    """The exported entities, valid, after a round trip through YAML."""
    found = backstage.of(list(catalog.contracts.values()), backstage.Told(**told))
    again = list(yaml.safe_load_all(yaml_out.texts(found)))
    assert again == found
    for one in again:
        VALIDATORS[one["kind"]].validate(one)
        metadata = one["metadata"]
        assert NAME.fullmatch(metadata["name"]), metadata["name"]
        assert len(metadata["name"]) <= 63
        assert all(TAG.fullmatch(tag) and len(tag) <= 63 for tag in metadata.get("tags", ()))
    names = [(one["kind"], one["metadata"]["name"].lower()) for one in again]
    assert len(names) == len(set(names))
    known = {f"{kind.lower()}:{name}" for kind, name in names}
    assert {on.lower() for one in again for on in one["spec"].get("dependsOn", ())} <= known
    return again


def by_name(found: list[dict[str, Any]], kind: str = "Resource") -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def test_vendored_schemas_are_those_of_the_readme() -> None:
    digest = hashlib.sha256((VENDORED / "backstage.json").read_bytes()).hexdigest()
    assert digest in (VENDORED / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found["spec"].pop("owner"),
        lambda found: found["spec"].pop("definition"),
        lambda found: found["spec"].update(lifecycle=""),
        lambda found: found.update(kind="Topic"),
        lambda found: found["metadata"].pop("name"),
        lambda found: found["metadata"].update(tags="avro"),
        lambda found: found["metadata"]["annotations"].update(x=1),
    ],
)
def test_backstage_refuses_broken_entity(spoil: Callable[[dict[str, Any]], object]) -> None:
    [api, *_] = entities(load())
    spoil(api)
    assert not VALIDATORS["API"].is_valid(api)


def test_contracts_of_this_repository_are_valid_entities() -> None:
    found = entities(loading.load(CLONE / "schemas"))
    api = by_name(found, "API")["users_created"]
    assert api["metadata"]["tags"] == ["avro", "kafka", "pii"]
    assert (api["spec"]["type"], api["spec"]["owner"]) == ("asyncapi", "data-platform")
    assert {name: (one["spec"]["type"], one["spec"]["dependsOn"]) for name, one in by_name(found).items()} == {
        "orders_placed": ("kafka-topic", ["api:orders_placed"]),
        "users_created": ("kafka-topic", ["api:users_created"]),
        "orders_placed.dlq": ("kafka-topic", ["resource:orders_placed"]),
        "users_created.dlq": ("kafka-topic", ["resource:users_created"]),
        "cassandra.spark_streams.placed_orders": ("cassandra-table", ["resource:orders_placed"]),
        "postgres.public.placed_orders": ("postgres-table", ["resource:orders_placed"]),
        "cassandra.spark_streams.created_users": ("cassandra-table", ["resource:users_created"]),
        "postgres.public.created_users": ("postgres-table", ["resource:users_created"]),
        "cassandra.spark_streams.users_by_hour": ("cassandra-table", ["resource:users_created"]),
        "postgres.public.users_by_hour": ("postgres-table", ["resource:users_created"]),
        "postgres.public.user_profiles": ("postgres-table", ["resource:users_created"]),
        "postgres.public.users_for_analysts": ("postgres-table", ["resource:users_created"]),
    }


def test_definition_is_the_document_of_asyncapi() -> None:
    catalog = load()
    servers = tuple(asyncapi.servers(["kafka:9092"], ""))
    api = entities(catalog, servers=servers)[0]
    assert yaml.safe_load(api["spec"]["definition"]) == asyncapi.of([catalog.get("orders")], servers)


def test_definition_is_the_schema_if_asked_for() -> None:
    catalog = load()
    api = entities(catalog, definition=Definition.avro, lifecycle="experimental")[0]
    assert (api["spec"]["type"], api["spec"]["lifecycle"]) == ("avro", "experimental")
    assert normalised(parsing.parse(api["spec"]["definition"])) == normalised(catalog.get("orders").value.schema)


def test_files_are_links() -> None:
    api = entities(load(), source="https://git.example/o/r/blob/main/")[0]
    assert api["metadata"]["links"] == [
        {"url": "https://git.example/o/r/blob/main/schemas/orders/contract.yaml", "title": "Contract"},
        {"url": "https://git.example/o/r/blob/main/schemas/orders/value.avsc", "title": "value"},
    ]
    assert "links" not in entities(load())[0]["metadata"]


def test_tables_of_views_depend_on_the_topic() -> None:
    files = {
        "orders/contract.yaml": CONTRACT,
        "orders/value.avsc": record(("id", "string")),
        "orders/views/ids.sql": "-- description: All ids.\n-- sinks: {postgres: {table: ids, primary_key: [id]}}\n"
        "SELECT id FROM orders\n",
    }
    table = by_name(entities(loading.from_files(files, "schemas")))["postgres.public.ids"]
    assert table["spec"]["dependsOn"] == ["resource:orders"]
    assert table["metadata"]["description"] == "All ids."


def test_contracts_of_one_topic_share_its_resource() -> None:
    files = {}
    for name in ("paid", "sent"):
        files[f"{name}/contract.yaml"] = PLAIN + "subject_strategy: TopicRecordName\n"
        files[f"{name}/value.avsc"] = record(("id", "string"), name=f"shop.{name.title()}")
    found = by_name(entities(loading.from_files(files, "schemas")))
    assert {name: one["spec"]["dependsOn"] for name, one in found.items()} == {
        "orders": ["api:paid", "api:sent"],
        "orders.dlq": ["resource:orders"],
    }


def test_topics_that_differ_in_case_stay_apart() -> None:
    files = {}
    for topic in ("orders", "Orders"):
        files[f"{topic}_1/contract.yaml"] = PLAIN.replace("orders", topic)
        files[f"{topic}_1/value.avsc"] = record(("id", "string"), name=f"shop.{topic.title()}{len(files)}")
    found = by_name(entities(loading.from_files(files, "schemas")))
    assert sorted(found) == ["Orders.dlq_2", "Orders_2", "orders", "orders.dlq"]


@pytest.mark.parametrize(
    ("owner", "reference"),
    [
        ("shop", "shop"),
        ("group:default/shop", "group:default/shop"),
        ("user:ann.lee", "user:ann.lee"),
        ("shop@example.com", "shop_example.com"),
        ("Läden", "L_den"),
        ("#shop-team", "shop-team"),
        ("x" * 80, "x" * 63),
        ("店", "x"),
    ],
)
def test_owner_is_a_reference(owner: str, reference: str) -> None:
    contract = CONTRACT.replace("owner: shop", f"owner: {json.dumps(owner, ensure_ascii=False)}")
    api = entities(load(orders__contract_yaml=contract))[0]
    assert api["spec"]["owner"] == reference
    assert api["metadata"]["annotations"].get("contracts/owner") == (None if owner == reference else owner)


@given(st.lists(st.text(min_size=1, max_size=90), max_size=12), st.integers(8, 63))
@settings(max_examples=examples.of(200), deadline=None)
def test_names_are_allowed_and_stay_apart(names: list[str], most: int) -> None:
    plain = PlainNames(most, around=False, case=False)
    found = [plain.of(one) for one in names]
    assert all(NAME.fullmatch(one) and len(one) <= most for one in found)
    assert len({one.lower() for one in found}) == len(found)


def test_command_prints_the_entities() -> None:
    command = [str(Path(sys.executable).parent / "contracts"), "--schemas", str(CLONE / "schemas"), "export"]
    options = ["--source", "https://git.example/o/r/blob/main", "--server", "kafka:9092"]
    done = subprocess.run(
        [*command, "backstage", "users_created", *options], capture_output=True, text=True, check=True
    )
    [api, *resources] = yaml.safe_load_all(done.stdout)
    assert api["metadata"]["links"][0]["url"].endswith("/blob/main/schemas/users_created/contract.yaml")
    assert "kafka:9092" in api["spec"]["definition"]
    assert len(resources) == 8
