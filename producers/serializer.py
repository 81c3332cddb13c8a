"""The Avro serializer of a subject: the repository's schema, under the id that the registry already has for it."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from contracts.contract import Subject
from contracts.errors import ConfigurationError
from contracts.nodes import Record
from contracts.registry import Registry
from producers import strict

_MAGIC = b"\x00"


class Serializer:
    """Writes records as Avro in Confluent's framing: a zero byte, the schema's id in four bytes, the body.

    What it writes is what it was given: a value that its type does not hold exactly is refused (`producers.strict`).

    It talks to nobody: the id was looked up when it was made, so a registry that goes away meanwhile stops no record.

    Args:
        subject: its schema is a record.
        schema_id: the registry's id of that schema.

    Attributes:
        fields: names of the record's fields.
    """

    def __init__(self, subject: Subject, schema_id: int) -> None:
        self._strict = strict.compile_record(subject.schema)
        self._schema = fastavro.parse_schema(json.loads(subject.schema_text))
        self._framing = _MAGIC + schema_id.to_bytes(4, "big")
        self.fields = list(subject.record.by_name)

    def __call__(self, record: dict[str, Any]) -> bytes:
        """The message's bytes.  Raises Misfit, and RecursionError when the record is nested too deep."""
        written = self._strict(record)
        message = io.BytesIO()
        message.write(self._framing)
        fastavro.schemaless_writer(message, self._schema, written)
        return message.getvalue()


def of(subject: Subject, registry: Registry) -> Serializer:
    """A serializer that writes with `subject`'s schema and never registers anything.

    Raises:
        ServiceError: the registry does not answer.
        ConfigurationError: the subject does not hold this schema, or it is one that cannot be written with.
    """
    schema = subject.schema
    if not isinstance(schema.resolve(schema.root), Record):
        raise ConfigurationError(
            f"the {subject.role} is a {schema.fullname}, and the producer sends records",
            where=subject.file,
            mend="wrap it in a record",
        )
    found = registry.find(subject)
    if found is None:
        raise ConfigurationError(
            f"subject {subject.name} does not hold this schema (schema registry {registry.url})",
            where=subject.file,
            mend="make register-schemas",
        )
    try:
        return Serializer(subject, found.schema_id)
    except (SchemaParseException, UnknownType, RecursionError) as error:
        raise ConfigurationError(
            f"fastavro cannot write with this schema: {error}", where=subject.file, mend="correct the schema"
        ) from None
