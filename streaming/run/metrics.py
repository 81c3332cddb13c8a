"""Prometheus metrics of one contract's stream.  A test compares them with the table in docs/how-to/monitoring.md."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ContractsError, ServiceError
from avro_data_contracts.streaming.decode.reasons import codes
from avro_data_contracts.streaming.run.families import Families
from avro_data_contracts.streaming.run.gaps import Gap
from avro_data_contracts.streaming.sinks import refusals
from avro_data_contracts.streaming.sinks.counts import Counts


class Metrics:
    """Counts what the stream does.  Safe for several threads.

    Args:
        contract: gives the label `contract`; its stores are shown from the start, at zero.
        families: those of the process; by default, some of its own.
        now: returns seconds since the epoch.

    Attributes:
        families: they have its numbers.
    """

    def __init__(
        self, contract: Contract, families: Families | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._contract = contract.name
        self.families = families or Families()
        self._now = now
        written = queries.of(contract)
        self._sinks = {name for name, _ in queries.all_of(contract)}
        for name, sink in written:
            for metric in self.families.of_sinks:
                metric.labels(self._contract, name)
            self.families.latency.begin((self._contract, name))
            # A series that begins at 1 has no increase, so the first failure would not raise an alert.
            for server in (sink.kind, "kafka", "registry"):
                self.families.failed.labels(self._contract, name, server)
        for name, sink, every_s in queries.refreshed(contract):
            for gauge in self.families.of_refreshed:
                gauge.labels(self._contract, name)
            for server in (sink.kind, "spark"):
                self.families.failed.labels(self._contract, name, server)
            self.families.interval.labels(self._contract, name).set(every_s)
        self.families.broken_off.labels(self._contract)
        of_stores = (refusals.reason(name) for name, _ in written)
        self._reasons = {*codes(contract), *of_stores}
        for reason in self._reasons:
            self.families.rejected.labels(self._contract, reason)

    def watch(self, lag: Callable[[], Mapping[str, int]]) -> None:
        """Call `lag` at each scrape: sink -> records left.  While it raises ServiceError, the metric has no value."""
        self.families.lag.ask[self._contract] = lag

    def written(self, sink: str, batch: Counts, seconds: float) -> None:
        """Count a batch that is in the store; call it once, however many attempts it took."""
        labels, now = (self._contract, sink), self._now()
        self.families.records_in.labels(*labels).inc(batch.records)
        self.families.records_out.labels(*labels).inc(batch.written)
        self.families.skipped.labels(*labels).inc(batch.skipped)
        self.families.late.labels(*labels).inc(batch.late)
        self.families.timeless.labels(*labels).inc(batch.timeless)
        for reason, number in batch.dead_lettered.items():
            self.families.rejected.labels(self._contract, reason).inc(number)
        self.families.seconds.labels(*labels).observe(seconds)
        self.families.last.labels(*labels).set(now)
        if batch.oldest is not None and batch.newest is not None and batch.mean is not None:
            ages = (now - millis / 1000 for millis in (batch.newest, batch.oldest, batch.mean))
            self.families.latency.add(labels, batch.written, *ages)

    def attempt_failed(self, sink: str, error: ServiceError) -> None:
        """Count a failed attempt at a batch, whether another follows or not."""
        self.families.failed.labels(self._contract, sink, error.server or sink).inc()

    def refreshed(self, sink: str, as_of: float, seconds: float) -> None:
        """Note that the rows of a refreshed view are those of a time, in seconds since the epoch."""
        self.families.refreshed.labels(self._contract, sink).set(as_of)
        self.families.refresh_seconds.labels(self._contract, sink).set(seconds)

    def refresh_failed(self, sink: str, error: ContractsError) -> None:
        """Count a failed attempt at a refresh."""
        server = error.server if isinstance(error, ServiceError) else ""
        self.families.failed.labels(self._contract, sink, server or "spark").inc()

    def lost(self, gaps: Iterable[Gap]) -> None:
        """Count records that a store will never have, lost in this run or an earlier one; each gap once."""
        counted = self.families.gaps.setdefault(self._contract, set())
        for gap in gaps:
            if gap in counted:
                continue
            counted.add(gap)
            self.families.lost.labels(self._contract, gap.sink).inc(gap.records)

    def commit_failed(self, sink: str) -> None:
        self.families.uncommitted.labels(self._contract, sink).inc()

    def stream_failed(self) -> None:
        """Count an end of the whole stream that another beginning follows."""
        self.families.broken_off.labels(self._contract).inc()

    def followed_by(self, contract: Contract) -> Metrics:
        """Return the metrics of the contract as it is now.

        What goes on counts on; the series of sinks and rules that it does not have any more are gone.
        """
        new = Metrics(contract, self.families, self._now)
        for sink in self._sinks - new._sinks:
            self.families.forget_sink(self._contract, sink)
        for reason in self._reasons - new._reasons:
            self.families.rejected.remove_by_labels({"contract": self._contract, "reason": reason})
        return new

    def forget(self) -> None:
        """Show the contract no longer: its stream has ended for good."""
        self.families.forget(self._contract)
