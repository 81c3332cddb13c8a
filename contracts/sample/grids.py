"""Values that lie on a grid: whole numbers, decimals, days, moments.  A value is its number on the grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Field
from avro_data_contracts.contracts.avro.shapes import decimal_digits, type_name
from avro_data_contracts.contracts.sample import meaning
from avro_data_contracts.contracts.sample.asked import Asked
from avro_data_contracts.contracts.sample.chance import Chance, NotFound

_EPOCH: Final = date(1970, 1, 1)
_LOCAL_EPOCH: Final = datetime(1970, 1, 1)
_DAY_US: Final = 86_400_000_000
_FIRST_DAY, _LAST_DAY = (date.min - _EPOCH).days, (date.max - _EPOCH).days
#: A number of this many digits is still one that a person would write.
_FEW_DIGITS: Final = 4
_TRIES: Final = 50


@dataclass(frozen=True)
class Grid:
    """All values of a type.

    Attributes:
        low, high: the first and the last number.
        usual: those that one would expect.
        step: what one number is, as a rule compares it.
        made: makes the Python value.
    """

    low: int
    high: int
    usual: tuple[int, int]
    step: Fraction
    made: Callable[[int], Any]


def grid_of(node: AnyType, field: Field | None) -> Grid | None:
    """The grid of a type, None for a type that has none.  `field`: its name may say what is usual."""
    name = type_name(node)
    if name in ("int", "long"):
        end = 2**31 if name == "int" else 2**63
        low, high = _numbers(field, (0, 1_000))
        return Grid(-end, end - 1, (math.ceil(low), math.floor(high)), Fraction(1), int)
    if name == "decimal":
        precision, scale = decimal_digits(node)
        end, one = 10**precision - 1, 10**scale
        low, high = _numbers(field, (0, 10**_FEW_DIGITS))
        return Grid(-end, end, (math.ceil(low * one), math.floor(high * one)), Fraction(1, one), _decimals(scale))
    if name == "date":
        first, last = _days(field)
        return Grid(_FIRST_DAY, _LAST_DAY, (first, last), Fraction(1), _day)
    if name.endswith(("timestamp-millis", "timestamp-micros")):
        step = 1_000 if name.endswith("millis") else 1
        first, last = (day * _DAY_US // step for day in _days(field))
        low, high = _FIRST_DAY * _DAY_US // step, (_LAST_DAY + 1) * _DAY_US // step - 1
        return Grid(low, high, (first, last), Fraction(step), _moments(step, local=name.startswith("local")))
    return None


def _numbers(field: Field | None, usual: tuple[float, float]) -> tuple[float, float]:
    found: tuple[float, float] | None = meaning.of(field, meaning.NUMBERS) if field else None
    return found or usual


def _days(field: Field | None) -> tuple[int, int]:
    found: tuple[date, date] | None = meaning.of(field, meaning.DAYS) if field else None
    first, last = found or meaning.USUAL_DAYS
    return (first - _EPOCH).days, (last - _EPOCH).days


def _decimals(scale: int) -> Callable[[int], Decimal]:
    return lambda number: Decimal(number).scaleb(-scale, Context(prec=max(len(str(abs(number))), 1)))


def _day(number: int) -> date:
    return date.fromordinal(_EPOCH.toordinal() + number)


def _moments(step: int, *, local: bool) -> Callable[[int], datetime]:
    def moment(number: int) -> datetime:
        found = _LOCAL_EPOCH + timedelta(microseconds=number * step)
        return found if local else found.replace(tzinfo=UTC)

    return moment


def draw(grid: Grid, asked: Asked) -> Callable[[Chance], Any]:
    """Return what draws a value of the grid.  Raises NotFound if it has none that is asked for."""
    low, high = _narrowed(grid, asked)
    excluded = {number for one in asked.excluded if (number := _number(grid, one)) is not None}
    if asked.one_of is not None:
        found = [_number(grid, one) for one in sorted(asked.one_of)]
        listed = [one for one in found if one is not None and low <= one <= high and one not in excluded]
        if not listed:
            raise NotFound
        return lambda chance: grid.made(chance.choice(listed))
    if low > high:
        raise NotFound
    usual = max(low, grid.usual[0]), min(high, grid.usual[1])
    if usual[0] > usual[1]:
        usual = _near(grid, low, high)
    edges = [one for one in dict.fromkeys((low, high, 0, 1, -1)) if low <= one <= high]

    def drawn(chance: Chance) -> Any:
        for attempt in range(_TRIES):
            if chance.edge():
                number = chance.choice(edges)
            else:
                number = chance.random.randint(*(usual if attempt < _TRIES // 2 else (low, high)))
            if number not in excluded:
                return grid.made(number)
        raise NotFound

    return drawn


def _near(grid: Grid, low: int, high: int) -> tuple[int, int]:
    """The end of the allowed numbers that is nearer to the usual ones."""
    width = grid.usual[1] - grid.usual[0]
    return (low, min(high, low + width)) if low > grid.usual[1] else (max(low, high - width), high)


def _narrowed(grid: Grid, asked: Asked) -> tuple[int, int]:
    low, high = grid.low, grid.high
    for operator, value in asked.bounds:
        at = Fraction(value) / grid.step
        if operator in (">", ">="):
            least = math.ceil(at)
            low = max(low, least + 1 if operator == ">" and least == at else least)
        else:
            most = math.floor(at)
            high = min(high, most - 1 if operator == "<" and most == at else most)
    return low, high


def _number(grid: Grid, value: Any) -> int | None:
    """The number of a value; None if it lies between two."""
    at = Fraction(value) / grid.step
    return int(at) if at.denominator == 1 else None
