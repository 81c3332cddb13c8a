"""A second contract, `schemas/orders_placed`, with nested types and a shared one, and no Python code of its own."""

from __future__ import annotations

import datetime as dt
import io
import json
import shutil
import uuid
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import fastavro
import psycopg
import yaml
from cassandra.util import Date, Time
from confluent_kafka import Producer
from psycopg.types.json import set_json_loads
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_program
from contracts_tests.fixtures.stack import RunningStack

CONTRACT = "orders_placed"
PLACED = dt.datetime(2024, 2, 29, 13, 5, 0, 123_456, dt.UTC)


def order(number: int, **changes: Any) -> dict[str, Any]:
    """Return a record; in every second one the optional fields are null or empty."""
    item = {"sku": f"é-{number}", "quantity": number, "unit_price": Decimal("0.10"), "note": None}
    some = number % 2
    card = ("com.example.orders.Card", {"scheme": "visa", "last_digits": "0001"})
    invoice = ("com.example.orders.Invoice", {"due_on": dt.date(2024, 3, 31)})
    record = {
        "id": str(uuid.UUID(int=number)),
        "customer_id": str(uuid.UUID(int=2**64 + number)),
        "status": "PAID",
        "placed_at": PLACED + dt.timedelta(microseconds=number),
        "deliver_on": dt.date(2024, 3, 1) if some else None,
        "deliver_after": dt.time(8, 30) if some else None,
        "currency": "EUR",
        "total": Decimal(number) / 10 + Decimal("0.00"),
        "items": [item, {**item, "note": "\U0001f381"}] if some else [],
        "delivery": {"street": "1 Main Street", "post_code": None, "city": "Köln", "country": "DE"} if some else None,
        "payment": (None, card, invoice)[number % 3],
        "labels": {"erp": f"E{number}", "": ""} if some else {},
        "coupons": ["SPRING", ""] if some else [],
    }
    return {**record, **changes}


def as_json(number: int, **members: Any) -> dict[str, Any]:
    """Return the expected JSON of the same order, per docs/reference/types.md."""
    some = number % 2
    item = {"sku": f"é-{number}", "quantity": number, "unit_price": Decimal("0.10"), **members}
    card = {"com.example.orders.Card": {"scheme": "visa", "last_digits": "0001"}}
    return {
        "items": [item, {**item, "note": "\U0001f381"}] if some else [],
        "delivery": {"street": "1 Main Street", "city": "Köln", "country": "DE"} if some else None,
        "payment": (None, card, {"com.example.orders.Invoice": {"due_on": "2024-03-31"}})[number % 3],
    }


def test_orders_contract_runs_without_code_of_its_own(
    stack: RunningStack, spark: SparkSession, settings_of_stack: Settings, tmp_path: Path
) -> None:
    configured = settings_of_stack.model_copy(update={"contracts_dir": own_copy(tmp_path / "schemas")})
    environment = {
        **stack.environment,
        "CONTRACTS_DIR": str(configured.contracts_dir),
        "CHECKPOINT_DIR": str(tmp_path / "checkpoints"),
        "SPARK_LOG_FILE": str(configured.spark_log_file),
    }

    def run(program: str, *arguments: str) -> str:
        done = run_program(program, *arguments, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("contracts", "lint")
    run("contracts", "register")
    send(configured, [order(number) for number in range(60)], b"\x00 is no order")
    run("streaming", "--contract", CONTRACT, "--available-now")
    assert "reconciled" in run("streaming", "--contract", CONTRACT, "reconcile")

    # A new member in the nested record changes no column.
    value = configured.contracts_dir / CONTRACT / "value.avsc"
    schema = json.loads(value.read_text())
    [items] = [field for field in schema["fields"] if field["name"] == "items"]
    gift = {"name": "is_gift", "type": "boolean", "default": False, "doc": "Wrapped."}
    items["type"]["items"]["fields"].append(gift)
    value.write_text(json.dumps(schema))
    run("contracts", "register")
    gifts = [order(number) for number in range(60, 80)]
    for one in gifts:
        one["items"] = [{**item, "is_gift": True} for item in one["items"]]
    send(configured, gifts)
    assert "table altered" not in run("streaming", "--contract", CONTRACT, "--available-now")

    in_postgres, in_cassandra = of_postgres(configured), of_cassandra(configured)
    assert len(in_postgres) == len(in_cassandra) == 80
    for number in range(80):
        sent = order(number)
        told = as_json(number, **({"is_gift": True} if number >= 60 else {}))
        key = sent["id"]
        assert in_postgres[key] == {**sent, **told}
        micros = (sent["placed_at"] - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
        assert in_cassandra[key] == {**sent, **told, "placed_at": micros}
    every = json.loads(run("streaming", "status", "--json"))["contracts"]
    assert {one["name"] for one in every} == {
        path.parent.name for path in configured.contracts_dir.glob("*/contract.yaml")
    }
    [alone] = json.loads(run("streaming", "--contract", CONTRACT, "status", "--json"))["contracts"]
    assert [sink["rows"] for sink in alone["sinks"]] == [{"number": 80, "exact": True}] * 2
    dead = loading.load_one(configured.contracts_dir, CONTRACT).dead_letter_topic
    letters = topic.read(configured, dead, topic.whole(configured, dead))
    assert [letter.value() for letter in letters] == [b"\x00 is no order"]


def own_copy(schemas: Path) -> Path:
    """Copy the contracts to that folder, with names of their own for topics and tables."""
    shutil.copytree(CLONE / "schemas", schemas)
    for file in schemas.glob("*/contract.yaml"):
        contract, name = yaml.safe_load(file.read_text()), f"{file.parent.name}_{uuid.uuid4().hex[:8]}"
        contract |= {"topic": name, "dead_letter": {**contract["dead_letter"], "topic": f"{name}.dlq"}}
        for sink in contract["sinks"].values():
            sink["table"] = name
        file.write_text(yaml.safe_dump(contract, sort_keys=False))
    return schemas


def send(configured: Settings, orders: list[dict[str, Any]], *others: bytes) -> None:
    """Send orders in the wire format, with the registered schema id, and then the other values."""
    contract = loading.load_one(configured.contracts_dir, CONTRACT)
    found = Snapshot(Registry.from_settings(configured)).find(contract.value)
    assert found is not None
    schema = fastavro.parse_schema(json.loads(contract.value.schema_text))
    producer = Producer({"bootstrap.servers": configured.kafka_bootstrap_servers})
    for one in orders:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, one)
        producer.produce(
            contract.topic, value=b"\x00" + found.schema_id.to_bytes(4, "big") + body.getvalue(), key=one["id"]
        )
    for other in others:
        producer.produce(contract.topic, value=other)
    assert producer.flush(30) == 0


def of_postgres(configured: Settings) -> dict[str, dict[str, Any]]:
    with psycopg.connect(configured.postgres_dsn) as connection:
        set_json_loads(partial(json.loads, parse_float=Decimal), connection)
        table = loading.load_one(configured.contracts_dir, CONTRACT).spec.sinks.postgres.quoted
        cursor = connection.execute(f"SELECT * FROM {table}")
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return {str(row["id"]): {name: _plain(one) for name, one in row.items() if "kafka" not in name} for row in rows}


def of_cassandra(configured: Settings) -> dict[str, dict[str, Any]]:
    with cassandra.connect(configured) as session:
        table = loading.load_one(configured.contracts_dir, CONTRACT).spec.sinks.cassandra.quoted
        rows = [row._asdict() for row in session.execute(f"SELECT * FROM {table}")]
    for row in rows:
        for name in ("items", "delivery", "payment"):
            row[name] = row[name] and json.loads(row[name], parse_float=Decimal)
        row["labels"] = dict(row["labels"])
    return {str(row["id"]): {name: _plain(one) for name, one in row.items() if "kafka" not in name} for row in rows}


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Date):
        return value.date()
    if isinstance(value, Time):
        return value.time()
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
