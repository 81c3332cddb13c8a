"""A refused record as a message of the dead-letter topic, with the reason in Kafka Connect's headers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avro_data_contracts.contracts.catalog import dead_letter as names
from avro_data_contracts.contracts.sources.documents import written
from avro_data_contracts.producers.rejection import Rejection


class Row(dict[str, Any]):
    """A row of a file, which a dead letter has as JSON; if it is too large for one, its source still has it."""


@dataclass(frozen=True)
class Document:
    """A value that a source had as JSON, whose numbers are int and Decimal; its dead letter has all their digits."""

    value: Any


@dataclass(frozen=True)
class DeadLetter:
    """One message.

    Attributes:
        value: JSON in UTF-8; a line of a file as it is; None if it was left out.
        headers: names and UTF-8 texts, without personal data.
        reason: code of the rejection.
    """

    value: bytes | None
    headers: list[tuple[str, bytes]]
    reason: str

    def without_value(self) -> DeadLetter:
        """Return the letter without its value: a header has its size."""
        size = str(len(self.value or b"")).encode()
        return DeadLetter(None, [*self.headers, (names.LEFT_OUT, size)], self.reason)


def of(given: Any, rejection: Rejection, *, topic: str, producer: str, position: str = "") -> DeadLetter:
    """Return the dead letter of what a source or a program gave.

    Args:
        given: any value, not necessarily one that JSON can express; bytes are a line of a file, as it is.  Of an
            object with `to_record`, its fields.
        topic: where the record was meant to go.
        producer: name of the producer.
        position: its place in the source; empty if there is none.
    """
    kind = type(rejection)
    headers = {
        names.TOPIC: topic,
        names.CONNECTOR: producer,
        names.STAGE: rejection.stage,
        names.CLASS: f"{kind.__module__}.{kind.__qualname__}",
        names.MESSAGE: rejection.what,
        names.REASON: rejection.reason,
    }
    if position:
        headers[names.SOURCE_POSITION] = position
    if rejection.field:
        headers[names.SOURCE_FIELD] = rejection.field
    return DeadLetter(
        value=given if isinstance(given, bytes) else as_json(_plain(given)),
        headers=[(name, text.encode(errors="backslashreplace")) for name, text in headers.items()],
        reason=rejection.reason,
    )


def _plain(given: Any) -> Any:
    """Return the fields of a record; anything else as it is."""
    if isinstance(given, Mapping):
        return given if isinstance(given, dict) else dict(given)
    if isinstance(given, type) or not hasattr(given, "to_record"):
        return given
    try:
        return given.to_record()
    except Exception:  # it is the caller's, and may be what was refused: then the letter has the object's own text
        return given


def as_json(given: Any) -> bytes:
    """Return any value as JSON in UTF-8; what JSON cannot express as text."""
    if isinstance(given, Document):
        return _exactly(given.value)
    try:
        return json.dumps(given, ensure_ascii=False, allow_nan=False, default=_as_text).encode()
    except UnicodeEncodeError:  # UTF-8 cannot express half of a surrogate pair, so it stays an escape
        return json.dumps(given, allow_nan=False, default=_as_text).encode()
    except (TypeError, ValueError, RecursionError):  # a key that is not text, NaN, a cycle, nested too deeply
        return json.dumps(_as_written(given)).encode()


def _exactly(value: Any) -> bytes:
    try:
        return written(value).encode()
    except UnicodeEncodeError:
        return written(value, ascii_only=True).encode()
    except RecursionError:
        return json.dumps(_as_written(value)).encode()


def _as_text(value: Any) -> str:
    """Return text for what JSON cannot express: bytes in base64; dates, decimals and UUIDs as Python writes them."""
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)


def _as_written(value: Any) -> str:
    """Return Python's own text of a value that JSON cannot express."""
    try:
        return repr(value)
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply to be written"
