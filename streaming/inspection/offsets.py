"""Where topics end and how far groups are, asked again and again at little cost.

What changes each second is asked each second: where the topics end.  What seldom changes is asked seldom: which
topics there are, and where they begin.  Each group needs a client of its own (see `Groups`), which costs something
even while it is idle.  So of many groups, only those that move keep their clients, and a group that has everything is
asked again only once its topic has more, or when it is its turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.streaming.run import groups
from avro_data_contracts.streaming.run.groups import Groups, Offsets

#: Topic -> partition -> its first offset, and the one after its last record.
Ends = Mapping[str, tuple[Offsets, Offsets]]
#: So many of the groups that need not be asked are asked anyway at each look: somebody may have moved one, and a
#: stream may have begun.
ANYWAY: Final = 1
#: A client stays open for so many looks after its group was asked last.
KEPT_LOOKS: Final = 10


class Watched:
    """The offsets of some topics and groups.

    Args:
        topics: their names; those that do not exist yet are looked for again.
        of_groups: group -> its topic.
        seldom_s: for how long topics and their beginnings may be told again, seconds; 0: all is asked each time.
        at_once: with more groups than these, at most so many clients stay open, and not all groups are asked; None:
            all are.
        clock: seconds.
    """

    def __init__(
        self,
        asked: Groups,
        topics: Sequence[str],
        of_groups: Mapping[str, str],
        *,
        seldom_s: float = 0.0,
        at_once: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked = asked
        self._topics = topics
        self._of_groups = of_groups
        self._seldom_s = seldom_s
        self._at_once = at_once
        self._clock = clock
        self._there: Mapping[str, list[int]] = {}
        self._first: Mapping[str, Offsets] = {}
        self._read_at: float | None = None
        self._ends_now: Ends = {}
        self._committed: dict[str, Offsets] = {}
        #: Group -> its offsets, those of its topic, and the lag between them.
        self._lags: dict[str, tuple[Offsets, tuple[Offsets, Offsets], int]] = {}
        #: Group -> the end of its topic when it was asked last.
        self._seen: dict[str, Offsets] = {}
        #: The groups whose clients are open, with the look that asked each; the last one asked is at the end.
        self._open: dict[str, int] = {}
        #: Groups that moved, and may do so again.
        self._moved: set[str] = set()
        self._looks = self._turn = self._anyway = 0

    def look(self) -> tuple[Ends, dict[str, int]]:
        """Return the ends of the topics that exist, and group -> lag, of those that have committed anything.

        The ends of a topic are the same object as in the look before, if they have not changed.

        Raises:
            ServiceError: Kafka does not answer.
        """
        before = self._ends_now
        ends = {name: before[name] if before.get(name) == at else at for name, at in self._ends().items()}
        self._ends_now = ends
        there = [group for group, topic in self._of_groups.items() if topic in ends]
        for group in self._due(there, ends):
            topic = self._of_groups[group]
            self._ask(group, topic, ends[topic][1])
        if self._at_once is not None and len(there) > self._at_once:
            self._release()
        self._looks += 1
        known = [group for group in there if self._committed.get(group)]
        return ends, {group: self._lag(group, ends) for group in known}

    def _lag(self, group: str, ends: Ends) -> int:
        """The lag of a group; computed only if its offsets, or those of its topic, are others than before."""
        committed, at = self._committed[group], ends[self._of_groups[group]]
        known = self._lags.get(group)
        if known is None or known[0] is not committed or known[1] is not at:
            known = self._lags[group] = committed, at, groups.lag(committed, *at)
        return known[2]

    def _ends(self) -> Ends:
        if self._read_at is not None and self._clock() - self._read_at < self._seldom_s:
            began = time.monotonic()
            try:
                found = self._with_first(self._asked.last_of(self._there))
            except ServiceError:
                self._read_at = None
                if time.monotonic() - began >= self._asked.timeout_s:
                    raise  # it is an outage, and to ask more would take as long again
                found = None  # perhaps a topic was deleted
            if found is not None:
                return found
        found = self._asked.ends_of(self._topics)
        self._there = {name: list(first) for name, (first, _) in found.items()}
        self._first = {name: first for name, (first, _) in found.items()}
        self._read_at = self._clock()
        return found

    def _with_first(self, last: Mapping[str, Offsets]) -> Ends | None:
        """The ends; None if a topic ends before it begins: it was deleted, and created again."""
        found = {name: (self._first[name], last[name]) for name in self._there}
        is_odd = any(end < first[one] for first, ends in found.values() for one, end in ends.items())
        return None if is_odd else found

    def _due(self, names: list[str], ends: Ends) -> list[str]:
        """The groups that this look asks: those that were never asked, and the next ones of those that may move."""
        most = self._at_once
        if most is None or len(names) <= most:
            return names
        new = [name for name in names if name not in self._seen]
        moving = [name for name in names if name in self._seen and self._moves(name, ends)]
        self._moved.update(moving)
        if len(moving) > most:
            moving = [moving[(self._turn + number) % len(moving)] for number in range(most)]
            self._turn += most
        anyway = [names[(self._anyway + number) % len(names)] for number in range(ANYWAY)]
        self._anyway += ANYWAY
        return list(dict.fromkeys([*new, *moving, *anyway]))

    def _moves(self, group: str, ends: Ends) -> bool:
        """Whether a group may have committed since it was asked last: it lacked something, or there is more now."""
        if not self._committed[group]:  # no stream of it has begun
            return False
        return self._seen[group] != ends[self._of_groups[group]][1] or self._lag(group, ends) > 0

    def _ask(self, group: str, topic: str, last: Offsets) -> None:
        self._open.pop(group, None)
        if self._at_once is not None and len(self._open) >= self._at_once:
            self._close(next(iter(self._open)))
        self._open[group] = self._looks
        self._committed[group] = self._asked.committed(group, topic, last)
        self._seen[group] = last

    def _release(self) -> None:
        """Close the clients of groups that were only asked in their turn, or have not moved for a while."""
        for group, asked in list(self._open.items()):
            if group not in self._moved or self._looks - asked >= KEPT_LOOKS:
                self._close(group)

    def _close(self, group: str) -> None:
        del self._open[group]
        self._moved.discard(group)
        self._asked.release(group)
