"""A producer that survives its broker's death, and knows for each record whether Kafka has acknowledged it."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import threading
import uuid
from typing import Any

import fastavro
from confluent_kafka import KafkaError, Message, Producer

from avro_data_contracts.contracts.registry import kafka
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fuzz.mutations import BYTEWISE, PIECEWISE
from contracts_tests.fuzz.nodes import parse
from contracts_tests.fuzz.writing import Values, joined, write

PER_SECOND = 60
_UPDATES, _BAD = 0.25, 0.06
_COUNTRIES = ("Chile", "Kenya", "Norway", "")
# Longer than any server stays down: every record is acknowledged eventually, in order.
_DELIVERY_TIMEOUT_MS = 240_000

Place = tuple[int, int]


def encoder(pipeline: Pipeline, schema_id: int) -> Any:
    """Return a function from record to wire format; it needs no registry, which will be killed."""
    found = pipeline.registry.by_id(schema_id)
    assert found is not None
    schema = fastavro.parse_schema(json.loads(found.text))

    def encode(record: dict[str, Any]) -> bytes:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, record)
        return b"\x00" + schema_id.to_bytes(4, "big") + body.getvalue()

    return encode


class Writer(threading.Thread):
    """A thread that sends new users, updates of earlier users and invalid bytes until it is stopped.

    Attributes:
        acknowledged: (partition, offset) -> value of the records that Kafka acknowledged.
        unacknowledged: number of records whose fate is unknown.
    """

    def __init__(
        self, pipeline: Pipeline, schema_ids: list[int], chance: random.Random, per_second: float = PER_SECOND
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self.acknowledged: dict[Place, bytes] = {}
        self.unacknowledged = 0
        self._topic = pipeline.contract.topic
        self._encode = [encoder(pipeline, schema_id) for schema_id in schema_ids]
        found = pipeline.registry.by_id(schema_ids[0])
        assert found is not None
        self._schema = parse(json.loads(found.text))
        self._framing = b"\x00" + schema_ids[0].to_bytes(4, "big")
        self._chance = chance
        self._every_s = 1 / per_second
        self._ids: list[str] = []
        self._stopping = threading.Event()
        self._producer = Producer(
            {
                **kafka.client(pipeline.of("producer")),
                "enable.idempotence": True,
                "message.timeout.ms": _DELIVERY_TIMEOUT_MS,
                "reconnect.backoff.max.ms": 1000,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        serial = 0
        while not self._stopping.wait(self._every_s):
            serial += 1
            key, value = self._next(serial)
            self._producer.produce(self._topic, key=key, value=value, on_delivery=self._told)
            self._producer.poll(0)

    def stop(self) -> None:
        """Stop sending, and wait until Kafka has responded for every record."""
        self._stopping.set()
        self.join()
        self.unacknowledged += self._producer.flush(_DELIVERY_TIMEOUT_MS / 1000)

    def _told(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.unacknowledged += 1
        else:
            self.acknowledged[message.partition(), message.offset()] = message.value()

    def _next(self, serial: int) -> tuple[str, bytes]:
        kind = self._chance.random()
        if kind < _BAD:
            return f"bad {serial}", self._bad(serial)
        if kind < _BAD + _UPDATES and self._ids:
            # Mostly one of the last hundred: two events of one key in one batch are the most likely to go wrong.
            recent = self._ids[-100:] if self._chance.random() < 0.8 else self._ids
            identity = self._chance.choice(recent)
        else:
            identity = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
            self._ids.append(identity)
        return identity, self._chance.choice(self._encode)(self._record(identity, serial))

    def _record(self, identity: str, serial: int) -> dict[str, Any]:
        """Return a user whose every column is null or identifies the event that wrote it."""
        chance = self._chance
        return {
            "id": identity,
            "first_name": f"First {serial}",
            "last_name": f"Last {serial}",
            "gender": chance.choice(("UNKNOWN", "FEMALE", "MALE")),
            "address": f"{serial} Main Street, {chance.choice(_COUNTRIES)}",
            "post_code": chance.choice((None, f"{serial:05}")),
            "email": f"{serial}@example.com",
            "username": chance.choice((None, f"user{serial}")),
            "dob": chance.choice((None, dt.date(1950, 1, 1) + dt.timedelta(days=serial % 20_000))),
            "registered_date": dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=serial),
            "phone": chance.choice((None, str(serial))),
            "picture": chance.choice((None, f"https://example.com/{serial}")),
        }

    def _bad(self, serial: int) -> bytes:
        tail = str(serial).encode()
        whole = self._encode[0](self._record(str(uuid.UUID(int=serial, version=4)), serial))
        if self._chance.random() < 0.5:
            return self._mutated(serial)
        if self._chance.random() < 0.05:  # rare, because each batch with one asks the registry again
            return b"\x00\x7f\xff\xff\xff" + whole[5:]
        return self._chance.choice(
            (
                b"\x00",
                b'{"json": ' + tail + b"}",
                self._framing + b"\xff" * 20 + tail,
                whole[:-3],
                whole + b"\x00",
            )
        )

    def _mutated(self, serial: int) -> bytes:
        """Return a record with one of the fuzzer's mutations; the verdict decides whether it is still valid."""
        chance = self._chance
        value = {**Values(chance, odd=0).of(self._schema), "id": str(uuid.UUID(int=serial, version=4))}
        body = write(self._schema, value, chance)
        if chance.random() < 0.5:
            return self._framing + joined(chance.choice(PIECEWISE)(body, chance))
        return self._framing + chance.choice(BYTEWISE)(joined(body), chance)
