"""Several contracts share a topic: each stream writes its own records, and one of them sends each dead letter."""

from __future__ import annotations

import json
import struct
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.dead_letters import letters as dead_letters
from avro_data_contracts.streaming.dead_letters import replay as replaying
from avro_data_contracts.streaming.inspection.reconcile import Outcome, reconcile
from contracts_tests.fixtures.pipeline import Pipeline

FIELDS: list[dict[str, Any]] = [{"name": "id", "type": "string"}, {"name": "amount", "type": "int"}]
# The broker refuses timestamps that are far ahead, unless the topic says otherwise.
KAFKA = {"partitions": 2, "config": {"message.timestamp.after.max.ms": str(2**63 - 1)}}
NOTE = {"name": "note", "type": ["null", "string"], "default": None}


class Shared:
    """A topic with the contracts `a_placed` and `b_paid`, registered, and their pipelines."""

    def __init__(
        self, configured: Settings, spark: SparkSession, folder: Path, strategy: str, kafka: object = None
    ) -> None:
        self.topic = f"orders_{uuid.uuid4().hex[:8]}"
        self.strategy = strategy
        update = {"contracts_dir": folder / "schemas", "checkpoint_dir": folder / "checkpoints"}
        self.settings = configured.model_copy(update=update)
        self.spark = spark
        self.placed = self.add("a_placed", "Placed", kafka=kafka or KAFKA)
        rules = [{"name": "positive", "field": "amount", "min": 1}]
        self.paid = self.add("b_paid", "Paid", rules=rules, cassandra=True)

    @property
    def space(self) -> str:
        return f"n_{self.topic}"

    def add(self, name: str, record: str, *, cassandra: bool = False, **said: Any) -> Pipeline:
        """Add a contract, and return its pipeline; register it with `register`."""
        folder = self.settings.contracts_dir / name
        folder.mkdir(parents=True)
        sink = {"table": f"{self.topic}_{name}", "primary_key": ["id"]}
        sinks = {"postgres": sink} | ({"cassandra": {"keyspace": "demo", **sink}} if cassandra else {})
        spec = {"topic": self.topic, "owner": "shop", "compatibility": "BACKWARD", "sinks": sinks, **said}
        (folder / "contract.yaml").write_text(yaml.safe_dump({**spec, "subject_strategy": self.strategy}))
        schema = {"type": "record", "name": record, "namespace": self.space, "fields": FIELDS}
        (folder / "value.avsc").write_text(json.dumps(schema))
        return Pipeline(self.settings, self.spark, folder)

    def places(self, pipeline: Pipeline) -> Counter[tuple[int, int]]:
        """The positions of the records that the dead-letter topic has, and how often."""
        needed = (dead_letter.PARTITION, dead_letter.OFFSET)
        found = [dict(topic.headers(one)) for one in pipeline.dead_letters()]
        return Counter((int(one[needed[0]] or b""), int(one[needed[1]] or b"")) for one in found if needed[0] in one)

    def reasons(self, pipeline: Pipeline) -> Counter[str]:
        found = [dict(topic.headers(one)) for one in pipeline.dead_letters()]
        return Counter((one[dead_letter.REASON] or b"").decode() for one in found if dead_letter.REASON in one)


@pytest.fixture
def shared(
    request: pytest.FixtureRequest, settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> Shared:
    """With record names in the subjects; with the topic's too, if the test asks for it."""
    return Shared(settings_of_stack, spark, tmp_path, getattr(request, "param", "RecordName"))


def values(rows: dict[str, dict[str, Any]], *names: str) -> dict[str, tuple[Any, ...]]:
    return {key: tuple(row[name] for name in names) for key, row in rows.items()}


@pytest.mark.parametrize("shared", ["TopicRecordName", "RecordName"], indirect=True)
def test_each_stream_writes_its_own_records_and_the_first_one_answers_for_those_of_nobody(shared: Shared) -> None:
    placed, paid = shared.placed, shared.paid
    placed_1 = placed.register()
    paid_1 = placed.registry.version(paid.contract.value.name)
    assert paid_1 is not None
    stranger = {"type": "record", "name": "Stranger", "namespace": shared.space, "fields": FIELDS}
    stranger_id = placed.registry.register(f"{shared.topic}-{shared.space}.Stranger", json.dumps(stranger))
    nobodys = [
        {"value": b"not avro"},
        {"value": b"\x00"},
        {"value": None, "key": b"k"},
        {"value": b"\x00" + struct.pack(">i", 2_000_000_000) + b"x"},
        {"value": paid.encode(stranger_id, {"id": "s", "amount": 1})},
    ]

    def mixed(numbers: range, ids: tuple[int, int], **more: str) -> list[dict[str, Any]]:
        records = []
        for number in numbers:
            for schema_id, name, extra in ((ids[0], "o", {}), (ids[1], "p", more)):
                record = {"id": f"{name}{number}", "amount": number, **extra}
                records.append({"value": paid.encode(schema_id, record), "partition": number % 2})
        return records

    first = mixed(range(1, 21), (placed_1, paid_1.schema_id))
    placed.send(
        *first[:15], *nobodys, *first[15:], {"value": paid.encode(paid_1.schema_id, {"id": "b", "amount": 0})}
    )
    for one in (paid, placed):
        one.stream()
    paid_2 = paid.evolve(lambda schema: schema["fields"].append(NOTE))
    placed.send(*mixed(range(15, 31), (placed_1, paid_2), note="new"), *nobodys)
    for one in (placed, paid):  # the streams start again, with other schemas
        one.stream()

    orders = {f"o{number}": (number,) for number in range(1, 31)}
    assert values(placed.postgres_rows(), "amount") == orders
    payments = {f"p{number}": (number, "new" if number >= 15 else None) for number in range(1, 31)}
    assert values(paid.postgres_rows(), "amount", "note") == payments
    assert values(paid.cassandra_rows(), "amount", "note") == payments
    codes = ("BAD_MAGIC", "TOO_SHORT", "NULL_VALUE", "UNKNOWN_SCHEMA_ID", "WRONG_SUBJECT")
    assert shared.reasons(placed) == {**dict.fromkeys(codes, 2), "RULE:positive": 1}
    assert set(shared.places(placed).values()) == {1}
    told = [reconcile(shared.settings, one.contract) for one in (placed, paid)]
    assert [one.in_order() for one in told] == [True, True]
    assert [numbers(one) for one in told] == [(36 + 10, 36 + 1, 10), (36 + 1, 36 + 10, 1)]


def numbers(found: Outcome) -> tuple[int, int, int]:
    return found.events, found.skipped, sum(found.dead_lettered.values())


def test_letter_that_is_put_back_reaches_the_contract_that_its_type_has_by_then(shared: Shared) -> None:
    placed, paid = shared.placed, shared.paid
    placed.register()
    schema = {"type": "record", "name": "Sent", "namespace": shared.space, "fields": FIELDS}
    early = placed.registry.register(f"{shared.space}.Sent", json.dumps(schema))
    placed.send({"value": paid.encode(early, {"id": "x", "amount": 7})})
    for one in (placed, paid):
        one.stream()
    assert shared.reasons(placed) == {"WRONG_SUBJECT": 1}

    sent = shared.add("c_sent", "Sent")
    sent.register()
    found = dead_letters.read(shared.settings, placed.contract).letters
    done = replaying.replay(shared.settings, placed.contract, found, lambda so_far: None)
    assert [letter.reason for letter, _ in done.put_back] == ["WRONG_SUBJECT"]
    for one in (placed, paid, sent):
        one.stream()

    assert values(sent.postgres_rows(), "amount") == {"x": (7,)}
    assert placed.postgres_rows() == paid.postgres_rows() == {}


@pytest.mark.parametrize("shared", ["TopicRecordName"], indirect=True)
def test_each_letter_is_sent_once_also_with_far_timestamps_and_many_unknown_schemas(shared: Shared) -> None:
    placed, paid = shared.placed, shared.paid
    placed_id = placed.register()
    found = placed.registry.version(paid.contract.value.name)
    assert found is not None
    order, payment = (paid.encode(schema_id, {"id": "1", "amount": 1}) for schema_id in (placed_id, found.schema_id))
    many = [{"value": b"\x00" + struct.pack(">i", 1_900_000_000 + number)} for number in range(150)]
    far = {"timestamp": 10**18}
    placed.send({"value": order}, {"value": payment}, *many)
    placed.send({"value": order, **far}, {"value": payment, **far}, {"value": b"not avro", **far})

    for one in (placed, paid):
        one.stream()

    assert values(placed.postgres_rows(), "amount") == values(paid.postgres_rows(), "amount") == {"1": (1,)}
    # Of a record with a far timestamp, only that is told, and by the contract of its type.
    assert shared.reasons(placed) == {"UNKNOWN_SCHEMA_ID": 150, "TIMESTAMP_OUT_OF_RANGE": 3}
    assert set(shared.places(placed).values()) == {1}


def test_external_topics_are_used_and_never_made(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    shared = Shared(settings_of_stack, spark, tmp_path, "TopicRecordName", kafka="external")
    shared.placed.register()
    topics = Topics(shared.settings)
    for refused in (shared.placed.stream, lambda: Publisher(shared.placed.contract, shared.settings).open()):
        with pytest.raises(ConfigurationError, match=r"topic") as raised:
            refused()
        assert "owner" in raised.value.fix
    for name in (shared.topic, shared.placed.contract.dead_letter_topic):
        assert topics.read([name])[name] is None
        topics.create(name, 3, 1, {})

    publisher = Publisher(shared.placed.contract, shared.settings)
    publisher.open()
    publisher.send({"id": "1", "amount": 2})
    publisher.flush()
    shared.placed.stream()

    assert values(shared.placed.postgres_rows(), "amount") == {"1": (2,)}
