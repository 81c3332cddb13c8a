"""Splits many items into portions that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def portions(items: Iterable[_T], size: Callable[[_T], int], *, most: int, most_bytes: int) -> Iterator[list[_T]]:
    """Yield the items in their order, in lists that are never empty.

    Args:
        size: of one item, bytes.
        most: items of a portion.
        most_bytes: a portion ends with the item that takes it beyond this size.
    """
    some: list[_T] = []
    total = 0
    for item in items:
        some.append(item)
        total += size(item)
        if len(some) == most or total > most_bytes:
            yield some
            some, total = [], 0
    if some:
        yield some
