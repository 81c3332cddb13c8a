"""Changes a record until it satisfies goals that are about several fields: a bounded search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Field
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
from avro_data_contracts.contracts.sample.asked import MIRRORED, OPPOSITE, Asked, paths_in
from avro_data_contracts.contracts.sample.chance import Chance, NotFound
from avro_data_contracts.contracts.sample.values import Values

#: An expression, and whether it has to be true (or null), or false.
Goal = tuple[Expression, bool]
Record = dict[str, Any]

#: Changes of one record, and the share of them that only takes a value away.
_MOST_CHANGES: Final = 60
_TAKEN_AWAY: Final = 0.1
#: The share that halves a number, whatever the expression says.
_SHRUNK: Final = 0.25


class Solver:
    """Changes records of one schema.

    Args:
        values: draws the values that it puts in.
    """

    def __init__(self, values: Values, goals: Sequence[Goal]) -> None:
        self._values = values
        self._goals = goals
        self._evaluate: dict[int, Callable[[Mapping[str, Any]], Any]] = {}
        self._checks = [(evaluate(one), holds) for one, holds in goals]

    def solve(self, record: Record, chance: Chance) -> None:
        """Change a record, in place, until every goal is reached.

        Raises:
            NotFound: that takes too many changes.
        """
        for _ in range(_MOST_CHANGES):
            missed = self._missed(record)
            if missed is None:
                return
            try:
                self._aim(*missed, record, chance)
            except NotFound:
                continue
        raise NotFound

    def _missed(self, record: Record) -> Goal | None:
        for (check, holds), goal in zip(self._checks, self._goals, strict=True):
            if (check(record) is False) is holds:
                return goal
        return None

    def _value(self, one: Expression, record: Record) -> Any:
        if id(one) not in self._evaluate:
            self._evaluate[id(one)] = evaluate(one)
        return self._evaluate[id(one)](record)

    def _aim(self, one: Expression, wanted: bool, record: Record, chance: Chance) -> None:
        """Change something so that the expression is what is wanted; what a change breaks is another round's."""
        if isinstance(one, Not):
            return self._aim(one.of, not wanted, record, chance)
        if isinstance(one, And | Or):
            if isinstance(one, And) is wanted:
                for part in one.parts:
                    if self._value(part, record) is not wanted:
                        self._aim(part, wanted, record, chance)
                return None
            return self._aim(chance.choice(one.parts), wanted, record, chance)
        if isinstance(one, IsNull):
            return self._empty(one.of, record, chance) if wanted else self._put(one.of, Asked(), record, chance)
        if wanted and chance.random.random() < _TAKEN_AWAY and (paths := list(paths_in(one))):
            return self._empty(chance.choice(paths), record, chance)
        return self._aim_leaf(one, wanted, record, chance)

    def _aim_leaf(self, one: Expression, wanted: bool, record: Record, chance: Chance) -> None:
        match one:
            case Path():
                self._put(one, Asked().among((wanted,)), record, chance)
            case Matches(of=Path() as path, pattern=pattern):
                asked = Asked(patterns=(pattern,)) if wanted else Asked(unlike=(pattern,))
                self._put(path, asked, record, chance)
            case OneOf(of=of, values=values):
                listed = [self._value(value, record) for value in values]
                if wanted:
                    self._reach(of, "==", chance.choice(listed), record, chance)
                elif isinstance(of, Path):
                    self._put(of, Asked(excluded=frozenset(listed)), record, chance)
                else:
                    self._reach(of, "!=", chance.choice(listed), record, chance)
            case Compare(operator=operator, left=left, right=right):
                self._compare(operator if wanted else OPPOSITE[operator], left, right, record, chance)
            case _:
                raise NotFound

    def _compare(self, operator: str, left: Expression, right: Expression, record: Record, chance: Chance) -> None:
        for path in (*paths_in(left), *paths_in(right)):
            if self._value(path, record) is None:
                self._put(path, Asked(), record, chance)
        if chance.random.random() < _SHRUNK:
            return self._shrink(chance.choice([*paths_in(left), *paths_in(right)]), record, chance)
        if isinstance(left, Literal) or (not isinstance(right, Literal) and chance.random.random() < 0.5):
            left, right, operator = right, left, MIRRORED[operator]
        return self._reach(left, operator, self._value(right, record), record, chance)

    def _shrink(self, path: Path, record: Record, chance: Chance) -> None:
        """Halve a number, for expressions with a field on both sides, which solving for one side never satisfies."""
        value = self._value(path, record)
        if path.type.kind not in (Kind.exact, Kind.floating) or value is None or value != value:
            raise NotFound
        half = _exact(value) / 2 if path.type.kind is Kind.exact else value / 2
        self._put(path, Asked().compared("<=" if half > 0 else ">=", half), record, chance)

    def _reach(self, one: Expression, operator: str, value: Any, record: Record, chance: Chance) -> None:
        """Change the fields of an expression so that its value compares so with `value`."""
        match one:
            case Path():
                self._put(one, Asked().compared(operator, value), record, chance)
            case Length(of=of):
                if operator == "!=":
                    operator = chance.choice("<>")
                self._put(of, Asked().long(operator, value), record, chance)
            case Arithmetic():
                self._reach_part(one, operator, value, record, chance)
            case _:
                raise NotFound

    def _reach_part(self, one: Arithmetic, operator: str, value: Any, record: Record, chance: Chance) -> None:
        """Solve for one of the two sides, and leave the other as it is."""
        sides = [side for side in (one.left, one.right) if not isinstance(side, Literal)]
        side = chance.choice(sides)
        is_left = side is one.left
        other = self._value(one.right if is_left else one.left, record)
        if other is None:
            raise NotFound
        exact = one.type.kind is Kind.exact
        number, rest = (_exact(value), _exact(other)) if exact else (float(value), float(other))
        if one.operator == "+":
            self._reach(side, operator, number - rest, record, chance)
        elif one.operator == "-":
            wanted = number + rest if is_left else rest - number
            self._reach(side, operator if is_left else MIRRORED[operator], wanted, record, chance)
        elif rest == 0:
            raise NotFound
        else:
            self._reach(side, operator if rest > 0 else MIRRORED[operator], number / rest, record, chance)

    # -- fields ------------------------------------------------------------------------------------------------------

    def _put(self, path: Path, asked: Asked, record: Record, chance: Chance) -> None:
        """Give the field a value that is asked for, and records around it if they are null."""
        around = record
        for end, field in enumerate(path.fields[:-1], start=1):
            inner = around.get(field.name)
            if inner is None:
                inner = around[field.name] = self._values.at(path.fields[:end], Asked())(chance)
            around = inner
        around[path.fields[-1].name] = self._values.at(path.fields, asked)(chance)

    def _empty(self, path: Path, record: Record, chance: Chance) -> None:
        """Make the field null, or a record around it."""
        possible: list[tuple[Record, Field]] = []
        around: Any = record
        for end, field in enumerate(path.fields, start=1):
            required = self._values.asked_of(path.names[:end]).required
            if self._values.may_be_null(field) and not required:
                possible.append((around, field))
            around = around.get(field.name)
            if around is None:
                break
        if not possible:
            raise NotFound
        where, chosen = possible[-1]
        where[chosen.name] = None


def _exact(value: Any) -> Fraction:
    return Fraction(value if isinstance(value, Decimal) else int(value))
