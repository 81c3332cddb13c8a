"""Values as their base types hold them: a day as its number, a decimal as its bytes, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Fixed
from avro_data_contracts.contracts.avro.shapes import decimal_digits, type_name

_FIRST: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_raw(node: AnyType, value: Any) -> Any:
    """The value of the base type."""
    name = type_name(node)
    if isinstance(value, datetime):
        local = value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return (local - _EPOCH) // _MICROSECOND // _unit(name)
    if isinstance(value, date):
        return value.toordinal() - _FIRST
    if isinstance(value, time):
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return (seconds * 1_000_000 + value.microsecond) // _unit(name)
    if isinstance(value, Decimal):
        number = int(value.scaleb(decimal_digits(node)[1], Context(prec=max(len(value.as_tuple().digits), 1))))
        size = node.size if isinstance(node, Fixed) else (number.bit_length() + 8) // 8
        return number.to_bytes(size, "big", signed=True)
    return value


def from_raw(node: AnyType, raw: Any) -> Any:
    """The Python value of what a base type holds.

    Raises:
        ValueError, OverflowError: Python has no such day or moment.
    """
    name = type_name(node)
    if name == "date":
        return date.fromordinal(raw + _FIRST)
    if name.startswith("time-"):
        moment = _EPOCH + timedelta(microseconds=raw * _unit(name))
        if moment.date() != _EPOCH.date():
            raise ValueError("not a time of day")
        return moment.time()
    if name.endswith(("timestamp-millis", "timestamp-micros")):
        moment = _EPOCH + timedelta(microseconds=raw * _unit(name))
        return moment if name.startswith("local") else moment.replace(tzinfo=UTC)
    if name == "decimal":
        number = int.from_bytes(raw, "big", signed=True)
        return Decimal(number).scaleb(-decimal_digits(node)[1], Context(prec=max(len(str(abs(number))), 1)))
    return raw


def _unit(name: str) -> int:
    """Microseconds in one unit of a type."""
    return 1_000 if name.endswith("millis") else 1
