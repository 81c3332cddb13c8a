"""One run: records from a source to Kafka, until the order is filled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, FindingsError
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.identity import Identity
from avro_data_contracts.producers.interruption import Interruption, Stopped
from avro_data_contracts.producers.keeping import Keeper
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.producers.raw import Raw
from avro_data_contracts.producers.refusals import Refusals
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.source import Item, Request, Source

SLICE_S = 0.1
SHOW_EVERY_S = 0.1
_LAG_S = 1.0


@dataclass(frozen=True)
class Order:
    """What a run is to do.

    Attributes:
        seed: for a source that makes records up.
        count: number of records to fetch, None for all.
        rate: records per second, None for as fast as possible.
        duration_s: after this many seconds the run fetches no further record, None for no limit.
        page_size: records per request to the source, 1 to 5000.
    """

    seed: str
    count: int | None = None
    rate: float | None = None
    duration_s: float | None = None
    page_size: int = 500

    def __post_init__(self) -> None:
        for name, value in (("--count", self.count), ("--rate", self.rate), ("--duration", self.duration_s)):
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} {value:g} is not more than 0", fix="give a positive number")
        if not 1 <= self.page_size <= 5_000:
            raise ConfigurationError(f"--page-size {self.page_size} is not in 1 … 5000", fix="leave it out: 500")

    @property
    def request(self) -> Request:
        """What the source needs to know of it."""
        return Request(self.seed, self.count, self.page_size)


@dataclass
class Report:
    """What a run did, or what it has done so far.

    Attributes:
        fetched: number of items taken from the source.
        produced: number of records that Kafka acknowledged.
        refused: number of dead letters that Kafka acknowledged, by reason.
        refusals: what was refused, by reason, field and words.
        undelivered: number of items for which Kafka acknowledged neither.
        ids_distinct: number of different records by `producers.identity`: the rows that a store will have.  None for
            files: remembering every id of a large one would take too much memory.
        offsets: partition -> first and last offset of this run's records.
        ended: `count`, `duration`, `source` (it has no more), `SIGINT`, `SIGTERM` or `error`.
        seconds: from the first request to the last acknowledgement.
        error: what ended the run early, None for nothing.
    """

    fetched: int = 0
    produced: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refusals: Refusals = field(default_factory=Refusals)
    undelivered: int = 0
    ids_distinct: int | None = 0
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)
    ended: str = ""
    seconds: float = 0.0
    error: ContractsError | None = None

    @property
    def per_second(self) -> float:
        """Records per second so far."""
        return self.fetched / self.seconds if self.seconds else 0.0

    def check(self, *, tolerant: bool = True, meant: bool = False, look: str = "") -> None:
        """Raise FindingsError if a run without an error lost a record, or if every record was refused.

        Args:
            tolerant: False: also if any record was refused.
            meant: the records were made to be refused.
            look: says how to see the refused records; empty for nothing.
        """
        refused = self.refused.total()
        if self.error is None and self.fetched != self.produced + refused:
            raise FindingsError(
                f"fetched {self.fetched} is not produced {self.produced} + refused {refused}",
                where="producer",
                fix="this is a bug in producers/; run again: a record that arrives twice is one row",
            )
        if meant:
            return
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.refused.items()))
        look = look and f"{look}; "
        if refused and not tolerant and self.ended != "SIGINT":
            raise FindingsError(
                f"{refused} of {self.fetched} records were refused ({reasons})",
                where="producer",
                fix=f"{look}correct them (docs/reference/producer.md, Refused records), and send them again",
            )
        if refused and not self.produced and self.ended != "SIGINT":
            raise FindingsError(
                f"every record was refused: fetched {self.fetched}, produced 0, refused {refused} ({reasons})",
                where="producer",
                fix=f"{look}correct the contract's schema or rules, or its source "
                "(docs/reference/producer.md, Refused records)",
            )


class Refuses(Protocol):
    """Where refused records go.

    Attributes:
        refused: number of those that are there, by reason.
    """

    refused: Counter[str]

    def refuse(self, given: Any, refusal: Rejection, *, position: str = "") -> None: ...


class Run:
    """Takes items from a source, and publishes records and dead letters.

    Args:
        identity: tells which records are the same row; None if each record is one of its own.
        show: called a few times a second with the report so far.
        refuses: where refused records go; the publisher's dead-letter topic by default.
        keeper: writes down how far the run has come.
        counts_rows: whether to count the different records, which means to remember each.
    """

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        order: Order,
        interruption: Interruption,
        identity: Identity | None = None,
        show: Callable[[Report], None] = lambda report: None,
        *,
        refuses: Refuses | None = None,
        keeper: Keeper | None = None,
        counts_rows: bool = True,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._order = order
        self._interruption = interruption
        self._identity = identity
        self._show = show
        self._refuses = refuses or publisher
        self._keeper = keeper
        self._counts_rows = counts_rows
        self._next_show = 0.0
        self._ids: set[Hashable] = set()
        self._sent = 0
        self._report = Report()

    def to_the_end(self) -> Report:
        """Carry the order out.  A ContractsError is in the report, beside what was done; it is not raised."""
        report = self._report
        self._start = self._due = time.monotonic()
        try:
            report.ended = self._work()
        except Stopped:
            report.ended = self._signal()
        except ContractsError as error:
            report.ended, report.error = "error", error
        for finish in (self._publisher.flush, *([self._keeper.save] if self._keeper else [])):
            try:
                finish()
            except ContractsError as error:
                report.ended, report.error = "error", report.error or error
        self._count()
        return report

    def _work(self) -> str:
        items, rate = self._source.items(self._order.request), self._order.rate
        waiting = self._interruption.waiting
        while True:
            with waiting:
                item = next(items, None)
            now = time.monotonic()
            if item is None:
                self._taken(now)
                return "source"
            # The wait for the item may have been long.
            if ended := self._ended(now):
                return ended
            if rate is not None and (ended := self._pace(rate)):
                return ended
            self._take(item)
            now = time.monotonic()
            self._taken(now)
            if now >= self._next_show:
                self._tell(now)
            # Before the next item, which may need a request.
            if ended := self._ended(now):
                return ended

    def _take(self, item: Item) -> None:
        self._report.fetched += 1
        outcome = item.outcome
        try:
            if isinstance(outcome, Checked):
                self._publisher.send_checked(outcome)
                outcome = outcome.written
            elif isinstance(outcome, Rejection):
                raise outcome
            elif isinstance(outcome, Raw):
                self._publisher.send_raw(outcome)
                return
            else:
                self._publisher.send(outcome)
        except Rejection as refusal:
            position = self._source.position
            self._refuses.refuse(item.given, refusal, position=position)
            self._report.refusals.add(refusal, position)
        else:
            self._sent += 1
            if self._identity is not None and self._counts_rows:
                assert isinstance(outcome, dict)
                self._ids.add(self._identity(outcome))

    def _taken(self, now: float) -> None:
        if self._keeper is not None:
            self._keeper.taken(now)

    def _ended(self, now: float) -> str:
        """Return why to stop now, empty for no reason."""
        if self._interruption.requested:
            return self._signal()
        if self._report.fetched == self._order.count:
            return "count"
        if self._order.duration_s is not None and now - self._start >= self._order.duration_s:
            return "duration"
        return ""

    def _pace(self, rate: float) -> str:
        """Wait for the next record's turn.  Return why to stop meanwhile, empty for no reason."""
        # After a slow answer, the run makes up for a second of it at most.
        self._due = max(self._due, time.monotonic() - _LAG_S)
        while (left := self._due - time.monotonic()) > 0:
            self._publisher.wait(min(left, SLICE_S))
            now = time.monotonic()
            self._tell(now)
            if ended := self._ended(now):
                return ended
        self._due += 1 / rate
        return ""

    def _signal(self) -> str:
        return self._interruption.requested.name if self._interruption.requested else ""

    def _tell(self, now: float) -> None:
        if now >= self._next_show:
            self._count()
            self._show(self._report)
            self._next_show = time.monotonic() + SHOW_EVERY_S

    def _count(self) -> None:
        report, publisher = self._report, self._publisher
        report.produced = publisher.produced
        report.refused = Counter(self._refuses.refused)
        report.undelivered = report.fetched - publisher.produced - report.refused.total()
        report.ids_distinct = self._distinct()
        report.offsets = dict(sorted(publisher.offsets.items()))
        report.seconds = time.monotonic() - self._start

    def _distinct(self) -> int | None:
        if not self._counts_rows:
            return None
        return self._sent if self._identity is None else len(self._ids)
