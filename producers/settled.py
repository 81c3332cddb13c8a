"""How far everything is acknowledged, although acknowledgements come in any order."""

from __future__ import annotations

from collections import deque
from typing import Any


class Stretch:
    """What was sent between two marks.

    Attributes:
        pending: messages that are not acknowledged yet.
        end: the mark at its end; None while it is open.
    """

    __slots__ = ("end", "pending")

    def __init__(self) -> None:
        self.pending = 0
        self.end: Any = None


class Settled:
    """Marks in the order of sending.

    Attributes:
        now: the stretch that is open; count each message in it up, and down when it is acknowledged.
        place: the latest mark before which everything is acknowledged; None before the first.
    """

    def __init__(self) -> None:
        self.now = Stretch()
        self.place: Any = None
        self._closed: deque[Stretch] = deque()

    def mark(self, place: Any) -> None:
        """Close the open stretch at that place, and see how far everything is acknowledged."""
        self.now.end = place
        self._closed.append(self.now)
        self.now = Stretch()
        while self._closed and not self._closed[0].pending:
            self.place = self._closed.popleft().end
