"""Timestamps as numbers: in the unit of their type, or in the one of `--coerce epoch=s`; exactly, or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from avro_data_contracts.contracts.values.numbers import from_text
from avro_data_contracts.contracts.values.scalars import Check, Misfit

#: Unit -> digits after the second.
UNITS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_NAMES: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_FINER: Final = {3: "a millisecond", 6: "a microsecond", 9: "a nanosecond"}
_TEXT: Final = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?", re.ASCII)
#: Longer numbers are not times, and would take long.
_DIGITS: Final = 800
_EXPONENT: Final = 40

#: Seconds since 1970 until 1980 and 2100.
_Y1980: Final = 315_532_800
_Y2100: Final = 4_102_444_800


@dataclass
class _Seen:
    digits: int
    count: int = 0
    most: int = 0
    all_early: bool = True

    def see(self, value: int) -> None:
        self.count += 1
        self.most = max(self.most, value)
        # A number below 0 is a time before 1970, which somebody meant.
        self.all_early = self.all_early and 0 <= value < _Y1980 * 10**self.digits


class Epochs:
    """Looks at the numbers that became timestamps without a word about their unit."""

    def __init__(self) -> None:
        self._fields: dict[str, _Seen] = {}

    def of(self, field: str, digits: int) -> _Seen:
        """Return what looks at the numbers of one field."""
        return self._fields.setdefault(field, _Seen(digits))

    def notices(self) -> list[str]:
        """Return a sentence for each field whose numbers are all times of the seventies: they have another unit."""
        return [
            f"{field}: all of its numbers, {seen.count}, are times from 1970 to 1979; are they "
            f"{_NAMES[_likely(seen)]}? Then say epoch={_likely(seen)} in place of epoch, and send them again"
            for field, seen in self._fields.items()
            if seen.count and seen.all_early
        ]


def _likely(seen: _Seen) -> str:
    """The unit in which the latest number is a time of these decades; seconds if there is none."""
    likely = (unit for unit, digits in UNITS.items() if _Y1980 <= seen.most // 10**digits < _Y2100)
    return next(likely, "s")


def in_unit(check: Check, unit: str, digits: int, *, from_texts: bool) -> Check:
    """Let a number in `unit` pass as well, for a timestamp with so many digits after the second.

    Args:
        from_texts: also a number in text.
    """
    shift = digits - UNITS[unit]

    def either(value: Any) -> Any:
        if from_texts and type(value) is str and _TEXT.fullmatch(value):
            value = from_text(value)
        if type(value) is int:
            if shift >= 0:
                return value * 10**shift
            whole, rest = divmod(value, 10**-shift)
            if rest:
                raise Misfit(_too_fine(digits))
            return whole
        return _exactly(value, shift, digits) if type(value) is Decimal else check(value)

    return either


def _exactly(value: Decimal, shift: int, digits: int) -> int:
    """Return value · 10^shift.  Raises Misfit if that is not whole."""
    if not value.is_finite():
        raise Misfit("is not a finite number")
    if value.adjusted() > _EXPONENT:
        raise Misfit("does not fit into 64 bits")
    _, written, exponent = value.as_tuple()
    if len(written) > _DIGITS:
        raise Misfit(f"has more than {_DIGITS} digits")
    assert isinstance(exponent, int)
    # Not multiplied: that would round to 28 digits.
    shifted = Decimal((value.is_signed(), written, exponent + shift))
    if value and (shifted.adjusted() < 0 or shifted != shifted.to_integral_value()):
        raise Misfit(_too_fine(digits))
    return int(shifted)


def _too_fine(digits: int) -> str:
    return f"has parts of {_FINER[digits]}, which would be lost"
