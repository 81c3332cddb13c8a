"""The stream on real servers: good records reach both stores, bad ones reach the dead-letter topic unchanged."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import struct
import threading
import uuid
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message
from confluent_kafka.admin import AdminClient
from faker import Faker
from psycopg import sql
from py4j.java_gateway import JavaClass
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.errors import ConfigurationError, Refused
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.sinks.observed import Observed
from avro_data_contracts.streaming.spark import session
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.stores.postgres.sink import PostgresSink
from contracts_tests.fixtures.kafka_clients import none_left
from contracts_tests.fixtures.made_up import pipeline_of
from contracts_tests.fixtures.pipeline import Pipeline, comparable
from contracts_tests.fixtures.users import headers, user

FIELDS = ("id", "first_name", "last_name", "gender", "address", "post_code", "email", "username", "dob")
FIELDS += ("registered_date", "phone", "picture")


def fields(row: dict[str, Any]) -> dict[str, Any]:
    """Return the record's own fields, without the position of its event."""
    return comparable({name: row[name] for name in FIELDS})


def test_stream_leaves_no_client_of_kafka_behind_and_reconcile_finds_a_missing_row(pipeline: Pipeline) -> None:
    """Spark's gateway keeps what was given to it for as long as the process lives."""
    schema_id = pipeline.register()
    pipeline.send(*({"value": pipeline.encode(schema_id, user(n)), "key": str(n)} for n in range(10)))
    pipeline.send({"value": b"bad"})
    with none_left():
        pipeline.stream()
        assert reconcile(pipeline.settings, pipeline.contract).in_order()
    with cassandra.connect(pipeline.settings) as connected:
        table = pipeline.contract.spec.sinks.cassandra.quoted
        connected.execute(f"DELETE FROM {table} WHERE id = %s", [uuid.UUID(user(7)["id"])])

    outcome = reconcile(pipeline.settings, pipeline.contract)

    assert not outcome.in_order()
    assert (outcome.stores["cassandra"].rows, outcome.stores["postgres"].rows) == (9, 10)
    assert len(outcome.stores["cassandra"].missing) == 1


def test_every_value_arrives_unchanged_in_both_stores(pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    fakers = [Faker(locale) for locale in ("fa_IR", "ja_JP", "ru_RU", "hi_IN", "el_GR", "ar_SA", "de_DE")]
    for number, faker in enumerate(fakers):
        faker.seed_instance(number)
    sent = {}
    for number in range(700):
        faker = fakers[number % len(fakers)]
        record = user(
            number,
            first_name=faker.first_name(),
            last_name=faker.last_name() + "\u200c\U0001f600 '\"\\\n\t ",
            address=" " + faker.address(),
            gender=("UNKNOWN", "FEMALE", "MALE")[number % 3],
            post_code=None if number % 5 == 0 else f"{number:05}",
            dob=None if number % 7 == 0 else dt.date(1, 1, 1) + dt.timedelta(days=number * 5210),
            registered_date=dt.datetime(1969, 12, 31, 23, 59, 59, 1_000, dt.UTC)
            + dt.timedelta(days=number, milliseconds=7),
            phone=None,
            picture=None if number % 2 else "",
        )
        sent[record["id"]] = record
    pipeline.send(*({"value": pipeline.encode(schema_id, record)} for record in sent.values()))

    pipeline.stream()

    expected = {key: fields(record) for key, record in sent.items()}
    assert {key: fields(row) for key, row in pipeline.cassandra_rows().items()} == expected
    assert {key: fields(row) for key, row in pipeline.postgres_rows().items()} == expected
    assert pipeline.dead_letters() == []


def test_each_record_is_decoded_with_its_writer_schema(pipeline: Pipeline) -> None:
    first = pipeline.register()

    def swap_and_rename(schema: dict[str, Any]) -> None:
        fields = schema["fields"]
        fields[1], fields[2] = fields[2], fields[1]
        fields[9]["name"], fields[9]["aliases"] = "registered_at", ["registered_date"]
        next(f for f in fields if f["name"] == "gender")["type"]["symbols"].append("OTHER")

    second = pipeline.evolve(swap_and_rename)
    third = pipeline.evolve(
        lambda schema: schema["fields"].append({"name": "note", "type": "string", "default": "?"})
    )
    assert len({first, second, third}) == 3
    records = []
    for number in range(300):
        schema_id = (first, second, third)[number % 3]
        moment = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
        record = user(number, **({"note": f"note {number}"} if schema_id == third else {}))
        del record["registered_date"]
        record["registered_date" if schema_id == first else "registered_at"] = moment
        if schema_id == second:
            record["gender"] = "OTHER"
        records.append({"value": pipeline.encode(schema_id, record)})
    pipeline.send(*records)

    pipeline.stream()

    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        assert len(rows) == 300
        for number in range(300):
            row = rows[user(number)["id"]]
            assert (row["first_name"], row["last_name"]) == (f"First {number}", f"Last {number}")
            moment = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
            assert comparable(row)["registered_at"] == moment
            assert "registered_date" not in row
            assert row["note"] == (f"note {number}" if number % 3 == 2 else "?")
            assert row["gender"] == ("OTHER" if number % 3 == 1 else "FEMALE")


def test_schema_ids_first_seen_in_a_later_batch_are_looked_up(pipeline: Pipeline) -> None:
    first = pipeline.register()
    add_note = {"name": "note", "type": "string", "default": "?"}
    second = pipeline.evolve(lambda schema: schema["fields"].append(add_note))
    unknown = b"\x00\x7f\xff\xff\xff" + pipeline.encode(first, user(0))[5:]
    old = [pipeline.encode(first, user(number)) for number in range(6)]
    new = [pipeline.encode(second, user(number, note="new")) for number in range(6, 12)]
    values = [*old, unknown, *new, unknown, *old]
    pipeline.send(*({"value": b"", "partition": 0} for _ in range(20)))
    pipeline.send(*({"value": value, "partition": 1} for value in values))
    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 10})

    pipeline.stream()

    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        expected = {user(number)["id"]: "?" if number < 6 else "new" for number in range(12)}
        assert {key: row["note"] for key, row in rows.items()} == expected
    assert sorted(letter.value() for letter in pipeline.dead_letters()) == [b""] * 20 + [unknown] * 2


def test_bad_records_are_dead_lettered_unchanged_and_good_ones_stored(pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    other_id = next(
        found.schema_id for found in [pipeline.registry.version(pipeline.contract.key.name)] if found is not None
    )
    framing = b"\x00" + struct.pack(">I", schema_id)
    good = pipeline.encode(schema_id, user(1))
    bad = {
        "NULL_VALUE": [None],
        "TOO_SHORT": [b"", b"\x00", b"\x00\x00\x00\x00"],
        "BAD_MAGIC": [b"\x01" + good[1:], b'{"id": "json is not avro"}'],
        "UNKNOWN_SCHEMA_ID": [b"\x00\x7f\xff\xff\xff" + good[5:], b"\x00\xff\xff\xff\xff" + good[5:]],
        "WRONG_SUBJECT": [b"\x00" + struct.pack(">I", other_id) + good[5:]],
        "INCOMPATIBLE_SCHEMA": [b"\x00" + struct.pack(">I", _incompatible(pipeline)) + b"\x02"],
        "DECODE_ERROR": [
            framing,
            good[:-1],
            good[: len(good) // 2],
            good + b"\x00",
            framing + b"\xff" * 40,
            framing + b"\xfe\xff\xff\xff\x0f" + b"x" * 40,  # a string of 2 GiB
            pipeline.encode(schema_id, user(2, id="not-a-uuid")),
            pipeline.encode(schema_id, user(3, first_name="nul \x00 inside")),
            good.replace(b"First 1", b"First \xff"),  # invalid UTF-8
            _with_date(pipeline, schema_id, 2**31 - 1),
        ],
    }
    sent = [
        {"value": value, "key": None if value is None else b"\xff\x00", "timestamp": 1_600_000_000_000 + number,
         "headers": [("trace", b"\x00\xff"), ("case", f"{reason} {number}".encode()), ("trace", None),
                     ("__connect.errors.topic", b"another"), ("contracts.reason", b"")]}
        for reason, values in bad.items()
        for number, value in enumerate(values)
    ]  # fmt: skip
    pipeline.send({"value": good}, *sent, {"value": pipeline.encode(schema_id, user(4))})

    pipeline.stream()

    assert (
        sorted(pipeline.cassandra_rows())
        == sorted(pipeline.postgres_rows())
        == sorted([user(1)["id"], user(4)["id"]])
    )
    settings, name = pipeline.settings, pipeline.contract.topic
    places = {case(message): message for message in topic.read(settings, name, topic.whole(settings, name))}
    letters = {case(message): message for message in pipeline.dead_letters()}
    assert sorted(letters) == sorted(dict(record["headers"])["case"] for record in sent)
    for record in sent:
        letter, place = (found[dict(record["headers"])["case"]] for found in (letters, places))
        assert (letter.key(), letter.value()) == (record["key"], record["value"])
        # The letter's own timestamp is when it was written: retention counts from there.
        assert letter.timestamp()[0] == TIMESTAMP_CREATE_TIME
        assert letter.timestamp()[1] > 1_000_000 + record["timestamp"]
        assert letter.headers()[:5] == record["headers"]
        reason = case(letter).decode().split()[0]
        assert letter.headers()[5:] == [
            ("__connect.errors.topic", name.encode()),
            ("__connect.errors.partition", str(place.partition()).encode()),
            ("__connect.errors.offset", str(place.offset()).encode()),
            ("__connect.errors.connector.name", b"streaming"),
            ("__connect.errors.stage", b"VALUE_CONVERTER"),
            ("__connect.errors.exception.class.name", f"streaming.{reason}".encode()),
            ("__connect.errors.exception.message", dict(letter.headers())["__connect.errors.exception.message"]),
            ("contracts.reason", reason.encode()),
            ("contracts.timestamp", str(record["timestamp"]).encode()),
        ]
        assert dict(letter.headers())["__connect.errors.exception.message"]
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    assert outcome.dead_lettered == {reason: len(values) for reason, values in bad.items()}


def case(message: Message) -> bytes:
    return dict(message.headers() or ()).get("case", b"")


def _incompatible(pipeline: Pipeline) -> int:
    """Register a version that the contract cannot read, since it lacks every field; return its schema id."""
    name = pipeline.contract.value.name
    schema = {"type": "record", "name": "UserCreated", "namespace": "com.example.users", "fields": []}
    schema["fields"] = [{"name": "number", "type": "int"}]
    pipeline.registry.set_level(name, "NONE")
    return pipeline.registry.register(name, json.dumps(schema))


def _with_date(pipeline: Pipeline, schema_id: int, days: int) -> bytes:
    """Return a value whose dob is `days` days after 1970-01-01."""
    marker = pipeline.encode(schema_id, user(5, dob=dt.date(1970, 1, 1) + dt.timedelta(days=100)))
    zigzag = 2 * days
    varint = b""
    while zigzag > 0x7F:
        varint += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    varint += bytes([zigzag])
    # 0x02 is the union's branch, and 0xc8 0x01 is 100 in zigzag form.
    assert marker.count(b"\x02\xc8\x01") == 1
    return marker.replace(b"\x02\xc8\x01", b"\x02" + varint)


def test_new_field_becomes_a_column_and_old_producers_and_streams_keep_working(pipeline: Pipeline) -> None:
    first = pipeline.register()
    pipeline.send({"value": pipeline.encode(first, user(1))})
    pipeline.stream()

    def grow(schema: dict[str, Any]) -> None:
        added = {"name": "score", "type": "int", "default": 7}
        schema["fields"] = [f for f in schema["fields"] if f["name"] != "username"] + [added]

    second = pipeline.evolve(grow)
    renewed = {name: value for name, value in user(2, score=9).items() if name != "username"}
    pipeline.send({"value": pipeline.encode(second, renewed)}, {"value": pipeline.encode(first, user(3))})
    pipeline.stream()
    # A stream that still has the old schema gives the enum's default to a symbol that it does not know.
    file = pipeline.folder / "value.avsc"
    old = file.read_text()
    third = pipeline.evolve(
        lambda schema: next(f for f in schema["fields"] if f["name"] == "gender")["type"]["symbols"].append("OTHER")
    )
    pipeline.send({"value": pipeline.encode(third, user(4, gender="OTHER", score=8))})
    file.write_text(old)
    pipeline.stream()

    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        told = {key: (row["score"], row["username"], row["gender"]) for key, row in rows.items()}
        assert told == {
            user(1)["id"]: (None, "user1", "FEMALE"),
            user(2)["id"]: (9, None, "FEMALE"),
            user(3)["id"]: (7, None, "FEMALE"),
            user(4)["id"]: (8, None, "UNKNOWN"),
        }


def test_changed_primary_key_prevents_startup(pipeline: Pipeline) -> None:
    pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
    contract = pipeline.folder / "contract.yaml"
    before = contract.read_text()
    contract.write_text(before.replace("- id\n", "- email\n"))
    assert contract.read_text() != before

    with pytest.raises(ConfigurationError, match="primary key"):
        pipeline.stream()


def test_table_not_made_for_the_contract_is_left_alone(pipeline: Pipeline) -> None:
    table = pipeline.contract.spec.sinks.postgres.quoted
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)")
        connection.execute(f"INSERT INTO {table} VALUES (7)")

    with pytest.raises(ConfigurationError, match="not made for this contract"):
        pipeline.stream()

    with postgres.connect(pipeline.settings) as connection:
        found = connection.execute(f"SELECT * FROM {table}")
        assert ([column.name for column in found.description or ()], found.fetchall()) == (["id"], [(7,)])


def test_recreated_topic_is_read_from_its_beginning(lean: Pipeline) -> None:
    """The checkpoint's offsets belong to the deleted topic of the same name."""
    schema_id = lean.register()
    lean.send(*({"value": lean.encode(schema_id, user(n)), "partition": 0} for n in range(20)))
    lean.stream()
    running = job.Job(lean.spark, lean.settings, lean.contract, job.prepare(lean.settings, lean.contract))
    admin = AdminClient({"bootstrap.servers": lean.settings.kafka_bootstrap_servers})
    admin.delete_topics([lean.contract.topic])[lean.contract.topic].result(30)
    lean.register()
    lean.send(*({"value": lean.encode(schema_id, user(n)), "partition": 0} for n in range(20, 60)))
    # A stream that is already running would continue at offset 20 and silently skip the first records.
    with pytest.raises(Refused, match="created again while the stream read it"):
        running.run(available_now=True)

    lean.stream()

    assert len(lean.postgres_rows()) == 60


def test_newest_event_wins_and_rereading_changes_nothing(pipeline: Pipeline) -> None:
    """Events of a user in one batch and in two, in the same millisecond (offsets 999 and 1000), and at the epoch."""
    schema_id = pipeline.register()

    def event(number: int, partition: int, millis: int, phone: str | None, name: str) -> dict[str, Any]:
        value = pipeline.encode(schema_id, user(number, phone=phone, first_name=name))
        return {"value": value, "partition": partition, "timestamp": millis}

    pipeline.send(*[event(9, 0, 1_000_000, None, "filler")] * 999, event(3, 0, 2_000_000, "7", "z"))
    pipeline.send(event(1, 1, 2_000_000, None, "newer"), event(2, 1, 2_000_000, None, "newer"))
    pipeline.send(event(1, 1, 1_000_000, "7", "older"))
    send_at_the_epoch(pipeline, 2, user(4, phone="7", first_name="z"))
    many = [user(number) for number in range(100, 150)]
    changed = [user(number, phone=None) for number in range(100, 125)]
    pipeline.send(*({"value": pipeline.encode(schema_id, one), "partition": 2} for one in (*many, *changed)))
    pipeline.stream()
    pipeline.send(event(3, 0, 2_000_000, None, "a"), event(2, 1, 1_000_000, "7", "older"))
    send_at_the_epoch(pipeline, 2, user(4, phone=None, first_name="a"))

    pipeline.stream()

    before = pipeline.cassandra_rows(), pipeline.postgres_rows()
    for rows in before:
        found = {number: rows[user(number)["id"]] for number in range(1, 5)}
        assert {number: (row["first_name"], row["phone"]) for number, row in found.items()} == {
            1: ("newer", None),
            2: ("newer", None),
            3: ("a", None),
            4: ("a", None),
        }
        assert [found[number]["kafka_timestamp"].year in (1969, 1970) for number in (1, 4)] == [True, True]
        offsets = {number: (row["kafka_partition"], row["kafka_offset"]) for number, row in found.items()}
        assert offsets == {1: (1, 0), 2: (1, 1), 3: (0, 1000), 4: (2, 1 + 75)}
        phones = {number: rows[user(number)["id"]]["phone"] for number in range(100, 150)}
        assert phones == {number: None if number < 125 else "555" for number in phones}

    pipeline.stream(afresh=True)

    assert (pipeline.cassandra_rows(), pipeline.postgres_rows()) == before


def send_at_the_epoch(pipeline: Pipeline, partition: int, record: dict[str, Any]) -> None:
    """Send with Java's client: librdkafka replaces timestamp 0 with the current time."""
    jvm = pipeline.spark._jvm
    bytes_ = "org.apache.kafka.common.serialization.ByteArraySerializer"
    servers = pipeline.settings.kafka_bootstrap_servers
    configuration = {"bootstrap.servers": servers, "key.serializer": bytes_, "value.serializer": bytes_}
    producer = jvm.org.apache.kafka.clients.producer.KafkaProducer(configuration)
    value = pipeline.encode(pipeline.register(), record)
    name = pipeline.contract.topic
    producer.send(jvm.org.apache.kafka.clients.producer.ProducerRecord(name, partition, 0, None, value))
    producer.close()


@pytest.mark.parametrize(("seed", "small"), [(1, 0), (2, 1000)], ids=["the usual way", "small batches"])
def test_both_stores_hold_the_newest_event_of_each_row_in_any_order(
    pipeline: Pipeline, seed: int, small: int
) -> None:
    """Few keys and milliseconds, any partition, several batches; then a reread from the middle and from the start."""
    dice = random.Random(seed)
    schema_id = pipeline.register()
    update = {"stream_max_per_batch": 12, "stream_small_batch": small}
    pipeline.settings = pipeline.settings.model_copy(update=update)
    newest: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}
    offsets = [0, 0, 0]
    middle = pipeline.settings.checkpoint_dir.with_name("middle")
    for batches in (2, 3):
        for _ in range(12 * batches):
            partition, timestamp = dice.randrange(3), 1_000_000 + dice.randrange(3)
            record = user(dice.randrange(4), phone=dice.choice([None, "5"]), first_name=f"{dice.random()}")
            value = pipeline.encode(schema_id, record)
            pipeline.send({"value": value, "partition": partition, "timestamp": timestamp})
            position = (timestamp, offsets[partition], partition)
            offsets[partition] += 1
            if record["id"] not in newest or newest[record["id"]][0] < position:
                newest[record["id"]] = (position, record)
        pipeline.stream()
        if not middle.exists():
            shutil.copytree(pipeline.settings.checkpoint_dir, middle)

    def stored() -> list[dict[str, tuple[Any, ...]]]:
        names = ("kafka_offset", "kafka_partition", "first_name", "phone")
        tables = (pipeline.cassandra_rows(), pipeline.postgres_rows())
        return [{key: tuple(row[name] for name in names) for key, row in rows.items()} for rows in tables]

    wanted = {
        key: (offset, partition, record["first_name"], record["phone"])
        for key, ((_, offset, partition), record) in newest.items()
    }
    assert stored() == [wanted, wanted]

    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 1000})
    shutil.rmtree(pipeline.settings.checkpoint_dir)
    shutil.copytree(middle, pipeline.settings.checkpoint_dir)
    pipeline.stream()
    assert stored() == [wanted, wanted]

    pipeline.stream(afresh=True)
    assert stored() == [wanted, wanted]


def test_reconcile_counts_a_key_that_no_row_can_have_as_missing(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    """Until the stream has dead-lettered it: PostgreSQL has no text with U+0000."""
    pipeline = pipeline_of(settings_of_stack, spark, tmp_path, {"id": "string"}, ("id",))
    schema_id = pipeline.register()
    pipeline.send({"value": pipeline.encode(schema_id, {"id": "a"})})
    pipeline.stream()
    pipeline.send({"value": pipeline.encode(schema_id, {"id": "a\0b"})})
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert [len(outcome.stores[name].missing) for name in ("cassandra", "postgres")] == [1, 1]
    pipeline.stream()
    assert reconcile(pipeline.settings, pipeline.contract).in_order()


def test_starting_second_stream_takes_no_rows_from_the_first(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both use one staging table: the second stream waits until the first has moved its rows to the table."""
    spec = pipeline.contract.spec.sinks.postgres
    first, second = (PostgresSink(pipeline.settings, pipeline.contract, spec) for _ in range(2))
    first.prepare()
    seen: list[int] = []
    starting = threading.Thread(target=lambda: (second.prepare(), seen.append(len(pipeline.postgres_rows()))))
    upsert = first._upsert

    def between_load_and_upsert(portion: sql.Composable) -> sql.Composed:
        starting.start()
        starting.join(3)
        return upsert(portion)

    schema_id = pipeline.register()
    pipeline.send(*({"value": pipeline.encode(schema_id, user(number))} for number in range(50)))
    monkeypatch.setattr(first, "_upsert", between_load_and_upsert)
    job.Job(pipeline.spark, pipeline.settings, pipeline.contract, [first]).run(available_now=True)

    starting.join(60)
    assert len(pipeline.postgres_rows()) == 50
    assert seen == [50]


def test_reject_too_large_for_dead_letter_topic_omits_its_value(lean: Pipeline) -> None:
    schema_id = lean.register()
    large = b"{" + random.Random(1).randbytes(1_048_300)
    lean.send({"value": large, "key": "large", "partition": 0}, {"value": b"{small", "partition": 0})
    lean.send({"value": lean.encode(schema_id, user(1))})

    lean.stream()

    assert len(lean.postgres_rows()) == 1
    small, without = sorted(lean.dead_letters(), key=lambda letter: letter.key() or b"")
    assert (small.value(), headers(small)["contracts.reason"]) == (b"{small", "BAD_MAGIC")
    told = headers(without)
    assert (without.key(), without.value(), told["contracts.reason"]) == (b"large", None, "BAD_MAGIC")
    assert (told["contracts.value.left.out"], told["__connect.errors.offset"]) == (str(len(large)), "0")


def test_names_that_are_looked_up_once_are_classes(spark: SparkSession) -> None:
    for name in session._LOOKED_UP:
        assert isinstance(reduce(getattr, name.split("."), spark._jvm), JavaClass), name


def test_observed_metrics_are_collected_without_a_listener(
    spark: SparkSession,
) -> None:
    batch = spark.range(0, 1000, numPartitions=3).observe(
        "batch", F.count(F.lit(1)).alias("records"), F.avg("id").alias("mean")
    )
    rows = batch.where("id % 2 = 0").repartition("id").observe("rows", F.max("id").alias("newest"))
    observed = Observed(rows)
    observed.rows.where("id < 100").write.format("noop").mode("append").save()
    assert observed["batch"] == {"records": 1000, "mean": 499.5}
    assert observed["rows"] == {"newest": 998}
    assert observed.rows._jdf.queryExecution().observedMetrics().isEmpty()
