"""The expression of a rule, as a tree of frozen nodes.  Logic is SQL's: true, false, or null for a null value.

`typing` makes the nodes and checks their types, `judge` evaluates them for records in Python, and
`streaming.decode.rules` turns them into Spark columns.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Field
from avro_data_contracts.contracts.quality.patterns import Pattern

#: Symbol -> its function, for two values in Python or two columns of Spark.
COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: The same for numbers; the evaluator makes sure that an exact number has enough digits.
ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


class Kind(StrEnum):
    """Kinds of values: two values of one kind can be compared.  Messages use these words."""

    boolean = "a boolean"
    exact = "a whole or decimal number"
    floating = "a float or double"
    text = "a text"
    date = "a date"
    timestamp = "a timestamp"
    local_timestamp = "a local timestamp"
    bytes = "bytes"
    collection = "an array or map"
    other = "of a type that has no rules but `required`"


@dataclass(frozen=True)
class Type:
    """The type of a value.

    Attributes:
        precision, scale: digits of an exact number: all of them, and those after the point.
        integral: an exact number that a long can hold.
        single: a floating number of 32 bits.
    """

    kind: Kind
    precision: int = 0
    scale: int = 0
    integral: bool = False
    single: bool = False


BOOLEAN = Type(Kind.boolean)
DOUBLE = Type(Kind.floating)
COUNT = Type(Kind.exact, 10, 0, integral=True)


@dataclass(frozen=True)
class Path:
    """A field of the value, or of a record in it; null where any record on the way is null.

    Attributes:
        fields: from the outermost to the field itself.
        leaf: what the field holds when it is not null.
    """

    fields: tuple[Field, ...]
    leaf: AnyType
    type: Type

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True)
class Literal:
    """A constant: bool, str, Decimal (exact), float (floating), date, datetime (in UTC; naive if local)."""

    value: bool | str | Decimal | float | date | datetime
    type: Type


@dataclass(frozen=True)
class Length:
    """The number of code points of a text, of bytes, or of items of an array or a map."""

    of: Path
    type: Type = COUNT


@dataclass(frozen=True)
class Arithmetic:
    """`+`, `-` or `*`; exact numbers stay exact."""

    operator: str
    left: Expression
    right: Expression
    type: Type


@dataclass(frozen=True)
class Compare:
    """`==`, `!=`, `<`, `<=`, `>` or `>=`; with NaN all of them are false except `!=`."""

    operator: str
    left: Expression
    right: Expression
    type: Type = BOOLEAN


@dataclass(frozen=True)
class OneOf:
    """Whether a value equals one of the constants, which are of its kind."""

    of: Expression
    values: tuple[Literal, ...]
    type: Type = BOOLEAN


@dataclass(frozen=True)
class Matches:
    """Whether the whole text matches the pattern."""

    of: Expression
    pattern: Pattern
    type: Type = BOOLEAN


@dataclass(frozen=True)
class IsNull:
    """Whether a value is null: true or false, never null."""

    of: Path
    type: Type = BOOLEAN


@dataclass(frozen=True)
class Not:
    of: Expression
    type: Type = BOOLEAN


@dataclass(frozen=True)
class And:
    parts: tuple[Expression, ...]
    type: Type = BOOLEAN


@dataclass(frozen=True)
class Or:
    parts: tuple[Expression, ...]
    type: Type = BOOLEAN


Expression = Path | Literal | Length | Arithmetic | Compare | OneOf | Matches | IsNull | Not | And | Or
