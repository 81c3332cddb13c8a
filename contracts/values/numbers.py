"""Numbers of JSON as numbers of Avro: exactly, or not at all."""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal
from typing import Any, Final

from avro_data_contracts.contracts.values.kinds import kind
from avro_data_contracts.contracts.values.scalars import Check, Misfit

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NAMED: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SINGLE: Final = struct.Struct("<f")
#: A longer whole number than any type has; one with a large exponent is not written out.
_DIGITS: Final = 40
#: A double has at most 767 significant digits when it is written out.
_DOUBLE_DIGITS: Final = 800
#: Python does not read whole numbers of more digits.
_LONGEST: Final = 4_300


def from_text(text: str) -> int | Decimal:
    """Return the number that a text is in JSON's notation.  Raises Misfit."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise Misfit("is text that is not a number in JSON's notation")
    if found[1] or found[2] or len(text) > _LONGEST:
        return Decimal(text)
    return int(text)


def whole(*, from_texts: bool) -> Check:
    """`int` and `long`.  Their range is for `contracts.values.scalars` to check."""

    def number(value: Any) -> Any:
        if type(value) is int:
            return value
        if from_texts and type(value) is str:
            value = from_text(value)
        if type(value) is Decimal:
            return _whole(value)
        if type(value) is not int:
            raise Misfit(_not_a_number(value, "a whole number"))
        return value

    return number


def _whole(value: Decimal) -> int:
    if not value.is_finite():
        raise Misfit("is not a finite number")
    if value.adjusted() > _DIGITS:
        raise Misfit("does not fit into 64 bits")
    # 1E-999999 is short, and would be long as a fraction.
    if value and (value.adjusted() < 0 or value != value.to_integral_value()):
        raise Misfit("has a fraction, which would be lost")
    return int(value)


def double(*, from_texts: bool, single: bool) -> Check:
    """`double` and `float`: the nearest one, if it gives back every digit that was written."""

    def number(value: Any) -> Any:
        if type(value) is str:
            if value in _NAMED:
                return _NAMED[value]
            if from_texts:
                value = from_text(value)
        if type(value) is Decimal:
            return _nearest(value, single=single)
        if type(value) is not int and type(value) is not float:
            raise Misfit(_not_a_number(value, "a number"))
        return value

    return number


def _nearest(value: Decimal, *, single: bool) -> float:
    if not value.is_finite():
        raise Misfit("is not a finite number")
    near = float(value)
    if single and near:
        try:
            (near,) = _SINGLE.unpack(_SINGLE.pack(near))
        except OverflowError:
            raise Misfit("is outside the range of float") from None
    type_ = "float" if single else "double"
    if math.isinf(near):
        raise Misfit(f"is outside the range of {type_}")
    if not single and Decimal(repr(near)) == value:
        return near
    digits = len(value.as_tuple().digits)
    if value and (digits > _DOUBLE_DIGITS or Decimal(f"{near:.{digits - 1}e}") != value):
        raise Misfit(f"has digits that a {type_} would lose")
    return near


def decimal(*, from_texts: bool = True) -> Check:
    """`decimal`; digits and scale are for `contracts.values.scalars` to check."""

    def number(value: Any) -> Any:
        if type(value) is str and from_texts:
            value = from_text(value)
        if type(value) is int:
            return Decimal(value)
        if type(value) is not Decimal:
            raise Misfit(_not_a_number(value, "a number, or a number in text"))
        return value

    return number


def _not_a_number(value: Any, wanted: str) -> str:
    return f"is {kind(value)}, not {wanted}"
