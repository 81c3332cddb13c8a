"""What the contract itself says of lineage, validated against OpenLineage's own JSON Schemas."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import ValidationError
from openlineage.client.naming import dataset as official

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.lineage import datasets, events, facets
from avro_data_contracts.contracts.lineage.events import Run, State
from avro_data_contracts.contracts.lineage.outputs import DEAD_LETTERS
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures import examples, lineage
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.contract_files import CONTRACT, load, record
from contracts_tests.fixtures.nested import doubled, mesh, values

SETTINGS = Settings.model_construct(
    kafka_bootstrap_servers="kafka-1:9092,kafka-2:9092",
    cassandra_hosts="node-1:19042, node-2",
    postgres_dsn="postgresql://user:s3cret@pg:5433/shop",
)
WHEN = datetime(2026, 1, 31, 12, 0, 0, 5_000, tzinfo=UTC)
TOPIC = ("kafka://kafka-1:9092", "orders")

Lineage = dict[str, list[tuple[str, str, str]]]


def of(output: dict[str, Any]) -> Lineage:
    """Column -> its input fields, how each comes in, and in which words."""
    found: Lineage = {}
    for name, one in output["facets"]["columnLineage"]["fields"].items():
        found[name] = []
        for field in one["inputFields"]:
            assert (field["namespace"], field["name"]) == TOPIC
            [how] = field["transformations"]
            found[name].append((field["field"], how["subtype"], how.get("description", "")))
    return found


def stream_of(contract: Contract, configured: Settings = SETTINGS) -> dict[str, dict[str, Any]]:
    """The outputs of the stream by name; the event is valid."""
    event = events.job_event(events.stream(contract, configured, "shop"), WHEN)
    lineage.validate(event)
    assert json.loads(json.dumps(event)) == event
    return {one["name"]: one for one in event["outputs"]}


def test_vendored_schemas_are_those_of_the_readme() -> None:
    digest = hashlib.sha256(lineage.FILE.read_bytes()).hexdigest()
    assert digest in (lineage.FILE.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("eventTime"),
        lambda event: event.update(eventType="DONE"),
        lambda event: event["run"].update(runId="1"),
        lambda event: event["job"].pop("namespace"),
        lambda event: event["inputs"][0]["facets"]["schema"].pop("_producer"),
        lambda event: event["inputs"][0]["facets"]["schema"]["fields"][0].pop("name"),
        lambda event: event["outputs"][0]["facets"]["columnLineage"]["fields"]["id"].pop("inputFields"),
        lambda event: event["job"]["facets"]["jobType"].pop("integration"),
    ],
)
def test_specification_refuses_broken_event(spoil: Callable[[dict[str, Any]], object]) -> None:
    job = events.stream(load().get("orders"), SETTINGS, "shop")
    event = events.run_event(job, Run("3f5e83fa-3480-44ff-99c5-ff943904e5e8"), State.start, WHEN)
    lineage.validate(event)
    broken = copy.deepcopy(event)
    spoil(broken)
    with pytest.raises(ValidationError):
        lineage.validate(broken)


def test_columns_of_the_tables_come_from_the_fields_of_the_topic() -> None:
    contract = loading.load(CLONE / "schemas").get("users_created")
    event = events.job_event(events.stream(contract, SETTINGS, "shop"), WHEN)
    lineage.validate(event)
    assert [(one["namespace"], one["name"]) for one in event["inputs"]] == [(TOPIC[0], "users_created")]
    assert [(one["namespace"], one["name"]) for one in event["outputs"]] == [
        ("cassandra://node-1:19042", "spark_streams.created_users"),
        ("postgres://pg:5433", "shop.public.created_users"),
        ("postgres://pg:5433", "shop.public.user_profiles"),
        ("cassandra://node-1:19042", "spark_streams.users_by_hour"),
        ("postgres://pg:5433", "shop.public.users_by_hour"),
        ("postgres://pg:5433", "shop.public.users_for_analysts"),
        ("kafka://kafka-1:9092", "users_created.dlq"),
    ]
    [topic] = event["inputs"]
    tags = topic["facets"]["tags"]["tags"]
    assert {"key": "PII", "value": "true", "source": "AVRO_DATA_CONTRACTS", "field": "email"} in tags
    fields = [one["name"] for one in topic["facets"]["schema"]["fields"]]
    for table in event["outputs"][:2]:
        columns = [one["name"] for one in table["facets"]["schema"]["fields"]]
        assert columns == [*fields, "kafka_timestamp", "kafka_partition", "kafka_offset"]
        assert {name: one["inputFields"] for name, one in table["facets"]["columnLineage"]["fields"].items()} == {
            name: [
                {
                    "namespace": TOPIC[0],
                    "name": "users_created",
                    "field": name,
                    "transformations": [{"type": "DIRECT", "subtype": "IDENTITY", "masking": False}],
                }
            ]
            for name in fields
        }
    assert "s3cret" not in json.dumps(event)


def test_masked_columns_say_so_and_dropped_ones_are_not_there() -> None:
    texts = record(("id", "string"), ("n", "int"), ("gone", "int"))
    masks = "masks: [{field: n, mask: hash}, {field: gone, mask: drop}]\n"
    contract = load(orders__value_avsc=texts, orders__contract_yaml=CONTRACT + masks).get("orders")
    for table in events.job_event(events.stream(contract, SETTINGS, "shop"), WHEN)["outputs"][:-1]:
        fields = table["facets"]["columnLineage"]["fields"]
        assert fields.keys() == {"id", "n"}
        (how,) = fields["n"]["inputFields"][0]["transformations"]
        assert (how["masking"], how["description"]) == (True, "masked (hash)")


def test_every_field_is_in_the_dead_letters() -> None:
    found = stream_of(load(orders__value_avsc=record(("id", "string"), ("n", "int"))).get("orders"))
    assert of(found["orders.dlq"]) == {
        "value": [(name, "TRANSFORMATION", "the bytes of the record") for name in ("id", "n")]
    }


def test_nested_fields_and_json_columns_are_told() -> None:
    address = {"type": "record", "name": "Address", "fields": [{"name": "city", "type": "string"}]}
    contract = CONTRACT.replace("primary_key: [id]", "primary_key: [id]\n    columns: {city: address.city}")
    value = record(("id", "string"), ("address", address), ("tags", {"type": "array", "items": "string"}))
    found = stream_of(load(orders__contract_yaml=contract, orders__value_avsc=value).get("orders"))
    assert of(found["shop.public.orders"]) == {
        "id": [("id", "IDENTITY", "")],
        "address": [("address", "TRANSFORMATION", "as JSON")],
        "tags": [("tags", "TRANSFORMATION", "as JSON")],
        "city": [("address.city", "IDENTITY", "")],
    }


VIEW = """\
-- description: What can be called.
-- sinks: {postgres: {table: callable, primary_key: [id]}}
SELECT id, lower(buyer.name) AS name, amount + 1 AS more, kafka_offset AS place, buyer
FROM orders WHERE phone IS NOT NULL AND kafka_partition = 0
"""


def test_columns_of_a_view_come_from_what_its_sql_names() -> None:
    buyer = {"type": "record", "name": "Buyer", "fields": [{"name": "name", "type": "string"}]}
    files = {
        "orders/contract.yaml": CONTRACT,
        "orders/value.avsc": record(
            ("id", "string"), ("buyer", buyer), ("amount", "long"), ("phone", ["null", "string"])
        ),
        "orders/views/callable.sql": VIEW,
    }
    view = stream_of(loading.from_files(files, "schemas").get("orders"))["shop.public.callable"]
    assert of(view) == {
        "id": [("id", "IDENTITY", "")],
        "name": [("buyer.name", "TRANSFORMATION", "LOWER(buyer.name)")],
        "more": [("amount", "TRANSFORMATION", "amount + 1")],
        "place": [],
        "buyer": [("buyer", "TRANSFORMATION", "buyer")],
    }
    [condition] = view["facets"]["columnLineage"]["dataset"]
    assert (condition["field"], condition["transformations"][0]["type"]) == ("phone", "INDIRECT")
    assert condition["transformations"][0]["subtype"] == "FILTER"
    assert view["facets"]["documentation"]["description"] == "What can be called."


JOINED = """\
-- sinks: {postgres: {table: named, primary_key: [id]}}
-- reference:
--   shops: {csv: ../../shared/shops.csv, key: [code], columns: {code: string, title: string}}
--   rates: {table: finance.rates, key: [day], columns: {day: date, rate: "decimal(6,3)"}}
SELECT id, title, upper(title) AS big, CAST(amount * rate AS DECIMAL(20, 3)) AS euros
FROM orders JOIN shops ON shop = shops.code LEFT JOIN rates ON placed = rates.day
WHERE amount > 0 AND title <> id
"""


def event_of_join(view: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the event of a stream with the view, and what it says of the view's columns."""
    placed = {"type": "int", "logicalType": "date"}
    files = {
        "orders/contract.yaml": CONTRACT,
        "orders/value.avsc": record(("id", "string"), ("shop", "string"), ("amount", "long"), ("placed", placed)),
        "orders/views/named.sql": view,
        "shared/shops.csv": "code,title\na,A\n",
    }
    event = events.job_event(
        events.stream(loading.from_files(files, "schemas").get("orders"), SETTINGS, "shop"), WHEN
    )
    lineage.validate(event)
    facet = next(one for one in event["outputs"] if one["name"] == "shop.public.named")["facets"]["columnLineage"]
    return event, facet


def test_columns_of_a_join_come_from_the_reference_data_too() -> None:
    event, facet = event_of_join(JOINED)
    csv, rates = ("file", "schemas/shared/shops.csv"), ("postgres://pg:5433", "shop.finance.rates")
    assert [(one["namespace"], one["name"]) for one in event["inputs"]] == [TOPIC, csv, rates]
    named = {"orders": TOPIC, "shops": csv, "rates": rates}

    def sources(fields: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        short = {place: name for name, place in named.items()}
        return {
            (short[one["namespace"], one["name"]], one["field"], how["subtype"])
            for one in fields
            for how in one["transformations"]
        }

    assert {name: sources(one["inputFields"]) for name, one in facet["fields"].items()} == {
        "id": {("orders", "id", "IDENTITY")},
        "title": {("shops", "title", "IDENTITY")},
        "big": {("shops", "title", "TRANSFORMATION")},
        "euros": {("orders", "amount", "TRANSFORMATION"), ("rates", "rate", "TRANSFORMATION")},
    }
    assert sources(facet["dataset"]) == {
        ("orders", "amount", "FILTER"),
        ("orders", "id", "FILTER"),
        ("shops", "title", "FILTER"),
        ("orders", "shop", "JOIN"),
        ("orders", "placed", "JOIN"),
        ("shops", "code", "JOIN"),
        ("rates", "day", "JOIN"),
    }


def test_masked_column_of_a_join_comes_from_the_reference_data() -> None:
    view = JOINED.replace("SELECT", "-- masks: [{field: title, mask: hash}, {field: euros, mask: hash}]\nSELECT")
    _, facet = event_of_join(view)
    found = {
        name: [
            (one["name"], one["field"], how["masking"], how["description"])
            for one in facet["fields"][name]["inputFields"]
            for how in one["transformations"]
        ]
        for name in ("title", "euros")
    }
    assert found == {
        "title": [("schemas/shared/shops.csv", "title", True, "masked (hash)")],
        "euros": [
            ("orders", "amount", True, "masked (hash)"),
            ("shop.finance.rates", "rate", True, "masked (hash)"),
        ],
    }


def test_table_that_cannot_be_made_has_only_a_name() -> None:
    value = record(("id", "string"), ("kafka_offset", "long"))
    table = stream_of(load(orders__value_avsc=value).get("orders"))["shop.public.orders"]
    assert {"schema", "columnLineage"} & set(table["facets"]) == set()


def test_rows_that_were_deleted_are_an_output() -> None:
    contract = CONTRACT + "key: key.avsc\ntombstones: delete\n"
    found = stream_of(
        load(orders__contract_yaml=contract, orders__key_avsc=record(("id", "string"), name="shop.Key")).get("orders")
    )
    deleted = found["shop.public.orders__deleted"]
    position = ["kafka_timestamp", "kafka_partition", "kafka_offset"]
    assert [one["name"] for one in deleted["facets"]["schema"]["fields"]] == ["id", *position]


@pytest.mark.parametrize(
    ("told", "kafka", "cassandra", "postgres"),
    [
        ({}, "kafka-1:9092", "node-1:19042", "pg:5433/shop"),
        ({"cassandra_hosts": "node"}, "kafka-1:9092", "node:9042", "pg:5433/shop"),
        ({"cassandra_hosts": "[::1]:9043"}, "kafka-1:9092", "[::1]:9043", "pg:5433/shop"),
        ({"postgres_dsn": "postgresql://pg/shop"}, "kafka-1:9092", "node-1:19042", "pg:5432/shop"),
        ({"postgres_dsn": "postgresql://me@/?host=db&port=6"}, "kafka-1:9092", "node-1:19042", "db:6/me"),
        ({"postgres_dsn": "postgresql://a:1,b:2/my%20db"}, "kafka-1:9092", "node-1:19042", "a:1/my db"),
        ({"postgres_dsn": "postgresql://u:p%40ss@[::1]/x"}, "kafka-1:9092", "node-1:19042", "[::1]:5432/x"),
    ],
)
def test_datasets_have_the_names_that_openlineage_gives(
    told: dict[str, str], kafka: str, cassandra: str, postgres: str
) -> None:
    contract = load(
        orders__contract_yaml=CONTRACT + "  cassandra: {keyspace: shop, table: orders, primary_key: [id]}\n"
    ).get("orders")
    found = datasets.outputs(contract, SETTINGS.model_copy(update=told))
    host, _, port = cassandra.rpartition(":")
    server, _, database = postgres.partition("/")
    pg_host, _, pg_port = server.rpartition(":")
    named = {
        "cassandra": official.Cassandra(host, port, "shop", "orders"),
        "postgres": official.Postgres(pg_host, pg_port, database, "public", "orders"),
        DEAD_LETTERS: official.Kafka(*kafka.split(":"), "orders.dlq"),
    }
    assert {name: (one.namespace, one.name) for name, one in found.items()} == {
        name: (one.get_namespace(), one.get_name()) for name, one in named.items()
    }


def test_run_says_who_started_it_why_it_failed_and_what_it_wrote() -> None:
    job = events.stream(load().get("orders"), SETTINGS, "shop")
    parent = ("airflow", "dag.task", "3f5e83fa-3480-44ff-99c5-ff943904e5e9")
    run = Run("3f5e83fa-3480-44ff-99c5-ff943904e5e8", parent)
    event = events.run_event(
        job, run, State.fail, WHEN, rows={"postgres": 7, DEAD_LETTERS: 2}, error="Cassandra is away"
    )
    lineage.validate(event)
    assert (event["eventType"], event["eventTime"]) == ("FAIL", "2026-01-31T12:00:00.005+00:00")
    facets = event["run"]["facets"]
    assert facets["parent"]["job"] == {"namespace": "airflow", "name": "dag.task"}
    assert facets["parent"]["run"] == {"runId": parent[2]}
    assert facets["errorMessage"]["message"] == "Cassandra is away"
    rows = {one["name"]: one["outputFacets"]["outputStatistics"]["rowCount"] for one in event["outputs"]}
    assert rows == {"shop.public.orders": 7, "orders.dlq": 2}


@pytest.mark.parametrize(
    ("source", "dataset"),
    [
        ("https://me:secret@api.example/v1/orders?key=1", ("https://api.example", "v1/orders")),
        ("http://127.0.0.1:18000/", ("http://127.0.0.1:18000", "/")),
        ("/data/./orders.csv", ("file", "/data/orders.csv")),
    ],
)
def test_producer_reads_its_source_and_writes_topic_and_dead_letters(source: str, dataset: tuple[str, str]) -> None:
    event = events.job_event(events.producer(load().get("orders"), SETTINGS, "shop", source), WHEN)
    lineage.validate(event)
    assert [(one["namespace"], one["name"]) for one in event["inputs"]] == [dataset]
    assert [one["name"] for one in event["outputs"]] == ["orders", "orders.dlq"]
    assert (event["job"]["name"], "secret" in json.dumps(event)) == ("producers.orders", False)


def test_task_of_airflow_is_a_job() -> None:
    job = events.task("daily.load", "shop", "ann")
    event = events.run_event(job, Run("3f5e83fa-3480-44ff-99c5-ff943904e5e8"), State.start, WHEN)
    lineage.validate(event)
    assert event["job"]["facets"]["jobType"]["integration"] == "AIRFLOW"


@given(values(tags=True))
@settings(max_examples=examples.of(60), deadline=None)
def test_event_of_every_contract_is_valid(kind: Any) -> None:
    catalog = load(
        orders__contract_yaml="topic: orders\nowner: shop\ncompatibility: FULL\n", orders__value_avsc=json.dumps(kind)
    )
    event = events.job_event(events.producer(catalog.get("orders"), SETTINGS, "shop"), WHEN)
    lineage.validate(event)


Told = list[dict[str, Any]]


def fields_of(kind: Any) -> Told:
    """The fields in the schema facet of a topic."""
    contract = load(
        orders__contract_yaml="topic: orders\nowner: shop\ncompatibility: FULL\n", orders__value_avsc=json.dumps(kind)
    ).get("orders")
    event = events.job_event(events.producer(contract, SETTINGS, "shop"), WHEN)
    lineage.validate(event)
    found: Told = event["outputs"][0]["facets"]["schema"]["fields"]
    return found


def all_of(fields: Told) -> Told:
    return [one for field in fields for one in (field, *all_of(field.get("fields", [])))]


def cut(fields: Told) -> Told:
    """Those that say that their fields are left out."""
    return [one for one in all_of(fields) if "its fields are left out: " in one.get("description", "")]


@pytest.mark.parametrize("kind", [mesh(16), doubled(60)], ids=["mesh", "doubled"])
def test_types_that_refer_to_each_other_end_with_a_word(kind: Any) -> None:
    found = fields_of(kind)
    assert [one["name"] for one in found] == [one["name"] for one in kind["fields"]]
    assert len(all_of(found)) <= facets.MOST_FIELDS
    said = cut(found)
    assert all("fields" not in one for one in said)
    # Each record either has its fields or says why not.
    assert [one for one in all_of(found) if one["type"] == "record" and "fields" not in one] == said != []


def test_record_wider_than_the_limit_keeps_its_own_fields() -> None:
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "string"}]}
    names = [f"f{number}" for number in range(facets.MOST_FIELDS)]
    found = fields_of(
        json.loads(
            record(*((name, "string") for name in names), ("last", inner), ("tags", {"type": "map", "values": "int"}))
        )
    )
    assert [one["name"] for one in found] == [*names, "last", "tags"]
    assert [one["name"] for one in cut(found)] == ["last", "tags"]


def test_type_that_is_used_twice_has_its_fields_twice() -> None:
    address = {"type": "record", "name": "Address", "fields": [{"name": "city", "type": "string"}]}
    found = fields_of(json.loads(record(("home", address), ("work", {"type": "array", "items": "Address"}))))
    city = [{"name": "city", "type": "string"}]
    assert found == [
        {"name": "home", "type": "record", "fields": city},
        {"name": "work", "type": "array", "fields": [{"name": "_element", "type": "record", "fields": city}]},
    ]


def test_type_inside_itself_is_shown_once() -> None:
    node = {"type": "record", "name": "Node", "doc": "", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    [field] = fields_of(json.loads(record(("list", node))))
    [inside] = field["fields"]
    assert inside == {"name": "next", "type": "record", "description": "its fields are left out: inside Node again"}


def test_command_prints_valid_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "shop")
    done = run_contracts("--schemas", str(CLONE / "schemas"), "export", "openlineage", "--all")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for one in found:
        lineage.validate(one)
    assert [(one["job"]["namespace"], one["job"]["name"]) for one in found] == [
        ("shop", "streaming.orders_placed"),
        ("shop", "producers.users_created"),
        ("shop", "streaming.users_created"),
    ]
