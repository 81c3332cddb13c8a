"""One run: users from the source API, as records to Kafka, until the order is filled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.errors import ConfigurationError, ContractsError, FindingsError
from producers.interruption import Interruption, Stopped
from producers.publish import Publisher
from producers.randomuser import RejectedUser, User, to_record
from producers.source_api import SourceApi

SLICE_S = 0.1
_LAG_S = 1.0


@dataclass(frozen=True)
class Order:
    """What a run is to do.

    Attributes:
        seed: of the source's users.
        count: users to fetch, None for all that there are.
        rate: users per second, None for as fast as it goes.
        duration_s: after that many seconds no further user is taken, None for no limit.
        page_size: users per request, 1 to 5000.
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


@dataclass
class Report:
    """What a run did.  While it runs, what it has done so far.

    Attributes:
        fetched: users taken from the source.
        produced: records that Kafka acknowledged.
        refused: users in the dead-letter topic, acknowledged, by reason.
        undelivered: users of which Kafka acknowledged neither.
        ids_distinct: different ids among the records: the rows that a store will have.
        offsets: partition -> first and last offset of this run's records.
        ended: `count`, `duration`, `source` (it has no more), `SIGINT`, `SIGTERM`, or `error`.
        seconds: from the first request to the last acknowledgement.
        error: what broke the run off, None for nothing.
    """

    fetched: int = 0
    produced: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    undelivered: int = 0
    ids_distinct: int = 0
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)
    ended: str = ""
    seconds: float = 0.0
    error: ContractsError | None = None

    @property
    def per_second(self) -> float:
        """Users per second so far."""
        return self.fetched / self.seconds if self.seconds else 0.0

    def check(self) -> None:
        """Raises FindingsError when a run without an error lost a user on the way, or produced nothing at all."""
        refused = self.refused.total()
        if self.error is None and self.fetched != self.produced + refused:
            raise FindingsError(
                f"fetched {self.fetched} is not produced {self.produced} + refused {refused}",
                where="producer",
                fix="this is a bug in producers/; run again, a user that arrives twice is one row",
            )
        if refused and not self.produced and self.ended != "SIGINT":
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.refused.items()))
            raise FindingsError(
                f"every user was refused: fetched {self.fetched}, produced 0, refused {refused} ({reasons})",
                where="producer",
                fix="`python -m streaming dlq show` has the reasons (docs/reference/producer.md, Refused users): "
                "correct the contract's schema or rules, or DATASOURCE_URL",
            )


class Run:
    """Fetches, maps and publishes.

    Args:
        show: called now and then with the report so far.
    """

    def __init__(
        self,
        api: SourceApi,
        publisher: Publisher,
        order: Order,
        interruption: Interruption,
        show: Callable[[Report], None] = lambda report: None,
    ) -> None:
        self._api = api
        self._publisher = publisher
        self._order = order
        self._interruption = interruption
        self._show = show
        self._ids: set[str] = set()
        self._report = Report()

    def to_the_end(self) -> Report:
        """Carries the order out.  Never raises a ContractsError: it is in the report, next to what was done."""
        report = self._report
        self._start = self._due = time.monotonic()
        try:
            report.ended = self._work()
        except Stopped:
            report.ended = self._signal()
        except ContractsError as error:
            report.ended, report.error = "error", error
        try:
            self._publisher.flush()
        except ContractsError as error:
            report.ended, report.error = "error", error
        self._count()
        return report

    def _work(self) -> str:
        size = min(self._order.page_size, self._order.count or self._order.page_size)
        pages = self._api.pages(self._order.seed, size)
        while True:
            with self._interruption.waiting():
                users = next(pages, None)
            if users is None:
                return "source"
            for user in users:
                if ended := self._ended() or self._pace():
                    return ended
                self._take(user)
            self._tell()
            if ended := self._ended():
                return ended

    def _take(self, user: User) -> None:
        self._report.fetched += 1
        try:
            record = to_record(user)
            self._publisher.send(record)
            self._ids.add(record["id"])
        except RejectedUser as refusal:
            self._publisher.refuse(user, refusal)

    def _ended(self) -> str:
        """Why to stop now; empty for no reason."""
        if self._interruption.requested:
            return self._signal()
        if self._report.fetched == self._order.count:
            return "count"
        if self._order.duration_s is not None and time.monotonic() - self._start >= self._order.duration_s:
            return "duration"
        return ""

    def _pace(self) -> str:
        """Waits for the next user's turn; why to stop meanwhile."""
        if self._order.rate is None:
            return ""
        # After a slow page the run does not try to make up for more than a second of it.
        self._due = max(self._due, time.monotonic() - _LAG_S)
        while (left := self._due - time.monotonic()) > 0:
            self._publisher.wait(min(left, SLICE_S))
            self._tell()
            if ended := self._ended():
                return ended
        self._due += 1 / self._order.rate
        return ""

    def _signal(self) -> str:
        return self._interruption.requested.name if self._interruption.requested else ""

    def _tell(self) -> None:
        self._count()
        self._show(self._report)

    def _count(self) -> None:
        report, publisher = self._report, self._publisher
        report.produced = publisher.produced
        report.refused = Counter(publisher.refused)
        report.undelivered = report.fetched - publisher.produced - publisher.refused.total()
        report.ids_distinct = len(self._ids)
        report.offsets = dict(sorted(publisher.offsets.items()))
        report.seconds = time.monotonic() - self._start
