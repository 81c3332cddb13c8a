"""A refused user as a message of the dead-letter topic: the user as it was, and why, in Kafka Connect's headers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from producers.randomuser import RejectedUser

# Names as in org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter.
PREFIX = "__connect.errors."
REASON_HEADER = "contracts.reason"


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
        "topic": topic,
        "connector.name": producer,
        "stage": refusal.stage,
        "exception.class.name": f"{kind.__module__}.{kind.__qualname__}",
        "exception.message": refusal.what,
    }
    return DeadLetter(
        value=_as_json(user),
        headers=[
            *((PREFIX + name, text.encode()) for name, text in headers.items()),
            (REASON_HEADER, refusal.reason.encode()),
        ],
        reason=refusal.reason,
    )


def _as_json(user: Any) -> bytes:
    try:
        return json.dumps(user, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8: it stays the escape that it came as
        return json.dumps(user).encode()
