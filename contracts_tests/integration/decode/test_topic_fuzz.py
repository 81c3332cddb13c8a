"""A shorter `make fuzz`: about 2,000 records of four contracts, many of them mutated."""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fuzz.contracts import SHAPES, prepare
from contracts_tests.fuzz.java import JavaReader
from contracts_tests.fuzz.mutations import framing
from contracts_tests.fuzz.nodes import Node
from contracts_tests.fuzz.oracle import Branch
from contracts_tests.fuzz.run import SHARES, Outcome, run
from contracts_tests.fuzz.verdict import counted, judged
from contracts_tests.fuzz.writing import Values, joined, varint, write


def fuzzed(settings: Settings, spark: SparkSession, folder: Path, name: str, records: int) -> Outcome:
    def stream(pipeline: Pipeline) -> str:
        pipeline.stream()
        return ""

    return run(settings, spark, folder, seed=14, records=records, stream=stream, say=print, names=[name])


@pytest.mark.parametrize(("name", "records"), [(name, round(2_000 * share)) for name, share in SHARES.items()])
def test_every_record_becomes_the_expected_row_or_dead_letter(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path, name: str, records: int
) -> None:
    outcome = fuzzed(settings_of_stack, spark, tmp_path, name, records)

    [found] = outcome.found
    told = "\n".join(map(str, found.differences[:5]))
    assert counted(found.differences) == {}, told
    assert found.records == records
    assert found.good > records / 2
    assert found.letters == records - found.good > records / 10
    assert found.compared > records / 2
    assert found.rows["cassandra"] == found.rows["postgres"] > records / 20


def test_dropped_fields_may_hold_bad_values_but_not_bad_block_sizes(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    """One record is kept and contains a dropped copy of itself; with block size -1 Avro's reader goes backwards."""
    topic = prepare(SHAPES["changing"], settings_of_stack, tmp_path, spark)
    rng = random.Random(14)
    values = Values(rng, odd=0)
    first, second = (topic.values.readable[topic.ids[number]] for number in (0, 1))

    def body(node: Node, value: dict[str, Any], **parts: bytes) -> bytes:
        return b"".join(parts.get(one.name, joined(write(one.type, value[one.name], rng))) for one in node.fields)

    def record(number: int, **changes: Any) -> dict[str, Any]:
        made = topic.identify(second, {**values.of(second), "ratio": 1, "part": Branch(0, None), "numbers": []}, rng)
        return {**made, "id": number, "parent": Branch(0, None), **changes}

    unlike = record(0, text="a\0", ratio=2**63 - 1)
    older = {**values.of(first), "id": 3, "text": b"", "ratio": 1, "part": 1}
    backwards = varint(-2) + varint(-1) + b"\0"
    bodies = [
        (1, body(second, record(1, parent=Branch(1, unlike)))),
        (
            1,
            body(
                second, record(2), parent=varint(1) + body(second, unlike, numbers=varint(-1) + varint(2) + b"\2\0")
            ),
        ),
        (0, body(first, older)),
        (0, body(first, {**older, "id": 4}, nothing=backwards)),
        (1, body(second, record(5), numbers=backwards[:2] + b"\2\4\0")),
    ]
    topic.pipeline.send(*({"value": framing(topic.ids[number]) + one} for number, one in bodies))

    topic.pipeline.stream()

    found = judged(topic, JavaReader(spark))
    assert counted(found.differences) == {}, "\n".join(map(str, found.differences))
    assert sorted(topic.pipeline.postgres_rows()) == ["1", "3", "5"]


def test_java_reader_gives_up_on_endless_skipped_items(spark: SparkSession) -> None:
    """Items that take no bytes, and a block whose negative size makes the reader go back over it."""
    dropped = {"name": "dropped", "type": {"type": "array", "items": "null"}}
    writer = {"type": "record", "name": "Both", "fields": [dropped, {"name": "kept", "type": "int"}]}
    reader = {**writer, "fields": writer["fields"][1:]}
    bodies = [varint(2**40) + b"\0" + varint(7), varint(-2) + varint(-2) + b"\0\0", varint(3) + b"\0" + varint(7)]
    assert list(JavaReader(spark).read(json.dumps(writer), json.dumps(reader), bodies)) == [None, None, varint(7)]


def test_verdict_finds_lost_added_and_altered_rows(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    outcome = fuzzed(settings_of_stack, spark, tmp_path, "ruled", 80)
    assert outcome.good
    [topic] = outcome.topics
    pipeline = topic.pipeline
    first, second, third = sorted(pipeline.postgres_rows())[:3]
    sinks = pipeline.contract.spec.sinks
    with postgres.connect(pipeline.settings) as connection:
        table = sinks.postgres.qualified
        connection.execute(f"UPDATE {table} SET count = count + 1 WHERE id = %s", [first])
        connection.execute(f"UPDATE {table} SET id = %s WHERE id = %s", [uuid.UUID(int=10**9), second])
    with cassandra.connect(pipeline.settings) as session:
        session.execute(f"DELETE FROM {sinks.cassandra.qualified} WHERE id = %s", [uuid.UUID(third)])
    letter = pipeline.dead_letters()[0]
    producer = Producer({"bootstrap.servers": pipeline.settings.kafka_bootstrap_servers})
    producer.produce(letter.topic(), value=letter.value(), key=letter.key(), headers=letter.headers())
    assert producer.flush(30) == 0

    found = judged(topic, None)

    assert counted(found.differences) == {
        "a second letter of a record": 1,
        "no row in cassandra": 1,
        "another value in postgres": 1,
        "no row in postgres": 1,
        "a row in postgres that should not be": 1,
    }
