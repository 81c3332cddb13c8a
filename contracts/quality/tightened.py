"""Quality rules that became stricter, so that records which passed until now may be refused.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import eq, ge, le
from typing import Any, Final

from avro_data_contracts.contracts.quality.rules import RuleSpec

#: For each key, whether the first value is no stricter than the second.
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
    """The number of each rule of `after` that is new, stricter or different, and words for it."""
    asked = [one.asks for one in before]
    by_name = {one.name: one for one in before}
    for number, one in enumerate(after):
        old = by_name.get(one.name)
        if one.asks not in asked and (old is None or not _asks_no_more(one, old)):
            yield number, f"the rule {one.name} {'is new' if old is None else 'has changed'}"


def _asks_no_more(new: RuleSpec, old: RuleSpec) -> bool:
    if new.field != old.field or not set(new.given) <= set(old.given):
        return False
    try:
        return all(_ASKS_NO_MORE[key](getattr(new, key), getattr(old, key)) for key in new.given)
    except TypeError:  # it was a date, and is a text now
        return False
