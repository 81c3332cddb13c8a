"""`make fuzz`, shorter: some 2,000 records of four contracts, most of them mutated in some way."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from pyspark.sql import SparkSession

from contracts.settings import Settings
from contracts_tests.fuzz.run import SHARES, Outcome, run
from contracts_tests.fuzz.verdict import counted, judged
from contracts_tests.integration.conftest import Pipeline
from streaming.sinks import cassandra, postgres


def fuzzed(settings: Settings, spark: SparkSession, folder: Path, name: str, records: int) -> Outcome:
    def stream(pipeline: Pipeline) -> str:
        pipeline.stream()
        return ""

    return run(settings, spark, folder, seed=14, records=records, stream=stream, say=print, names=[name])


@pytest.mark.parametrize(("name", "records"), [(name, round(2_000 * share)) for name, share in SHARES.items()])
def test_every_record_is_the_row_or_the_letter_that_its_bytes_say(
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


def test_the_verdict_finds_what_is_lost_added_and_altered(
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
