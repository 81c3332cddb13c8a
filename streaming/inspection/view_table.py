"""What `reconcile` finds about the table of a view, and how it says so.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from avro_data_contracts.streaming.inspection.unlike import FINDINGS, Kind
from avro_data_contracts.streaming.topic import Ranges


@dataclass(frozen=True)
class ViewTable:
    """A view's table beside its SQL.

    Attributes:
        view, store, table: the view, the store's short name, and the name of the table.
        rows: number of rows that the SQL makes.
        unlike: kind (`unlike.Kind`) -> rows that are not as the SQL makes them.
        columns: column -> rows that differ in it.
        named: some of the findings, in words.
        late: events that the stream has left out because they were late; None: unknown, or not an aggregation.
        short: events that are missing in the rows of groups; those that were late are among them.
        unwritten: partition -> first and last offset that the stream has still to read.
    """

    view: str
    store: str
    table: str
    rows: int
    unlike: Mapping[str, int]
    columns: Mapping[str, int]
    named: tuple[str, ...]
    late: int | None
    short: int
    unwritten: Ranges

    @property
    def findings(self) -> int:
        """The rows that are not as they should be."""
        return sum(self.unlike.get(kind, 0) for kind in FINDINGS)

    @property
    def in_order(self) -> bool:
        return not self.findings and not self.unwritten

    def notes(self) -> Iterator[str]:
        """Yield what is not as the SQL makes it, each in a few words."""
        for kind, words in _WORDS.items():
            if number := self.unlike.get(kind, 0):
                extra = ""
                if kind is Kind.differs:
                    extra = f" ({', '.join(sorted(self.columns))})"
                elif kind is Kind.late:
                    extra = f": {self.short:,} of {self.late:,} late events"
                elif kind is Kind.missing and self.short:
                    extra = f": {self.short:,} events, of which {self.late or 0:,} were late"
                yield f"{number:,} {words}{extra}"


_WORDS: Final = {
    Kind.differs: "differ",
    Kind.missing: "lack events",
    Kind.older: "have an older event",
    Kind.unknown: "more that no event makes",
    Kind.late: "without events that came late",
    Kind.newer: "newer, not compared",
    Kind.forgotten: "more of events that Kafka has deleted, not compared",
    Kind.expired: "stay no longer (ttl)",
}
