"""What the rows of a view that are not as its SQL makes them mean: findings, or what nobody can compare.  Pure.

A row is compared with what the SQL makes of the events that the stream has read.  What a row says of newer events is
newer; and where Kafka has deleted events, a row may be of those.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from avro_data_contracts.contracts.stores.position import (
    EVENT_OFFSET,
    EVENT_PARTITION,
    EVENT_TIMESTAMP,
    EVENT_TOPIC,
    EVENTS,
)
from avro_data_contracts.streaming.inspection.stored import Position
from avro_data_contracts.streaming.stores.store import Cells

Pair = tuple[Cells | None, Cells | None]

#: Rows that are named.
SHOWN: Final = 5
#: By how much a sum of binary numbers may differ from one in another order, as a part of it.
_NEAR: Final = 1e-9


class Kind(StrEnum):
    """What became of a row that is not as the SQL makes it."""

    #: Findings.
    differs = "differs"
    missing = "missing"
    older = "older"
    unknown = "unknown"
    #: Nobody can compare these.
    newer = "newer"
    forgotten = "forgotten"
    expired = "expired"
    late = "late"


FINDINGS: Final = (Kind.differs, Kind.missing, Kind.older, Kind.unknown)


@dataclass(frozen=True)
class Circumstances:
    """What is known of a view's table.

    Attributes:
        first, ends: partition -> the first offset that the topic has, and the one after the last that was compared.
        forgets: whether events may be missing between these, because Kafka deletes or compacts them.
        moved: asked at the end: whether the table may have rows of events behind `ends`.
        topic_id: of the topic.
        expired_before: rows whose event is older than this may be gone, ms since the epoch.
        late: events that the stream has left out, because they were late; None: unknown.
        is_of_sessions: whether the rows are sessions; a late event would have changed which there are.
        binary: columns made of sums of binary numbers, which depend on their order in the last digits.
        bounds: columns with a bound of the window: they name a group, and say nothing about a person.
    """

    first: Mapping[int, int]
    ends: Mapping[int, int]
    forgets: bool = False
    moved: Callable[[], bool] = lambda: False
    topic_id: str = ""
    expired_before: float = -math.inf
    late: int | None = None
    is_of_sessions: bool = False
    binary: frozenset[str] = frozenset()
    bounds: tuple[str, ...] = ()


@dataclass
class _Rows:
    """Some rows, of which the first have words."""

    number: int = 0
    words: list[str] = field(default_factory=list)

    def add(self, words: str) -> None:
        self.number += 1
        if len(self.words) < SHOWN:
            self.words.append(words)


@dataclass
class Unlike:
    """The rows that are not as the SQL makes them.

    Attributes:
        rows: how many there are of each kind.
        named: some of the findings, in words.
        columns: how many rows differ in a column.
        short: events that are missing in rows of groups.
    """

    rows: Counter[Kind] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)
    columns: Counter[str] = field(default_factory=Counter)
    short: int = 0

    def add(self, kind: Kind, words: str = "") -> None:
        self.rows[kind] += 1
        if kind in FINDINGS and len(self.named) < SHOWN:
            self.named.append(words)

    def add_all(self, kind: Kind, some: _Rows) -> None:
        self.rows[kind] += some.number
        if kind in FINDINGS:
            self.named += some.words[: SHOWN - len(self.named)]


def of_events(pairs: Iterable[Pair], found: Circumstances) -> Unlike:
    """Judge the rows of a view that has one for each event, or for the newest event of each key."""
    unlike = Unlike()
    for wanted, stored in pairs:
        kind, words, columns = _of_event(wanted, stored, found)
        unlike.add(kind, words)
        unlike.columns.update(columns)
    return unlike


def _of_event(wanted: Cells | None, stored: Cells | None, found: Circumstances) -> tuple[Kind, str, list[str]]:
    if stored is None:
        assert wanted is not None
        event = _position(wanted)
        kind = Kind.expired if event.millis < found.expired_before else Kind.missing
        return kind, f"the row of {_event(event)} is missing", []
    has = _position(stored)
    if wanted is not None and _position(wanted) == has:
        columns = [name for name in wanted if wanted[name] != stored[name]]
        return Kind.differs, f"the row of {_event(has)} differs in {', '.join(columns)}", columns
    if wanted is not None and has < (event := _position(wanted)):
        return Kind.older, f"the row of {_event(has)} should be that of {_event(event)}", []
    if has.offset >= found.ends.get(has.partition, 0):
        return Kind.newer, "", []
    is_of_another_topic = EVENT_TOPIC in stored and stored[EVENT_TOPIC] != found.topic_id
    if found.forgets or is_of_another_topic or has.offset < found.first.get(has.partition, 0):
        return Kind.forgotten, "", []
    return Kind.unknown, f"there is a row of {_event(has)}, which the SQL does not make of the topic", []


def of_groups(pairs: Iterable[Pair], found: Circumstances) -> Unlike:
    """Judge the rows of a view that has one for each group of events.

    Which events came late depends on the batches in which the stream has read them.  So rows may lack as many events
    as the stream says that it has left out, and no more.
    """
    unlike, lacking, more = Unlike(), _Rows(), _Rows()
    for wanted, stored in pairs:
        events, has = _events(wanted), _events(stored)
        where = _group(wanted or stored or {}, found)
        if found.is_of_sessions and found.late and (stored is None or events != has):
            unlike.add(Kind.late)
        elif stored is None and _millis(wanted) < found.expired_before:
            unlike.add(Kind.expired)
        elif has < events:
            unlike.short += events - has
            lacking.add(f"the row of the group {where} has {has:,} of {events:,} events")
        elif has > events:
            more.add(f"the row of the group {where} has {has:,} events, and the topic {events:,}")
        else:
            assert wanted is not None
            assert stored is not None
            columns = [name for name in wanted if not alike(wanted[name], stored[name], name in found.binary)]
            if columns:
                unlike.add(Kind.differs, f"the row of the group {where} differs in {', '.join(columns)}")
                unlike.columns.update(columns)
    is_late = found.late is not None and unlike.short <= found.late
    unlike.add_all(Kind.late if is_late else Kind.missing, lacking)
    if more.number:
        unlike.add_all(Kind.newer if found.moved() else Kind.forgotten if found.forgets else Kind.unknown, more)
    return unlike


def alike(wanted: str | None, stored: str | None, near: bool) -> bool:
    """Return whether two cells are equal.  `near`: also if they are binary numbers with other last digits."""
    if wanted == stored:
        return True
    if not near or wanted is None or stored is None:
        return False
    return math.isclose(float(wanted), float(stored), rel_tol=_NEAR)


def _position(row: Cells) -> Position:
    return Position(_millis(row), int(row[EVENT_OFFSET] or 0), int(row[EVENT_PARTITION] or 0))


def _millis(row: Cells | None) -> int:
    return int((row or {}).get(EVENT_TIMESTAMP) or 0)


def _events(row: Cells | None) -> int:
    return int((row or {}).get(EVENTS) or 0)


def _event(position: Position) -> str:
    return f"the event at partition {position.partition}, offset {position.offset}"


def _group(row: Cells, found: Circumstances) -> str:
    """Name a group by its window, and no other value of its key, which may be about a person."""
    return ", ".join(f"{name} {row[name]}" for name in found.bounds) or "without a time"
