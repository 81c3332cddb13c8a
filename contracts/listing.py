"""Lists in messages, cut to a length that a person reads."""

from __future__ import annotations

from collections.abc import Sequence


def few(words: Sequence[str], most: int = 3, between: str = ", ") -> str:
    """The first `most` of `words`, and how many more there are."""
    more = len(words) - most
    return between.join(words[:most]) + (f" and {more} more" if more > 0 else "")
