"""Schema ids in headers: identical to those of confluent-kafka's serializer, and readable by its deserializer."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    RegisteredSchema,
    Schema,
    SchemaRegistryClient,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.choices import SchemaIdPlace
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.catalog.spec import parse_spec
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry import client
from avro_data_contracts.producers.serializer import Serializer
from contracts_tests.fixtures.clone import CLONE

GUID = "89791762-2336-186f-9674-180a8d11ed67"
RECORD = {"id": uuid.UUID(int=5)}
CONTRACT = loading.load_one(CLONE / "schemas", "users_created")
FIELDS = {MessageField.KEY: ("key", "__key_schema_id"), MessageField.VALUE: ("value", "__value_schema_id")}


class Known(SchemaRegistryClient):
    """A client that knows one schema, as if cached, and sends no requests."""

    def __init__(self, text: str) -> None:
        super().__init__({"url": "http://127.0.0.1:9"})
        self._one = Schema(text, "AVRO")

    def lookup_schema(self, subject_name: str, schema: Schema, *_: Any, **__: Any) -> RegisteredSchema:
        return RegisteredSchema(subject=subject_name, version=1, schema_id=7, schema=schema, guid=GUID)

    def get_schema(self, schema_id: int, *_: Any, **__: Any) -> Schema:
        assert schema_id == 7
        return self._one

    def get_schema_by_guid(self, guid: str, *_: Any, **__: Any) -> Schema:
        assert uuid.UUID(str(guid)) == uuid.UUID(GUID)
        return self._one


@pytest.fixture
def subject() -> Subject:
    assert CONTRACT.key is not None
    return CONTRACT.key


def serializer(subject: Subject, guid: str, field: str = MessageField.KEY) -> Serializer:
    role, _ = FIELDS[field]
    one = Subject(subject.name, role, subject.file, subject.text, subject.schema)
    found = client.RegisteredSchema(7, subject.text, guid=guid)
    return Serializer(one, found, SchemaIdPlace.header)


@pytest.mark.parametrize("field", FIELDS)
def test_guid_header_matches_confluents_serializer(subject: Subject, field: str) -> None:
    conf = {
        "auto.register.schemas": False,
        "subject.name.strategy.type": "TOPIC",
        "schema.id.serializer": header_schema_id_serializer,
    }
    theirs = AvroSerializer(Known(subject.schema_text), subject.schema_text, conf=conf)
    headers: list[tuple[str, bytes]] = []
    body = theirs(RECORD, SerializationContext("t", field, headers))
    ours = serializer(subject, GUID, field)
    assert (ours(RECORD), list(ours.headers)) == (body, headers)
    assert [name for name, _ in headers] == [FIELDS[field][1]]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("guid", [GUID, ""])
def test_confluents_deserializer_reads_our_guid_and_id_headers(subject: Subject, field: str, guid: str) -> None:
    ours = serializer(subject, guid, field)
    assert ours.headers[0][1] == (b"\x01" + uuid.UUID(GUID).bytes if guid else b"\x00\x00\x00\x00\x07")
    read = AvroDeserializer(Known(subject.schema_text), conf={"subject.name.strategy.type": "TOPIC"})
    assert read(ours(RECORD), SerializationContext("t", field, list(ours.headers))) == RECORD


def test_prefix_is_the_default_and_needs_no_header(subject: Subject) -> None:
    assert CONTRACT.spec.producer.schema_id is SchemaIdPlace.prefix
    bare = serializer(subject, GUID)(RECORD)
    ours = Serializer(subject, client.RegisteredSchema(7, subject.text, guid=GUID), SchemaIdPlace.prefix)
    assert (ours(RECORD), ours.headers) == (b"\x00\x00\x00\x00\x07" + bare, ())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("producer: {schema_id: both}", "producer.schema_id: .*'prefix' or 'header'"),
        ("producer: {schemaid: header}", "unknown key 'producer.schemaid'"),
        ("producer: header", "producer: "),
    ],
)
def test_invalid_producer_section_is_refused_with_its_line(tmp_path: Path, line: str, words: str) -> None:
    text = f"topic: t\nowner: o\ncompatibility: BACKWARD\n{line}\n"
    with pytest.raises(ConfigurationError, match=words) as caught:
        parse_spec(text, "contract.yaml")
    assert "contract.yaml:4" in str(caught.value)
