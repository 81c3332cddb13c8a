"""How a record names the schema that it was written with: in front of the body, or in a header.

Confluent's serializers write either.  In front of the body: a zero byte and four bytes of schema id.  In a header: a
zero byte and the id, or a one and the 16 bytes of the schema's GUID; then the value is the body alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

MAGIC, GUID_MAGIC = b"\x00", b"\x01"
BYTES = 5
_GUID_BYTES = 17
# Java's int.
_LARGEST = 2**31 - 1
#: Kafka headers that may carry the schema id (Confluent's `HeaderSchemaIdSerializer`).
VALUE_HEADER, KEY_HEADER = "__value_schema_id", "__key_schema_id"

#: How a record names its schema: by the registry's id, or by GUID.
SchemaKey = int | str
Headers = Sequence[tuple[str, bytes | None]]


def of(schema_id: int) -> bytes:
    """Return the bytes in front of the body of a value that was written with that schema."""
    return MAGIC + schema_id.to_bytes(BYTES - len(MAGIC), "big")


def parted(value: bytes | None, headers: Headers | None, header: str) -> tuple[SchemaKey | None, bytes]:
    """Split a value into the name of its schema, None when nothing names one, and its body.

    Args:
        headers: of the record; the last header of a name counts.
        header: `VALUE_HEADER`, or `KEY_HEADER` when the value is a record's key.
    """
    if value is None:
        return None, b""
    named = [content for name, content in headers or () if name == header]
    if named:
        return _key(named[-1] or b""), value
    return _key(value[:BYTES]) if value.startswith(MAGIC) else None, value[BYTES:]


def too_large(value: bytes, headers: Headers, header: str) -> int | None:
    """Return the schema id that a value names (see `parted`), if it is larger than a registry assigns."""
    named = [content for name, content in headers if name == header]
    framed = (named[-1] or b"") if named else value[:BYTES]
    if len(framed) != BYTES or not framed.startswith(MAGIC):
        return None
    schema_id = int.from_bytes(framed[len(MAGIC) :], "big")
    return schema_id if schema_id > _LARGEST else None


def _key(framed: bytes) -> SchemaKey | None:
    if len(framed) == BYTES and framed.startswith(MAGIC):
        schema_id = int.from_bytes(framed[len(MAGIC) :], "big")
        return schema_id if schema_id <= _LARGEST else None
    if len(framed) == _GUID_BYTES and framed.startswith(GUID_MAGIC):
        return str(uuid.UUID(bytes=framed[len(GUID_MAGIC) :]))
    return None
