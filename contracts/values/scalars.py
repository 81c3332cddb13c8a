"""Checks that one Python value fits its Avro type exactly, for types without parts.  See `producers.strict`."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Fixed, Primitive, join
from avro_data_contracts.contracts.avro.shapes import decimal_digits

#: Returns the value as it will be written; raises Misfit.
Check = Callable[[Any], Any]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY_MS: Final = 86_400_000
UUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FLOAT: Final = struct.Struct("<f")


class Misfit(ValueError):
    """A value that its type cannot hold exactly.  The text does not contain the value, which may be personal.

    Args:
        why: continues after the field's name: `is not text`.

    Attributes:
        path: the field's, as in `contracts.avro.nodes.path_of`; empty for the record itself.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.path = ""

    def inside(self, step: str) -> Misfit:
        """Put a step in front of the path: a field's name, `[]`, `{}` or `(Branch)`."""
        inner = self.path
        self.path = f"{step}{inner}" if inner[:1] in ("", "[", "{", "(") else join(step, inner)
        return self

    def told(self, what: str) -> str:
        """Return a sentence about `what` (`field`) and its path, without the value."""
        return f"{f'{what} {self.path}' if self.path else 'the record'} does not fit the schema: it {self.why}"


def scalar(node: Primitive | Enum | Fixed) -> Check:
    """Return the check of a type without parts."""
    if isinstance(node, Enum):
        return _enum(frozenset(node.symbols))
    if isinstance(node, Fixed):
        return _FIXED[node.logical.name](node) if node.logical else _bytes(node.size)
    made = _LOGICAL.get(node.logical.name) if node.logical else None
    return made(node) if made else _PRIMITIVES[node.type]


def _enum(symbols: frozenset[str]) -> Check:
    def enum(value: Any) -> Any:
        if not isinstance(value, str) or value not in symbols:
            raise Misfit("is not a symbol of the enum")
        return value

    return enum


def null(value: Any) -> Any:
    if value is not None:
        raise Misfit("is not null")
    return value


def _boolean(value: Any) -> Any:
    if type(value) is not bool:
        raise Misfit("is not True or False")
    return value


def _whole(bits: int) -> Check:
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def whole(value: Any) -> Any:
        if type(value) is not int and (type(value) is bool or not isinstance(value, int)):
            raise Misfit("is not a whole number")
        if not least <= value <= most:
            raise Misfit(f"does not fit into {bits} bits")
        return value

    return whole


def _double(value: Any) -> Any:
    if type(value) is float or isinstance(value, float):
        return value
    if type(value) is bool or not isinstance(value, int):
        raise Misfit("is not a number")
    try:
        if float(value) == value:
            return value
    except OverflowError:
        pass
    raise Misfit("is a whole number that a double cannot hold exactly")


def _float(value: Any) -> Any:
    """Accept a Python float, which rounds to the nearest 32-bit one as usual; 0 and Infinity are not rounding."""
    double = float(_double(value))
    if double != double or double in (0.0, float("inf"), float("-inf")):
        return value
    try:
        (kept,) = _FLOAT.unpack(_FLOAT.pack(double))
    except OverflowError:
        raise Misfit("is outside the range of float") from None
    if kept == 0.0:
        raise Misfit("is so small that a float would hold 0")
    if isinstance(value, int) and kept != value:
        raise Misfit("is a whole number that a float cannot hold exactly")
    return value


def text(value: Any) -> Any:
    if type(value) is not str and not isinstance(value, str):
        raise Misfit("is not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Misfit("holds half of a surrogate pair") from None
    return value


def _bytes(size: int | None = None) -> Check:
    def raw(value: Any) -> Any:
        if not isinstance(value, (bytes, bytearray)):
            raise Misfit("is not bytes")
        if size is not None and len(value) != size:
            raise Misfit(f"is not {size} bytes long")
        return value if type(value) is bytes else bytes(value)

    return raw


def _uuid_text(node: AnyType) -> Check:
    def uuid_text(value: Any) -> Any:
        if isinstance(value, uuid.UUID):
            return str(value)
        if not isinstance(value, str) or not UUID_TEXT.fullmatch(value):
            raise Misfit("is not a UUID")
        return value

    return uuid_text


def _uuid_bytes(node: AnyType) -> Check:
    raw = _bytes(16)
    return lambda value: value.bytes if isinstance(value, uuid.UUID) else raw(value)


def _decimal(node: AnyType) -> Check:
    precision, scale = decimal_digits(node)
    size = node.size if isinstance(node, Fixed) else None
    raw = _bytes(size)
    too_long = f"has more than {precision} digits, {scale} of them after the point"

    def of(value: Any) -> Any:
        if not isinstance(value, decimal.Decimal):
            if not isinstance(value, (bytes, bytearray)):
                raise Misfit("is not a Decimal")
            number = int.from_bytes(value, "big", signed=True)
            # The power of ten is large, so compute it only for a number of about that length.
            if not value or (number.bit_length() > 3 * precision and abs(number) >= 10**precision):
                raise Misfit(too_long if value else "is empty")
            return raw(value)
        if not value.is_finite():
            raise Misfit("is not a finite number")
        sign, given, exponent = value.as_tuple()
        digits = "".join(map(str, given)).rstrip("0")
        number = 0
        if digits:
            shift = int(exponent) + len(given) - len(digits) + scale
            # Before it is written out, because 1E+999999 is short.
            if shift < 0 or len(digits) + shift > precision:
                raise Misfit(too_long)
            number = int(digits) * 10**shift * (-1 if sign else 1)
        return number.to_bytes(size or (number.bit_length() + 8) // 8, "big", signed=True)

    return of


def _date(node: AnyType) -> Check:
    raw = _whole(32)

    def date(value: Any) -> Any:
        if isinstance(value, dt.datetime):
            raise Misfit("is a date with a time, which would be lost")
        return value if isinstance(value, dt.date) else raw(value)

    return date


def _time(per_ms: int) -> Callable[[AnyType], Check]:
    raw = _whole(64)

    def made(node: AnyType) -> Check:
        def time(value: Any) -> Any:
            if isinstance(value, dt.time):
                if value.tzinfo is not None:
                    raise Misfit("is a time with a zone, which would be lost")
                if per_ms == 1 and value.microsecond % 1000:
                    raise Misfit("has parts of a millisecond, which would be lost")
                return value
            if not 0 <= raw(value) < _DAY_MS * per_ms:
                raise Misfit("is not a time of day")
            return value

        return time

    return made


def _timestamp(*, local: bool, per_ms: int) -> Callable[[AnyType], Check]:
    raw = _whole(64)
    zone = "has a zone, which would be lost" if local else "has no zone, so its moment is unknown"
    finer = f"has parts of a {'millisecond' if per_ms == 1 else 'microsecond'}, which would be lost"

    def made(node: AnyType) -> Check:
        def timestamp(value: Any) -> Any:
            if not isinstance(value, dt.datetime):
                return raw(value)
            if (value.utcoffset() is None) is not local:
                raise Misfit(zone)
            # pandas' Timestamp is a datetime with nanoseconds.
            if (per_ms == 1 and _micros(value) % 1000) or getattr(value, "nanosecond", 0):
                raise Misfit(finer)
            return value

        return timestamp

    return made


def _micros(value: dt.datetime) -> int:
    """Return the microseconds of the moment: a UTC offset may have some of its own."""
    return value.microsecond if value.tzinfo in (None, dt.UTC) else (value - _EPOCH).microseconds


_PRIMITIVES: Final[Mapping[str, Check]] = {
    "null": null,
    "boolean": _boolean,
    "int": _whole(32),
    "long": _whole(64),
    "float": _float,
    "double": _double,
    "bytes": _bytes(),
    "string": text,
}
#: Types that are not here (timestamps in nanoseconds, big-decimal) are written as their base type.
_LOGICAL: Final[Mapping[str, Callable[[AnyType], Check]]] = {
    "date": _date,
    "time-millis": _time(1),
    "time-micros": _time(1000),
    "timestamp-millis": _timestamp(local=False, per_ms=1),
    "timestamp-micros": _timestamp(local=False, per_ms=1000),
    "local-timestamp-millis": _timestamp(local=True, per_ms=1),
    "local-timestamp-micros": _timestamp(local=True, per_ms=1000),
    "uuid": _uuid_text,
    "decimal": _decimal,
}
_FIXED: Final[Mapping[str, Callable[[AnyType], Check]]] = {
    "uuid": _uuid_bytes,
    "decimal": _decimal,
    "duration": lambda node: _bytes(12),
}
