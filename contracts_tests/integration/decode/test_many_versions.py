"""A topic with interleaved records of 1 and of 50 versions: each is stored as Avro's own Java code reads it."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro
import pytest
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.errors import ContractsError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.complaints import complaints
from contracts_tests.fixtures.made_up import pipeline_of
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.versions import history, later, value

Row = dict[str, Any]
SEED = 5


@pytest.mark.parametrize(("versions", "records"), [(1, 200), (50, 2_500)])
def test_every_record_is_stored_as_java_reads_it(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path, versions: int, records: int
) -> None:
    """Of 50 versions, ten are registered while the stream, which reads with the fortieth, is running."""
    rng = random.Random(SEED)
    late = versions // 5 if versions == 50 else 0
    known = history(versions - late, rng)
    unknown = [later(known[-1], number) for number in range(late)]
    pipeline = pipeline_of(settings_of_stack, spark, tmp_path, {"id": "int"}, ("id",))
    (pipeline.folder / "value.avsc").write_text(json.dumps(known[-1]))
    subject = pipeline.contract.value.name
    ids = [pipeline.registry.register(subject, json.dumps(schema)) for schema in known]
    pipeline.register()

    sent: dict[int, list[tuple[Row, bytes]]] = {}

    def send(schemas: list[Any], ids: list[int], first: int, count: int) -> None:
        values = []
        for number in range(first, first + count):
            at = rng.randrange(len(schemas))
            record = {**value(schemas[at], rng), "id": number}
            body = encoded(schemas[at], record)
            sent.setdefault(ids[at], []).append((number, body))
            values.append({"value": b"\x00" + ids[at].to_bytes(4, "big") + body})
        pipeline.send(*values)

    stopping, failures = threading.Event(), []
    sinks = job.prepare(pipeline.settings, pipeline.contract)

    def run() -> None:
        try:
            job.Job(spark, pipeline.settings, pipeline.contract, sinks, stopping).run(available_now=False)
        except ContractsError as error:
            failures.append(error)

    before = records - records // 5
    send(known, ids, 0, before)
    stream = threading.Thread(target=run)
    stream.start()
    try:
        wait_for_rows(pipeline, before, stream)
        late_ids = [pipeline.registry.register(subject, json.dumps(schema)) for schema in unknown]
        send(known + unknown, ids + late_ids, before, records - before)
        wait_for_rows(pipeline, records, stream)
    finally:
        stopping.set()
        stream.join(120)
    assert failures == []

    texts = dict(zip(ids + late_ids, map(json.dumps, known + unknown), strict=True))
    assert len(sent) == len(texts) == versions
    reader = known[-1]
    expected: dict[int, Row] = {}
    for schema_id, pairs in sent.items():
        read = resolved(spark, texts[schema_id], json.dumps(reader), [body for _, body in pairs])
        expected |= {number: row for (number, _), row in zip(pairs, read, strict=True)}
    assert complaints(pipeline) == []
    assert len(expected) == records
    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        assert len(rows) == records
        for number, row in expected.items():
            found = rows[str(number)]
            for field in reader["fields"]:
                name, kind = field["name"], field["type"]
                assert plain(kind, found[name]) == told(kind, row[name]), (number, name)


def encoded(schema: Any, record: Row) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(json.dumps(schema))), record)
    return body.getvalue()


def wait_for_rows(pipeline: Pipeline, count: int, stream: threading.Thread) -> None:
    deadline = time.monotonic() + 300
    while counts(pipeline) != (count, count):
        assert stream.is_alive()
        assert time.monotonic() < deadline, f"{counts(pipeline)} of {count} rows arrived in time"
        time.sleep(1)


def counts(pipeline: Pipeline) -> tuple[int, int]:
    """Return the number of rows in Cassandra and in PostgreSQL."""
    sinks = pipeline.contract.spec.sinks
    with cassandra.connect(pipeline.settings) as session, postgres.connect(pipeline.settings) as connection:
        [(one,)] = session.execute(f"SELECT count(*) FROM {sinks.cassandra.qualified}")
        [(other,)] = connection.execute(f"SELECT count(*) FROM {sinks.postgres.qualified}")
    return one, other


def resolved(spark: SparkSession, writer: str, reader: str, bodies: list[bytes]) -> list[Row]:
    """Return the records as Avro's Java resolver reads them.

    Java reads them as one array and writes the result with the reader schema."""
    jvm = spark.sparkContext._jvm
    avro = jvm.org.apache.avro
    theirs, ours = (avro.Schema.createArray(avro.Schema.Parser().parse(text)) for text in (writer, reader))
    count, size = 2 * len(bodies), b""
    while count > 0x7F:
        size, count = size + bytes([count & 0x7F | 0x80]), count >> 7
    block = size + bytes([count]) + b"".join(bodies) + b"\0"
    decoder = avro.io.DecoderFactory.get().binaryDecoder(bytearray(block), None)
    records = avro.generic.GenericDatumReader(theirs, ours).read(None, decoder)
    assert decoder.isEnd()
    out = jvm.java.io.ByteArrayOutputStream()
    encoder = avro.io.EncoderFactory.get().binaryEncoder(out, None)
    avro.generic.GenericDatumWriter(ours).write(records, encoder)
    encoder.flush()
    schema = fastavro.parse_schema({"type": "array", "items": json.loads(reader)})
    return fastavro.schemaless_reader(io.BytesIO(bytes(out.toByteArray())), schema)


def told(kind: Any, value: Any) -> Any:
    """Return what a store should hold for a value, per docs/reference/types.md."""
    if isinstance(kind, list):
        others = [one for one in kind if one != "null"]
        if value is None or len(others) == 1:
            return None if value is None else told(others[0], value)
        return {{str: "string", int: "int"}[type(value)]: value}
    if isinstance(kind, dict) and kind["type"] == "record":
        members = {one["name"]: told(one["type"], value[one["name"]]) for one in kind["fields"]}
        return {name: member for name, member in members.items() if member is not None}
    if isinstance(kind, dict) and kind["type"] == "array":
        return [told(kind["items"], one) for one in value]
    return value


def plain(kind: Any, found: Any) -> Any:
    """Return a stored value in one form: Cassandra's JSON is text, and jsonb writes 1.0 as 1."""
    if isinstance(found, Mapping):
        return dict(found)
    if isinstance(kind, dict) and kind.get("items") in ("float", "double"):
        return [float(number) for number in found]
    of_json = isinstance(kind, list) and len(kind) > 2
    of_json |= isinstance(kind, dict) and isinstance(kind.get("items"), dict)
    return json.loads(found) if of_json and isinstance(found, str) else found
