"""Which quality rules ask for more than those of before: what was sent until now may be refused.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import eq, ge, le
from typing import Any, Final

from contracts.quality.rules import RuleSpec

#: For each key, whether the first value asks for no more than the second.
_ASKS_NO_MORE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "required": eq,
    "pattern": eq,
    "min": le,
    "max": ge,
    "min_length": le,
    "max_length": ge,
    "one_of": lambda new, old: all(value in new for value in old),
    "expression": eq,
}


def tightened(before: Sequence[RuleSpec], after: Sequence[RuleSpec]) -> Iterator[tuple[int, str]]:
    """Number and words of each rule of `after` that is new, or asks for something else or more than its old self."""
    asked = [one.asks for one in before]
    by_name = {one.name: one for one in before}
    for number, one in enumerate(after):
        old = by_name.get(one.name)
        if one.asks not in asked and (old is None or not _asks_no_more(one, old)):
            yield number, f"the rule {one.name} {'is new' if old is None else 'asks for something else than before'}"


def _asks_no_more(new: RuleSpec, old: RuleSpec) -> bool:
    if new.field != old.field or not set(new.given) <= set(old.given):
        return False
    try:
        return all(_ASKS_NO_MORE[key](getattr(new, key), getattr(old, key)) for key in new.given)
    except TypeError:  # a date then, a text now
        return False
