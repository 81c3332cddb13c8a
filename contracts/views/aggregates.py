"""The aggregate functions whose value can be continued from one batch to the next.  Pure.

The state of a group has, for each of its aggregates, one or two columns: the *parts*.  A batch has parts of its own,
those of both are merged, and the value is computed from them.  `{0}`, `{1}`: a part.  `{of}`: the arguments, as the
view has them; `{filter}`: its FILTER.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Part:
    """A column of the state.

    Attributes:
        of_events: computes it from events.
        merge: computes it from the parts of the state and of a batch.
        tries: whether a value that does not fit the type of the column is null, and not an error.
    """

    of_events: str
    merge: str
    tries: bool = False


@dataclass(frozen=True)
class Aggregate:
    """An aggregate function.  `value`: computes it from its parts."""

    parts: tuple[Part, ...]
    value: str = "{0}"


def _again(name: str) -> Aggregate:
    """Of a function that merges its own values."""
    return Aggregate((Part(f"{name}({{of}}){{filter}}", f"{name}({{0}})"),))


def _counting(name: str) -> Part:
    return Part(f"{name}({{of}}){{filter}}", "sum({0})")


# An overflow makes `try_sum` null, and so does a group without a value; the number of values tells which.
_TRY_SUM: Final = Aggregate(
    (
        Part(
            "try_sum({of}){filter}",
            "CASE WHEN count_if({0} IS NULL AND {1} > 0) = 0 THEN try_sum({0}) END",
            tries=True,
        ),
        Part("count({of}){filter}", "sum({1})"),
    )
)
# Of numbers in binary only: Spark rounds the mean of decimals in a way that no expression of parts has.
_AVG: Final = Aggregate(
    (Part("sum(CAST({of} AS DOUBLE)){filter}", "sum({0})"), Part("count({of}){filter}", "sum({1})")),
    "try_divide({0}, CAST({1} AS DOUBLE))",
)
_AGAIN: Final = ("sum", "min", "max", "bool_and", "bool_or", "every", "some", "bit_and", "bit_or", "bit_xor")

#: Function -> how it is continued.
CONTINUED: Final[Mapping[str, Aggregate]] = MappingProxyType(
    {
        **{name: _again(name) for name in _AGAIN},
        **{name: Aggregate((_counting(name),)) for name in ("count", "count_if")},
        "try_sum": _TRY_SUM,
        "avg": _AVG,
        "mean": _AVG,
    }
)
