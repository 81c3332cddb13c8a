"""Builds the nodes of `contracts.quality.expressions` and refuses types that do not fit together.  Pure.

There is no node for anything that Python and Spark would compute differently: an exact number never becomes a
    floating
one, and a sum or product that can need more digits than a Spark decimal has is refused before any record arrives.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Field, Record, Schema
from avro_data_contracts.contracts.avro.shapes import decimal_digits, nullability, type_name
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality.expressions import (
    DOUBLE,
    Arithmetic,
    Compare,
    Expression,
    Kind,
    Length,
    Literal,
    Matches,
    OneOf,
    Path,
    Type,
)
from avro_data_contracts.contracts.quality.patterns import Pattern

MAX_DIGITS: Final = 38  # of Spark's decimal
#: Digits that a floating number always keeps; YAML has already rounded a constant with more.
_FLOAT_DIGITS: Final = 15
_LONG: Final = range(-(2**63), 2**63)
_LONG_DIGITS: Final = 19
_TYPES: Final = {
    "boolean": Type(Kind.boolean),
    "int": Type(Kind.exact, 10, 0, integral=True),
    "long": Type(Kind.exact, 19, 0, integral=True),
    "float": Type(Kind.floating, single=True),
    "double": DOUBLE,
    **dict.fromkeys(("string", "enum"), Type(Kind.text)),
    "date": Type(Kind.date),
    **dict.fromkeys(("timestamp-millis", "timestamp-micros"), Type(Kind.timestamp)),
    **dict.fromkeys(("local-timestamp-millis", "local-timestamp-micros"), Type(Kind.local_timestamp)),
    **dict.fromkeys(("bytes", "fixed"), Type(Kind.bytes)),
    **dict.fromkeys(("array", "map"), Type(Kind.collection)),
}
_ORDERED: Final = (Kind.exact, Kind.floating, Kind.date, Kind.timestamp, Kind.local_timestamp)
_EQUAL: Final = (*_ORDERED, Kind.text, Kind.boolean)
_COUNTED: Final = (Kind.text, Kind.bytes, Kind.collection)
_SHAPES: Final = {
    Kind.date: "write a date as '2020-12-31'",
    Kind.timestamp: "write a timestamp with its zone, as '2020-12-31T23:59:59Z'",
    Kind.local_timestamp: "write a local timestamp without a zone, as '2020-12-31T23:59:59'",
}


def path(schema: Schema, text: str) -> Path:
    """The field at `address.city`, through records that may be null."""
    node, _ = nullability(schema, schema.root)
    found: list[Field] = []
    for name in text.split("."):
        if not isinstance(node, Record):
            around = ".".join(field.name for field in found) or "the value"
            raise ConfigurationError(
                f"{around} is {node.label}: a rule can only name fields of records",
                fix="name a field of a record; for an array or a map use required, min_length and max_length",
            )
        if name not in node.by_name:
            raise ConfigurationError(f"there is no field {text!r}", fix=f"fields there: {', '.join(node.by_name)}")
        found.append(node.by_name[name])
        node, _ = nullability(schema, node.by_name[name].type)
    return Path(tuple(found), node, _type_of(node))


def _type_of(node: AnyType) -> Type:
    name = type_name(node)
    if name == "decimal" and decimal_digits(node)[0] <= MAX_DIGITS:
        return Type(Kind.exact, *decimal_digits(node))
    if name == "uuid" and node.type == "string":
        return Type(Kind.text)
    return _TYPES.get(name, Type(Kind.other))


def literal(value: object) -> Literal:
    """A constant as YAML or an expression gives it."""
    if isinstance(value, bool):
        return Literal(value, Type(Kind.boolean))
    if isinstance(value, str):
        return Literal(value, Type(Kind.text))
    if isinstance(value, int):
        return number(Decimal(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigurationError(f"{value} cannot be a bound", fix="remove it")
        exact = Decimal(repr(value))
        if len(exact.as_tuple().digits) > _FLOAT_DIGITS:
            raise ConfigurationError(
                f"{value!r} has too many digits: YAML may have rounded it", fix="put the number in quotes"
            )
        return number(exact)
    if isinstance(value, datetime):
        kind = Kind.local_timestamp if value.tzinfo is None else Kind.timestamp
        return Literal(value if value.tzinfo is None else value.astimezone(UTC), Type(kind))
    if isinstance(value, date):
        return Literal(value, Type(Kind.date))
    raise ConfigurationError(
        f"a {type(value).__name__} is not a constant", fix="write a number, a text, true or false"
    )


def number(value: Decimal) -> Literal:
    """An exact constant."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(-exponent, 0)
    precision = max(len(digits) + max(exponent, 0), scale, 1)
    integral = scale == 0 and precision <= _LONG_DIGITS and int(value) in _LONG
    return Literal(value, Type(Kind.exact, precision, scale, integral))


def compare(operator: str, left: Expression, right: Expression) -> Compare:
    """`left operator right`."""
    left, right = _alike(left, right)
    kinds = _EQUAL if operator in ("==", "!=") else _ORDERED
    if left.type.kind not in kinds:
        raise ConfigurationError(
            f"{describe(left)} is {left.type.kind}: it cannot be compared with {operator}",
            fix="use pattern, one_of, min_length or max_length for a text",
        )
    if left.type.kind is Kind.exact:
        common_digits(left.type, right.type)
    return Compare(operator, left, right)


def one_of(of: Expression, values: Sequence[Literal]) -> OneOf:
    """`of in (values)`."""
    if not values:
        raise ConfigurationError("the list is empty", fix="list the values")
    if of.type.kind not in _EQUAL or of.type.kind is Kind.floating:
        raise ConfigurationError(
            f"{describe(of)} is {of.type.kind}, which cannot have a list of values", fix="use min, max"
        )
    compared = [compare("==", of, value).right for value in values]
    return OneOf(of, tuple(one for one in compared if isinstance(one, Literal)))


def length(of: Expression) -> Length:
    """`len(of)`."""
    if not isinstance(of, Path) or of.type.kind not in _COUNTED:
        raise ConfigurationError(
            f"{describe(of)} is {of.type.kind}, which has no length",
            fix="only a text, bytes, an array or a map has a length",
        )
    return Length(of)


def matches(of: Expression, pattern: Pattern) -> Matches:
    """`matches(of, pattern)`."""
    if of.type.kind is not Kind.text or isinstance(of, Literal):
        raise ConfigurationError(f"{describe(of)} is {of.type.kind}, but a pattern needs a text", fix="use min, max")
    return Matches(of, pattern)


def arithmetic(operator: str, left: Expression, right: Expression) -> Arithmetic:
    """`left operator right`, a number with as many digits as it can need."""
    for part in (left, right):
        if part.type.kind not in (Kind.exact, Kind.floating):
            words = f"{describe(part)} is {part.type.kind}, but {operator} needs numbers"
            raise ConfigurationError(words, fix="see docs/reference/rules.md for what an expression may have")
    if Kind.floating in (left.type.kind, right.type.kind):
        left, right = (_as(part, DOUBLE) if isinstance(part, Literal) else part for part in (left, right))
        _same_kind(left, right)
        return Arithmetic(operator, left, right, DOUBLE)
    one, other = left.type, right.type
    if operator == "*":
        precision, scale = one.precision + other.precision + 1, one.scale + other.scale
    else:
        scale = max(one.scale, other.scale)
        precision = max(one.precision - one.scale, other.precision - other.scale) + scale + 1
    _refuse_digits(precision, f"the result of {operator}")
    return Arithmetic(operator, left, right, Type(Kind.exact, precision, scale))


def common_digits(one: Type, other: Type) -> tuple[int, int]:
    """Precision and scale that hold the values of both."""
    scale = max(one.scale, other.scale)
    precision = max(one.precision - one.scale, other.precision - other.scale) + scale
    _refuse_digits(precision, "the comparison")
    return precision, scale


def _refuse_digits(precision: int, what: str) -> None:
    if precision > MAX_DIGITS:
        raise ConfigurationError(
            f"{what} can need {precision} digits, and Spark has {MAX_DIGITS}",
            fix="use numbers with fewer digits (an int has 10, a long 19, a decimal its precision)",
        )


def describe(one: Expression) -> str:
    """The name of the node in messages."""
    if isinstance(one, Path):
        return str(one)
    if isinstance(one, Literal):
        return repr(one.value) if isinstance(one.value, str) else str(one.value).lower()
    return "this part"


def _alike(left: Expression, right: Expression) -> tuple[Expression, Expression]:
    """Both sides; if one is a constant, it gets the other's type."""
    if isinstance(left, Literal) and isinstance(right, Literal):
        raise ConfigurationError("the expression compares two constants", fix="name a field")
    if isinstance(right, Literal):
        right = _as(right, left.type, left)
    elif isinstance(left, Literal):
        left = _as(left, right.type, right)
    _same_kind(left, right)
    return left, right


def _same_kind(left: Expression, right: Expression) -> None:
    if left.type.kind is not right.type.kind:
        raise ConfigurationError(
            f"{describe(left)} is {left.type.kind}, {describe(right)} is {right.type.kind}",
            fix=_SHAPES.get(left.type.kind, "compare values of one kind (docs/reference/rules.md)"),
        )


def _as(one: Literal, wanted: Type, other: Expression | None = None) -> Literal:
    """Convert `one` to a constant of the type `wanted`; return it unchanged where that is impossible.

    A float does not hold the same 0.1 as a double: the constant is rounded as the field is.
    """
    value = one.value
    if wanted.kind is Kind.floating and isinstance(value, Decimal | int) and one.type.kind is Kind.exact:
        rounded = float(value)
        return Literal(ctypes.c_float(rounded).value if wanted.single else rounded, DOUBLE)
    if not isinstance(value, str):
        return one
    if wanted.kind is Kind.text:
        leaf = other.leaf if isinstance(other, Path) else None
        if isinstance(leaf, Enum) and value not in leaf.symbols:
            raise ConfigurationError(
                f"{other} has no symbol {value!r}", fix=f"its symbols are {', '.join(leaf.symbols)}"
            )
        return one
    try:
        if wanted.kind is Kind.exact and (exact := Decimal(value)).is_finite():
            return number(exact)
        if wanted.kind is Kind.date:
            return literal(date.fromisoformat(value))
        if wanted.kind in (Kind.timestamp, Kind.local_timestamp):
            return literal(datetime.fromisoformat(value))
    except (ValueError, InvalidOperation, OverflowError):
        pass
    return one
