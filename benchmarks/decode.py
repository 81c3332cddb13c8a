"""Decoding a topic of many schema versions, beside reading that topic alone; both in turns, in one Spark."""

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

from benchmarks import records, servers
from contracts import catalog
from contracts.contract import Contract
from contracts.registry import Registry
from contracts.settings import Settings
from streaming import decode, session, source
from streaming.writers import Writers

RECORDS = 200_000
VERSIONS = (3, 50)
# Every so many records is a reject: a body that is cut off.
REJECTS = 100
WARM_UPS = 2
ROUNDS = 5


def measure() -> dict[str, Any]:
    """Records a second of both, and the median of the rounds' ratios, for each number of versions."""
    result: dict[str, Any] = {"records": RECORDS}
    with servers.up() as (_, configured):
        spark = session.start(configured)
        try:
            for versions in VERSIONS:
                result[f"{versions}_versions"] = _of(spark, configured, versions)
        finally:
            spark.stop()
    return result


def _of(spark: SparkSession, configured: Settings, versions: int) -> dict[str, Any]:
    own, contract = servers.registered(configured, f"bench_decode_{versions}")
    ids = []
    for version in range(versions):
        if version:
            contract = _with_another_field(own, contract, version)
        found = Registry.from_settings(own).find(contract.value)
        assert found is not None
        ids.append(found.schema_id)
    _fill(own, contract, ids)
    decoder = decode.Decoder(contract)
    writers = Writers(Registry.from_settings(own), contract).of(ids)
    topic = source.whole(spark, own, contract.topic)

    def decoded() -> DataFrame:
        return decoder.decode(topic, writers)

    rejected = decoded().where("reason IS NOT NULL").count()
    assert rejected == RECORDS // REJECTS, f"{rejected} rejects"
    rounds = []
    for _ in range(WARM_UPS + ROUNDS):
        read = RECORDS / _timed(lambda: topic)
        ours = RECORDS / _timed(decoded)
        rounds.append({"read": round(read), "decoded": round(ours), "ratio": round(ours / read, 3)})
    return {"rounds": rounds[WARM_UPS:], "ratio": statistics.median(one["ratio"] for one in rounds[WARM_UPS:])}


def _timed(frame: Callable[[], DataFrame]) -> float:
    start = time.perf_counter()
    frame().write.format("noop").mode("overwrite").save()
    return time.perf_counter() - start


def _with_another_field(configured: Settings, contract: Contract, version: int) -> Contract:
    file = Path(contract.value.file)
    schema = json.loads(file.read_text())
    field = {"name": f"added_{version}", "type": ["null", "string"], "default": None, "doc": "Comes with a version."}
    schema["fields"].append(field)
    file.write_text(json.dumps(schema))
    servers.register(configured)
    return catalog.load_one(configured.contracts_dir, contract.name)


def _fill(configured: Settings, contract: Contract, ids: list[int]) -> None:
    """Every version as often as every other, one after the other."""
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
        fastavro.schemaless_writer(body, schemas[turn], user)
        value = b"\x00" + ids[turn].to_bytes(4, "big") + body.getvalue()
        producer.produce(contract.topic, key=user["id"], value=value[:-9] if number % REJECTS == 0 else value)
    assert producer.flush(60) == 0
