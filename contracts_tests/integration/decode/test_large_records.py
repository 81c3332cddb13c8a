"""A batch far larger than Spark's memory: large rows, dead letters, and many events of one key."""

from __future__ import annotations

from collections import Counter

from avro_data_contracts.streaming.inspection.reconcile import reconcile
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.processes import run_apart
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user

MEMORY = "640m"
SIZE = 900_000
OF_ONE_KEY, OF_OTHERS, BAD = 400, 30, 400


def test_batch_larger_than_memory_is_written(pipeline: Pipeline, stack: RunningStack) -> None:
    schema_id = pipeline.register()
    filler = "x" * SIZE
    for number in range(OF_ONE_KEY):
        at = f"{number} {filler}"
        pipeline.send({"value": pipeline.encode(schema_id, user(0, address=at)), "partition": 0})
    for number in range(OF_OTHERS):
        pipeline.send({"value": pipeline.encode(schema_id, user(1 + number, address=filler)), "partition": 1})
    for number in range(BAD):
        pipeline.send({"value": b"{%d%s" % (number, filler.encode()), "partition": 2})

    ended = run_apart(stack, pipeline, "--available-now", SPARK_DRIVER_MEMORY=MEMORY, STREAM_MAX_PER_BATCH="10000")

    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "attempt failed" not in ended.stdout + ended.stderr
    letters = Counter(letter.value() for letter in pipeline.dead_letters())
    assert letters == Counter(b"{%d%s" % (number, filler.encode()) for number in range(BAD))
    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        assert len(rows) == 1 + OF_OTHERS
        assert rows[user(0)["id"]]["address"] == f"{OF_ONE_KEY - 1} {filler}"
    assert reconcile(pipeline.settings, pipeline.contract).in_order()
