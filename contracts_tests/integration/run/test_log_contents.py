"""No log contains a value of a record, even when a store quotes it in a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.cassandra.failures import SERVER as CASSANDRA
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.stores.postgres import copying
from avro_data_contracts.streaming.stores.postgres.failures import SERVER as POSTGRES
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.processes import run
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user

MARKER = "Xanthippe\nQuartermain"
# Folders where the stores keep their rows and Kafka its records.
_DATA = {"cassandra/data", "postgres/data", "kafka/data"}


def holding(stack: RunningStack, word: str) -> list[str]:
    """Return the files in the stack's folder that contain the word, except the servers' own data."""
    found = []
    for path in stack.root.rglob("*"):
        inside = path.relative_to(stack.root)
        data = any(inside.is_relative_to(one) for one in _DATA)
        if not data and path.is_file() and word.encode() in path.read_bytes():
            found.append(str(inside))
    return found


def words_of(marker: str) -> list[str]:
    return marker.split("\n")


def test_row_refused_by_postgres_appears_in_no_log(stack: RunningStack, pipeline: Pipeline, tmp_path: Path) -> None:
    schema_id = pipeline.register()
    pipeline.send({"value": pipeline.encode(schema_id, user(1))})
    assert run(stack, pipeline, "--available-now").returncode == 0
    table = pipeline.contract.spec.sinks.postgres.quoted
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(f"ALTER TABLE {table} ADD CHECK (first_name NOT LIKE 'Xanthippe%%')")
    pipeline.send({"value": pipeline.encode(schema_id, user(2, first_name=MARKER, picture=MARKER))})
    done = run(stack, pipeline, "--available-now", STREAM_RETRY_FOR_S="1")
    assert "postgres" in done.stderr
    for word in words_of(MARKER):
        # The value has reached Cassandra.
        assert any(word in row["first_name"] for row in pipeline.cassandra_rows().values())
        assert word not in done.stdout + done.stderr
        for log in (pipeline.settings.spark_log_file, *tmp_path.rglob("*.log")):
            assert word not in log.read_text(errors="replace"), log
        assert holding(stack, word) == []


def test_value_quoted_by_a_driver_appears_in_no_log(
    stack: RunningStack, spark: SparkSession, settings_of_stack: Settings
) -> None:
    frame = spark.createDataFrame([(MARKER,)], "id string")
    with postgres.connect(settings_of_stack) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS told_of (id uuid)")
    with cassandra.connect(settings_of_stack) as session:
        session.execute("CREATE TABLE IF NOT EXISTS spark_streams.told_of (id uuid PRIMARY KEY)")
    url, properties = postgres.jdbc(settings_of_stack.postgres_dsn)
    told = []
    with pytest.raises(failures.JAVA_ERRORS) as caught:
        copying.load(frame, sql.Identifier("told_of"), url, properties)
    told.append(failures.of_java(POSTGRES, postgres.address(settings_of_stack), caught.value))
    with pytest.raises(failures.JAVA_ERRORS) as caught:
        frame.write.format("org.apache.spark.sql.cassandra").options(keyspace="spark_streams", table="told_of").mode(
            "append"
        ).save()
    told.append(failures.of_java(CASSANDRA, settings_of_stack.cassandra_hosts, caught.value))
    log = settings_of_stack.spark_log_file.read_text()
    for word in words_of(MARKER):
        assert [str(one) for one in told if word in str(one)] == []
        assert word not in log
        assert holding(stack, word) == []
    for kind in ("org.postgresql.util.PSQLException\n\tat ", "java.lang.IllegalArgumentException\n\tat "):
        assert kind in log


def test_spark_log_keeps_server_messages_and_no_others(spark: SparkSession, settings_of_stack: Settings) -> None:
    said = {
        "org.apache.kafka.common.errors.TimeoutException": True,
        "java.net.ConnectException": True,
        "java.lang.IllegalStateException": True,
        "java.lang.Exception": True,
        "java.lang.OutOfMemoryError": True,
        "org.apache.spark.SparkException": True,
        "com.datastax.oss.driver.api.core.AllNodesFailedException": True,
        "org.postgresql.util.PSQLException": False,
        "java.sql.BatchUpdateException": False,
        "java.lang.NumberFormatException": False,
        "java.time.DateTimeException": False,
        "org.apache.spark.SparkArithmeticException": False,
        "com.datastax.spark.connector.types.TypeConversionException": False,
    }
    logger = spark._jvm.org.apache.logging.log4j.LogManager.getLogger("told")
    for number, kind in enumerate(said):
        logger.warn(f"Lost task: {kind}: one{number}\ntwo{number}\n\tat a.b.c(D.java:1)\nthree{number}")
    log = settings_of_stack.spark_log_file.read_text()
    for number, (kind, kept) in enumerate(said.items()):
        assert f"Lost task: {kind}" in log
        assert (f"one{number}\ntwo{number}\n" in log) == kept, kind
        assert f"\n\tat a.b.c(D.java:1)\nthree{number}" in log


def test_cassandra_read_warning_logs_no_key(stack: RunningStack, settings_of_stack: Settings) -> None:
    log = stack.root / "logs" / "cassandra.log"
    with cassandra.connect(settings_of_stack) as session:
        session.execute(
            "CREATE TABLE IF NOT EXISTS spark_streams.warned_of (k text, n int, v text, PRIMARY KEY (k, n))"
        )
        put = session.prepare("INSERT INTO spark_streams.warned_of (k, n, v) VALUES (?, ?, ?)")
        for number in range(1100):
            session.execute(put, (MARKER, number, None))
        session.execute("SELECT * FROM spark_streams.warned_of WHERE k = %s", (MARKER,))
    assert "tombstone cells for query SELECT * FROM spark_streams.warned_of WHERE ..." in log.read_text()
    for word in words_of(MARKER):
        assert holding(stack, word) == []
