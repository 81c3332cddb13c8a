"""Patterns of rules: regular expressions that mean the same in Python and in Java.  Pure.

Python's own parser parses a pattern, and the result is written out for Java, so that nothing depends on how Java
reads a text.  A pattern is refused if one of the languages lacks a part of it, or could take forever to match it.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]  # the standard library's parser answers with these; they have no public name
import re._parser as sre_parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from avro_data_contracts.contracts.errors import ConfigurationError

MAX_LENGTH: Final = 500
#: Java matches each repetition of a group inside the one before it; with many more, its stack would overflow.
MAX_GROUP_REPEATS: Final = 1_000
MAX_CHARACTER_REPEATS: Final = 10_000

_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: "0-9",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r" \t\n\x0b\f\r",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: "a-zA-Z0-9_",
    sre.CATEGORY_NOT_WORD: r"\W",
}
_REFUSED: Final = {
    sre.AT: r"^, $ or \b in its middle",
    sre.ASSERT: "a look-ahead or look-behind",
    sre.ASSERT_NOT: "a look-ahead or look-behind",
    sre.GROUPREF: "a back-reference",
    sre.GROUPREF_EXISTS: "a conditional group",
    sre.ATOMIC_GROUP: "an atomic group",
    sre.POSSESSIVE_REPEAT: "a possessive quantifier",
}


@dataclass(frozen=True)
class Pattern:
    """A pattern that a whole text must match.

    Attributes:
        text: as it was written.
        compiled: for Python; use it with `fullmatch`.
        java: for Java, anchored at both ends; use it with `find`.
    """

    text: str
    compiled: re.Pattern[str] = field(compare=False)
    java: str


def parse(text: str) -> Pattern:
    """Parse a pattern.

    Raises:
        ConfigurationError: it is not a regular expression, or the two languages would understand it differently.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigurationError(
            f"the pattern has {len(text)} characters",
            fix=f"shorten it to {MAX_LENGTH}, or split it into several rules",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # [[ and && in a class: Python warns that their meaning may change
            tree = sre_parser.parse(text, re.ASCII)
            compiled = re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(
            f"the pattern {text!r} is not a regular expression: {error}", fix="docs/reference/rules.md"
        ) from None
    except Warning:
        raise _refused("[, &&, ||, ~~ or -- inside [...]", r"put \ before it") from None
    if tree.state.flags != re.ASCII:
        raise _refused("a flag such as (?i)", "write [aA] for both cases")
    items = list(tree)
    # The whole text must match, with or without them.
    if items[:1] == [(sre.AT, sre.AT_BEGINNING)]:
        items = items[1:]
    if items[-1:] == [(sre.AT, sre.AT_END)]:
        items = items[:-1]
    try:
        java, repeats = _sequence(items)
    except RecursionError:
        raise ConfigurationError("the pattern is nested too deep", fix="remove groups that change nothing") from None
    if repeats > MAX_GROUP_REPEATS:
        raise ConfigurationError(
            f"the pattern repeats its groups without end, or more than {MAX_GROUP_REPEATS} times in all",
            fix="write {0,100} after a group; * and + are allowed only after a single character or [...]",
        )
    return Pattern(text, compiled, rf"\A(?:{java})\z")


def _refused(what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(f"the pattern has {what}, which not every language reads the same way", fix=fix)


def _sequence(items: Sequence[tuple[Any, Any]]) -> tuple[str, int]:
    """Java's text, and how often its groups can repeat, inside each other and one after the other."""
    parts = [_item(*one) for one in items]
    return "".join(text for text, _ in parts), sum(repeats for _, repeats in parts)


def _item(kind: Any, value: Any) -> tuple[str, int]:
    if (character := _character(kind, value)) is not None:
        return character, 0
    if kind is sre.BRANCH:
        branches = [_sequence(one) for one in value[1]]
        return f"(?:{'|'.join(text for text, _ in branches)})", max(repeats for _, repeats in branches)
    if kind is sre.SUBPATTERN:
        _, added, removed, inner = value
        if added or removed:
            raise _refused("a flag such as (?i:...)", "write [aA] for both cases")
        text, repeats = _sequence(inner)
        return f"(?:{text})", repeats
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):  # it decides which text is found, not whether one is
        return _repeat(*value)
    raise _refused(_REFUSED.get(kind, str(kind)), "see docs/reference/rules.md for what a pattern may have")


def _repeat(least: int, most: Any, inner: Sequence[tuple[Any, Any]]) -> tuple[str, int]:
    endless = most is sre.MAXREPEAT
    if least > MAX_CHARACTER_REPEATS or (not endless and most > MAX_CHARACTER_REPEATS):
        words = f"the pattern repeats something more than {MAX_CHARACTER_REPEATS} times"
        raise ConfigurationError(words, fix="use min_length and max_length")
    times = f"{{{least},}}" if endless else f"{{{least},{most}}}"
    single = _single(inner)
    if single is not None:
        return f"{single}{times}", 0
    text, repeats = _sequence(inner)
    return f"(?:{text}){times}", (MAX_GROUP_REPEATS if endless else most) * (1 + repeats) + endless


def _single(inner: Sequence[tuple[Any, Any]]) -> str | None:
    """The one character, or class, that `inner` is, in a group or not."""
    if len(inner) != 1:
        return None
    kind, value = inner[0]
    if kind is sre.SUBPATTERN and not value[1] and not value[2]:
        return _single(value[3])
    return _character(kind, value)


def _character(kind: Any, value: Any) -> str | None:
    if kind is sre.LITERAL:
        return _code(value)
    if kind is sre.NOT_LITERAL:
        return f"[^{_code(value)}]"
    if kind is sre.ANY:
        return r"[^\n]"
    if kind is sre.IN:
        return f"[{''.join(_member(*one) for one in value)}]"
    return None


def _member(kind: Any, value: Any) -> str:
    if kind is sre.NEGATE:
        return "^"
    if kind is sre.RANGE:
        return f"{_code(value[0])}-{_code(value[1])}"
    return _CATEGORIES[value] if kind is sre.CATEGORY else _code(value)


def _code(point: int) -> str:
    if 0xD800 <= point <= 0xDFFF:
        raise _refused("half of a surrogate pair", "write the character itself")
    return rf"\x{{{point:x}}}"
