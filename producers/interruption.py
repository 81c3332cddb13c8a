"""Ctrl-C and SIGTERM: the work ends in order instead of breaking off."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any


class Stopped(Exception):
    """A signal came while the work waited.  Leaving the wait loses nothing that had begun."""


class Interruption:
    """While entered, turns the two signals into `requested`.

    The work looks at `requested` between two records.  Inside `waiting`, a signal raises `Stopped` instead.  A second
    Ctrl-C raises KeyboardInterrupt.

    Attributes:
        requested: the signal that came, None for none.
        waiting: a context manager for each wait; reusable.
    """

    def __init__(self) -> None:
        self.requested: signal.Signals | None = None
        self.waiting = _Waiting(self)
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number)
        if self.waiting.now:
            self.waiting.now = False  # the exception may come before the wait's `with` has a block to leave
            raise Stopped


class _Waiting:
    """Inside, a signal breaks the wait with `Stopped`.

    A class, because a run enters it for each record, and contextlib's generators take several times as long.
    """

    def __init__(self, interruption: Interruption) -> None:
        self.now = False
        self._interruption = interruption

    def __enter__(self) -> None:
        self.now = True  # before the check: a signal in between must not be missed
        if self._interruption.requested:
            self.now = False
            raise Stopped

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.now = False
