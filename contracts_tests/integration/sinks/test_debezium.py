"""A topic of Debezium's on real servers: both stores hold the database's table, whatever the order of arrival."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import debezium
from contracts_tests.fixtures.debezium import UNAVAILABLE, change
from contracts_tests.fixtures.dlq import Dlq
from contracts_tests.fixtures.pipeline import Pipeline, without_cassandra
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import headers

BEGIN = 1_600_000_000_000
TOKEN = "0e37df36-f698-11e6-8dd4-cb9ced3df976"


@pytest.fixture
def unregistered(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    name = f"customers_{uuid.uuid4().hex[:10]}"
    sinks = {
        "cassandra": {"keyspace": "spark_streams", "table": name, "primary_key": ["id"]},
        "postgres": {"table": name, "primary_key": ["id"]},
    }
    kafka = {"partitions": 1, "config": {"retention.ms": "-1"}}
    files = debezium.files(topic=f"shop.public.{name}", sinks=sinks, kafka=kafka)
    folder = tmp_path / "schemas" / name
    folder.mkdir(parents=True)
    for path, text in files.items():
        (folder / path.rpartition("/")[2]).write_text(text)
    own = {"contracts_dir": folder.parent, "checkpoint_dir": tmp_path / "check points"}
    return Pipeline(settings_of_stack.model_copy(update=own), spark, folder)


@pytest.fixture
def changes(unregistered: Pipeline) -> Pipeline:
    """A pipeline whose topic has Debezium's records."""
    unregistered.register()
    return unregistered


class Sender:
    """Sends the records of a topic, each a millisecond after the one before."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.value_id = pipeline.register()
        key = pipeline.registry.version(pipeline.contract.key.name)
        assert key is not None
        self.key_id = key.schema_id
        self.millis = BEGIN

    def key(self, number: int | None) -> bytes | None:
        return None if number is None else self.pipeline.encode(self.key_id, {"id": number})

    def send(self, number: int | None, record: dict[str, Any] | None, *, at: int | None = None) -> None:
        self.millis += 1
        value = None if record is None else self.pipeline.encode(self.value_id, record)
        self.pipeline.send({"key": self.key(number), "value": value, "timestamp": self.millis if at is None else at})

    def delete(self, number: int, *, at: int | None = None) -> None:
        """As Debezium does: the event of the delete, then a tombstone."""
        self.send(number, change("d", None, {**row(number), **dict.fromkeys(list(debezium.COLUMNS)[1:])}), at=at)
        self.send(number, None, at=at)


def row(number: int, name: str = "first", **columns: Any) -> dict[str, Any]:
    """A row as it is in the record: numbers and texts."""
    found = {
        "id": number,
        "email": f"{number}@example.com",
        "name": name,
        "balance": Decimal("-12.30"),
        "born": -135_140,
        "opens": 86_399_999_999,
        "wakes": 21_600_001,
        "seen": 1_700_000_000_123,
        "changed": 1_700_000_000_123_456,
        "measured": 1_700_000_000_123_456_789,
        "paid": "2023-11-14T22:13:20.123456Z",
        "token": TOKEN,
        "settings": '{"a": 1}',
        "level": "high",
        "rate": {"scale": 3, "value": b"\x04\xd2"},
        "photo": b"\x00\xff",
        "tags": ["a", None],
    }
    return {**found, **columns}


def in_postgres(number: int, name: str) -> dict[str, Any]:
    return {
        **row(number, name),
        "born": dt.date(1600, 1, 1),
        "opens": dt.time(23, 59, 59, 999_999),
        "wakes": dt.time(6, 0, 0, 1_000),
        "seen": dt.datetime(2023, 11, 14, 22, 13, 20, 123_000),
        "changed": dt.datetime(2023, 11, 14, 22, 13, 20, 123_456),
        "token": uuid.UUID(TOKEN),
        "rate": {"scale": 3, "value": "BNI="},
    }


def in_cassandra(number: int, name: str) -> dict[str, Any]:
    return {
        **row(number, name),
        "born": "1600-01-01",
        "opens": 86_399_999_999_000,
        "wakes": 21_600_001_000_000,
        "seen": dt.datetime(2023, 11, 14, 22, 13, 20, 123_000),
        "token": uuid.UUID(TOKEN),
        "rate": {"scale": 3, "value": "BNI="},
    }


def both(pipeline: Pipeline) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of Cassandra and of PostgreSQL by id, without the columns of the stream."""

    def plain(name: str, value: Any) -> Any:
        match type(value).__name__:
            case "Date":
                return str(value)
            case "Time":
                return value.nanosecond_time
            case "memoryview":
                return bytes(value)
        return json.loads(value) if name in ("rate", "tags") and isinstance(value, str) else value

    def own(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {
            number: {name: plain(name, value) for name, value in one.items() if not name.startswith("kafka_")}
            for number, one in found.items()
        }

    return own(pipeline.cassandra_rows()), own(pipeline.postgres_rows())


def test_stores_hold_the_table_after_snapshot_changes_and_replay(changes: Pipeline, stack: RunningStack) -> None:
    sender = Sender(changes)
    for number in (1, 2, 3, 4):
        sender.send(number, change("r", row(number), snapshot="last" if number == 4 else "true"))
    changes.stream()
    assert set(both(changes)[1]) == {"1", "2", "3", "4"}

    sender.send(5, change("c", row(5)))
    sender.send(1, change("u", row(1, "second")))
    sender.delete(2)
    sender.delete(3)
    sender.send(6, change("c", row(6, "was 3")))  # the key of 3 was changed
    sender.send(4, change("u", row(4, "second", settings=UNAVAILABLE)))
    sender.send(None, change("t"))
    sender.send(1, change("m"))
    sender.send(1, change("x", row(1, "unknown")))
    sender.send(1, change("c", None))
    sender.send(None, change("d", None, row(1)))
    sender.send(7, change("c", row(7)))
    changes.stream()

    late = BEGIN + 2
    sender.send(2, change("u", row(2, "late")), at=late)
    sender.delete(5, at=BEGIN)
    sender.send(1, change("r", row(1, "third"), snapshot="incremental"))
    now = sender.millis + 1
    sender.send(7, change("u", row(7, "second")), at=now)
    sender.delete(7, at=now)
    sender.send(7, change("c", row(7, "third")), at=now)
    sender.send(8, change("c", row(8)), at=now)
    sender.delete(8, at=now)
    changes.stream()

    names = {1: "third", 4: "first", 5: "first", 6: "was 3", 7: "third"}
    expected = (
        {str(number): in_cassandra(number, name) for number, name in names.items()},
        {str(number): in_postgres(number, name) for number, name in names.items()},
    )
    assert both(changes) == expected
    rejected = {
        "CHANGE_INCOMPLETE": 1, "CHANGE_TRUNCATE": 1, "CHANGE_MESSAGE": 1, "CHANGE_UNKNOWN": 1,
        "CHANGE_WITHOUT_ROW": 1, "CHANGE_WITHOUT_KEY": 1,
    }  # fmt: skip
    outcome = reconcile(changes.settings, changes.contract)
    assert outcome.in_order()
    assert outcome.dead_lettered == rejected
    for store in outcome.stores.values():
        assert (store.keys, store.rows, store.deleted) == (8, 5, 3)
    told = {headers(one)["contracts.reason"]: headers(one) for one in changes.dead_letters()}
    assert "REPLICA IDENTITY" in told["CHANGE_INCOMPLETE"]["__connect.errors.exception.message"]
    dlq = Dlq(changes, stack.exports)
    assert {reason: found[0] for reason, found in dlq.reasons().items()} == rejected
    assert "rows that a tombstone deleted" in dlq.run("reconcile")

    changes.settings = changes.settings.model_copy(update={"stream_max_per_batch": 16})
    changes.stream(afresh=True)
    assert both(changes) == expected
    assert reconcile(changes.settings, changes.contract).stores == outcome.stores


def test_delete_without_tombstone_deletes_and_bad_keys_are_dead_lettered(changes: Pipeline) -> None:
    sender = Sender(changes)
    for number in (1, 3):
        sender.send(number, change("c", row(number)))
    sender.send(3, change("d", None, row(3)))  # the connector has `tombstones.on.delete` off
    delete = changes.encode(sender.value_id, change("d", None, row(1)))
    good = sender.key(1)
    assert good is not None
    keys = {"TOO_SHORT": b"any", "DECODE_ERROR": good + b"\x00", "UNKNOWN_SCHEMA_ID": b"\x00\x7f\xff\xff\xff\x02"}
    sent = [{"key": key, "value": delete, "timestamp": BEGIN + 50} for key in keys.values()]
    changes.send(*sent, {"key": None, "value": None, "timestamp": BEGIN + 50})
    changes.send({"key": b"any", "value": changes.encode(sender.value_id, change("c", row(2))), "timestamp": BEGIN})
    changes.stream()
    assert [set(found) for found in both(changes)] == [{"1", "2"}, {"1", "2"}]
    told = {headers(one)["contracts.reason"]: headers(one) for one in changes.dead_letters()}
    assert told.keys() == {*keys, "NULL_VALUE"}
    message = "__connect.errors.exception.message"
    assert all(told[reason][message].startswith("the key of a delete: ") for reason in keys)
    assert told["NULL_VALUE"][message] == "a tombstone without a key deletes no row"
    assert reconcile(changes.settings, changes.contract).in_order()

    with postgres.connect(changes.settings) as connection:
        table = changes.contract.spec.sinks.postgres.qualified
        connection.execute(f"UPDATE {table} SET id = 3 WHERE id = 1")
    outcome = reconcile(changes.settings, changes.contract)
    assert not outcome.in_order()
    assert len(outcome.stores["postgres"].missing) == 2, "one row is missing, and a deleted one is back"
    assert outcome.stores["cassandra"].missing == ()


def test_new_column_and_new_source_block_are_read_with_what_was_there(changes: Pipeline) -> None:
    sender = Sender(changes)
    sender.send(1, change("c", row(1)))
    changes.stream()

    def alter(schema: dict[str, Any]) -> None:
        columns, source = schema["fields"][0]["type"][1]["fields"], schema["fields"][2]["type"]["fields"]
        columns.append({"name": "city", "type": ["null", "string"], "default": None})
        source.append({"name": "commit", "type": ["null", "long"], "default": None})

    old = sender.value_id
    sender.value_id = changes.evolve(alter)
    assert sender.value_id != old
    record = change("c", row(2, city="Ulm"))
    record["source"]["commit"] = 9
    sender.send(2, record)
    sender.value_id = old
    sender.send(3, change("c", row(3)))
    changes.stream()
    for found in both(changes):
        assert {number: one["city"] for number, one in found.items()} == {"1": None, "2": "Ulm", "3": None}
    assert changes.dead_letters() == []


def test_version_with_another_precision_is_never_read_as_this_one(unregistered: Pipeline) -> None:
    changes = without_cassandra(unregistered)

    def precision(name: str) -> int:
        def alter(schema: dict[str, Any]) -> None:
            column = next(one for one in schema["fields"][0]["type"][1]["fields"] if one["name"] == "changed")
            column["type"][1]["connect.name"] = name

        return changes.evolve(alter)

    sender = Sender(changes)
    micros = sender.value_id
    sender.value_id = precision("io.debezium.time.Timestamp")
    sender.send(1, change("c", row(1)))
    sender.value_id = precision("io.debezium.time.MicroTimestamp")
    assert sender.value_id == micros
    sender.send(2, change("c", row(2)))
    changes.stream()
    assert set(changes.postgres_rows()) == {"2"}
    (letter,) = changes.dead_letters()
    assert headers(letter)["contracts.reason"] == "INCOMPATIBLE_SCHEMA"
    assert "after.changed is local-timestamp-millis there" in headers(letter)["__connect.errors.exception.message"]


def test_no_program_of_ours_sends_envelopes(changes: Pipeline) -> None:
    with pytest.raises(ConfigurationError, match="connector of the database sends") as refused:
        Publisher(changes.contract, changes.settings).open()
    assert refused.value.where.endswith("contract.yaml")
