"""A refused record as a message of the dead-letter topic, with the reason in Kafka Connect's headers."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from avro_data_contracts.contracts.catalog import dead_letter as names
from avro_data_contracts.contracts.sources.documents import written
from avro_data_contracts.producers.rejection import Rejection


@dataclass(frozen=True)
class Document:
    """A value that a source had as JSON, whose numbers are int and Decimal; its dead letter has all their digits."""

    value: Any


@dataclass(frozen=True)
class DeadLetter:
    """One message.

    Attributes:
        value: JSON in UTF-8.
        headers: names and UTF-8 texts, without personal data.
        reason: code of the rejection.
    """

    value: bytes
    headers: list[tuple[str, bytes]]
    reason: str


def of(given: Any, rejection: Rejection, *, topic: str, producer: str) -> DeadLetter:
    """Return the dead letter of what a source or a program gave.

    Args:
        given: any value, not necessarily one that JSON can express.
        topic: where the record was meant to go.
        producer: name of the producer.
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
    return DeadLetter(
        value=_as_json(given),
        headers=[(name, text.encode()) for name, text in headers.items()],
        reason=rejection.reason,
    )


def _as_json(given: Any) -> bytes:
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
