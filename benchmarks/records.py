"""Generated records of users_created, the same in every run."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from typing import Any


def users(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Generate `count` records with distinct ids, in the form of the producer's mapping."""
    rng = random.Random(seed)
    start = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
    return [
        {
            "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "first_name": f"First{number}",
            "last_name": "Łódź-مریم"[: 3 + number % 7],
            "gender": ("FEMALE", "MALE", "UNKNOWN")[number % 3],
            "address": f"{number} Main Street, Springfield, Oregon, United States",
            "post_code": None if number % 9 == 0 else f"{number % 99999:05}",
            "email": f"user{number}@example.com",
            "username": f"user{number}",
            "dob": dt.date(1950 + number % 50, 1 + number % 12, 1 + number % 28),
            "registered_date": start + dt.timedelta(minutes=number % 2_000_000),
            "phone": f"555-{number}",
            "picture": f"https://randomuser.me/api/portraits/men/{number % 99}.jpg",
        }
        for number in range(count)
    ]
