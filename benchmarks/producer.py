"""Measure the producer against a bare loop of AvroSerializer and produce(), in turns, with records in memory."""

from __future__ import annotations

import statistics
import time
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher
from benchmarks import records, servers

RECORDS = 100_000
ROUNDS = 5


def measure() -> dict[str, Any]:
    """Records per second of both, and the median of the rounds' ratios."""
    users = records.users(RECORDS)
    rounds = []
    with servers.up() as (_, configured):
        own, contract = servers.registered(configured, "bench_producer")
        for _ in range(ROUNDS):
            bare = RECORDS / _timed(lambda: _bare(own, contract, users))
            ours = RECORDS / _timed(lambda: _ours(own, contract, users))
            rounds.append({"bare": round(bare), "ours": round(ours), "ratio": round(ours / bare, 3)})
    return {"records": RECORDS, "rounds": rounds, "ratio": statistics.median(r["ratio"] for r in rounds)}


def _timed(run: Any) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _ours(configured: Settings, contract: Contract, users: list[dict[str, Any]]) -> None:
    publisher = Publisher(contract, configured)
    publisher.open()
    for user in users:
        publisher.send(user)
    publisher.flush()
    assert publisher.produced == len(users)


def _bare(configured: Settings, contract: Contract, users: list[dict[str, Any]]) -> None:
    registry = SchemaRegistryClient({"url": configured.schema_registry_url})
    conf = {"auto.register.schemas": False, "subject.name.strategy.type": "TOPIC"}
    key = AvroSerializer(registry, contract.key.schema_text, conf=conf)
    value = AvroSerializer(registry, contract.value.schema_text, conf=conf)
    key_context = SerializationContext(contract.topic, MessageField.KEY)
    value_context = SerializationContext(contract.topic, MessageField.VALUE)
    producer = Producer(
        {
            "bootstrap.servers": configured.kafka_bootstrap_servers,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 20,
            "queue.buffering.max.messages": 200_000,
            "log_level": 0,
        }
    )
    for user in users:
        while True:
            try:
                producer.produce(
                    contract.topic, key=key({"id": user["id"]}, key_context), value=value(user, value_context)
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(60) == 0
