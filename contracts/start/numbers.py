"""Which type holds the numbers of a sample with every digit: `double`, `decimal`, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from avro_data_contracts.contracts.values import numbers
from avro_data_contracts.contracts.values.scalars import Misfit

#: The most digits that Spark and most databases have.
MOST_DIGITS: Final = 38
_DOUBLE: Final = numbers.double(from_texts=False, single=False)


@dataclass(frozen=True)
class Digits:
    """What a decimal needs.

    Attributes:
        precision: digits in all.
        scale: digits after the point.
        same_scale: each number has as many after the point, and one at least: it may be an amount of money.
    """

    precision: int
    scale: int
    same_scale: bool


def digits_of(values: Sequence[int | Decimal]) -> Digits:
    """Return what a decimal needs for all of these numbers, which are finite."""
    whole = scale = 0
    scales = set()
    for value in values:
        number = Decimal(value)
        exponent = int(number.as_tuple().exponent)
        scales.add(-exponent)
        scale = max(scale, -exponent)
        whole = max(whole, number.adjusted() + 1 if number else 0)
    return Digits(max(whole + scale, 1), scale, len(scales) == 1 and scale > 0)


def fits_double(value: int | Decimal) -> bool:
    """Whether the nearest double gives back every digit that was written: the producer refuses others."""
    try:
        return float(value) == value if isinstance(value, int) else _DOUBLE(value) is not None
    except (Misfit, OverflowError):
        return False


def decimal(precision: int, scale: int) -> dict[str, Any]:
    """A decimal, as bytes."""
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
