"""The Avro serializer of a subject: the repository's schema, with the id that the registry already has for it."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.catalog.choices import SchemaIdPlace
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.registered import RegisteredSchema
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.producers import strict

_ID, _GUID = b"\x00", b"\x01"
#: Confluent's names of the headers, by the subject's role.
_HEADERS = {"key": "__key_schema_id", "value": "__value_schema_id"}


class Serializer:
    """Writes records as Avro, and names their schema as Confluent's serializers do.

    In front of the body, that is a zero byte and the schema's id in four bytes.  In a header, it is a one and the 16
    bytes of the schema's GUID, or a zero and the id if the registry has no GUIDs; the message is then only the body.

    It refuses a value that its type cannot hold exactly (`producers.strict`).

    It has its id from the start and asks no server, so an outage of the registry stops no record.

    Args:
        subject: its schema is a record.
        registered: that schema in the registry.
        place: where the id goes.

    Attributes:
        check: returns a record as `write` takes it; raises Misfit.
        fields: names of the record's fields.
        headers: those of each message; none if the id is in front of the body.
    """

    def __init__(self, subject: Subject, registered: RegisteredSchema, place: SchemaIdPlace) -> None:
        self.check = strict.compile_record(subject.schema)
        document = json.loads(subject.schema_text)
        self._schema = fastavro.parse_schema(document)
        self._bare = fastavro.parse_schema(_bare(document))
        schema_id = _ID + registered.schema_id.to_bytes(4, "big")
        self.headers: tuple[tuple[str, bytes], ...] = ()
        self._prefix = schema_id
        if place is SchemaIdPlace.header:
            guid = registered.guid
            self.headers = ((_HEADERS[subject.role], _GUID + uuid.UUID(guid).bytes if guid else schema_id),)
            self._prefix = b""
        self.fields = list(subject.record.by_name)

    def __call__(self, record: dict[str, Any]) -> bytes:
        """Return the message's bytes.  Raises Misfit, and RecursionError if the record is nested too deeply."""
        return self.write(self.check(record))

    def write(self, written: dict[str, Any]) -> bytes:
        """Return the message's bytes of a record that `check` gave."""
        return self._written(written, self._schema)

    def write_bare(self, written: dict[str, Any]) -> bytes:
        """The same for one of a `Checked` record, which has no values of logical types."""
        return self._written(written, self._bare)

    def _written(self, record: dict[str, Any], schema: Any) -> bytes:
        message = io.BytesIO()
        message.write(self._prefix)
        fastavro.schemaless_writer(message, schema, record)
        return message.getvalue()


def _bare(node: Any) -> Any:
    """Return a schema without its logical types: the same bytes, and nothing that fastavro would look for."""
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {name: given for name, given in node.items() if name != "logicalType"}
    for name in ("type", "items", "values"):
        if name in found:
            found[name] = _bare(found[name])
    if node.get("type") == "record":
        found["fields"] = [{**field, "type": _bare(field["type"])} for field in found["fields"]]
    return found


def of(subject: Subject, registry: Registry, place: SchemaIdPlace) -> Serializer:
    """Return a serializer that writes with `subject`'s schema.  It registers nothing.

    Raises:
        ServiceError: the registry does not answer.
        ConfigurationError: the schema is not registered, or fastavro cannot write with it.
    """
    schema = subject.schema
    if not isinstance(schema.resolve(schema.root), Record):
        raise ConfigurationError(
            f"the {subject.role} is a {schema.fullname}, and the producer sends records",
            where=subject.file,
            fix="wrap it in a record",
        )
    found = Snapshot(registry).find(subject)
    if found is None:
        raise ConfigurationError(
            f"this schema is not registered under subject {subject.name} (schema registry {registry.url})",
            where=subject.file,
            fix="contracts register (in a clone: make register-schemas)",
        )
    try:
        return Serializer(subject, found, place)
    except (SchemaParseException, UnknownType, RecursionError) as error:
        raise ConfigurationError(
            f"fastavro cannot write with this schema: {error}", where=subject.file, fix="correct the schema"
        ) from None
