"""The length of a window, as its SQL says it.  Pure."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "millisecond": 1,
    "second": 1_000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
}
_PART: Final = rf"(-?[0-9]{{1,9}}) ({'|'.join(_UNITS)})s?"


def millis(text: str) -> int | None:
    """Return the milliseconds of `1 hour` or `1 hour 30 minutes`; None if it is not written so."""
    words = " ".join(text.lower().split()).removeprefix("interval ")
    if not re.fullmatch(rf"{_PART}(?: {_PART})*", words):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(_PART, words))
