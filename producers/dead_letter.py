"""A refused user as a message of the dead-letter topic: the user as it was, and why, in Kafka Connect's headers."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from contracts.catalog import dead_letter as names
from producers.randomuser import RejectedUser


@dataclass(frozen=True)
class DeadLetter:
    """One message.

    Attributes:
        value: the user's JSON, UTF-8.
        headers: name and UTF-8 text, none of it personal data.
        reason: the reason's code.
    """

    value: bytes
    headers: list[tuple[str, bytes]]
    reason: str


def of(user: Any, refusal: RejectedUser, *, topic: str, producer: str) -> DeadLetter:
    """The dead letter of a user.

    Args:
        user: as in the answer's `results`, whatever it is.
        topic: where it was meant to go.
        producer: name of the producer.
    """
    kind = type(refusal)
    headers = {
        names.TOPIC: topic,
        names.CONNECTOR: producer,
        names.STAGE: refusal.stage,
        names.CLASS: f"{kind.__module__}.{kind.__qualname__}",
        names.MESSAGE: refusal.what,
        names.REASON: refusal.reason,
    }
    return DeadLetter(
        value=_as_json(user),
        headers=[(name, text.encode()) for name, text in headers.items()],
        reason=refusal.reason,
    )


def _as_json(user: Any) -> bytes:
    try:
        return json.dumps(user, ensure_ascii=False, allow_nan=False, default=_as_text).encode()
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8: it stays the escape that it came as
        return json.dumps(user, allow_nan=False, default=_as_text).encode()
    except (TypeError, ValueError, RecursionError):  # a key that is not text, NaN, a cycle, too many levels
        return json.dumps(_as_written(user)).encode()


def _as_text(value: Any) -> str:
    """What JSON has no form for: bytes in base64; a date, a decimal or a UUID as Python writes it."""
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)


def _as_written(value: Any) -> str:
    """Return Python's own text of a value that JSON cannot express."""
    try:
        return repr(value)
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply to be written"
