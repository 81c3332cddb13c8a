"""No Kafka timestamp stops a stream or changes on its way into the stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.decode import timestamps
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.pipeline import Pipeline, unregistered, without_cassandra
from contracts_tests.fixtures.processes import run
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user

NOW = 1_790_000_000_000
#: Timestamps in milliseconds that Spark can hold.
HELD = {
    "now": NOW,
    "a second of 1969": -1_000,
    "the year 1582, on both sides of the calendars' change": -12_219_292_800_000,
    "a millisecond before it": -12_219_292_800_001,
    "the year 1500": -14_831_769_600_000,
    "the year 1": -62_135_596_800_000,
    "4000 BC": -188_395_000_000_000,
    "microseconds for milliseconds": NOW * 1_000,
    "the last": timestamps.MOST_MILLIS,
}
#: Timestamps in milliseconds that Spark cannot hold.
FAR = {
    "one more": timestamps.MOST_MILLIS + 1,
    "nanoseconds for milliseconds": NOW * 1_000_000,
    "the largest": 2**63 - 1,
    "290,309 BC": timestamps.LEAST_MILLIS - 1,
    "nanoseconds before 1970": -NOW * 1_000_000,
}
MILLIS = {
    "cassandra": (cassandra.connect, "SELECT id, blobAsBigint(timestampAsBlob(kafka_timestamp)) FROM {}"),
    "postgres": (postgres.connect, "SELECT id, (extract(epoch FROM kafka_timestamp) * 1000)::bigint FROM {}"),
}


@pytest.fixture
def timeless(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    """A pipeline whose topic accepts every timestamp."""
    return without_limit(unregistered(settings_of_stack, spark, tmp_path))


@pytest.fixture
def lean(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    """The same, without a table in Cassandra."""
    return without_limit(without_cassandra(unregistered(settings_of_stack, spark, tmp_path)))


def without_limit(pipeline: Pipeline) -> Pipeline:
    file = pipeline.folder / "contract.yaml"
    contract = yaml.safe_load(file.read_text())
    contract["kafka"]["config"]["message.timestamp.after.max.ms"] = str(2**63 - 1)
    file.write_text(yaml.safe_dump(contract))
    return pipeline


def send(pipeline: Pipeline, timestamps: dict[str, int], first: int = 0) -> dict[str, int]:
    """Send one user for each timestamp, each in its own message; return id -> milliseconds."""
    schema_id = pipeline.register()
    users = [user(number) for number in range(first, first + len(timestamps))]
    for one, millis in zip(users, timestamps.values(), strict=True):
        headers = [("trace", b"\x00\xff"), ("none", None)]
        pipeline.send(
            {"key": one["id"], "value": pipeline.encode(schema_id, one), "timestamp": millis, "headers": headers}
        )
    return {one["id"]: millis for one, millis in zip(users, timestamps.values(), strict=True)}


def stored(pipeline: Pipeline) -> list[dict[str, int]]:
    """Return id -> milliseconds for each store."""
    found = []
    for kind, (connect, query) in MILLIS.items():
        spec = getattr(pipeline.contract.spec.sinks, kind)
        with connect(pipeline.settings) as connection:
            found.append({str(row[0]): row[1] for row in connection.execute(query.format(spec.quoted))})
    return found


def test_timestamp_is_stored_unchanged_or_its_record_is_dead_lettered(
    timeless: Pipeline, stack: RunningStack
) -> None:
    held = send(timeless, HELD)
    far = send(timeless, FAR, len(HELD))

    timeless.stream()

    for found in stored(timeless):
        assert found == held
    letters = timeless.dead_letters()
    assert {letter.key().decode() for letter in letters} == far.keys()
    for letter in letters:
        told = dict(letter.headers())
        millis = far[letter.key().decode()]
        assert told["contracts.reason"] == b"TIMESTAMP_OUT_OF_RANGE"
        assert str(millis).encode() in told["__connect.errors.exception.message"]
        assert int(told["contracts.timestamp"]) == millis
        assert letter.headers()[:2] == [("trace", b"\x00\xff"), ("none", None)]
    outcome = reconcile(timeless.settings, timeless.contract)
    assert outcome.in_order(), outcome
    assert outcome.dead_lettered == {"TIMESTAMP_OUT_OF_RANGE": len(FAR)}
    shown = run(stack, timeless, "dlq", "show", "--json")
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)["letters"]) == len(FAR)


def test_out_of_range_timestamp_does_not_affect_other_records(lean: Pipeline) -> None:
    """Good and bad records, updates of one key and two schema versions share a batch with such a timestamp."""
    schema_id = lean.register()
    later = lean.evolve(
        lambda schema: schema["fields"].append({"name": "note", "type": "string", "default": "-", "doc": "x"})
    )
    lean.send(
        {"value": lean.encode(schema_id, user(1, phone="1")), "timestamp": NOW, "partition": 0},
        {"value": lean.encode(schema_id, user(1, phone="0")), "timestamp": NOW - 1, "partition": 0},
        {"value": b"{", "timestamp": NOW, "partition": 0},
        {"value": b"\x00\x7f\xff\xff\xffx", "timestamp": NOW, "partition": 1},
        {"value": lean.encode(later, {**user(2), "note": "n"}), "timestamp": NOW, "partition": 1},
    )
    send(lean, {"far": NOW * 1_000_000}, 3)

    lean.stream()
    lean.stream(afresh=True)

    rows = lean.postgres_rows()
    assert rows.keys() == {user(1)["id"], user(2)["id"]}
    assert (rows[user(1)["id"]]["phone"], rows[user(2)["id"]]["note"]) == ("1", "n")
    assert reconcile(lean.settings, lean.contract).dead_lettered == {
        "TIMESTAMP_OUT_OF_RANGE": 1,
        "TOO_SHORT": 1,
        "UNKNOWN_SCHEMA_ID": 1,
    }


def test_timestamp_refused_by_dead_letter_topic_is_kept_in_a_header(lean: Pipeline, stack: RunningStack) -> None:
    """The dead-letter topic, like each, has the broker's limit of one hour into the future."""
    lean.register()
    millis = NOW * 1_000
    lean.send(*({"value": b"{%d" % number, "timestamp": millis} for number in range(3)), {"value": b"{"})

    lean.stream()

    letters = {letter.value(): dict(letter.headers()) for letter in lean.dead_letters()}
    assert letters.keys() == {b"{0", b"{1", b"{2", b"{"}
    assert [int(letters[b"{%d" % number]["contracts.timestamp"]) for number in range(3)] == [millis] * 3
    assert reconcile(lean.settings, lean.contract).in_order()

    file = lean.folder / "contract.yaml"
    limit = yaml.safe_load(file.read_text())
    limit["kafka"]["config"]["message.timestamp.after.max.ms"] = "3600000"
    file.write_text(yaml.safe_dump(limit))
    lean.register()
    replayed = run(stack, lean, "dlq", "replay", "--json")
    assert replayed.returncode == 1, replayed.stderr
    told = json.loads(replayed.stdout)
    assert (len(told["put_back"]), len(told["lost"])) == (1, 3)
