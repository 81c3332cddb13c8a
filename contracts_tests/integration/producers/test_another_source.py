"""The producer sends records from another source, whose modules are added to a copy without editing its files."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from confluent_kafka import Consumer, Message, TopicPartition

from contracts_tests.fixtures.another_source import LINES, contract_of_lines, with_lines_source
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.third_store import run


def messages(stack: RunningStack, topic: str, count: int) -> list[Message]:
    """Return the first messages of a topic with one partition."""
    servers = stack.environment["KAFKA_BOOTSTRAP_SERVERS"]
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return consumer.consume(count, timeout=60)
    finally:
        consumer.close()


def test_records_from_another_source_arrive_or_are_dead_lettered(stack: RunningStack, tmp_path: Path) -> None:
    topic = f"cities_{uuid.uuid4().hex[:12]}"
    copy, schemas = with_lines_source(tmp_path, "contracts", "producers"), contract_of_lines(tmp_path, topic)
    variables = {**stack.environment, "CONTRACTS_DIR": str(schemas)}
    registered = run(copy, "contracts", "register", **variables)
    assert registered.returncode == 0, registered.stderr

    done = run(copy, "producers", "--contract", "cities", "--count", "all", "--json", **variables)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["fetched"], report["produced"], report["ended"]) == (4, 2, "source")
    assert report["refused"] == {"total": 2, "reasons": {"INVALID_LINE": 1, "INVALID_RECORD": 1}}
    assert report["ids_distinct"] == 1  # the table's primary key is the name, and the two records share it
    assert report["source"] == str(tmp_path / "cities.jsonl")

    assert all("Łódź".encode() in message.value() for message in messages(stack, topic, 2))
    letters = messages(stack, f"{topic}.dlq", 2)
    assert [json.loads(letter.value()) for letter in letters] == [f"{line}\n" for line in LINES[1:3]]
    [first, second] = [dict(letter.headers()) for letter in letters]
    assert first["__connect.errors.connector.name"] == b"producers.lines"
    assert first["__connect.errors.exception.class.name"] == b"avro_data_contracts.producers.rejection.Rejection"
    assert (first["contracts.reason"], first["__connect.errors.stage"]) == (b"INVALID_LINE", b"TRANSFORMATION")
    assert second["__connect.errors.exception.message"].startswith(b"field people does not fit the schema")
