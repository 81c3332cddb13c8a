"""How alike two names are, to tell whether one may be the other one renamed."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

#: How alike the differing words of two names must be for one name to look like the other one renamed.
ALIKE = 0.75
#: The first letters of a word that can stand for the word.
SHORTEST = 3
#: The place where a word of `camelCase` begins.
_SNAKE = re.compile("(?<=[a-z0-9])(?=[A-Z])")


def of_names(one: str, other: str) -> float:
    """Return how alike the differing words of two names are, from 0 to 1; extra words of one name do not count.

    `phone` is much like `phone_number`, `user_name` like `username`, `cust_id` like `customer_id`; `created_at` is
    not like `updated_at`, nor `line_1` like `line_2`, although most of their letters are the same.
    """
    first, second = (re.findall("[a-z]+|[0-9]+", _SNAKE.sub("_", name).lower()) for name in (one, other))
    mine, theirs = ([word for word in some if word not in rest] for some, rest in ((first, second), (second, first)))
    if not mine or not theirs:
        return ALIKE
    short, long = sorted(("".join(mine), "".join(theirs)), key=len)
    if len(short) >= SHORTEST and long.startswith(short):
        return ALIKE
    return SequenceMatcher(None, short, long).ratio()
