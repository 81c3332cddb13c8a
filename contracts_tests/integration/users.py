"""Records of users_created for a pipeline of a test, and what its dead letters say."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from confluent_kafka import Message

from contracts_tests.integration.conftest import Pipeline


def user(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A record of users_created; the same number is the same user."""
    record = {
        "id": str(uuid.UUID(int=number + (0x4000 << 64) + (0x8000 << 48))),
        "first_name": f"First {number}",
        "last_name": f"Last {number}",
        "gender": "FEMALE",
        "address": f"{number} Main Street",
        "post_code": "01234",
        "email": f"{number}@example.com",
        "username": f"user{number}",
        "dob": dt.date(1990, 1, 31),
        "registered_date": dt.datetime(2020, 2, 29, 23, 59, 59, 999_000, dt.UTC),
        "phone": "555",
        "picture": None,
    }
    return {**record, **changes}


def headers(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers() or ()}


def reasons(pipeline: Pipeline) -> list[str]:
    return sorted(headers(message)["contracts.reason"] for message in pipeline.dead_letters())
