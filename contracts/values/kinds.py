"""What a value of JSON is, in words for a person."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def kind(value: Any) -> str:
    """`text`, `an object`, …: what stands there, without the value itself, which may be personal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (int, float, Decimal)):
        return "a number"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"
