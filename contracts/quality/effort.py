"""How long a pattern may take in Python, whose matcher tries every way to divide a text, and stops for nobody."""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]  # as in `patterns`
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Sequence
from typing import Any, Final

from avro_data_contracts.contracts.quality.patterns import Pattern

#: Ways to divide a text, times its length, that a quick pattern needs at most.
MOST_WAYS: Final = 64
#: A repetition with more choices is counted as one over the whole text.
_FEW: Final = 8


def is_quick(pattern: Pattern) -> bool:
    """Whether matching takes no longer than a few readings of the text, whatever the text is."""
    ways, open_ = _sequence(list(sre_parser.parse(pattern.text, re.ASCII)))
    return ways <= MOST_WAYS and open_ <= 1


def _sequence(items: Sequence[tuple[Any, Any]]) -> tuple[int, int]:
    """Ways to divide a text between the items, and how many of them may take any part of it."""
    ways, open_ = 1, 0
    for kind, value in items:
        more, further = _item(kind, value)
        ways, open_ = min(ways * more, MOST_WAYS + 1), open_ + further
    return ways, open_


def _item(kind: Any, value: Any) -> tuple[int, int]:
    if kind is sre.BRANCH:
        branches = [_sequence(one) for one in value[1]]
        return sum(ways for ways, _ in branches), max(open_ for _, open_ in branches)
    if kind is sre.SUBPATTERN:
        return _sequence(value[3])
    if kind not in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        return 1, 0
    least, most, inner = value
    ways, open_ = _sequence(inner)
    choices = most - least + 1
    if ways == 1 and not open_:
        return (1, 1) if most is sre.MAXREPEAT or choices > _FEW else (choices, 0)
    # Each repetition may divide its part in every way, so these multiply.
    times = min(int(most), MOST_WAYS)
    return min(choices * ways**times, MOST_WAYS + 1), open_ * times
