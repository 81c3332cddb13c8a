"""Lineage on real servers: what a stream, a producer and a task tell a receiver, and a receiver that is no help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from confluent_kafka.admin import AdminClient, NewTopic

from avro_data_contracts.contracts.errors import ContractsError
from avro_data_contracts.contracts.lineage import emitter
from avro_data_contracts.streaming import topic as kafka_topic
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import lineage
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.lineage import Receiver, receiving
from contracts_tests.fixtures.own_topic import Topic
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.source_servers import source_servers
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user
from contracts_tests.fixtures.view_rows import add_view

SQL = "SELECT id, upper(last_name) AS last_name, gender FROM {source} WHERE dob IS NOT NULL"


def to(receiver: Receiver) -> dict[str, str]:
    """The environment of a client that sends to a receiver, without repeating."""
    prefix = "OPENLINEAGE__TRANSPORT__"
    return {f"{prefix}TYPE": "http", f"{prefix}URL": receiver.url, f"{prefix}RETRY": '{"total": 0}'}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as found:
        for name, value in to(found).items():
            monkeypatch.setenv(name, value)
        yield found


def send(pipeline: Pipeline, count: int) -> None:
    """Users, and one value that is not Avro."""
    schema_id = pipeline.register()
    users = ({"value": pipeline.encode(schema_id, user(one)), "key": b"k"} for one in range(count))
    pipeline.send(*users, {"value": b"damaged", "key": b"k"})


def columns(pipeline: Pipeline, table: str) -> dict[str, set[str]]:
    """Store -> the columns that a table really has."""
    with postgres.connect(pipeline.settings) as connection:
        asked = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        of_postgres = {name for (name,) in connection.execute(asked, (table,))}
    with cassandra.connect(pipeline.settings) as session:
        asked = (
            "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'spark_streams' AND table_name = %s"
        )
        return {"postgres": of_postgres, "cassandra": {row.column_name for row in session.execute(asked, (table,))}}


def by_table(event: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Store and table -> the output."""
    return {(one["namespace"].partition(":")[0], one["name"].rpartition(".")[2]): one for one in event["outputs"]}


def test_stream_tells_its_run_with_the_columns_that_the_tables_have(pipeline: Pipeline, receiver: Receiver) -> None:
    view = add_view(pipeline, SQL)
    send(pipeline, 5)
    pipeline.stream()
    for event in receiver.events:
        lineage.validate(event)
    assert receiver.states == ["START", "COMPLETE"]
    own = pipeline.contract.spec.sinks.postgres.table
    start, end = receiver.events
    assert start["job"]["name"] == f"streaming.{pipeline.folder.name}"
    [read] = start["inputs"]
    server = pipeline.settings.kafka_bootstrap_servers.split(",")[0]
    assert (read["namespace"], read["name"]) == (f"kafka://{server}", pipeline.contract.topic)
    for table in (own, view):
        for store, there in columns(pipeline, table).items():
            told = by_table(start)[store, table]["facets"]
            assert {one["name"] for one in told["schema"]["fields"]} == there
            assert set(told["columnLineage"]["fields"]) == {one for one in there if not one.startswith("kafka_")}
    fields = by_table(start)["postgres", view]["facets"]["columnLineage"]["fields"]
    assert {name: [one["field"] for one in column["inputFields"]] for name, column in fields.items()} == {
        "id": ["id"],
        "last_name": ["last_name"],
        "gender": ["gender"],
    }
    rows = {place: one["outputFacets"]["outputStatistics"]["rowCount"] for place, one in by_table(end).items()}
    letters = ("kafka", pipeline.contract.dead_letter_topic.rpartition(".")[2])
    assert (rows["postgres", own], rows["cassandra", own]) == (5, 5)
    assert rows[letters] == len(pipeline.dead_letters()) == 1
    assert len(pipeline.postgres_rows()) == len(pipeline.cassandra_rows()) == 5
    # No value of a record is in an event.
    assert user(1)["email"] not in json.dumps(receiver.events)


def test_stream_that_fails_tells_why(pipeline: Pipeline, receiver: Receiver) -> None:
    send(pipeline, 1)
    configured = pipeline.settings.model_copy(update={"stream_retry_for_s": 1})
    sinks = job.prepare(configured, pipeline.contract)
    with postgres.connect(configured) as connection:
        connection.execute(f"DROP TABLE {pipeline.contract.spec.sinks.postgres.quoted}")
    with pytest.raises(ContractsError) as raised:
        job.Job(pipeline.spark, configured, pipeline.contract, sinks).run(available_now=True)
    for event in receiver.events:
        lineage.validate(event)
    assert receiver.states == ["START", "FAIL"]
    failed = receiver.events[1]
    assert failed["run"]["facets"]["errorMessage"]["message"] == str(raised.value)
    assert {one["outputFacets"]["outputStatistics"]["rowCount"] for one in failed["outputs"][:2]} == {1, 0}


def test_receiver_that_never_answers_holds_up_no_record(
    lean: Pipeline, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter.Emitter.finish, "__defaults__", (0.2,))
    receiver.released.clear()
    send(lean, 5)
    with structlog.testing.capture_logs() as told:
        lean.stream()
    assert receiver.asked.is_set()
    assert receiver.events == []
    assert len(lean.postgres_rows()) == 5
    # Perhaps one after the other, as the client itself waits for 5 s only.
    assert [one["lost"] for one in told if one["event"] == "lineage not delivered"][-1] == 2


def test_events_go_to_a_topic(lean: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers, name = lean.settings.kafka_bootstrap_servers, f"{lean.folder.name}.lineage"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(name, 1)])[name].result(30)
    config = {"transport": {"type": "kafka", "topic": name, "config": {"bootstrap.servers": servers}}}
    (tmp_path / "openlineage.yml").write_text(json.dumps(config))
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "openlineage.yml"))
    send(lean, 2)
    with structlog.testing.capture_logs() as told:
        lean.stream()
    assert [one for one in told if one["event"] == "lineage not delivered"] == []
    sent = list(kafka_topic.read(lean.settings, name, kafka_topic.whole(lean.settings, name)))
    found = [json.loads(one.value()) for one in sent]
    for one in found:
        lineage.validate(one)
    assert [one["eventType"] for one in found] == ["START", "COMPLETE"]


@pytest.fixture
def produced(stack: RunningStack, tmp_path: Path) -> Iterator[Topic]:
    """A registered topic whose source has users."""
    with source_servers() as serve:
        yield Topic(tmp_path / "schemas", stack.environment | {"DATASOURCE_URL": serve().url}).register()


def test_producer_tells_its_run(produced: Topic) -> None:
    with receiving() as receiver:
        done = produced.produce("--count", "20", "--seed", "s", **to(receiver))
    assert done.returncode == 0, done.stderr
    for event in receiver.events:
        lineage.validate(event)
    assert receiver.states == ["START", "COMPLETE"]
    end = receiver.events[1]
    [source] = end["inputs"]
    assert f"{source['namespace']}/{source['name']}" == produced.environment["DATASOURCE_URL"]
    rows = {one["name"]: one["outputFacets"]["outputStatistics"]["rowCount"] for one in end["outputs"]}
    assert rows == {produced.name: 20, f"{produced.name}.dlq": 0}
    assert produced.count() == 20


TASK = """
from airflow.sdk import DAG
from avro_data_contracts.orchestration.command import Command

with DAG("daily"):
    task = Command(task_id="load", commands=[["producers", "--count", "3", "--seed", "s"]])
task.execute({})
"""


def test_task_of_airflow_is_the_parent_of_its_command(produced: Topic, tmp_path: Path) -> None:
    with receiving() as receiver:
        airflow = {"AIRFLOW_HOME": str(tmp_path / "airflow"), "AIRFLOW__CORE__UNIT_TEST_MODE": "True"}
        environment = {**os.environ, **produced.environment, **to(receiver), **airflow}
        done = subprocess.run(
            [sys.executable, "-c", TASK], cwd=CLONE, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    for event in receiver.events:
        lineage.validate(event)
    # Two processes send them, so they may arrive in another order.
    events = sorted(receiver.events, key=lambda one: one["eventTime"])
    assert [(one["job"]["name"], one["eventType"]) for one in events] == [
        ("daily.load", "START"),
        ("producers.users_created", "START"),
        ("producers.users_created", "COMPLETE"),
        ("daily.load", "COMPLETE"),
    ]
    first, second = events[:2]
    parent = second["run"]["facets"]["parent"]
    assert parent["job"] == {"namespace": "default", "name": "daily.load"}
    assert parent["run"]["runId"] == first["run"]["runId"]
