"""No bytes in the topic stop the stream, and none are stored as a different value."""

from __future__ import annotations

import shutil
import struct
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.decode.writer_schemas import MOST_ASKED
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.run.gaps import RecordsLost
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.confluent import Confluent
from contracts_tests.fixtures.gateway import Gateway
from contracts_tests.fixtures.made_up import pipeline_of
from contracts_tests.fixtures.pipeline import Pipeline, without_cassandra
from contracts_tests.fixtures.processes import run
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import headers, user

STAMP = "timestamp-millis"
FIELDS: dict[str, Any] = {
    "n": "int",
    "long": "long",
    "flag": "boolean",
    "day": {"type": "int", "logicalType": "date"},
    "at": {"type": "long", "logicalType": STAMP},
    "side": {"type": "enum", "name": "Side", "symbols": ["LEFT", "RIGHT"]},
    "maybe": ["null", "int"],
    "either": ["int", "string"],
    "list": {"type": "array", "items": "int"},
    "by": {"type": "map", "values": "int"},
    "inner": {"type": "record", "name": "Inner", "fields": [{"name": "deep", "type": "int"}]},
    "ids": {"type": "array", "items": {"type": "string", "logicalType": "uuid"}},
    "text": "string",
}


def var(number: int) -> bytes:
    """Encode a number of any size in Avro's variable-length form."""
    raw, out = 2 * number if number >= 0 else -2 * number - 1, bytearray()
    while True:
        out.append((raw & 0x7F) | (0x80 if raw > 0x7F else 0))
        raw >>= 7
        if not raw:
            return bytes(out)


GOOD = {
    "n": var(2**31 - 1),
    "long": var(-(2**63)),
    "flag": b"\x01",
    "day": var(1),
    "at": var(1),
    "side": var(1),
    "maybe": var(1) + var(-(2**31)),
    "either": var(0) + var(7),
    "list": var(2) + var(1) + var(2) + var(0),
    "by": var(1) + var(1) + b"k" + var(5) + var(0),
    "inner": var(3),
    "ids": var(0),
    "text": var(1) + b"x",
}
UUID = b"00000000-0000-4000-8000-000000000001"
NO_BRANCH = "it is not one of the union's types"
CUT = "is cut off: the body ends in it"
#: Field, bytes that replace those of `GOOD`, and the resulting message; None means that the value is valid.
BYTES = [
    ("n", var(2**31), "n is not an int: it has more than 32 bits"),
    ("n", var(3_000_000_000), "n is not an int: it has more than 32 bits"),
    ("n", var(2**32 + 5), "n is not an int: it has more than 32 bits"),
    ("n", var(-(2**31) - 1), "n is not an int: it has more than 32 bits"),
    ("n", b"\x8a\x80\x80\x80\x00", None),
    ("n", b"\x8a\x80\x80\x80\x80\x00", "n is not an int: it has more than 32 bits"),
    ("long", var(2**63), "long is not a long: it has more than 64 bits"),
    ("flag", b"\x02", "flag is neither true nor false"),
    ("day", var(2**32), "day is not an int: it has more than 32 bits"),
    ("at", var(2**60), "at is not between the years 1 and 9999"),
    ("at", var(-(2**62)), "at is not between the years 1 and 9999"),
    ("side", var(2**32), "side has an index of more than 32 bits: it is not one of the enum's symbols"),
    ("side", var(2), "side is not one of the enum's symbols"),
    ("side", var(-1), "side is not one of the enum's symbols"),
    (
        "maybe",
        var(2**32) + var(1),
        "maybe has a branch number of more than 32 bits: it is not one of the union's types",
    ),
    ("maybe", var(2) + var(1), "maybe is not one of the union's types"),
    ("maybe", var(1) + var(2**31), "maybe is not an int: it has more than 32 bits"),
    ("either", var(0) + var(2**31), "either(int) is not an int: it has more than 32 bits"),
    ("list", var(1) + var(2**40) + var(0), "list[] is not an int: it has more than 32 bits"),
    ("list", var(2_000_000_000), "list claims more items than the body has bytes left"),
    ("list", var(-2) + var(2) + var(1) + var(2) + var(0), None),
    ("list", var(-2) + var(77) + var(1) + var(2) + var(0), None),
    ("list", var(-(2**63)) + var(2), "list claims more items than the body has bytes left"),
    ("by", var(2_000_000_000), "by claims more items than the body has bytes left"),
    ("by", var(1) + var(1) + b"k" + var(2**31) + var(0), "by{} is not an int: it has more than 32 bits"),
    ("by", (var(1) + var(1) + b"k" + var(5)) * 2 + var(0), "by has a key twice"),
    ("inner", var(2**35), "inner.deep is not an int: it has more than 32 bits"),
    ("text", var(2**33) + b"x", "text claims more than 64 MiB"),
    ("text", var(-1), "text has a negative length"),
    ("text", var(2) + b"x", f"text {CUT}"),
    ("text", var(2) + b"\xc0\x80", "text is not valid UTF-8"),
    ("text", var(3) + b"\xed\xa0\x80", "text is not valid UTF-8"),
    ("text", var(1) + b"\x00", "text holds the character U+0000, which PostgreSQL cannot store"),
    ("ids", var(1) + var(36) + UUID + var(0), None),
    ("ids", var(1) + var(36) + UUID.upper() + var(0), None),
    ("ids", var(1) + var(37) + UUID + b"\n" + var(0), "ids[] is not a UUID"),
    ("ids", var(1) + var(37) + UUID + b"\r" + var(0), "ids[] is not a UUID"),
    ("ids", var(1) + var(37) + b"\n" + UUID + var(0), "ids[] is not a UUID"),
    ("ids", var(1) + var(35) + UUID[1:] + var(0), "ids[] is not a UUID"),
]


def framed(schema_id: int, identity: int, changes: Mapping[str, bytes]) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + var(identity) + b"".join({**GOOD, **changes}.values())


def told(pipeline: Pipeline, by: str = "__connect.errors.exception.message") -> dict[bytes, str]:
    """Return the value of each dead letter -> its message, or the header `by`."""
    return {letter.value() or b"": dict(letter.headers())[by].decode() for letter in pipeline.dead_letters()}


def test_malformed_bytes_are_dead_lettered_and_never_misread(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    pipeline = pipeline_of(settings_of_stack, spark, tmp_path, {"id": "int", **FIELDS}, ("id",))
    schema_id = pipeline.register()
    sent = [framed(schema_id, at, {name: content}) for at, (name, content, _) in enumerate(BYTES)]
    pipeline.send({"value": framed(schema_id, 1_000, {})}, *({"value": value} for value in sent))

    pipeline.stream()

    assert told(pipeline) == {
        value: words for value, (_, _, words) in zip(sent, BYTES, strict=True) if words is not None
    }
    good = {at: name for at, (name, _, words) in enumerate(BYTES) if words is None} | {1_000: ""}
    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        assert set(map(int, rows)) == set(good)
        for at, name in good.items():
            row = rows[str(at)]
            assert (row["n"], row["long"]) == (5 if name == "n" else 2**31 - 1, -(2**63))
            assert (row["side"], row["maybe"], list(row["list"])) == ("RIGHT", -(2**31), [1, 2])
    found = reconcile(pipeline.settings, pipeline.contract)
    assert found.in_order()
    assert sum(found.dead_lettered.values()) == len(told(pipeline))


def test_int_of_33_bits_is_rejected_even_for_a_wider_reader_type(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    wider = {"a": "long", "b": "float", "c": "double", "d": "double"}
    narrow = {"a": "int", "b": "int", "c": "int", "d": "long"}
    pipeline = without_cassandra(pipeline_of(settings_of_stack, spark, tmp_path, {"id": "int", **narrow}, ("id",)))
    first = pipeline.register()

    def widen(schema: dict[str, Any]) -> None:
        for field in schema["fields"][1:]:
            field["type"] = wider[field["name"]]

    pipeline.evolve(widen)
    zero = dict.fromkeys(narrow, 0)
    rows = [
        ({}, ""),
        ({"a": 2**31 - 1, "b": 2**24, "c": -(2**31), "d": 2**53 + 1}, ""),
        ({"a": 2**31}, "a is not an int: it has more than 32 bits"),
        ({"b": -(2**31) - 1}, "b is not an int: it has more than 32 bits"),
        ({"c": 2**33}, "c is not an int: it has more than 32 bits"),
        ({"d": 2**63}, "d is not a long: it has more than 64 bits"),
    ]
    values = [
        b"\x00" + struct.pack(">i", first) + var(at) + b"".join(map(var, {**zero, **changes}.values()))
        for at, (changes, _) in enumerate(rows)
    ]
    pipeline.send(*({"value": value} for value in values))

    pipeline.stream()

    assert told(pipeline) == {value: words for value, (_, words) in zip(values, rows, strict=True) if words}
    stored = pipeline.postgres_rows()
    assert set(stored) == {"0", "1"}
    assert {name: stored["1"][name] for name in zero} == {**rows[1][0], "d": 2.0**53}


def test_writer_with_another_logical_type_is_incompatible(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    at = {"type": "long", "logicalType": STAMP}
    price = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    fields = {"id": "int", "at": at, "price": price}
    pipeline = without_cassandra(pipeline_of(settings_of_stack, spark, tmp_path, fields, ("id",)))
    first = pipeline.register()
    old = (pipeline.folder / "value.avsc").read_text()
    contract = pipeline.folder / "contract.yaml"
    contract.write_text(contract.read_text().replace("BACKWARD", "NONE"))
    others = {"at": {**at, "logicalType": "timestamp-micros"}, "price": {**price, "scale": 3}}
    ids = {}
    for number, (name, theirs) in enumerate(others.items(), start=1):

        def change(schema: dict[str, Any], number: int = number, theirs: Any = theirs) -> None:
            schema["fields"][number].update(type=theirs)

        ids[name] = pipeline.evolve(change)
        (pipeline.folder / "value.avsc").write_text(old)
    values = [b"\x00" + struct.pack(">i", one) + b"\x02\x02\x02\x02" for one in (first, *ids.values())]
    pipeline.send(*({"value": value} for value in values))

    pipeline.stream()

    assert set(pipeline.postgres_rows()) == {"1"}
    assert told(pipeline, "contracts.reason") == dict.fromkeys(values[1:], "INCOMPATIBLE_SCHEMA")
    for name, value in zip(ids, values[1:], strict=True):
        assert f"{name} is " in told(pipeline)[value]


def test_claimed_sizes_are_limited_even_in_fields_the_reader_drops(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    pipeline = without_cassandra(pipeline_of(settings_of_stack, spark, tmp_path, {"id": "int"}, ("id",)))
    pipeline.register()
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "child", "type": ["null", "Tree"]}]}
    old = (pipeline.folder / "value.avsc").read_text()
    nothing = {"type": "record", "name": "Nothing", "fields": []}
    more = {"tree": tree, "nulls": {"type": "array", "items": "null"}, "nothings": {"type": "map", "values": nothing}}
    more["lists"] = {"type": "array", "items": {"type": "array", "items": "null"}}
    (pipeline.folder / "contract.yaml").write_text(
        (pipeline.folder / "contract.yaml").read_text().replace("BACKWARD", "NONE")
    )
    wide = pipeline.evolve(lambda schema: schema["fields"].extend({"name": n, "type": t} for n, t in more.items()))
    (pipeline.folder / "value.avsc").write_text(old)
    end = var(0)
    good = {"tree": var(1) * 3 + end, "nulls": var(9) + end, "nothings": end, "lists": end}
    cases = [
        ({}, ""),
        ({"tree": var(1) * 50_000 + end}, "tree is nested more than 200 levels deep"),
        ({"nulls": var(2_000_000_000) + end}, "nulls claims more than 10000 items that take no bytes"),
        ({"nulls": var(6_000) + var(6_000) + end}, "nulls claims more than 10000 items that take no bytes"),
        ({"nulls": var(-3) + var(5) + end}, "nulls has a block whose size is not the size of its items"),
        ({"nulls": var(-3) + var(0) + end}, ""),
        ({"nothings": var(2**40)}, "nothings claims more items than the body has bytes left"),
        (
            {"lists": var(20) + (var(900) + end) * 20 + end},
            "lists[] claims more than 10000 items that take no bytes",
        ),
    ]
    values = [
        b"\x00" + struct.pack(">i", wide) + var(at) + b"".join({**good, **changes}.values())
        for at, (changes, _) in enumerate(cases)
    ]
    pipeline.send(*({"value": value} for value in values))

    pipeline.stream()

    dead = {value: words for value, (_, words) in zip(values, cases, strict=True) if words}
    assert {value: words.replace("tree.child", "tree") for value, words in told(pipeline).items()} == dead
    assert set(pipeline.postgres_rows()) == {str(at) for at, (_, words) in enumerate(cases) if not words}


def test_thousands_of_unknown_ids_cause_few_registry_requests(
    lean: Pipeline,
    gateway: Gateway,
) -> None:
    schema_id = lean.register()
    body = lean.encode(schema_id, user(0))[5:]
    lean.settings = lean.settings.model_copy(
        update={"schema_registry_url": gateway.url, "stream_max_per_batch": 10_000}
    )
    unknown = [b"\x00" + struct.pack(">I", number) + body for number in range(1_000_000, 1_003_000)]
    beyond = [b"\x00" + struct.pack(">I", number) + body for number in (2**31, 2**32 - 1)]
    lean.send(*({"value": value} for value in [*unknown, *beyond]))
    # The embedded registry has no endpoint for GUIDs; the stream finds that out once.
    guids = {b"guid %d" % number: [("__value_schema_id", b"\x01" + uuid.uuid4().bytes)] for number in range(200)}
    lean.send(*({"value": value, "headers": named} for value, named in guids.items()))
    lean.send({"value": lean.encode(schema_id, user(1))})

    lean.stream()

    assert set(lean.postgres_rows()) == {user(1)["id"]}
    reasons = told(lean, "contracts.reason")
    expected = dict.fromkeys([*unknown, *beyond], "UNKNOWN_SCHEMA_ID")
    assert reasons == expected | dict.fromkeys(guids, "NO_GUID_ENDPOINT")
    asked = [request.path for request in gateway.seen if request.path.startswith("/schemas/ids/")]
    assert len(asked) <= MOST_ASKED + 2
    assert len(set(asked)) == len(asked), "the query requests an id once, not once per attempt"
    assert not any(str(2**31) in path for path in asked)


def test_row_refused_by_one_store_is_dead_lettered_and_kept_in_the_other(pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)  # creates the tables
    with postgres.connect(pipeline.settings) as connection:
        table = pipeline.contract.spec.sinks.postgres.quoted
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT no_moms CHECK (username <> 'mom')")
    large = user(1, address="x" * 9_000_000)
    mom, older = user(2, username="mom"), user(2, username="dad")
    both = user(3, username="mom", address="y" * 9_000_000)
    records = [user(0), large, older, mom, both, *(user(number) for number in range(4, 40))]
    values = [pipeline.encode(schema_id, record) for record in records]
    admin = AdminClient({"bootstrap.servers": pipeline.settings.kafka_bootstrap_servers})
    raise_limit(admin, pipeline.contract.topic)
    send_large(pipeline, values)

    pipeline.stream()

    in_cassandra, in_postgres = pipeline.cassandra_rows(), pipeline.postgres_rows()
    everyone = {record["id"] for record in records}
    assert set(in_cassandra) == everyone - {large["id"], both["id"]}
    assert set(in_postgres) == everyone - {both["id"]}
    assert in_postgres[large["id"]]["address"] == large["address"]
    assert in_cassandra[mom["id"]]["username"] == "mom"
    assert in_postgres[mom["id"]]["username"] == "dad", "the newest event that PostgreSQL accepts"
    letters = sorted(
        (headers(one)["contracts.reason"], headers(one)["__connect.errors.exception.message"])
        for one in pipeline.dead_letters()
    )
    too_large = "InvalidRequest: Error from server: code=2200"
    assert [reason for reason, _ in letters] == ["REFUSED:cassandra"] * 2 + ["REFUSED:postgres"] * 2
    assert all(too_large in words and "exceeds allowed maximum" in words for _, words in letters[:2])
    assert {words for _, words in letters[2:]} == {"CheckViolation (23514), constraint no_moms"}
    found = reconcile(pipeline.settings, pipeline.contract)
    assert found.in_order(), found
    assert found.dead_lettered == {"REFUSED:cassandra": 2, "REFUSED:postgres": 2}


def raise_limit(admin: AdminClient, topic: str) -> None:
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

    entry = ConfigEntry("max.message.bytes", "20000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


def send_large(pipeline: Pipeline, values: list[bytes]) -> None:
    """Send all values to one partition, in order."""
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": pipeline.settings.kafka_bootstrap_servers,
            "message.max.bytes": 20_000_000,
            "enable.idempotence": True,
        }
    )
    for value in values:
        producer.produce(pipeline.contract.topic, value=value, partition=0)
    assert producer.flush(60) == 0


def test_table_refusing_every_row_stops_stream_without_dead_letters(pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
    with postgres.connect(pipeline.settings) as connection:
        table = pipeline.contract.spec.sinks.postgres.quoted
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT nobody CHECK (false)")
    pipeline.send(*({"value": pipeline.encode(schema_id, user(number))} for number in range(30)))

    with pytest.raises(Exception, match="it refuses each of the 30 rows of a batch: CheckViolation"):
        pipeline.stream()

    assert pipeline.dead_letters() == []
    assert len(pipeline.cassandra_rows()) == 30


def test_unread_deleted_records_stop_stream_until_loss_is_accepted(stack: RunningStack, pipeline: Pipeline) -> None:
    schema_id = pipeline.register()

    def send(*numbers: int) -> None:
        values = [pipeline.encode(schema_id, user(number)) for number in numbers]
        pipeline.send(*({"value": value, "partition": 0} for value in values))

    send(0, 1)
    pipeline.stream()
    send(2, 3, 4)
    delete_before(pipeline, 4)

    done = run(stack, pipeline, "--available-now")

    assert done.returncode == 2, done.stderr
    what = "partition 0: records 2 to 3 were deleted (retention, or kafka-delete-records) before {} read them: 2 lost"
    for sink in ("cassandra", "postgres"):
        assert what.format(sink) in done.stderr
    assert f"--contract {pipeline.contract.name} --accept-loss" in done.stderr
    assert "attempt failed" not in done.stderr
    assert len(pipeline.postgres_rows()) == 2

    done = run(stack, pipeline, "--available-now", "--accept-loss")

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("records lost") == 2
    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        assert set(rows) == {user(number)["id"] for number in (0, 1, 4)}
    send(5)
    pipeline.stream()
    assert user(5)["id"] in pipeline.cassandra_rows()
    assert reconcile(pipeline.settings, pipeline.contract).lost == {"cassandra": 2, "postgres": 2}


def test_gap_before_the_first_batch_is_reported(lean: Pipeline, tmp_path: Path) -> None:
    schema_id = lean.register()
    lean.send(*({"value": lean.encode(schema_id, user(number)), "partition": 0} for number in range(3)))
    lean.stream()
    # The state that a stream killed during its first batch leaves.
    for commits in tmp_path.glob("check points/**/commits"):
        shutil.rmtree(commits)
    delete_before(lean, 2)
    with pytest.raises(RecordsLost, match=r"records 0 to 1 were deleted"):
        job.prepare(lean.settings, lean.contract)

    sinks = job.prepare(lean.settings, lean.contract, accept_loss=True)
    job.Job(lean.spark, lean.settings, lean.contract, sinks).run(available_now=True)

    assert reconcile(lean.settings, lean.contract).in_order()


def delete_before(pipeline: Pipeline, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": pipeline.settings.kafka_bootstrap_servers})
    for done in admin.delete_records([TopicPartition(pipeline.contract.topic, 0, offset)]).values():
        done.result(30)


def test_schema_id_in_header_takes_precedence_over_value_prefix(lean: Pipeline) -> None:
    schema_id = lean.register()
    name = "__value_schema_id"
    by_id = b"\x00" + struct.pack(">i", schema_id)
    body = {number: lean.encode(schema_id, user(number))[5:] for number in range(10)}
    guid = b"\x01" + uuid.uuid4().bytes
    good = [
        {"value": body[0], "headers": [(name, by_id)]},
        {"value": body[1], "headers": [(name, b"nonsense"), ("other", b""), (name, by_id)]},
        {"value": by_id + body[2], "headers": [("__key_schema_id", b"?")]},
    ]
    bad = [
        ({"value": body[3], "headers": [(name, b"")]}, "BAD_SCHEMA_ID_HEADER"),
        ({"value": body[4], "headers": [(name, by_id + b"\x00")]}, "BAD_SCHEMA_ID_HEADER"),
        ({"value": body[5], "headers": [(name, b"\x02" + by_id[1:])]}, "BAD_SCHEMA_ID_HEADER"),
        ({"value": body[6], "headers": [(name, b"\x00\xff\xff\xff\xff")]}, "UNKNOWN_SCHEMA_ID"),
        ({"value": body[7], "headers": [(name, b"\x00\x7f\xff\xff\xff")]}, "UNKNOWN_SCHEMA_ID"),
        ({"value": body[8], "headers": [(name, guid)]}, "NO_GUID_ENDPOINT"),
        ({"value": by_id + body[9], "headers": [(name, by_id)]}, "DECODE_ERROR"),
    ]
    lean.send(*good, *(record for record, _ in bad))

    lean.stream()

    assert set(lean.postgres_rows()) == {user(number)["id"] for number in range(3)}
    assert told(lean, "contracts.reason") == {record["value"]: reason for record, reason in bad}
    assert reconcile(lean.settings, lean.contract).in_order()


@pytest.mark.parametrize("context", ["", ".staging"])
def test_guid_in_header_is_resolved_by_a_registry_with_guids(
    lean: Pipeline,
    confluent: Confluent,
    context: str,
) -> None:
    url = confluent.context(context) if context else confluent.url
    lean.settings = lean.settings.model_copy(update={"schema_registry_url": url})
    schema_id = lean.register()
    name, guid = "__value_schema_id", confluent.guid_of(schema_id, context or ".")
    by_guid = b"\x01" + uuid.UUID(guid).bytes
    body = {number: lean.encode(schema_id, user(number))[5:] for number in range(4)}
    key_id = lean.registry.version(f"{lean.contract.topic}-key").schema_id
    foreign = b"\x01" + uuid.UUID(confluent.guid_of(key_id, context or ".")).bytes
    unknown = b"\x01" + uuid.uuid4().bytes
    lean.send(
        {"value": body[0], "headers": [(name, by_guid)]},
        {"value": lean.encode(schema_id, user(1))},
        {"value": body[2], "headers": [(name, unknown)]},
        {"value": body[3], "headers": [(name, foreign)]},
        {"value": b"\x00\xff\xff\xff\xff" + body[3]},
    )

    lean.stream()

    assert set(lean.postgres_rows()) == {user(number)["id"] for number in range(2)}
    assert told(lean, "contracts.reason") == {
        body[2]: "UNKNOWN_SCHEMA_ID",
        body[3]: "WRONG_SUBJECT",
        b"\x00\xff\xff\xff\xff" + body[3]: "UNKNOWN_SCHEMA_ID",
    }
    assert f"not to {lean.contract.value.name}" in told(lean)[body[3]]
    assert reconcile(lean.settings, lean.contract).in_order()


def test_records_of_an_aliased_subject_are_accepted(
    settings_of_stack: Settings,
    spark: SparkSession,
    tmp_path: Path,
    confluent: Confluent,
) -> None:
    own = settings_of_stack.model_copy(update={"schema_registry_url": confluent.url})
    # A unique schema: a shared one would get the id of another test's subject.
    name = f"n_{uuid.uuid4().hex}"
    pipeline = without_cassandra(pipeline_of(own, spark, tmp_path, {"id": "int", name: "int"}, ("id",)))
    subject = pipeline.contract.value.name
    target = f"{subject}-of-others"
    requests.put(f"{confluent.url}/config/{subject}", json={"alias": target}, timeout=10).raise_for_status()
    schema_id = pipeline.register()
    assert target in pipeline.registry.subjects_of(schema_id)
    assert subject not in pipeline.registry.subjects_of(schema_id)
    pipeline.send({"value": pipeline.encode(schema_id, {"id": 1, name: 2})})

    pipeline.stream()

    assert set(pipeline.postgres_rows()) == {"1"}
