"""A pipeline of a test's own: its topic, subjects, tables and checkpoints, on the real servers."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml
from confluent_kafka import Message, Producer
from pyspark.sql import SparkSession

from contracts import settings
from contracts.catalog import loading
from contracts.catalog.contract import Contract
from contracts.registry import plan
from contracts.registry.client import Registry
from contracts.registry.register import Servers
from contracts.registry.topics import Topics
from contracts.settings import Settings
from contracts_tests.conftest import CLONE, RunningStack
from streaming import topic
from streaming.run import job
from streaming.sinks import cassandra, postgres
from streaming.spark import session

_numbers = itertools.count(1)


@dataclass
class Pipeline:
    """One contract, registered, with an empty topic and no table yet."""

    settings: Settings
    spark: SparkSession | None
    folder: Path

    @property
    def contract(self) -> Contract:
        return loading.load(self.settings.contracts_dir).get(self.folder.name)

    @property
    def registry(self) -> Registry:
        return Registry.from_settings(self.settings)

    def register(self) -> int:
        """Registers the contract as it stands in its folder; the schema id of its value."""
        desired = loading.load(self.settings.contracts_dir)
        servers = Servers(self.registry, Topics(self.settings))
        servers.carry_out(plan.make(desired, servers.read(desired)))
        found = self.registry.find(self.contract.value)
        assert found is not None
        return found.schema_id

    def evolve(self, change: Callable[[dict[str, Any]], None]) -> int:
        """Changes value.avsc, registers it, and returns the new version's schema id."""
        file = self.folder / "value.avsc"
        schema = json.loads(file.read_text())
        change(schema)
        file.write_text(json.dumps(schema))
        return self.register()

    def encode(self, schema_id: int, record: dict[str, Any]) -> bytes:
        """A value in the wire format, written with the schema of that id."""
        found = self.registry.by_id(schema_id)
        assert found is not None
        body = io.BytesIO()
        fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(found.text)), record)
        return b"\x00" + schema_id.to_bytes(4, "big") + body.getvalue()

    def send(self, *records: dict[str, Any]) -> None:
        """Produces records as they are given: keyword arguments of `Producer.produce`."""
        servers = self.settings.kafka_bootstrap_servers
        producer = Producer(
            {"bootstrap.servers": servers, "partitioner": "murmur2_random", "message.max.bytes": 2_000_000}
        )
        for record in records:
            producer.produce(self.contract.topic, **record)
        assert producer.flush(30) == 0

    def stream(self, *, afresh: bool = False) -> None:
        """Writes everything that is in the topic; `afresh` forgets the checkpoints first."""
        if afresh:
            shutil.rmtree(self.settings.checkpoint_dir)
        sinks = job.prepare(self.settings, self.contract)
        job.Job(self.spark, self.settings, self.contract, sinks).run(available_now=True)

    def cassandra_rows(self) -> dict[str, dict[str, Any]]:
        """Rows of the Cassandra table by id."""
        with cassandra.connect(self.settings) as connected:
            rows = connected.execute(f"SELECT * FROM {self.contract.spec.sinks.cassandra.quoted}")
            return {str(row.id): row._asdict() for row in rows}

    def postgres_rows(self) -> dict[str, dict[str, Any]]:
        """Rows of the PostgreSQL table by id."""
        with postgres.connect(self.settings) as connection:
            cursor = connection.execute(f"SELECT * FROM {self.contract.spec.sinks.postgres.quoted}")
            names = [column.name for column in cursor.description]
            return {str(row[names.index("id")]): dict(zip(names, row, strict=True)) for row in cursor}

    def dead_letters(self) -> list[Message]:
        """Everything in the dead-letter topic."""
        letters = self.contract.dead_letter_topic
        return list(topic.read(self.settings, letters, topic.whole(self.settings, letters)))


def comparable(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of either store, or an event, in one form: UTC instants, ISO dates, text ids."""

    def plain(value: Any) -> Any:
        if isinstance(value, dt.datetime):
            if value.tzinfo is not None:
                return value.astimezone(dt.UTC)
            # cassandra-driver's: milliseconds by way of a float, which is some microseconds off in far years.
            millis = dt.timedelta(milliseconds=round(value.microsecond / 1000))
            return value.replace(tzinfo=dt.UTC, microsecond=0) + millis
        if type(value).__name__ in ("Date", "date", "UUID"):
            return str(value)
        return value

    return {name: plain(value) for name, value in row.items()}


def settings_for(stack: RunningStack, log_folder: Path) -> Settings:
    """Settings that point to the servers of `stack`."""
    exports = stack.exports
    os.environ["JAVA_HOME"] = exports["JAVA_HOME"]
    os.environ["SPARK_SUBMIT_OPTS"] = stack.spark_options
    # Rows that a test gives to Spark go through a worker; Spark's default is a `python3` on the path, any or none.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    flags = {name.lower(): value for name, value in exports.items() if name.lower() in Settings.model_fields}
    log_file = log_folder / "spark.log"
    return settings.load(**flags, spark_log_file=log_file, stream_retry_for_s=60, kafka_max_block_ms=10_000)


def made(configured: Settings, spark: SparkSession | None, folder: Path, *, partitions: int = 3) -> Pipeline:
    """The contract users_created under names of the test's own, registered."""
    name = f"users_{next(_numbers)}_{uuid.uuid4().hex[:8]}"
    schemas = folder / "schemas" / name
    shutil.copytree(CLONE / "schemas" / "users_created", schemas)
    contract = yaml.safe_load((schemas / "contract.yaml").read_text())
    contract["topic"] = name
    contract["dead_letter"]["topic"] = f"{name}.dlq"
    contract["kafka"]["partitions"] = partitions
    # Tests send records of 1970 and 2020, which retention by age would delete under them.
    contract["kafka"]["config"]["retention.ms"] = "-1"
    # They also send what no user is like; tests of rules bring their own.
    del contract["rules"]
    for sink in contract["sinks"].values():
        sink["table"] = name
    (schemas / "contract.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))
    update = {"contracts_dir": schemas.parent, "checkpoint_dir": folder / "check points"}
    pipeline = Pipeline(configured.model_copy(update=update), spark, schemas)
    pipeline.register()
    return pipeline


@pytest.fixture(scope="session")
def settings_of_stack(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the running servers."""
    return settings_for(stack, tmp_path_factory.mktemp("spark"))


@pytest.fixture(scope="session")
def spark(settings_of_stack: Settings) -> Iterator[SparkSession]:
    """One Spark for all tests."""
    started = session.start(settings_of_stack)
    yield started
    started.stop()


@pytest.fixture
def pipeline(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    """A pipeline on the shared servers."""
    return made(settings_of_stack, spark, tmp_path)


@pytest.fixture
def own_pipeline(private: RunningStack, tmp_path: Path) -> Pipeline:
    """A pipeline on servers that the test may kill; it streams in a process of its own."""
    return made(settings_for(private, tmp_path), None, tmp_path)
