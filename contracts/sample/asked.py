"""What rules ask of one field, taken from their expressions, so that most values satisfy them at the first draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from avro_data_contracts.contracts.quality.expressions import (
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
from avro_data_contracts.contracts.quality.judge import evaluate
from avro_data_contracts.contracts.quality.patterns import Pattern

#: What is true where a comparison is not (of numbers that are not NaN), and what it is with the sides exchanged.
OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True)
class Asked:
    """Requirements on the value of one field.  Values are as `contracts.quality.judge` compares them.

    Attributes:
        required: it is not null.
        null: it is null.
        bounds: `<`, `<=`, `>` or `>=`, and a value.
        lengths: the same for the number of characters, bytes or items.
        one_of: the values that are allowed; None: all.
        excluded: those that are not.
        patterns: the whole text matches each.
        unlike: the whole text matches none.
    """

    required: bool = False
    null: bool = False
    bounds: tuple[tuple[str, Any], ...] = ()
    lengths: tuple[tuple[str, int], ...] = ()
    one_of: frozenset[Any] | None = None
    excluded: frozenset[Any] = frozenset()
    patterns: tuple[Pattern, ...] = ()
    unlike: tuple[Pattern, ...] = ()

    def compared(self, operator: str, value: Any) -> Asked:
        """Add a comparison with a value."""
        if operator == "==":
            return self.among((value,))
        if operator == "!=":
            return replace(self, excluded=self.excluded | {value})
        return replace(self, bounds=(*self.bounds, (operator, value)))

    def among(self, values: Iterable[Any]) -> Asked:
        """Allow only these."""
        found = frozenset(values)
        return replace(self, one_of=found if self.one_of is None else self.one_of & found)

    def long(self, operator: str, length: Any) -> Asked:
        """Add a comparison of the length."""
        if operator == "==":
            return self.long("<=", length).long(">=", length)
        if operator == "!=":
            return self  # `solving` tries again
        return replace(self, lengths=(*self.lengths, (operator, length)))

    def span(self) -> tuple[int, int | None]:
        """The least and the greatest length; None for no end."""
        least, most = 0, None
        for operator, value in self.lengths:
            whole = int(value)  # rounded to 0
            if operator in (">", ">="):
                least = max(least, whole + 1 if operator == ">" or whole < value else whole)
            else:
                highest = whole - 1 if operator == "<" and whole == value else whole
                highest = highest - 1 if value < whole else highest
                most = highest if most is None else min(most, highest)
        return least, most


def of(goals: Iterable[tuple[Expression, bool]]) -> dict[tuple[str, ...], Asked]:
    """What goals ask of each field, by its path, as far as a goal is about one field alone.

    Args:
        goals: expressions, and whether each has to be true (or null), or false.
    """
    found: dict[tuple[str, ...], Asked] = {}
    for one, holds in goals:
        for part, wanted in _parts(one, holds):
            _add(found, part, wanted)
            if not holds:
                for path in paths_in(part):
                    _require(found, path)
    return found


def _parts(one: Expression, wanted: bool) -> Iterator[tuple[Expression, bool]]:
    """The expressions that all have to be so."""
    if isinstance(one, Not):
        yield from _parts(one.of, not wanted)
    elif isinstance(one, And if wanted else Or):
        for part in one.parts:
            yield from _parts(part, wanted)
    elif not isinstance(one, And | Or):
        yield one, wanted


def paths_in(one: Expression) -> Iterator[Path]:
    """Every field that an expression names, except after `is null`."""
    match one:
        case Path():
            yield one
        case Length(of=of) | Matches(of=of) | OneOf(of=of) | Not(of=of):
            yield from paths_in(of)
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            yield from paths_in(left)
            yield from paths_in(right)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from paths_in(part)


def _require(found: dict[tuple[str, ...], Asked], path: Path) -> None:
    for end in range(len(path.names) + 1):
        names = path.names[:end]
        found[names] = replace(found.get(names, Asked()), required=True)


def _add(found: dict[tuple[str, ...], Asked], one: Expression, wanted: bool) -> None:
    match one:
        case IsNull(of=path):
            if not wanted:
                _require(found, path)
            elif len(path.names) == 1:
                found[path.names] = replace(found.get(path.names, Asked()), null=True)
        case Path(names=names):
            found[names] = found.get(names, Asked()).among((wanted,))
        case Matches(of=Path(names=names), pattern=pattern):
            before = found.get(names, Asked())
            found[names] = (
                replace(before, patterns=(*before.patterns, pattern))
                if wanted
                else replace(before, unlike=(*before.unlike, pattern))
            )
        case OneOf(of=Path(names=names), values=values):
            listed = frozenset(evaluate(value)({}) for value in values)
            before = found.get(names, Asked())
            found[names] = before.among(listed) if wanted else replace(before, excluded=before.excluded | listed)
        case Compare(operator=operator, left=left, right=right):
            if isinstance(left, Literal):
                left, right, operator = right, left, MIRRORED[operator]
            if not isinstance(right, Literal):
                return
            operator, value = operator if wanted else OPPOSITE[operator], evaluate(right)({})
            if isinstance(left, Length):
                found[left.of.names] = found.get(left.of.names, Asked()).long(operator, value)
            # A float that must not be above a bound may be NaN, which no bound expresses.
            elif isinstance(left, Path) and (wanted or left.type.kind is not Kind.floating):
                found[left.names] = found.get(left.names, Asked()).compared(operator, value)
