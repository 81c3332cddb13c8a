"""The alternatives to compare with: a plain Python consumer, and the JSON pipeline of the tutorials."""

from __future__ import annotations

import json
import time
from typing import Any

from cassandra.concurrent import execute_concurrent_with_args
from confluent_kafka import DeserializingConsumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from benchmarks.batches import Batch

_CHUNK = 1000
_CONCURRENCY = 100
# The stream's session sets other values.
_CONNECTOR_DEFAULTS = {
    "spark.cassandra.output.concurrent.writes": "5",
    "spark.cassandra.output.batch.grouping.key": "partition",
    "spark.cassandra.output.batch.size.bytes": "1024",
}


def python_consumer(configured: Settings, contract: Contract, count: int) -> Batch:
    """Write all records from one process: decode one at a time, write a thousand at a time; returns one batch."""
    registry = SchemaRegistryClient({"url": configured.schema_registry_url})
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": configured.kafka_bootstrap_servers,
            "group.id": f"bench-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "value.deserializer": AvroDeserializer(registry, conf={"subject.name.strategy.type": "TOPIC"}),
        }
    )
    names = [field.name for field in contract.value.record.fields]
    columns = [*names, EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET]
    table = contract.spec.sinks.cassandra.quoted
    start = time.time()
    written = 0
    with cassandra.connect(configured) as session:
        marks = ", ".join("?" * len(columns))
        insert = session.prepare(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})")
        consumer.subscribe([contract.topic])
        rows: list[tuple[Any, ...]] = []
        while written < count:
            message = consumer.poll(10)
            assert message is not None
            assert message.error() is None
            value = message.value()
            position = (message.timestamp()[1], message.partition(), message.offset())
            rows.append((*(value[name] for name in names), *position))
            if len(rows) == _CHUNK or written + len(rows) == count:
                execute_concurrent_with_args(session, insert, rows, concurrency=_CONCURRENCY)
                written += len(rows)
                rows = []
    consumer.close()
    return Batch(start, time.time(), written)


def json_topic(contract: Contract) -> str:
    return f"{contract.topic}_json"


def fill_json(configured: Settings, contract: Contract, users: list[dict[str, Any]]) -> None:
    """Write the same records as JSON into a topic of their own."""
    Topics(configured).create(json_topic(contract), contract.spec.kafka.partitions, -1, {})
    producer = Producer(
        {
            "bootstrap.servers": configured.kafka_bootstrap_servers,
            "linger.ms": 20,
            "queue.buffering.max.messages": len(users) + 1,
        }
    )
    for user in users:
        producer.produce(json_topic(contract), key=user["id"], value=json.dumps(user, default=str))
    assert producer.flush(60) == 0


def json_pipeline(spark: SparkSession, configured: Settings, contract: Contract) -> None:
    """Run `from_json` into Cassandra with the connector's default settings."""
    table = {"keyspace": contract.spec.sinks.cassandra.keyspace, "table": contract.spec.sinks.cassandra.table}
    names = [field.name for field in contract.value.record.fields]
    typed = {"dob": "date", "registered_date": "timestamp"}
    schema = ", ".join(f"{name} {typed.get(name, 'string')}" for name in names)
    record = F.from_json(F.col("value").cast("string"), schema).alias("record")
    position = [
        F.col("timestamp").alias(EVENT_TIMESTAMP),
        F.col("partition").alias(EVENT_PARTITION),
        F.col("offset").alias(EVENT_OFFSET),
    ]
    frame = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", configured.kafka_bootstrap_servers)
        .option("subscribe", json_topic(contract))
        .option("startingOffsets", "earliest")
        .load()
    )
    rows = frame.select(record, *position).select("record.*", *(EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET))
    writer = rows.writeStream.queryName("json").format("org.apache.spark.sql.cassandra").options(**table)
    checkpoint = (configured.checkpoint_dir / "json").absolute().as_uri()
    writer.option("checkpointLocation", checkpoint).options(**_CONNECTOR_DEFAULTS).trigger(
        availableNow=True
    ).start().awaitTermination()
