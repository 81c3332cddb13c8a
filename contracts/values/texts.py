"""Texts of JSON as dates, times, UUIDs and bytes: exactly, or not at all."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import uuid
from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

from avro_data_contracts.contracts.values.kinds import kind
from avro_data_contracts.contracts.values.numbers import from_text
from avro_data_contracts.contracts.values.scalars import UUID_TEXT, Check, Misfit

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK: Final = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.(\d+))?"
_TIME: Final = re.compile(_CLOCK, re.ASCII)
_MOMENT: Final = re.compile(rf"(\d{{4}}-\d\d-\d\d[T ]{_CLOCK})(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LOCAL_EPOCH: Final = dt.datetime(1970, 1, 1)
_UNITS: Final = {3: dt.timedelta(milliseconds=1), 6: dt.timedelta(microseconds=1)}
_SECOND: Final = dt.timedelta(seconds=1)
_FINER: Final = {3: "a millisecond", 6: "a microsecond", 9: "a nanosecond"}
_OUTSIDE: Final = "is outside the years 1 to 9999 in UTC"
_DURATION: Final = ("months", "days", "milliseconds")


def or_number(
    check: Check, *, epoch: bool, from_texts: bool, see: Callable[[int], None] = lambda value: None
) -> Check:
    """Let the number that Avro stores pass as well, if that was asked for.

    Args:
        see: gets each of these numbers.
    """
    if not epoch:
        return check

    def either(value: Any) -> Any:
        if from_texts and type(value) is str and value.lstrip("-").isdecimal():
            value = from_text(value)
        if type(value) is not int:
            return check(value)
        see(value)
        return value

    return either


def date(value: Any) -> Any:
    text = _text(value, "a date as text (2026-11-29)")
    if not _DATE.fullmatch(text):
        raise Misfit("is not a date such as 2026-11-29")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Misfit("is a day that the calendar does not have") from None


def time(digits: int) -> Check:
    """A time of day with so many digits after the second."""

    def of(value: Any) -> Any:
        text = _text(value, "a time as text (12:34:56)")
        found = _TIME.fullmatch(text)
        if found is None:
            raise Misfit("is not a time of day such as 12:34:56.789")
        _no_finer(found[1], digits)
        return dt.time.fromisoformat(text)

    return of


def timestamp(digits: int, *, local: bool, zone: ZoneInfo | None) -> Check:
    """A timestamp with so many digits after the second, with an offset unless it is local.

    Args:
        zone: that of timestamps without an offset, None to refuse them.

    Returns:
        The number that Avro stores: a datetime has no nanoseconds, and fastavro would make that number anyway.
    """
    unit = _UNITS.get(digits)
    example = "2026-11-29T12:34:56" if local else "2026-11-29T12:34:56Z"

    def of(value: Any) -> Any:
        if type(value) is not str:
            raise Misfit(f"is {kind(value)}, not a timestamp as text ({example})")
        found = _MOMENT.fullmatch(value)
        if found is None:
            raise Misfit(f"is not a timestamp such as {example}")
        fraction, offset = found.group(2, 3)
        if fraction is not None and len(fraction) > digits:
            _no_finer(fraction, digits)
        if offset is not None and local:
            raise Misfit("has an offset, which would be lost")
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            raise Misfit("is a day or an offset that does not exist") from None
        if local:
            return (moment - _LOCAL_EPOCH) // unit if unit else _nanos(moment - _LOCAL_EPOCH, fraction)
        if offset is None:
            moment = in_zone(moment, zone)
        return (moment - _EPOCH) // unit if unit else _nanos(moment - _EPOCH, fraction)

    return of


def in_zone(moment: dt.datetime, zone: ZoneInfo | None) -> dt.datetime:
    """Return the moment of a local time in a zone.  Raises Misfit if there is none, or if the zone has it twice."""
    if zone is None:
        raise Misfit("has no offset, so its moment is unknown (--coerce zone=… says in which zone it is)")
    earlier = moment.replace(tzinfo=zone)
    try:
        utc = earlier.astimezone(dt.UTC)
    except OverflowError:
        raise Misfit(_OUTSIDE) from None
    if earlier.utcoffset() != earlier.replace(fold=1).utcoffset():
        raise Misfit("is at an hour that its zone has twice or not at all, when the clock is changed")
    return utc


def _nanos(since: dt.timedelta, fraction: str | None) -> int:
    """Return nanoseconds.  The fraction of the second comes from the text: Python has cut it to microseconds."""
    return since // _SECOND * 10**9 + int((fraction or "")[:9].ljust(9, "0"))


def _no_finer(fraction: str | None, digits: int) -> None:
    if fraction is not None and len(fraction) > digits and fraction[digits:].strip("0"):
        raise Misfit(f"has parts of {_FINER[digits]}, which would be lost")


def uuid_bytes(value: Any) -> Any:
    text = _text(value, "a UUID as text")
    if not UUID_TEXT.fullmatch(text):
        raise Misfit("is not a UUID")
    return uuid.UUID(text)


def raw(value: Any) -> Any:
    """Bytes as base64."""
    text = _text(value, "bytes in base64")
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Misfit("is not base64") from None
    # Some other texts have the same bytes, and a reader would get back this one.
    if base64.b64encode(found).decode() != text:
        raise Misfit("is not base64 as it is written for its bytes")
    return found


def as_datetime(check: Check, digits: int, *, local: bool) -> Check:
    """Make the moment of a `timestamp` a datetime, instead of the number that Avro stores."""
    epoch, unit = _LOCAL_EPOCH if local else _EPOCH, _UNITS[digits]

    def of(value: Any) -> Any:
        number = check(value)
        try:
            return epoch + number * unit
        except OverflowError:
            raise Misfit(_OUTSIDE) from None

    return of


def duration(value: Any) -> Any:
    if not isinstance(value, dict):
        raise Misfit(f"is {kind(value)}, not an object with {', '.join(_DURATION)}")
    if value.keys() != set(_DURATION):
        raise Misfit(f"must have {', '.join(_DURATION)}, and nothing else")
    for part in _DURATION:
        number = value[part]
        if type(number) is not int or not 0 <= number < 2**32:
            raise Misfit("is not a whole number from 0 to 4294967295").inside(part)
    return b"".join(value[part].to_bytes(4, "little") for part in _DURATION)


def _text(value: Any, wanted: str) -> str:
    if type(value) is not str:
        raise Misfit(f"is {kind(value)}, not {wanted}")
    return value
