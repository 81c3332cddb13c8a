"""Masks of decoded values in Python: what `streaming.sinks.masks` makes of them in Spark.  Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Schema
from avro_data_contracts.contracts.avro.shapes import decimal_digits, nullability, type_name
from avro_data_contracts.contracts.masks.hashing import Key
from avro_data_contracts.contracts.masks.masked import REDACTED
from avro_data_contracts.contracts.masks.spec import How, Kind

_EPOCH: Final = dt.datetime(1970, 1, 1)


def masked(value: Any, how: How, schema: Schema, node: AnyType, key: Key | None) -> Any:
    """Return what a store has in place of a value.  Null stays null; a value that is dropped is null here.

    Args:
        value: as fastavro decodes it.
        node: its type.
        key: for a hash.
    """
    if value is None or how.kind in (Kind.null, Kind.drop):
        return None
    inner, _ = nullability(schema, node)
    name = type_name(inner)
    match how.kind:
        case Kind.redact:
            return REDACTED
        case Kind.truncate:
            return value[: how.length]
        case Kind.year:
            return year(value)
    assert key is not None  # its sink asked for it
    return key.of(value, decimal_digits(inner)[1] if name == "decimal" else 0)


def year(value: dt.date | int) -> int:
    """Return the year of a date or a moment, in UTC; a number is nanoseconds since 1970."""
    if isinstance(value, int):
        return (_EPOCH + dt.timedelta(microseconds=value // 1000)).year
    if isinstance(value, dt.datetime) and value.tzinfo:
        return value.astimezone(dt.UTC).year
    return value.year
