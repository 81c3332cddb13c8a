"""Unusual conditions: header names that are not UTF-8, foreign constraints and triggers, deeply nested schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Producer
from structlog.testing import capture_logs

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


def test_header_names_that_are_not_utf_8_break_nothing(lean: Pipeline, stack: RunningStack) -> None:
    schema_id = lean.register()
    raw.send(lean, lean.encode(schema_id, user(1)), [(b"\xff\xfe", b"x")])
    raw.send(lean, b"{", [(b"\xff\xfe", b"x"), (b"a\x00b", b"y"), (b"plain", b"z")])
    raw.send(lean, lean.encode(schema_id, user(2)), [(b"\xff\xfe", b"x")], timestamp=-FAR)

    lean.stream()

    assert lean.postgres_rows().keys() == {user(1)["id"]}
    letters = {letter.value(): topic.headers(letter) for letter in lean.dead_letters()}
    assert letters.keys() == {b"{", lean.encode(schema_id, user(2))}
    for message in topic.read(lean.settings, lean.contract.topic, {0: (0, 2)}):
        assert topic.headers(message) == []
    assert reconcile(lean.settings, lean.contract).in_order()
    for command in (("reconcile", "--json"), ("dlq", "show", "--json"), ("dlq", "replay", "--json")):
        done = run(stack, lean, *command)
        assert done.returncode in (0, 1), done.stderr
        json.loads(done.stdout)


def test_letter_with_forged_timestamp_is_replayed_once(lean: Pipeline, stack: RunningStack) -> None:
    lean.send({"value": b"{"})
    lean.stream()
    [letter] = lean.dead_letters()
    forged = [*letter.headers(), ("contracts.timestamp", b"9999999999999999999")]
    producer = Producer({"bootstrap.servers": lean.settings.kafka_bootstrap_servers})
    producer.produce(lean.contract.dead_letter_topic, value=b"{", headers=forged)
    assert producer.flush(10) == 0

    done = run(stack, lean, "dlq", "replay", "--json")
    assert done.returncode in (0, 1), done.stderr
    assert len(json.loads(done.stdout)["put_back"]) == 1


#: A condition of a constraint that is checked at the end of a transaction, and those that a trigger may raise.
#: `unit/stores/test_postgres_failures.py` has more of them.
CONDITIONS = ("23505", "P0001", "XX000")
REFUSING = """
    ALTER TABLE {0} ADD CONSTRAINT {0}_email UNIQUE (email) DEFERRABLE INITIALLY DEFERRED;
    CREATE FUNCTION {0}_no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF left(NEW.email, 5) IN ({1}) AND EXISTS (SELECT FROM {0} WHERE email = NEW.email)
        THEN RAISE EXCEPTION 'x' USING ERRCODE = left(NEW.email, 5); END IF; RETURN NEW;
    END $$;
    CREATE TRIGGER no BEFORE INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION {0}_no()
"""


def written(logs: Iterable[Mapping[str, Any]], sink: str) -> list[int]:
    """The number of records of each batch."""
    return [line["records"] for line in logs if line["event"] == "batch written" and line["sink"] == sink]


def test_row_refused_by_postgres_is_found_for_any_error_code(pipeline: Pipeline) -> None:
    """Each in a batch of its own, with a good row."""
    schema_id = pipeline.register()

    def send(*records: dict[str, Any]) -> None:
        pipeline.send(*({"value": pipeline.encode(schema_id, record), "partition": 0} for record in records))

    first = [user(number, email=f"{code}@example.com") for number, code in enumerate(CONDITIONS)]
    send(*first)
    pipeline.stream()
    with postgres.connect(pipeline.settings) as connection:
        raised = ", ".join(f"'{code}'" for code in CONDITIONS[1:])
        connection.execute(REFUSING.format(pipeline.contract.topic, raised))
    bad = [user(10 + number, email=one["email"]) for number, one in enumerate(first)]
    good = [user(20 + number) for number in range(len(bad))]
    send(*(one for pair in zip(bad, good, strict=True) for one in pair))
    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 2, "stream_small_batch": 0})

    with capture_logs() as logs:
        pipeline.stream()

    assert written(logs, "postgres") == [2] * len(bad)
    assert pipeline.postgres_rows().keys() == {one["id"] for one in [*first, *good]}
    assert pipeline.cassandra_rows().keys() == {one["id"] for one in [*first, *bad, *good]}
    assert reasons(pipeline) == ["REFUSED:postgres"] * len(bad)
    for letter in pipeline.dead_letters():
        assert "'x'" not in headers(letter)["__connect.errors.exception.message"]
    assert reconcile(pipeline.settings, pipeline.contract).in_order()


def nested(levels: int) -> dict[str, Any]:
    found: Any = "string"
    for number in range(levels, 0, -1):
        found = {"type": "record", "name": f"Level{number}", "fields": [{"name": "deeper", "type": found}]}
    return found


def test_schema_nested_beyond_the_limit_is_incompatible(lean: Pipeline) -> None:
    text = (lean.folder / "value.avsc").read_text()
    good = lean.register()

    def deep(levels: int) -> int:
        field = {"name": f"deep{levels}", "type": ["null", nested(levels)], "default": None, "doc": "Deep."}
        schema_id = lean.evolve(lambda schema: schema["fields"].append(field))
        (lean.folder / "value.avsc").write_text(text)
        return schema_id

    # The outer record and the field's union count as two levels.
    at_most, beyond = deep(MOST_NESTED - 3), deep(MOST_NESTED - 1)
    lean.send({"value": lean.encode(good, user(1))})
    for number, schema_id in ((2, at_most), (3, beyond)):
        body = lean.encode(good, user(number))[5:]
        lean.send({"value": b"\x00" + schema_id.to_bytes(4, "big") + body + b"\x00"})

    lean.stream()

    assert lean.postgres_rows().keys() == {user(1)["id"], user(2)["id"]}
    assert reasons(lean) == ["INCOMPATIBLE_SCHEMA"]
    [letter] = lean.dead_letters()
    assert (letter.value() or b"")[1:5] == beyond.to_bytes(4, "big")
