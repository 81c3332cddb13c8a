"""Dates and times as the numbers that Avro stores: fastavro then has no logical types to look for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

_FIRST_DAY: Final = dt.date(1970, 1, 1).toordinal()
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LOCAL_EPOCH: Final = dt.datetime(1970, 1, 1)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def _days(value: Any) -> Any:
    return value.toordinal() - _FIRST_DAY if isinstance(value, dt.date) else value


def _time(unit: dt.timedelta) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        if not isinstance(value, dt.time):
            return value
        since = dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
        return since // unit

    return of


def _timestamp(epoch: dt.datetime, unit: dt.timedelta) -> Callable[[Any], Any]:
    return lambda value: int((value - epoch) // unit) if isinstance(value, dt.datetime) else value


#: Type (`contracts.avro.shapes.type_name`) -> what makes the number of a value that `values.scalars` has checked.
#: A number stays as it is.
NUMBERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "date": _days,
    "time-millis": _time(_MILLISECOND),
    "time-micros": _time(_MICROSECOND),
    "timestamp-millis": _timestamp(_EPOCH, _MILLISECOND),
    "timestamp-micros": _timestamp(_EPOCH, _MICROSECOND),
    "local-timestamp-millis": _timestamp(_LOCAL_EPOCH, _MILLISECOND),
    "local-timestamp-micros": _timestamp(_LOCAL_EPOCH, _MICROSECOND),
}
