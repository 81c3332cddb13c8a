"""Names that a format allows, made of any names, each once."""

from __future__ import annotations

import re


class PlainNames:
    """Makes names of ASCII letters, digits, `.`, `_` and `-`.

    Args:
        most: the most characters.
        around: whether a name may begin and end with any of them; otherwise only with letters and digits.
        case: whether names that differ only in case are two names.
    """

    def __init__(self, most: int = 1_000, *, around: bool = True, case: bool = True) -> None:
        self._most = most
        self._around = around
        self._case = case
        self._taken: set[str] = set()

    def plain(self, name: str) -> str:
        """Return the name without what the format does not allow; it may be taken."""
        found = re.sub(r"[^A-Za-z0-9._-]", "_", name)[: self._most]
        return found if self._around else found.strip("._-") or "x"

    def of(self, name: str) -> str:
        """Return the name itself if it is allowed and free, or one like it."""
        plain = self.plain(name)
        found, number = plain, 1
        while self._one(found) in self._taken:
            number += 1
            ending = f"_{number}"
            found = plain[: self._most - len(ending)] + ending
        self._taken.add(self._one(found))
        return found

    def _one(self, name: str) -> str:
        return name if self._case else name.lower()
