"""Quality rules as Spark expressions: the verdict of `contracts.quality.judge`, in the JVM, on decoded records."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from pyspark.sql import Column
from pyspark.sql import functions as F

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
    Type,
)
from avro_data_contracts.contracts.quality.rules import Rule
from avro_data_contracts.contracts.quality.typing import common_digits

_OPERATORS: Final[Mapping[str, Callable[[Column, Column], Column]]] = {**COMPARISONS, **ARITHMETIC}


def broken(rules: Iterable[Rule], record: Column) -> list[tuple[Column, Rule]]:
    """Return a condition for each rule: true for records that break it, false or null for all others.

    Args:
        record: the decoded value, a struct of the contract's fields.
    """
    return [(~_column(rule.holds, record), rule) for rule in rules]


def _column(one: Expression, record: Column) -> Column:
    match one:
        case Path(names=names):
            return functools.reduce(Column.getField, names, record)
        case Literal():
            return _literal(one)
        case Length(of=of):
            inner = _column(of, record)
            # Spark's size of a null collection is -1.
            size = F.size if of.type.kind is Kind.collection else F.length
            return F.when(inner.isNotNull(), size(inner))
        case Matches(of=of, pattern=pattern):
            return _column(of, record).rlike(pattern.java)
        case OneOf(of=of, values=values) if of.type.kind is Kind.text:
            return _column(of, record).isin([value.value for value in values])
        case OneOf(of=of, values=values):
            return functools.reduce(operator.or_, (_column(Compare("==", of, value), record) for value in values))
        case IsNull(of=of):
            return _column(of, record).isNull()
        case Not(of=of):
            return ~_column(of, record)
        case And(parts=parts):
            return functools.reduce(operator.and_, (_column(part, record) for part in parts))
        case Or(parts=parts):
            return functools.reduce(operator.or_, (_column(part, record) for part in parts))
        case Compare():
            return _compare(one, record)
        case Arithmetic():
            return _arithmetic(one, record)


def _literal(one: Literal) -> Column:
    value: Any = one.value
    match one.type.kind:
        case Kind.exact if one.type.integral:
            return F.lit(int(value))
        case Kind.exact:
            return F.lit(f"{value:f}").cast(_decimal(one.type.precision, one.type.scale))
        case Kind.date | Kind.timestamp | Kind.local_timestamp:
            # As text: a date that Python passes to Java is in the Julian calendar before 1582.
            text = value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
            return F.lit(text).cast(
                {Kind.date: "date", Kind.timestamp: "timestamp"}.get(one.type.kind, "timestamp_ntz")
            )
    return F.lit(value)


def _compare(one: Compare, record: Column) -> Column:
    left, right = _column(one.left, record), _column(one.right, record)
    kinds, types = one.left.type.kind, (one.left.type, one.right.type)
    apply = _OPERATORS[one.operator]
    if kinds is Kind.exact and not all(type_.integral for type_ in types):
        digits = _decimal(*common_digits(*types))
        return apply(left.cast(digits), right.cast(digits))
    if kinds is Kind.floating:
        # In Spark, NaN equals itself and is larger than any number; a rule follows IEEE 754.
        nan = (F.isnan(left) & right.isNotNull()) | (F.isnan(right) & left.isNotNull())
        return F.when(nan, F.lit(one.operator == "!=")).otherwise(apply(left.cast("double"), right.cast("double")))
    return apply(left, right)


def _arithmetic(one: Arithmetic, record: Column) -> Column:
    sides = [(_column(side, record), side.type) for side in (one.left, one.right)]
    if one.type.kind is Kind.floating:
        left, right = (column.cast("double") for column, _ in sides)
        return _OPERATORS[one.operator](left, right)
    left, right = (_exact(column, type_) for column, type_ in sides)
    return _OPERATORS[one.operator](left, right).cast(_decimal(one.type.precision, one.type.scale))


def _exact(column: Column, type_: Type) -> Column:
    """Cast to a decimal of exactly its digits: integers would overflow."""
    return column.cast(_decimal(type_.precision, type_.scale))


def _decimal(precision: int, scale: int) -> str:
    return f"decimal({precision},{scale})"
