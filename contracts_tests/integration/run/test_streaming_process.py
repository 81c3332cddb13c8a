"""`python -m streaming` as a process: servers down at startup, and how the process ends.

For a store that is killed during the run, see test_seen_from_outside.py; for a killed JVM, test_scratch.py.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.processes import ended, run, running, wait_for
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9", "Kafka 127.0.0.1:9"),
        ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:9", "schema registry http://127.0.0.1:9"),
        ("CASSANDRA_HOSTS", "127.0.0.1:9", "Cassandra 127.0.0.1:9"),
        ("POSTGRES_DSN", "postgresql://somebody:s3cret@127.0.0.1:9/contracts", "PostgreSQL 127.0.0.1:9/contracts"),
    ],
)
def test_server_down_at_startup_is_named(
    stack: RunningStack, pipeline: Pipeline, variable: str, value: str, words: str
) -> None:
    done = run(stack, pipeline, "--available-now", KAFKA_MAX_BLOCK_MS="2000", **{variable: value})
    assert done.returncode == 3, done.stderr
    assert words in done.stderr
    assert "make up" in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


def test_wrong_credentials_are_told_apart_from_an_outage(stack: RunningStack, pipeline: Pipeline) -> None:
    done = run(stack, pipeline, "--available-now", CASSANDRA_PASSWORD="wrong")
    assert done.returncode == 3
    # The message of an outage also mentions the credentials, among other causes.
    assert "correct what it names, or CASSANDRA_HOSTS and its credentials" in done.stderr
    assert "check that it is up" not in done.stderr
    assert "Traceback" not in done.stderr


def test_unregistered_contract_error_says_how_to_register(stack: RunningStack, pipeline: Pipeline) -> None:
    file = pipeline.folder / "contract.yaml"
    file.write_text(file.read_text().replace("topic: users_", "topic: unregistered_", 1))
    done = run(stack, pipeline, "--available-now")
    assert done.returncode == 2
    assert "make register-schemas" in done.stderr


def test_unknown_contract_error_lists_existing_contracts(stack: RunningStack, pipeline: Pipeline) -> None:
    done = run(stack, pipeline, "--contract", "nothing")
    assert done.returncode == 2
    assert pipeline.folder.name in done.stderr


def test_running_stream_is_exclusive_reads_new_partitions_and_ends_on_ctrl_c(
    stack: RunningStack, pipeline: Pipeline, tmp_path: Path
) -> None:
    """A record after a pause is written at once: the watch of the topics' ends sees it.

    A query asks by itself only after 30 s.  The first Ctrl-C names the batch that the end waits for, and the second
    one stops at once.
    """
    log, table = tmp_path / "stream.log", pipeline.contract.spec.sinks.postgres.quoted
    schema_id = pipeline.register()
    pipeline.send({"value": pipeline.encode(schema_id, user(1))})
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = to_regclass(%s) AND NOT granted"
    with (
        running(stack, pipeline, log) as process,
        postgres.connect(pipeline.settings, autocommit=True) as connection,
    ):
        wait_for(lambda: log.read_text().count("batch written") == 2, log)
        second = run(stack, pipeline, "--available-now")
        assert second.returncode == 3, second.stderr
        assert "another stream of this contract" in second.stderr

        for number in (2, 3):
            time.sleep(2)
            pipeline.send({"value": pipeline.encode(schema_id, user(number))})
            wait_for(lambda number=number: log.read_text().count("batch written") == 2 * number, log, seconds=10)

        topic = pipeline.contract.topic
        admin = AdminClient({"bootstrap.servers": pipeline.settings.kafka_bootstrap_servers})
        admin.create_partitions([NewPartitions(topic, 5)])[topic].result(30)
        new = ({"value": pipeline.encode(schema_id, user(4 + one)), "partition": 3 + one} for one in range(2))
        pipeline.send(*new)
        wait_for(lambda: len(pipeline.cassandra_rows()) == len(pipeline.postgres_rows()) == 5, log)

        with connection.transaction():
            wait_for(lambda: sum(_batches(log, "cassandra")) == sum(_batches(log, "postgres")) == 5, log)
            connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            pipeline.send({"value": pipeline.encode(schema_id, user(6))})
            wait_for(lambda: connection.execute(waiting, [table]).fetchone() == (1,), log)
            wait_for(lambda: sum(_batches(log, "cassandra")) == 6, log)
            asked = time.monotonic()
            process.send_signal(signal.SIGINT)
            wait_for(lambda: "stopping" in log.read_text(), log, seconds=5)
            assert time.monotonic() - asked < 1.5  # `wait_for` polls every 0.3 s
            (line,) = [line for line in log.read_text().splitlines() if "stopping" in line]
            assert f'waits_for="postgres to write batch {len(_batches(log, "postgres"))}"' in line
            assert "press Ctrl-C again to stop at once" in line
            process.send_signal(signal.SIGINT)
            assert ended(process, log, 5) == 130
    assert "Traceback" not in log.read_text()
    assert run(stack, pipeline, "--available-now").returncode == 0
    assert len(pipeline.postgres_rows()) == len(pipeline.cassandra_rows()) == 6


def _batches(log: Path, sink: str) -> list[int]:
    """Return the records of each batch that a sink has written."""
    lines = [line for line in log.read_text().splitlines() if 'event="batch written"' in line]
    return [int(one) for line in lines for one in re.findall(rf"sink={sink} batch=\d+ records=(\d+)", line)]


def test_sigterm_during_spark_startup_is_not_lost(stack: RunningStack, pipeline: Pipeline, tmp_path: Path) -> None:
    log = tmp_path / "stream.log"
    with running(stack, pipeline, log) as process:
        java = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_for(lambda: java.read_text().strip() != "", log)
        os.killpg(process.pid, signal.SIGTERM)
        assert ended(process, log, 120) == 0, log.read_text()
    assert "batch written" not in log.read_text()
