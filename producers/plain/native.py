"""Values of Python's own types, which Parquet gives: they pass as they are, for `values.scalars` to check."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from typing import Final
from zoneinfo import ZoneInfo

from avro_data_contracts.contracts.values.scalars import Check, Misfit
from avro_data_contracts.contracts.values.texts import in_zone

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "bytes": (bytes,),
    "fixed": (bytes,),
    "uuid": (bytes, uuid.UUID),
    "decimal": (),
    "duration": (bytes,),
    "date": (dt.date,),
    "time-millis": (dt.time,),
    "time-micros": (dt.time,),
    "local-timestamp-millis": (dt.datetime,),
    "local-timestamp-micros": (dt.datetime,),
}
_SINGLE: Final = struct.Struct("<f")


def also(name: str, check: Check, zone: ZoneInfo | None) -> Check:
    """Return a check that also takes the Python values of the type `name` (`contracts.avro.shapes.type_name`)."""
    if name in ("timestamp-millis", "timestamp-micros"):
        return lambda value: _moment(value, zone) if isinstance(value, dt.datetime) else check(value)
    if name == "float":
        return lambda value: _float(value) if type(value) is float else check(value)
    types = _TYPES.get(name, ())
    return (lambda value: value if type(value) in types else check(value)) if types else check


def _moment(value: dt.datetime, zone: ZoneInfo | None) -> dt.datetime:
    return in_zone(value, zone) if value.tzinfo is None else value


def _float(value: float) -> float:
    try:
        kept = _SINGLE.unpack(_SINGLE.pack(value))[0]
    except OverflowError:
        raise Misfit("is outside the range of float") from None
    if kept != value and value == value:
        raise Misfit("has digits that a float would lose")
    return value
