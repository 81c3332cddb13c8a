"""Lengths of time, as the header of a view says them: `10 minutes`."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def _seconds(value: object) -> object:
    found = re.fullmatch(r"([0-9]{1,9}) (second|minute|hour|day)s?", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a time: write one like 10 minutes (or seconds, hours, days)")
    return int(found[1]) * _UNITS[found[2]]


#: A length of time in seconds.
Seconds = Annotated[int, BeforeValidator(_seconds)]
