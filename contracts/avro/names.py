"""Avro names: which are allowed, and how a short name becomes a full one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from operator import or_
from typing import Final, NamedTuple

_STRICT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_SNAKE: Final = re.compile(r"[a-z_][a-z0-9_]*").fullmatch
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])").sub
_WORDS: Final = re.compile(r"[A-Za-z0-9]+").findall
_KEPT: Final = 200
#: Letters that Unicode does not take apart.
_LATIN: Final = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
     "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i",
     "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ŋ": "ng", "Ŋ": "Ng"}
)  # fmt: skip
_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo"})


class Name(NamedTuple):
    """A name, split at its last dot.  `namespace` is None for the null namespace."""

    name: str
    namespace: str | None

    @property
    def full(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


def qualify(name: str, namespace: str | None) -> Name:
    """Resolve `name` inside `namespace`; a name with a dot has its own namespace (`.Name` has the null one)."""
    space, dot, short = name.rpartition(".")
    return Name(short, space or None) if dot else Name(name, namespace or None)


def fault_of(name: str) -> str:
    """Why the registry refuses `name` in a new schema; empty when it accepts it.

    A name begins with A-Z, a-z or _, and continues with these or digits.
    """
    if _STRICT(name):
        return ""
    return _describe(name, "only A-Z, a-z, 0-9 and _ are allowed")


def stored_fault_of(name: str) -> str:
    """Why the registry refuses `name` in a schema that it already stores, where letters of any script are fine."""
    if _STRICT(name):
        return ""
    letters = [_is_letter_or_underscore(one) for one in name]
    digits = [one <= "\uffff" and unicodedata.category(one) == "Nd" for one in name]
    if name and letters[0] and all(map(or_, letters, digits)):
        return ""
    return _describe(name, "only letters, digits and _ are allowed")


def stands_for(written: str) -> str:
    """Return the field's name in lower_snake_case for a name in data: `Cost ($)` is `cost`, `Größe` is `grosse`.

    Empty for a name that is in lower_snake_case, which only stands for itself, and for one without Latin letters or
    digits.
    """
    # The same names come in each record.  A long one may be data, and is not kept.
    return _stands_for(written) if len(written) <= _KEPT else _stands_for.__wrapped__(written)


@lru_cache(maxsize=1_000)
def _stands_for(written: str) -> str:
    if _SNAKE(written):
        return ""
    plain = unicodedata.normalize("NFKD", written)
    # Only then: `ǽ` is an `æ` with an accent.
    plain = "".join(one for one in plain if not unicodedata.combining(one)).translate(_LATIN)
    name = "_".join(_WORDS(_HUMP("_", plain))).lower()
    return f"_{name}" if name[:1].isdigit() else name


def _is_letter_or_underscore(one: str) -> bool:
    return one == "_" or (one <= "\uffff" and unicodedata.category(one) in _LETTERS)


def _describe(name: str, rule: str) -> str:
    if not name:
        return "is empty"
    if name[0].isdigit():
        return "begins with a digit"
    bad = next((one for one in name if not (one == "_" or (one.isascii() and one.isalnum()))), name[0])
    return f"contains {bad!r}; {rule}"
