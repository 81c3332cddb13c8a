"""The loop that one would write: confluent-kafka's AvroSerializer and produce()."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings


def send(configured: Settings, contract: Contract, users: Iterable[dict[str, Any]]) -> None:
    """Send users, and wait until all have arrived."""
    registry = SchemaRegistryClient({"url": configured.schema_registry_url})
    conf = {"auto.register.schemas": False, "subject.name.strategy.type": "TOPIC"}
    assert contract.key is not None
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
