"""How alike two names are: does one look like the other one renamed?"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

#: How alike the words have to be in which two names differ, for one to look like the other one renamed.
ALIKE = 0.75
#: Letters of a word's beginning that stand for the word.
SHORTEST = 3
#: Where a word of `camelCase` begins.
_SNAKE = re.compile("(?<=[a-z0-9])(?=[A-Z])")


def of_names(one: str, other: str) -> float:
    """0 to 1: how alike the words are in which two names differ, as far as one does not merely have more of them.

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
