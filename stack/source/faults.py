"""Faults of the source API on demand: `429:retry_after=1*2`, `500`, `slow:5`, `cut`, …

    SPEC   = KIND [":" VALUE] ["*" COUNT]
    KIND   = 400 … 599     that status, with an error object
           | slow          an answer after VALUE seconds
           | cut           an answer that breaks off in the middle of its body
           | hang_up       the connection closes without an answer
           | not_json      status 200, HTML
           | error_200     status 200, {"error": …}
           | empty         status 200, no users
    VALUE  = seconds for slow; for a status `retry_after=SECONDS`, or `retry_at=SECONDS` (the same, as an HTTP date)
    COUNT  = how many requests it applies to; without it all requests, until the faults are replaced

Faults wait in a queue: the second one applies once the count of the first is used up.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass

KINDS = ("slow", "cut", "hang_up", "not_json", "error_200", "empty")


class BadFault(ValueError):
    """An invalid specification; its text says why."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        spec: the specification as given, count included.
        kind: one of `KINDS`, or `status`.
        status: HTTP status of kind `status`, otherwise 200.
        seconds: delay of `slow`, `Retry-After` of `status`.
        as_date: whether `Retry-After` is sent as an HTTP date.
        count: number of requests that it applies to; None for all.
    """

    spec: str
    kind: str
    status: int = 200
    seconds: float | None = None
    as_date: bool = False
    count: int | None = None


def parse(spec: str) -> Fault:
    """Parse one specification.

    Raises:
        BadFault: `spec` is not valid.
    """
    body, star, count_text = spec.partition("*")
    kind, _, value = body.partition(":")
    count = None
    if star:
        if not count_text.isdecimal() or not count_text.isascii() or int(count_text[:9]) < 1:
            raise BadFault(f"{spec!r}: the count after * must be 1 or more")
        count = int(count_text[:9])
    if kind.isdecimal() and kind.isascii() and 400 <= int(kind[:4]) <= 599:
        seconds, as_date = _retry_after(spec, value)
        return Fault(spec, "status", int(kind), seconds, as_date, count)
    if kind not in KINDS:
        raise BadFault(f"{spec!r}: unknown fault {kind!r}; valid ones are 400 … 599, {', '.join(KINDS)}")
    if kind == "slow":
        return Fault(spec, kind, seconds=_seconds(spec, value), count=count)
    if value:
        raise BadFault(f"{spec!r}: {kind} takes no value")
    return Fault(spec, kind, count=count)


def _retry_after(spec: str, value: str) -> tuple[float | None, bool]:
    if not value:
        return None, False
    name, _, seconds = value.partition("=")
    if name not in ("retry_after", "retry_at"):
        raise BadFault(f"{spec!r}: a status takes retry_after=SECONDS or retry_at=SECONDS")
    return _seconds(spec, seconds), name == "retry_at"


def _seconds(spec: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if math.isnan(seconds) or math.isinf(seconds) or seconds < 0:
        raise BadFault(f"{spec!r}: {text!r} is not a number of seconds")
    return seconds


class FaultQueue:
    """The faults still to come, first in, first out; safe to use from several threads."""

    def __init__(self, specs: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int | None]] = []
        self.replace(specs)

    def replace(self, specs: Iterable[str]) -> None:
        """Replace the waiting faults; an empty list ends all faults.

        Raises:
            BadFault: a specification is not valid; the queue then stays as it was.
        """
        faults = [parse(spec) for spec in specs]
        with self._lock:
            self._waiting = [(fault, fault.count) for fault in faults]

    def take(self) -> Fault | None:
        """Take the fault for the next request; None if there is none."""
        with self._lock:
            if not self._waiting:
                return None
            fault, left = self._waiting[0]
            if left == 1:
                self._waiting.pop(0)
            elif left is not None:
                self._waiting[0] = (fault, left - 1)
            return fault

    def waiting(self) -> list[str]:
        """Specifications of the waiting faults, with their remaining counts."""
        with self._lock:
            return [
                fault.spec if left is None else f"{fault.spec.partition('*')[0]}*{left}"
                for fault, left in self._waiting
            ]
