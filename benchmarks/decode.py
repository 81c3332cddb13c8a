"""Measure decoding of a topic with many schema versions or fields against only reading it, in turns, in one Spark.

`from_avro` is Spark's own with one schema for all records: the minimum that decoding costs, and wrong for all other
schemas.
"""

from __future__ import annotations

import io
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Producer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.decode import decoder as decode
from avro_data_contracts.streaming.decode import framing
from avro_data_contracts.streaming.decode.writer_schemas import Writers
from avro_data_contracts.streaming.run import source
from avro_data_contracts.streaming.spark import session
from benchmarks import records, servers

RECORDS = 200_000
# Number of schema versions, and of fields in addition to the twelve of a record.
CASES = {"3_versions": (3, 0), "50_versions": (50, 0), "60_fields": (3, 48)}
# One record in this many is rejected, because its body is cut off.
REJECTS = 100
# Each version reorders the fields of the one before; one version in this many also adds a field.
FIELD_EACH = 10
WARM_UPS = 3
ROUNDS = 5


def measure() -> dict[str, Any]:
    """Records per second, and the medians of the rounds' ratios, for each case."""
    result: dict[str, Any] = {"records": RECORDS}
    with servers.up() as (_, configured):
        spark = session.start(configured)
        try:
            for name, (versions, more) in CASES.items():
                result[name] = _of(spark, configured, name, versions, more)
        finally:
            spark.stop()
    return result


def _of(spark: SparkSession, configured: Settings, name: str, versions: int, more: int) -> dict[str, Any]:
    own, contract = servers.registered(configured, f"bench_decode_{name}")
    if more:
        fields = [{"name": f"more_{n}", "type": "string", "default": "", "doc": "More of it."} for n in range(more)]
        contract = _with(own, contract, fields)
    ids = []
    for version in range(versions):
        if version:
            contract = _evolved(own, contract, version)
        found = Snapshot(Registry.from_settings(own)).find(contract.value)
        assert found is not None
        ids.append(found.schema_id)
    _fill(own, contract, ids, {f"more_{number}": f"text {number} of it" for number in range(more)})
    decoder = decode.Decoder(contract)
    writers = Writers(Registry.from_settings(own), contract).of(ids)
    topic = source.whole(spark, own, contract.topic)

    options = {"avroSchema": contract.value.schema_text, "mode": "PERMISSIVE"}
    body = F.expr("substring(value, 6)")

    def alone() -> DataFrame:
        return topic.withColumn("record", from_avro(body, writers[ids[0]].text, options))

    def decoded() -> DataFrame:
        return decoder.decode(topic, writers)

    rejected = decoded().where("reason IS NOT NULL").count()
    assert rejected == RECORDS // REJECTS, f"{rejected} rejects"
    rounds = []
    for _ in range(WARM_UPS + ROUNDS):
        read, bare, ours = (RECORDS / _timed(frame) for frame in (lambda: topic, alone, decoded))
        ratios = {"from_avro to read": bare / read, "ours to read": ours / read, "ours to from_avro": ours / bare}
        rates = {"read": round(read), "from_avro": round(bare), "ours": round(ours)}
        rounds.append({**rates, **{name: round(ratio, 3) for name, ratio in ratios.items()}})
    counted = rounds[WARM_UPS:]
    return {"rounds": counted, **{name: statistics.median(one[name] for one in counted) for name in ratios}}


def _timed(frame: Callable[[], DataFrame]) -> float:
    start = time.perf_counter()
    frame().write.format("noop").mode("overwrite").save()
    return time.perf_counter() - start


def _evolved(configured: Settings, contract: Contract, version: int) -> Contract:
    field = {"name": f"added_{version}", "type": ["null", "string"], "default": None, "doc": "Comes with it."}
    return _with(configured, contract, [field] if version % FIELD_EACH == 0 else [], first=1)


def _with(configured: Settings, contract: Contract, fields: list[dict[str, Any]], first: int = 0) -> Contract:
    """Register a version with more fields, and with the first `first` fields moved to the end."""
    file = Path(contract.value.file)
    schema = json.loads(file.read_text())
    schema["fields"] = [*schema["fields"][first:], *schema["fields"][:first], *fields]
    file.write_text(json.dumps(schema))
    servers.register(configured)
    return loading.load_one(configured.contracts_dir, contract.name)


def _fill(configured: Settings, contract: Contract, ids: list[int], more: dict[str, str]) -> None:
    """Fill the topic with records whose schema versions alternate."""
    registry = Registry.from_settings(configured)
    schemas = [fastavro.parse_schema(json.loads(registry.by_id(one).text)) for one in ids]
    producer = Producer(
        {
            "bootstrap.servers": configured.kafka_bootstrap_servers,
            "linger.ms": 20,
            "queue.buffering.max.messages": RECORDS + 1,
        }
    )
    for number, user in enumerate(records.users(RECORDS)):
        turn = number % len(ids)
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schemas[turn], user | more)
        value = framing.of(ids[turn]) + body.getvalue()
        producer.produce(contract.topic, key=user["id"], value=value[:-9] if number % REJECTS == 0 else value)
    assert producer.flush(60) == 0
