"""Refreshes one table of a view at its interval, beside the queries of its contract.

Nothing of it can be doubled or lost: each refresh makes the whole table what the contract's own table gives.  One
that is broken off, even by `kill -9`, is made good by the next, which the next start begins with.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyspark.sql import SparkSession
from structlog.typing import FilteringBoundLogger

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, Refused, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.failures import ComputationFailed
from avro_data_contracts.streaming.run import attempt
from avro_data_contracts.streaming.run.checkpoints import newest, settled
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.run.store_query import Stopped, StoreQuery
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.views import freshness
from avro_data_contracts.streaming.views.freshness import Freshness

if TYPE_CHECKING:
    from avro_data_contracts.streaming.views.refreshed import RefreshedView  # loads sqlglot

#: Between two looks at whether a refresh is due, seconds.
_LOOK_EVERY_S: Final = 0.5
#: What the next refresh may do better, when the rows or the SQL are others; the stream goes on without it.
_OF_CONTENT: Final = (Refused, ComputationFailed, ConfigurationError)


class _TooSlowError(ServiceError):
    """A refresh took longer than its limit."""


class Refreshing:
    """The refreshes of one table.

    Args:
        checkpoints: the folder with the checkpoints of the contract's queries.
        stopping: once it is set, no refresh begins, and none is repeated.
        log: where refreshes and failures go.

    Attributes:
        name, source: of the table, and of the query that writes the contract's table which it is computed from.
        rows: number of rows of the last refresh.
        stale: why the last refresh failed for what the rows or the SQL say; None if it did not.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        contract: Contract,
        view: RefreshedView,
        checkpoints: Path,
        stopping: threading.Event,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self.name, self.source = view.name, view.source.kind
        self.rows = 0
        self.stale: ContractsError | None = None
        self._spark = spark
        self._contract = contract
        self._view = view
        self._source = checkpoints / view.source.kind
        self._file = freshness.file_of(checkpoints, view.name)
        self._stopping = stopping
        self._metrics = metrics
        self._log = log.bind(sink=view.name)
        self._limit_s = max(settings.stream_write_timeout_s, view.every_s)
        self._query = StoreQuery(view.name, stopping, settings.stream_retry_for_s, log)
        self._number = 0
        self._lost: Exception | None = None
        self._known: Freshness | None = None  # of this process
        self._began = self._due = time.monotonic()
        self._thread: threading.Thread | None = None
        if (before := freshness.read(self._file)) is not None:  # an alert must not wait for this process's first one
            metrics.refreshed(self.name, before.as_of, before.seconds)

    @property
    def error(self) -> Exception | None:
        """Why it has given up: a server was away for too long, Spark has ended, or there is a bug."""
        return self._query.error or self._lost

    @property
    def at_work(self) -> bool:
        return self._query.batch is not None

    def begin(self) -> None:
        """Refresh at the interval, in a thread of its own, until `stopping` is set or it gives up."""
        self._thread = threading.Thread(target=self._run, name=f"refresh-{self.name}", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the refresh at work, if there is one."""
        if self._thread is not None:
            self._thread.join()

    def once(self) -> None:
        """Refresh now."""
        self._refresh()

    def _run(self) -> None:
        try:
            self._refresh_again_and_again()
        except Exception as error:  # for the thread that looks after the query
            self._lost = error

    def _refresh_again_and_again(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            if time.monotonic() < self._due or not self._has_begun():
                continue
            if not self._is_idle():
                self._refresh()
            if self._query.ended or self._lost is not None:
                return
            self._due = time.monotonic() + self._view.every_s

    def _has_begun(self) -> bool:
        """Whether the contract's table has what it can have at first: a batch, or nothing for an interval."""
        waited = time.monotonic() - self._began
        return self._known is not None or newest(self._source) is not None or waited >= self._view.every_s

    def _is_idle(self) -> bool:
        """Whether nothing was written since the last refresh; then its rows are those of now."""
        known, now = self._known, time.time()
        if known is None or known.written is None or self._view.changes_by_itself or self.stale is not None:
            return False
        if settled(self._source, self._contract.topic) != known.written:
            return False
        self._keep(Freshness(now, known.rows, known.seconds, known.said, known.written))
        return True

    def _refresh(self) -> None:
        """Refresh once.  An outage is waited for; what the rows or the SQL say is told, and kept in `stale`."""
        self._number += 1
        try:
            with self._query.writing(self._number):
                self._query.retry(self._attempt)
        except Stopped:
            return
        except Exception as error:
            if self._query.error is None:  # Spark's JVM is gone
                self._lost = error

    def _attempt(self) -> Counts:
        began, written = time.time(), settled(self._source, self._contract.topic)
        try:
            counts = self._in_time()
        except (*_OF_CONTENT, _TooSlowError) as error:
            self.stale = error
            self._metrics.refresh_failed(self.name, error)
            self._log.error("not refreshed", why=str(error), again_in_s=self._view.every_s)
            return Counts(0, 0, None, None, None)
        except ServiceError as error:
            self._metrics.refresh_failed(self.name, error)
            raise
        self.stale, self.rows = None, counts.written
        seconds = time.time() - began
        said = freshness.said_by(self._view.derived.view)
        self._keep(Freshness(began, counts.written, round(seconds, 3), said, written))
        self._log.info("refreshed", rows=counts.written, seconds=round(seconds, 3))
        return counts

    def _keep(self, found: Freshness) -> None:
        self._known = found
        try:
            freshness.keep(self._file, found)
        except OSError as error:  # the table is right; the next start refreshes it once more
            self._log.warning("when the view was refreshed could not be saved", file=str(self._file), why=str(error))
        self._metrics.refreshed(self.name, found.as_of, found.seconds)

    def _in_time(self) -> Counts:
        """Give up a refresh that hangs or is too slow.  Before it writes, it looks whether it was given up."""
        given_up = threading.Event()
        try:
            return attempt.within(
                self._limit_s,
                self._spark,
                self._contract.name,
                self.name,
                lambda: self._view.refresh(self._spark, given_up),
            )
        except attempt.TookTooLongError:
            given_up.set()
            self._view.reconnect()
            self._known = None  # the next one reads the table, whatever has become of this one
            raise _TooSlowError(
                f"the view was not refreshed within {self._limit_s:g} s",
                where=self.name,
                fix="check that the server answers (`make status`), or raise `refresh` in the header of the view",
                server=self._view.spec.kind,
            ) from None
