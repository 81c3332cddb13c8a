"""Unusual conditions: header names that are not UTF-8, foreign constraints and triggers, deeply nested schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.decode.writer_schemas import MOST_NESTED
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import raw
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.processes import run
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import headers, reasons, user

FAR = 1_790_000_000_000 * 1_000_000


def test_header_names_that_are_not_utf_8_break_nothing(pipeline: Pipeline, stack: RunningStack) -> None:
    schema_id = pipeline.register()
    raw.send(pipeline, pipeline.encode(schema_id, user(1)), [(b"\xff\xfe", b"x")])
    raw.send(pipeline, b"{", [(b"\xff\xfe", b"x"), (b"a\x00b", b"y"), (b"plain", b"z")])
    raw.send(pipeline, pipeline.encode(schema_id, user(2)), [(b"\xff\xfe", b"x")], timestamp=-FAR)

    pipeline.stream()

    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        assert rows.keys() == {user(1)["id"]}
    letters = {letter.value(): topic.headers(letter) for letter in pipeline.dead_letters()}
    assert letters.keys() == {b"{", pipeline.encode(schema_id, user(2))}
    for message in topic.read(pipeline.settings, pipeline.contract.topic, {0: (0, 2)}):
        assert topic.headers(message) == []
    assert reconcile(pipeline.settings, pipeline.contract).in_order()
    for command in (("reconcile", "--json"), ("dlq", "show", "--json"), ("dlq", "replay", "--json")):
        done = run(stack, pipeline, *command)
        assert done.returncode in (0, 1), done.stderr
        json.loads(done.stdout)


def test_letter_with_forged_timestamp_is_replayed_once(pipeline: Pipeline, stack: RunningStack) -> None:
    from confluent_kafka import Producer

    pipeline.send({"value": b"{"})
    pipeline.stream()
    [letter] = pipeline.dead_letters()
    forged = [*letter.headers(), ("contracts.timestamp", b"9999999999999999999")]
    producer = Producer({"bootstrap.servers": pipeline.settings.kafka_bootstrap_servers})
    producer.produce(pipeline.contract.dead_letter_topic, value=b"{", headers=forged)
    assert producer.flush(10) == 0

    done = run(stack, pipeline, "dlq", "replay", "--json")
    assert done.returncode in (0, 1), done.stderr
    assert len(json.loads(done.stdout)["put_back"]) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE {} ADD CONSTRAINT {}_email UNIQUE (email) DEFERRABLE INITIALLY DEFERRED",
        *(
            "CREATE FUNCTION {}_no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.email = 'twice@example.com' "
            "AND EXISTS (SELECT FROM {} WHERE email = NEW.email) THEN RAISE EXCEPTION 'x' USING ERRCODE = "
            f"'{state}'; END IF; RETURN NEW; END $$; "
            "CREATE TRIGGER no BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION {}_no()"
            for state in ("45000", "P0001", "XX000", "42501")
        ),
    ],
)
def test_row_refused_by_postgres_is_found_for_any_error_code(pipeline: Pipeline, statement: str) -> None:
    schema_id = pipeline.register()
    pipeline.send({"value": pipeline.encode(schema_id, user(1, email="twice@example.com"))})
    pipeline.stream()
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(statement.replace("{}", pipeline.contract.topic))
    later = [user(2, email="twice@example.com"), user(3)]
    pipeline.send(*({"value": pipeline.encode(schema_id, record), "partition": 0} for record in later))

    pipeline.stream()

    assert pipeline.postgres_rows().keys() == {user(1)["id"], user(3)["id"]}
    assert pipeline.cassandra_rows().keys() == {user(number)["id"] for number in (1, 2, 3)}
    assert reasons(pipeline) == ["REFUSED:postgres"]
    [letter] = pipeline.dead_letters()
    assert "'x'" not in headers(letter)["__connect.errors.exception.message"]
    assert reconcile(pipeline.settings, pipeline.contract).in_order()


def nested(levels: int) -> dict[str, Any]:
    found: Any = "string"
    for number in range(levels, 0, -1):
        found = {"type": "record", "name": f"Level{number}", "fields": [{"name": "deeper", "type": found}]}
    return found


@pytest.mark.parametrize("more", [-1, 1])
def test_schema_nested_beyond_the_limit_is_incompatible(pipeline: Pipeline, more: int) -> None:
    text = (pipeline.folder / "value.avsc").read_text()
    good = pipeline.register()
    # The outer record and the field's union count as two levels.
    field = {"name": "deep", "type": ["null", nested(MOST_NESTED - 2 + more)], "default": None, "doc": "Deep."}
    deep = pipeline.evolve(lambda schema: schema["fields"].append(field))
    (pipeline.folder / "value.avsc").write_text(text)
    pipeline.send(
        {"value": pipeline.encode(good, user(1))},
        {"value": pipeline.encode(good, user(2))[5:].join([b"\x00" + deep.to_bytes(4, "big"), b"\x00"])},
    )

    pipeline.stream()

    there = {user(1)["id"], user(2)["id"]} if more < 0 else {user(1)["id"]}
    assert pipeline.cassandra_rows().keys() == pipeline.postgres_rows().keys() == there
    assert reasons(pipeline) == ([] if more < 0 else ["INCOMPATIBLE_SCHEMA"])
