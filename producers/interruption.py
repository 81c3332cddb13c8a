"""Ctrl-C and SIGTERM: the work ends in order instead of breaking off."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


class Stopped(Exception):
    """A signal came while the work waited for something; nothing that had been begun is lost by leaving it."""


class Interruption:
    """While entered, turns the two signals into `requested`.

    The work looks at it between two records.  Where it waits, in `waiting()`, the signal raises `Stopped` instead.  A
    second Ctrl-C raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.requested: signal.Signals | None = None
        self._waiting = False
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

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, a signal breaks the wait with `Stopped`."""
        self._waiting = True  # before looking: a signal in between must not be missed
        try:
            if self.requested:
                raise Stopped
            yield
        finally:
            self._waiting = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number)
        if self._waiting:
            raise Stopped
