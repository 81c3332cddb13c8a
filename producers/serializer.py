"""The Avro serializer of a subject: the repository's schema, under the id that the registry already has for it."""

from __future__ import annotations

from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer

from contracts.contract import Subject
from contracts.errors import ConfigurationError
from contracts.registry import Registry


def of(subject: Subject, registry: Registry) -> AvroSerializer:
    """A serializer that writes with `subject`'s schema and never registers anything.

    Raises:
        ServiceError: the registry does not answer.
        ConfigurationError: the subject does not hold this schema.
    """
    found = registry.find(subject)
    if found is None:
        raise _unregistered(subject, registry, f"subject {subject.name} does not hold this schema")
    return AvroSerializer(
        _FoundSchema(registry.url, found.schema_id, found.version),
        subject.schema_text,
        conf={"auto.register.schemas": False, "subject.name.strategy.type": "TOPIC"},
    )


class _FoundSchema(SchemaRegistryClient):
    """Tells the serializer the one thing that it asks for, its schema's id.

    It was looked up already, through the client whose errors say what to do; so a registry that goes away meanwhile
    stops no record, and schemas with references need no second way to resolve them.
    """

    def __init__(self, url: str, schema_id: int, version: int) -> None:
        super().__init__({"url": url})
        self._found_id = schema_id
        self._found_version = version

    def lookup_schema(
        self, subject_name: str, schema: Schema, normalize_schemas: bool = False, deleted: bool = False
    ) -> RegisteredSchema:
        return RegisteredSchema(
            subject=subject_name, version=self._found_version, schema_id=self._found_id, schema=schema, guid=None
        )


def _unregistered(subject: Subject, registry: Registry, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} (schema registry {registry.url})", where=subject.file, mend="make register-schemas"
    )
