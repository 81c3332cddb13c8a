"""Masks on real servers: both stores have what Python makes of the events, in every way that rows are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.errors import ConfigurationError, FindingsError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.producers.rejection import RejectedRecord
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.rewrite import rewrite
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.run.small import SmallBatches
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import processes
from contracts_tests.fixtures.complaints import complaints
from contracts_tests.fixtures.made_up import pipeline_of
from contracts_tests.fixtures.masked import INSIDE, KEY, SECRET, Everything, inside, shown, with_masks
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user
from contracts_tests.fixtures.view_rows import add_view

OTHER = "another key for the masks of the tests"
FIELDS = {"id": "string", "email": ["null", "string"], "number": "int", "day": {"type": "int", "logicalType": "date"}}


def in_json(row: dict[str, Any]) -> dict[str, Any]:
    """The columns with JSON, read, without members that are null: one store writes those."""
    found = {name: json.loads(row[name]) if isinstance(row[name], str) else row[name] for name in INSIDE}
    return {name: _without_null(value) for name, value in found.items()}


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(one) for key, one in value.items() if one is not None}
    return [_without_null(one) for one in value] if isinstance(value, list) else value


def test_both_stores_have_what_the_masks_make_of_every_type(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    write = SmallBatches.write

    def spied(self: SmallBatches, batch: DataFrame) -> Any:
        counts = write(self, batch)
        seen.append((self._sink.name, counts is not None))
        return counts

    monkeypatch.setattr(SmallBatches, "write", spied)
    made = Everything()
    pipeline = made.pipeline(settings_of_stack, spark, tmp_path)
    schema_id = pipeline.register()
    records = [{**one, **inside(number)} for number, one in enumerate(made.records)]
    pipeline.send(*({"value": pipeline.encode(schema_id, one)} for one in records))
    # The first batch goes the usual way, the others by the stores' drivers.
    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 2})
    pipeline.stream()
    assert complaints(pipeline) == []
    assert {("postgres", True), ("cassandra", True)} <= set(seen)

    wanted = {made.expected(one)["id"]: made.expected(one) for one in made.records}
    assert len(wanted) == len(records) > 4
    nested = {
        KEY.of(one["id"]): {name: _without_null(value) for name, value in shown(number).items()}
        for number, one in enumerate(records)
    }
    for rows in (pipeline.postgres_rows(), pipeline.cassandra_rows()):
        assert {key: {name: row[name] for name in made.masks} for key, row in rows.items()} == wanted
        assert {key: in_json(row) for key, row in rows.items()} == nested
    assert reconcile(pipeline.settings, pipeline.contract).in_order()
    # Again, all of it in the usual way: nothing changes.
    before = pipeline.postgres_rows(), pipeline.cassandra_rows()
    pipeline.settings = pipeline.settings.model_copy(update={"stream_small_batch": 0, "stream_max_per_batch": 1000})
    pipeline.stream(afresh=True)
    assert (pipeline.postgres_rows(), pipeline.cassandra_rows()) == before


@pytest.fixture
def people(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    """Three events, streamed with masks for the e-mail (hash) and the number (none)."""
    return people_in(tmp_path, settings_of_stack, spark)


@pytest.fixture(scope="module")
def same_people(
    settings_of_stack: Settings, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Pipeline:
    """The same for tests that stream nothing else."""
    return people_in(tmp_path_factory.mktemp("people"), settings_of_stack, spark)


def people_in(folder: Path, settings_of_stack: Settings, spark: SparkSession) -> Pipeline:
    settings = settings_of_stack.model_copy(update={"mask_key": SECRET})
    made = pipeline_of(settings, spark, folder, FIELDS, ("id",))
    with_masks(made, [{"field": "email", "mask": "hash"}])
    schema_id = made.register()
    made.send(*({"value": made.encode(schema_id, event(number))} for number in range(3)))
    made.stream()
    return made


def event(number: int) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "email": f"p{number}@example.com" if number else None,
        "number": number,
        "day": number,
    }


def emails(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [{key: row["email"] for key, row in rows.items()} for rows in (
        pipeline.postgres_rows(), pipeline.cassandra_rows()
    )]  # fmt: skip


def hashed(key: Any = KEY) -> dict[str, Any]:
    return {one["id"]: key.of(one["email"]) for one in map(event, range(3))}


def test_key_that_is_missing_weak_or_another_stops_the_stream(stack: RunningStack, same_people: Pipeline) -> None:
    assert emails(same_people) == [hashed()] * 2
    for key, what in (("", "MASK_KEY is not set"), ("weak", "fewer than 16 bytes"), (OTHER, KEY.id)):
        settings = same_people.settings.model_copy(update={"mask_key": key})
        with pytest.raises(ConfigurationError) as stopped:
            job.prepare(settings, same_people.contract)
        assert what in str(stopped.value)
        assert OTHER not in str(stopped.value)
        done = processes.run(stack, same_people, "--available-now", MASK_KEY=key)
        assert done.returncode == 2, done.stderr
        assert what in done.stderr
    assert "rewrite" in done.stderr
    with postgres.connect(same_people.settings) as connection:
        (comment,) = connection.execute(
            "SELECT obj_description(to_regclass(%s), 'pg_class')", (same_people.contract.spec.sinks.postgres.quoted,)
        ).fetchone()
    assert comment == f"[mask key {KEY.id}]"


def test_reconcile_tells_rows_that_are_masked_otherwise(stack: RunningStack, same_people: Pipeline) -> None:
    key = {"MASK_KEY": SECRET}
    assert processes.run(stack, same_people, "reconcile", **key).returncode == 0
    with postgres.connect(same_people.settings) as connection:
        connection.execute(
            f"UPDATE {same_people.contract.spec.sinks.postgres.quoted} SET email = 'true' WHERE id = 'p1'"
        )
    with cassandra.connect(same_people.settings) as session:
        table = same_people.contract.spec.sinks.cassandra.quoted
        session.execute(f"UPDATE {table} SET email = 'true' WHERE id = 'p2'")
        session.execute(f"UPDATE {table} SET email = 'true' WHERE id = 'p0'")
    done = processes.run(stack, same_people, "reconcile", **key)
    assert done.returncode == 1
    assert "masked otherwise: 1 rows in PostgreSQL" in done.stdout
    assert "masked otherwise: 2 rows in Cassandra" in done.stdout
    assert f"python -m streaming rewrite {same_people.folder.name}" in done.stdout
    assert processes.run(stack, same_people, "reconcile").returncode == 2  # without the key


def test_rewrite_brings_rows_to_another_key_and_to_other_masks(stack: RunningStack, people: Pipeline) -> None:
    done = processes.run(stack, people, "rewrite", people.folder.name, MASK_KEY=OTHER)
    assert done.returncode == 0, done.stderr
    assert "made again" not in done.stdout
    assert f"reads 3 records of {people.contract.topic}" in done.stdout
    people.settings = people.settings.model_copy(update={"mask_key": OTHER})
    people.stream()
    other = type(KEY)(OTHER, "tests")
    assert emails(people) == [hashed(other)] * 2

    # A mask that gives a column another type, one that has no column, and one that is gone.
    with_masks(people, [
        {"field": "number", "mask": "hash"}, {"field": "day", "stores": ["postgres"], "mask": "drop"},
    ])  # fmt: skip
    with pytest.raises(ConfigurationError, match="rewrite"):
        job.prepare(people.settings, people.contract)
    made = rewrite(people.settings, people.contract, accept_loss=False)
    assert sorted(made.made_again) == sorted(made.tables)
    people.stream()
    assert emails(people) == [{one["id"]: one["email"] for one in map(event, range(3))}] * 2
    for rows in (people.postgres_rows(), people.cassandra_rows()):
        assert {key: row["number"] for key, row in rows.items()} == {f"p{n}": other.of(n) for n in range(3)}
    assert not any("day" in row for row in people.postgres_rows().values())
    assert reconcile(people.settings, people.contract).in_order()


def delete(pipeline: Pipeline, before: int) -> None:
    """Delete the records of a pipeline's topic before an offset."""
    admin = AdminClient(kafka.client(pipeline.settings))
    (done,) = admin.delete_records([TopicPartition(pipeline.contract.topic, 0, before)]).values()
    done.result(30)


def test_rewrite_counts_rows_whose_events_have_left_the_topic(stack: RunningStack, people: Pipeline) -> None:
    delete(people, 2)
    before = emails(people)
    with pytest.raises(FindingsError) as told:
        rewrite(people.settings, people.contract, accept_loss=False)
    assert told.value.what.count("2 rows of") == 2
    assert emails(people) == before
    refused = processes.run(stack, people, "rewrite", people.folder.name, MASK_KEY=SECRET)
    assert refused.returncode == 1
    assert "2 rows of cassandra" in refused.stderr
    lost = processes.run(stack, people, "rewrite", people.folder.name, "--accept-loss", MASK_KEY=SECRET)
    assert lost.returncode == 0, lost.stderr
    assert lost.stdout.count("2 rows of events that have left the topic are gone") == 2
    people.stream()
    assert emails(people) == [{"p2": hashed()["p2"]}] * 2


def test_view_has_the_masks_of_its_fields(people: Pipeline) -> None:
    table = add_view(people, "SELECT id, email, number FROM {source} WHERE email IS NOT NULL")
    people.stream()
    with postgres.connect(people.settings) as connection:
        found = connection.execute(f"SELECT id, email, number FROM {table}").fetchall()
    with cassandra.connect(people.settings) as session:
        rows = [tuple(row) for row in session.execute(f"SELECT id, email, number FROM spark_streams.{table}")]
    assert sorted(found) == sorted(rows) == [(f"p{n}", hashed()[f"p{n}"], n) for n in (1, 2)]


def test_dead_letter_without_payload_says_where_and_why(stack: RunningStack, people: Pipeline) -> None:
    file = people.folder / "contract.yaml"
    file.write_text(f"{file.read_text()}dead_letter: {{payload: drop}}\n")
    secret = {"value": b"{secret", "key": b"secret", "headers": [("secret", b"secret")]}
    people.send(secret, {"value": None, "key": b"secret"})
    people.stream()
    letters = people.dead_letters()
    assert [(one.key(), one.value()) for one in letters] == [(None, None)] * 2
    told = [dict(one.headers()) for one in letters]
    assert not any(b"secret" in (value or b"") or "secret" in name for one in told for name, value in one.items())
    assert [
        (one["contracts.reason"], one["contracts.value.left.out"], one["contracts.key.left.out"]) for one in told
    ] == [
        (b"BAD_MAGIC", b"7", b"6"),
        (b"NULL_VALUE", b"0", b"6"),
    ]
    assert reconcile(people.settings, people.contract).in_order()
    with Publisher(people.contract, people.settings) as publisher:
        publisher.refuse({"id": "secret"}, RejectedRecord("NO", "it does not"))
    *_, of_producer = people.dead_letters()
    assert (of_producer.key(), of_producer.value()) == (None, None)
    assert dict(of_producer.headers())["contracts.value.left.out"] == b"16"
    # As long as the records are in the topic, they can be put back as they were.
    done = processes.run(stack, people, "dlq", "replay", "--reason", "BAD_MAGIC")
    assert done.returncode == 0, done.stderr
    name = people.contract.topic
    *_, last = topic.read(people.settings, name, topic.whole(people.settings, name))
    assert (last.value(), last.key(), last.headers()) == (secret["value"], secret["key"], secret["headers"])
    delete(people, 5)
    done = processes.run(stack, people, "dlq", "replay", "--reason", "NULL_VALUE")
    assert done.returncode == 1
    assert "`dead_letter.payload` is drop), and the original record has left the topic" in done.stdout + done.stderr


def test_tombstone_deletes_the_row_of_a_hashed_key(pipeline: Pipeline) -> None:
    pipeline.settings = pipeline.settings.model_copy(update={"mask_key": SECRET})
    file = pipeline.folder / "contract.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "tombstones": "delete"}))
    with_masks(pipeline, [{"field": "id", "mask": "hash"}])
    schema_id = pipeline.register()
    key = pipeline.registry.version(pipeline.contract.key.name)
    assert key is not None
    keys = {number: pipeline.encode(key.schema_id, {"id": user(number)["id"]}) for number in range(3)}
    sent = ({"value": pipeline.encode(schema_id, user(number)), "key": keys[number]} for number in range(3))
    pipeline.send(*sent, {"value": None, "key": keys[0]})
    pipeline.stream()
    pipeline.send({"value": None, "key": keys[1]})
    pipeline.stream()
    ids = {number: KEY.of(str(user(number)["id"])) for number in range(3)}
    deleted = f'SELECT id FROM "{pipeline.contract.spec.sinks.postgres.table}__deleted"'
    for _ in range(2):
        assert pipeline.postgres_rows().keys() == pipeline.cassandra_rows().keys() == {ids[2]}
        with postgres.connect(pipeline.settings) as connection:
            assert {one for (one,) in connection.execute(deleted)} == {ids[0], ids[1]}
        assert reconcile(pipeline.settings, pipeline.contract).in_order()
        pipeline.stream(afresh=True)
