"""Texts that match a pattern.  Python's own parser reads the pattern, as for `contracts.quality.patterns`."""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]  # see `contracts.quality.patterns`
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from avro_data_contracts.contracts.quality.patterns import Pattern
from avro_data_contracts.contracts.sample.chance import Chance, NotFound

#: Of a class that leaves the choice: what people type, and what is easily forgotten.
_USUAL: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,/:+éßж日한\U0001f600"
#: How many characters of a class are considered.
_MOST_CHOICES: Final = 200
#: A text has these nowhere: PostgreSQL cannot store the first, and UTF-8 the others.
_NEVER: Final = re.compile("[\x00\ud800-\udfff]")


def text_of(pattern: Pattern, chance: Chance, stretch: int) -> str:
    """A text that matches.

    Args:
        stretch: how often something is repeated at most, beyond what the pattern insists on.

    Raises:
        NotFound: it matches only texts that cannot be stored.
    """
    parts: list[str] = []
    _write(_parsed(pattern.text), chance, stretch, parts)
    text = "".join(parts)
    if pattern.compiled.fullmatch(text) is None or _NEVER.search(text):
        raise NotFound
    return text


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> tuple[tuple[Any, Any], ...]:
    items = list(sre_parser.parse(text, re.ASCII))
    return tuple(item for item in items if item[0] is not sre.AT)  # `patterns` allows it only at the two ends


def _write(items: Sequence[tuple[Any, Any]], chance: Chance, stretch: int, parts: list[str]) -> None:
    for kind, value in items:
        if kind is sre.LITERAL:
            parts.append(chr(value))
        elif kind is sre.BRANCH:
            _write(chance.choice(value[1]), chance, stretch, parts)
        elif kind is sre.SUBPATTERN:
            _write(value[3], chance, stretch, parts)
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, inner = value
            highest = least + stretch if most is sre.MAXREPEAT else min(int(most), least + stretch)
            for _ in range(chance.random.randint(least, highest)):
                _write(inner, chance, stretch, parts)
        else:
            choices = _choices(kind, value if kind is not sre.IN else tuple(value))
            if not choices:
                raise NotFound
            parts.append(chance.choice(choices))


@lru_cache(maxsize=1_000)
def _choices(kind: Any, value: Any) -> str:
    """Characters of a class."""
    if kind is sre.NOT_LITERAL:
        members: tuple[tuple[Any, Any], ...] = ((sre.NEGATE, None), (sre.LITERAL, value))
    elif kind is sre.ANY:
        members = ((sre.NEGATE, None), (sre.LITERAL, ord("\n")))
    else:
        members = value
    negated = members[:1] == ((sre.NEGATE, None),)
    ranges = [one for one in members if one[0] is not sre.NEGATE]
    if negated:
        return "".join(one for one in _USUAL if not _is_in(one, ranges)) or "".join(
            [one for one in map(chr, range(1, 0x3000)) if not _is_in(one, ranges)][:_MOST_CHOICES]
        )
    found = [one for one in _USUAL if _is_in(one, ranges)] if any(_is_wide(one) for one in ranges) else []
    for one, of in ranges:
        if one is sre.LITERAL:
            found.append(chr(of))
        elif one is sre.RANGE:
            found += [chr(code) for code in range(of[0], min(of[1], of[0] + _MOST_CHOICES) + 1)]
            found.append(chr(of[1]))
        elif not _is_wide((one, of)):
            found += [code for code in map(chr, range(1, 128)) if _is_in(code, [(one, of)])]
    return "".join(one for one in dict.fromkeys(found) if not _NEVER.match(one))


def _is_wide(member: tuple[Any, Any]) -> bool:
    """Whether it is a category with more characters than could be listed."""
    return member[0] is sre.CATEGORY and member[1] in (
        sre.CATEGORY_NOT_DIGIT,
        sre.CATEGORY_NOT_SPACE,
        sre.CATEGORY_NOT_WORD,
    )


_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: re.compile(r"\d", re.ASCII),
    sre.CATEGORY_NOT_DIGIT: re.compile(r"\D", re.ASCII),
    sre.CATEGORY_SPACE: re.compile(r"\s", re.ASCII),
    sre.CATEGORY_NOT_SPACE: re.compile(r"\S", re.ASCII),
    sre.CATEGORY_WORD: re.compile(r"\w", re.ASCII),
    sre.CATEGORY_NOT_WORD: re.compile(r"\W", re.ASCII),
}


def _is_in(one: str, members: Sequence[tuple[Any, Any]]) -> bool:
    for kind, value in members:
        if kind is sre.LITERAL and ord(one) == value:
            return True
        if kind is sre.RANGE and value[0] <= ord(one) <= value[1]:
            return True
        if kind is sre.CATEGORY and _CATEGORIES[value].fullmatch(one):
            return True
    return False
