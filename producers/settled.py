"""How far everything is acknowledged, although acknowledgements come in any order."""

from __future__ import annotations

from collections import deque
from typing import Any


class Stretch:
    """What was sent between two marks.

    Attributes:
        pending: messages that are not acknowledged yet.
        end: the mark at its end; None while it is open, or if it ends where a transaction begins.
        dropped: it belongs to a transaction that was rolled back, so nothing of it counts.
    """

    __slots__ = ("dropped", "end", "pending")

    def __init__(self) -> None:
        self.pending = 0
        self.end: Any = None
        self.dropped = False


class Settled:
    """Marks in the order of sending.

    Attributes:
        now: the stretch that is open; count each message in it up before the client gets it, and down when it is
            acknowledged.
        place: the latest mark before which everything is acknowledged; None before the first.
    """

    def __init__(self) -> None:
        self.now = Stretch()
        self.place: Any = None
        self._closed: deque[Stretch] = deque()
        self._first = self.now

    def mark(self, place: Any) -> None:
        """Close the open stretch at that place, and see how far everything is acknowledged."""
        self._close(place)
        self._advance()

    def begin(self) -> None:
        """Begin a transaction: no mark inside of it counts before `commit`."""
        self._close(None)
        self.now.pending += 1  # stands for the commit
        self._first = self.now

    def commit(self) -> None:
        self._first.pending -= 1
        self._advance()

    def drop(self) -> None:
        """Forget everything since `begin`."""
        self.now.dropped = True
        while not self._first.dropped:
            self._closed.pop().dropped = True
        self.now = Stretch()

    def _close(self, place: Any) -> None:
        self.now.end = place
        self._closed.append(self.now)
        self.now = Stretch()

    def _advance(self) -> None:
        while self._closed and not self._closed[0].pending:
            end = self._closed.popleft().end
            self.place = self.place if end is None else end
