"""The figures of one contract over the last hour: what came in, what went out, and what is left.  Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

#: How long figures are kept, and the least time between two that are kept, seconds.
KEPT_S: Final = 3600.0
APART_S: Final = 10.0
#: Rates are those of the last seconds.
RATE_S: Final = 10.0


@dataclass(frozen=True)
class Point:
    """The figures at one moment; None: unknown.

    Attributes:
        at: seconds since the epoch.
        end: the sum of the topic's end offsets, which do not change when Kafka deletes old records.
        lag: records that the slowest store does not have yet.
        dead: dead letters.
    """

    at: float
    end: int | None
    lag: int | None
    dead: int | None


@dataclass(frozen=True)
class Rate:
    """Records a second; None: unknown."""

    incoming: float | None = None
    outgoing: float | None = None


@dataclass
class Series:
    """The points of one contract: those of the last seconds for rates, and one in ten seconds of the last hour."""

    _recent: deque[Point] = field(default_factory=deque)
    _kept: deque[tuple[Point, Rate]] = field(default_factory=deque)

    def add(self, point: Point) -> Rate:
        """Add the newest point, and return the rates up to it."""
        self._recent.append(point)
        # One that is older than the rates stays: looks may be further apart.
        while len(self._recent) > 2 and self._recent[1].at <= point.at - RATE_S:
            self._recent.popleft()
        rate = rates(self._recent[0], point)
        if not self._kept or point.at - self._kept[-1][0].at >= APART_S:
            self._kept.append((point, rate))
        while self._kept and self._kept[0][0].at < point.at - KEPT_S:
            self._kept.popleft()
        return rate

    def late(self) -> str | None:
        """Return how the contract is late, in words; empty if it is not; None: that is unknown.

        It is late if its slowest store lacked records all through the last seconds, and needs longer than that for
        them at its present rate.  Records that are just being written are not late.
        """
        old, new = self._recent[0], self._recent[-1]
        lags = [one.lag for one in self._recent]
        if 0 in lags:  # it had everything within the last seconds
            return None if new.lag is None else ""
        known = [one for one in lags if one is not None]
        if len(known) != len(lags) or new.at - old.at < RATE_S / 2:
            return None
        written = rates(old, new).outgoing
        if written is None:
            return None
        if not written:
            return f"nothing was written for {new.at - old.at:.0f} s"
        behind = min(known) / written
        return f"about {told(behind)} behind" if behind > RATE_S else ""

    def points(self) -> list[list[float | None]]:
        """Return the last hour, oldest first: time, in, out, lag, dead letters."""
        return [[round(one.at, 1), rate.incoming, rate.outgoing, one.lag, one.dead] for one, rate in self._kept]


def told(seconds: float) -> str:
    """A time in words: `40 s`, `12 min`, `3 h`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"


def rates(old: Point, new: Point) -> Rate:
    """Return the records a second between two points; none came in if the topic was made again."""
    seconds = new.at - old.at
    if seconds <= 0 or old.end is None or new.end is None:
        return Rate()
    came = max(0, new.end - old.end)
    incoming = round(came / seconds, 2)
    if old.lag is None or new.lag is None:
        return Rate(incoming)
    return Rate(incoming, round(max(0.0, (came - (new.lag - old.lag)) / seconds), 2))
