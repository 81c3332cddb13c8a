"""How far a run has got in a source that says what is new since a position.  Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from avro_data_contracts.contracts.sources.increment import Order

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d+)?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WHOLE: Final = re.compile(r"\d{1,100}", re.ASCII)

#: A kind, and a key that orders values of that kind; None: they have no order.
_Rank = tuple[str, Any]


class OutOfOrder(ValueError):
    """The records do not come as the contract says."""


def text_of(value: Any) -> str | None:
    """Return a cursor as it is sent back: as the source wrote it.  None for what is neither text nor number."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return None


class Increment:
    """What a run has read that is new.

    Args:
        order: in which the source gives its records.
        since: the position that the run began with, None for none.
    """

    def __init__(self, order: Order, since: str | None) -> None:
        self._ascending = order is Order.ascending
        self._since = since
        self._newest: str | None = None
        self._last: str | None = None
        self._below: str | None = None

    def see(self, cursor: str) -> None:
        """Take a record, whose cursor is this text.

        Raises:
            OutOfOrder: it does not come after the record before it.
        """
        if self._ascending:
            self._follow(cursor)
        elif _later(cursor, self._newest):
            self._newest = cursor

    def _follow(self, cursor: str) -> None:
        if self._last is not None and cursor != self._last:
            kind, rank = _rank(cursor)
            before_kind, before = _rank(self._last)
            if kind != before_kind:
                raise OutOfOrder(f"its cursor is a {kind}, and that of the record before is a {before_kind}")
            if rank is not None and rank < before:
                raise OutOfOrder("its cursor is lower than that of the record before")
            # A record with an equal cursor may still come, so only what is below the latest one is complete.
            if rank is None or rank > before:
                self._below = self._last
        self._last = cursor

    def position(self, *, complete: bool) -> str | None:
        """Return the position after the records so far; None if it has not moved.

        Args:
            complete: whether the source had no more.
        """
        if complete:
            return self._last if self._ascending else self._forward()
        return self._below if self._ascending else None

    def _forward(self) -> str | None:
        """The newest cursor of the run, unless the run began with a newer one."""
        if self._newest is None or self._since is None:
            return self._newest
        (kind, rank), (before_kind, before) = _rank(self._newest), _rank(self._since)
        return self._since if kind == before_kind and rank < before else self._newest


def _later(cursor: str, other: str | None) -> bool:
    kind, rank = _rank(cursor)
    if rank is None:
        raise OutOfOrder("its cursor is neither a number nor a time, so the newest one cannot be determined")
    if other is None:
        return True
    other_kind, before = _rank(other)
    if kind != other_kind:
        raise OutOfOrder(f"its cursor is a {kind}, and that of an earlier record is a {other_kind}")
    return bool(rank > before)


def _rank(cursor: str) -> _Rank:
    if _WHOLE.fullmatch(cursor):
        return "number", Decimal(cursor)
    if found := _MOMENT.fullmatch(cursor):
        return _moment(*found.groups())
    try:
        if _DATE.fullmatch(cursor):
            return "date", date.fromisoformat(cursor)
        if re.fullmatch(r"-?\d[\d.]*([eE][+-]?\d+)?", cursor, re.ASCII):
            return "number", Decimal(cursor)
    except (ValueError, ArithmeticError):
        pass
    return "text", None


def _moment(day: str, time: str, fraction: str | None, zone: str | None) -> _Rank:
    try:
        whole = datetime.fromisoformat(f"{day}T{time}{(zone or '').upper()}")
        at = whole.astimezone(UTC) if zone else whole
    except (ValueError, OverflowError):
        return "text", None
    return ("time" if zone else "local time"), (at, Decimal(f"0{fraction}") if fraction else Decimal(0))
