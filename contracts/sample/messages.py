"""Kafka messages as JSON: what is wrong with some records only their bytes can show.

The framing of a message needs the id of a schema, which only the registry knows.  So a message names the schema, and
`Message.framed` puts the id in front once it is known.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import fastavro

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.avro.writing import to_json

MAGIC: Final = b"\x00"
#: Kafka header that may carry the schema id.
VALUE_HEADER: Final = "__value_schema_id"


@dataclass(frozen=True)
class WrittenWith:
    """The schema of a message.

    Attributes:
        subject: where it is registered, or has to be.
        text: the schema; empty for the newest one of the subject.
    """

    subject: str
    text: str = ""


@dataclass(frozen=True)
class Message:
    """A message without a key.

    Attributes:
        value: None for a tombstone.
        written_with: `value` is only the body, and the id of this schema belongs in front of it; None: it is whole.
        headers: name -> content.
        timestamp: in milliseconds; None: that of the moment when it is sent.
    """

    value: bytes | None
    written_with: WrittenWith | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int | None = None

    def framed(self, id_of: Callable[[WrittenWith], int]) -> bytes | None:
        """Return the value to send.

        Args:
            id_of: asks the registry, and registers the schema if it is not there.
        """
        if self.value is None or self.written_with is None:
            return self.value
        return MAGIC + id_of(self.written_with).to_bytes(4, "big") + self.value

    def as_json(self) -> dict[str, Any]:
        """Bytes in base64; what is not special is left out."""
        told: dict[str, Any] = {"value": None if self.value is None else base64.b64encode(self.value).decode()}
        if self.written_with:
            told["written_with"] = {"subject": self.written_with.subject}
            if self.written_with.text:
                told["written_with"]["schema"] = json.loads(self.written_with.text)
        if self.headers:
            told["headers"] = {name: base64.b64encode(content).decode() for name, content in self.headers}
        if self.timestamp is not None:
            told["timestamp"] = self.timestamp
        return told


def body(schema: Schema, value: Any) -> bytes:
    """A value in Avro's binary form."""
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(json.loads(to_json(schema))), value)
    return written.getvalue()
