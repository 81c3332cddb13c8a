"""Applies rules to a Python record before an Avro serializer writes it.  Pure.

A rule sees each value as the serializer writes it, so that the stream, which reads it back, reaches the same verdict:
    a
float has 32 bits, a `timestamp-millis` has no microseconds, and a missing field has its default.
"""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, Inexact
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Union
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.quality.expressions import (
    ARITHMETIC,
    COMPARISONS,
    And,
    Arithmetic,
    Compare,
    Expression,
    IsNull,
    Kind,
    Length,
    Literal,
    Matches,
    Not,
    OneOf,
    Or,
    Path,
)
from avro_data_contracts.contracts.quality.rules import Rule

Record = Mapping[str, Any]
Evaluate = Callable[[Record], Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
#: More digits than any result has (`typing`), so that nothing is ever rounded; rounding would raise.
_EXACT: Final = Context(prec=100, traps=[Inexact])
_EXACT_ARITHMETIC: Final = {"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply}


class Judge:
    """The rules of one contract, prepared once; call `first_broken` for each record."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = [(rule, evaluate(rule.holds)) for rule in rules]

    def first_broken(self, record: Record) -> Rule | None:
        """The first rule, in the contract's order, that the record breaks; None for none.

        Args:
            record: a value that the contract's serializer accepts; the result for others is undefined.
        """
        for rule, holds in self._rules:
            if holds(record) is False:
                return rule
        return None


def evaluate(one: Expression) -> Evaluate:
    """Return the function that gives the value of an expression for a record: None for null.

    Dates are days and timestamps microseconds since 1970; numbers are exact, except floats.
    """
    match one:
        case Path():
            return _path(one)
        case Literal():
            constant = _constant(one)
            return lambda record: constant
        case Length(of=of):
            return _through(len, _path(of))
        case Matches(of=of, pattern=pattern):
            fullmatch = pattern.compiled.fullmatch
            return _through(lambda text: fullmatch(text) is not None, evaluate(of))
        case OneOf(of=of, values=values):
            constants = frozenset(_constant(value) for value in values)
            return _through(lambda value: value in constants, evaluate(of))
        case IsNull(of=of):
            inner = _path(of, lambda value: value)
            return lambda record: inner(record) is None
        case Not(of=of):
            return _through(operator.not_, evaluate(of))
        case And(parts=parts):
            return _logic([evaluate(part) for part in parts], decides=False)
        case Or(parts=parts):
            return _logic([evaluate(part) for part in parts], decides=True)
        case Compare():
            return _both(COMPARISONS[one.operator], evaluate(one.left), evaluate(one.right))
        case Arithmetic():
            table = _EXACT_ARITHMETIC if one.type.kind is Kind.exact else ARITHMETIC
            return _both(table[one.operator], evaluate(one.left), evaluate(one.right))


def _through(function: Callable[[Any], Any], inner: Evaluate) -> Evaluate:
    def evaluate(record: Record) -> Any:
        value = inner(record)
        return None if value is None else function(value)

    return evaluate


def _both(function: Callable[[Any, Any], Any], left: Evaluate, right: Evaluate) -> Evaluate:
    def evaluate(record: Record) -> Any:
        one = left(record)
        if one is None:
            return None
        other = right(record)
        return None if other is None else function(one, other)

    return evaluate


def _logic(parts: list[Evaluate], *, decides: bool) -> Evaluate:
    def evaluate(record: Record) -> bool | None:
        result: bool | None = not decides
        for part in parts:
            value: bool | None = part(record)
            if value is decides:
                return decides
            if value is None:
                result = None
        return result

    return evaluate


# -- values --------------------------------------------------------------------------------------------------------


def _path(one: Path, read: Callable[[Any], Any] | None = None) -> Evaluate:
    steps = [
        (field.name, field.default if field.has_default else None, isinstance(field.type, Union))
        for field in one.fields
    ]
    read = read or _reader(one)
    if len(steps) == 1:
        return _of_field(*steps[0], read)

    def evaluate(record: Record) -> Any:
        value: Any = record
        for name, default, is_union in steps:
            value = value.get(name, default)
            if is_union and type(value) is tuple:  # (name of the union's branch, value)
                value = value[1]
            if value is None:
                return None
        return read(value)

    return evaluate


def _of_field(name: str, default: Any, is_union: bool, read: Callable[[Any], Any]) -> Evaluate:
    """The same for a field of the record itself, as most rules are about."""

    def evaluate(record: Record) -> Any:
        value = record.get(name, default)
        if is_union and type(value) is tuple:
            value = value[1]
        return None if value is None else read(value)

    return evaluate


def _reader(one: Path) -> Callable[[Any], Any]:
    """Convert a value as `_constant` converts a constant of its kind: to days, microseconds, exact numbers, …"""
    match one.type.kind:
        case Kind.text:
            return lambda value: value if type(value) is str else str(value)  # a UUID
        case Kind.exact:
            if one.type.integral:
                return int
            scale = one.type.scale
            return lambda value: _decimal(value, scale) if isinstance(value, (bytes, str)) else value
        case Kind.floating:
            return (lambda value: ctypes.c_float(float(value)).value) if one.type.single else float
        case Kind.boolean:
            return bool
        case Kind.date:
            return _days
        case Kind.timestamp | Kind.local_timestamp:
            unit = 1_000 if type_name(one.leaf).endswith("millis") else 1
            is_local = one.type.kind is Kind.local_timestamp
            return lambda value: _microseconds(value, unit, is_local=is_local)
    return lambda value: value


def _decimal(value: bytes | str, scale: int) -> Decimal:
    data = value.encode("latin-1") if isinstance(value, str) else value  # text: a default in JSON
    return Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-scale, _EXACT)


def _days(value: date | str | int) -> int:
    if isinstance(value, str):
        value = date.fromisoformat(value)
    return value.toordinal() - _FIRST_DAY if isinstance(value, date) else value


def _microseconds(value: datetime | int, unit: int, *, is_local: bool) -> int:
    if not isinstance(value, datetime):
        return value * unit
    value = value.replace(tzinfo=UTC) if is_local else value.astimezone(UTC)
    return (value - _EPOCH) // _MICROSECOND // unit * unit


def _constant(one: Literal) -> Any:
    value = one.value
    if isinstance(value, datetime):
        return _microseconds(value, 1, is_local=value.tzinfo is None)
    return _days(value) if isinstance(value, date) else value
