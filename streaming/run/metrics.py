"""Prometheus metrics of one contract's stream.  A test compares them with the table in docs/how-to/monitoring.md."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.decode.reasons import Reason
from avro_data_contracts.streaming.sinks import refusals
from avro_data_contracts.streaming.sinks.counts import Counts

BATCH_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
LATENCY_BUCKETS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 30, 60, 300, 1800, 3600, 21600, 86400)
_OF_A_SINK = ("contract", "sink")


class Metrics:
    """Counts what the stream does.  Safe for several threads.  Each has its own registry, not the process-wide one.

    Args:
        contract: gives the label `contract`; its stores are shown from the start, at zero.
        now: returns seconds since the epoch.
    """

    def __init__(self, contract: Contract, now: Callable[[], float] = time.time) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._contract = contract.name
        self._now = now
        self._in = self._counter("stream_records_in", "Records read from the topic, in written batches.")
        self._out = self._counter(
            "stream_records_out", "Records that the store holds, or a newer record of the same row."
        )
        self._skipped = self._counter("stream_records_skipped", "Records that concern another contract of the topic.")
        self._rejected = self._counter(
            "stream_records_rejected", "Records sent to the dead-letter topic.", ("contract", "reason")
        )
        self._failed = self._counter(
            "stream_attempts_failed", "Attempts to write a batch that a server made fail.", (*_OF_A_SINK, "server")
        )
        self._uncommitted = self._counter(
            "stream_progress_commits_failed", "Failed commits to the consumer group; nothing else fails."
        )
        self._lost = self._counter(
            "stream_records_lost", "Records that Kafka deleted before the store read them, accepted by --accept-loss."
        )
        self._seconds = Histogram(
            "stream_batch_seconds",
            "Time from the start of a batch until it is written, including failed attempts and waits.",
            _OF_A_SINK,
            registry=self.registry,
            buckets=BATCH_BUCKETS,
        )
        self._last = Gauge(
            "stream_last_batch_timestamp_seconds",
            "When the last batch was written, seconds since the epoch; 0 before the first.",
            _OF_A_SINK,
            registry=self.registry,
        )
        self._latency = _Latency()
        self._lag = _Lag(self._contract)
        self.registry.register(self._latency)
        self.registry.register(self._lag)
        written = queries.of(contract)
        for name, sink in written:
            counters = (self._in, self._out, self._skipped, self._uncommitted, self._lost)
            for metric in (*counters, self._seconds, self._last):
                metric.labels(self._contract, name)
            # A series that begins at 1 has no increase, so the first failure would not raise an alert.
            for server in (sink.kind, "kafka", "registry"):
                self._failed.labels(self._contract, name, server)
        of_stores = (refusals.reason(name) for name, _ in written)
        for reason in (*Reason, *of_stores, *(rule.reason for rule in contract.rules)):
            self._rejected.labels(self._contract, str(reason))

    def serve(self, settings: Settings) -> None:
        """Serve scrapes on STREAM_METRICS_HOST and STREAM_METRICS_PORT until the process ends.  Port 0 turns it off.

        Raises:
            ConfigurationError: it cannot listen on that address.
        """
        host, port = settings.stream_metrics_host, settings.stream_metrics_port
        if not port:
            return
        try:
            prometheus_client.start_http_server(port, host, self.registry)
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve metrics: {error.strerror or error}",
                where=f"{host}:{port}",
                fix="set STREAM_METRICS_HOST and STREAM_METRICS_PORT to a free address, or turn metrics off (port 0)",
            ) from None

    def watch(self, lag: Callable[[], Mapping[str, int]]) -> None:
        """Call `lag` at each scrape: sink -> records left.  While it raises ServiceError, the metric has no value."""
        self._lag.ask = lag

    def written(self, sink: str, batch: Counts, seconds: float) -> None:
        """Count a batch that is in the store; call it once, however many attempts it took."""
        labels, now = (self._contract, sink), self._now()
        self._in.labels(*labels).inc(batch.records)
        self._out.labels(*labels).inc(batch.written)
        self._skipped.labels(*labels).inc(batch.skipped)
        for reason, number in batch.dead_lettered.items():
            self._rejected.labels(self._contract, reason).inc(number)
        self._seconds.labels(*labels).observe(seconds)
        self._last.labels(*labels).set(now)
        if batch.oldest is not None and batch.newest is not None and batch.mean is not None:
            ages = (now - millis / 1000 for millis in (batch.newest, batch.oldest, batch.mean))
            self._latency.add(labels, batch.written, *ages)

    def attempt_failed(self, sink: str, error: ServiceError) -> None:
        """Count a failed attempt at a batch, whether another follows or not."""
        self._failed.labels(self._contract, sink, error.server or sink).inc()

    def lost(self, sink: str, records: int) -> None:
        """Count records that the store will never have, lost in this run or an earlier one."""
        self._lost.labels(self._contract, sink).inc(records)

    def commit_failed(self, sink: str) -> None:
        self._uncommitted.labels(self._contract, sink).inc()

    def _counter(self, name: str, words: str, labels: tuple[str, ...] = _OF_A_SINK) -> Counter:
        return Counter(name, words, labels, registry=self.registry)


class _Latency(Collector):
    """Seconds from a record's Kafka timestamp until its batch was in the store.

    Only the least, the largest and the mean of a batch are known.  So the sum and the count are exact; the buckets
    assume that a batch's records are spread evenly between the least and the largest.
    """

    _NAME = "stream_end_to_end_seconds"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], tuple[list[int], float]] = {}

    def add(self, labels: tuple[str, str], records: int, least: float, largest: float, mean: float) -> None:
        """Add one batch; times in seconds.  A negative time, from a clock ahead of ours, counts as 0."""
        least, largest, mean = max(least, 0.0), max(largest, 0.0), max(mean, 0.0)
        with self._lock:
            counts, total = self._found.get(labels, ([0] * (len(LATENCY_BUCKETS) + 1), 0.0))
            more = [*(round(records * _share(edge, least, largest)) for edge in LATENCY_BUCKETS), records]
            self._found[labels] = ([a + b for a, b in zip(counts, more, strict=True)], total + records * mean)

    def describe(self) -> Iterator[Metric]:
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        edges = [*map(str, map(float, LATENCY_BUCKETS)), "+Inf"]
        with self._lock:
            for labels, (counts, total) in self._found.items():
                family.add_metric(labels, list(zip(edges, counts, strict=True)), total)
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(
            self._NAME, "From a record's Kafka timestamp until the store holds it.", labels=_OF_A_SINK
        )


def _share(edge: float, least: float, largest: float) -> float:
    """Return the share of values, spread evenly from `least` to `largest`, that is not above `edge`."""
    if edge >= largest:
        return 1.0
    return 0.0 if edge < least else (edge - least) / (largest - least)


class _Lag(Collector):
    """Records left, asked of Kafka at each scrape, so that a hanging batch does not hide them."""

    def __init__(self, contract: str) -> None:
        self._contract = contract
        self.ask: Callable[[], Mapping[str, int]] = dict

    def describe(self) -> Iterator[Metric]:
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        try:
            for sink, records in self.ask().items():
                family.add_metric((self._contract, sink), records)
        except ServiceError:
            pass
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "stream_lag_records", "Records in the topic that the store does not hold yet.", labels=_OF_A_SINK
        )
