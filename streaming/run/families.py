"""The families of Prometheus metrics of one process; `streaming.run.metrics` counts a contract in them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.run.gaps import Gap

BATCH_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
LATENCY_BUCKETS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 30, 60, 300, 1800, 3600, 21600, 86400)
_OF_A_SINK = ("contract", "sink")
_MOST_AT_ONCE = 64

_Ask = Callable[[], Mapping[str, int]]


class Families:
    """Has its own registry, not the process-wide one.  Each attribute is a family of metrics, or a collector."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.records_in = self._counter("stream_records_in", "Records read from the topic, in written batches.")
        self.records_out = self._counter(
            "stream_records_out",
            "Records that the store holds, or a newer record of the same row; of an aggregation, also those that it "
            "leaves out, because they came late or have no time.",
        )
        self.skipped = self._counter("stream_records_skipped", "Records that concern another contract of the topic.")
        self.late = self._counter(
            "stream_events_late", "Events of an aggregation that came when their window was closed; not in its rows."
        )
        self.timeless = self._counter(
            "stream_events_without_time", "Events of an aggregation whose time is null; not in its rows."
        )
        self.rejected = self._counter(
            "stream_records_rejected", "Records sent to the dead-letter topic.", ("contract", "reason")
        )
        self.failed = self._counter(
            "stream_attempts_failed", "Attempts to write a batch that a server made fail.", (*_OF_A_SINK, "server")
        )
        self.uncommitted = self._counter(
            "stream_progress_commits_failed", "Failed commits to the consumer group; nothing else fails."
        )
        self.broken_off = self._counter(
            "stream_failures", "Times that a contract's stream failed, and began again after a pause.", ("contract",)
        )
        self.lost = self._counter(
            "stream_records_lost", "Records that Kafka deleted before the store read them, accepted by --accept-loss."
        )
        self.seconds = Histogram(
            "stream_batch_seconds",
            "Time from the start of a batch until it is written, including failed attempts and waits.",
            _OF_A_SINK,
            registry=self.registry,
            buckets=BATCH_BUCKETS,
        )
        self.last = self._gauge(
            "stream_last_batch_timestamp_seconds",
            "When the last batch was written, seconds since the epoch; 0 before the first.",
        )
        self.refreshed = self._gauge(
            "stream_view_refreshed_timestamp_seconds",
            "Rows of a refreshed view are those of this time or later, seconds since the epoch; 0 before the first.",
        )
        self.refresh_seconds = self._gauge(
            "stream_view_refresh_seconds", "How long the last refresh of a view took, in seconds."
        )
        self.interval = self._gauge(
            "stream_view_refresh_interval_seconds",
            "How often a view is refreshed, in seconds: `refresh` of its header.",
        )
        #: Those of tables that are refreshed, with the labels `contract` and `sink`.
        self.of_refreshed = (self.refreshed, self.refresh_seconds, self.interval)
        #: Those with the labels `contract` and `sink`, and no others, of tables that queries write.
        self.of_sinks = (
            *(self.records_in, self.records_out, self.skipped, self.uncommitted, self.lost),
            *(self.late, self.timeless),
            *(self.seconds, self.last),
        )
        #: Contract -> the gaps that `lost` counts.
        self.gaps: dict[str, set[Gap]] = {}
        self.latency = Latency()
        self.lag = Lag()
        self.registry.register(self.latency)
        self.registry.register(self.lag)

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

    def forget(self, contract: str) -> None:
        """Remove the contract's series."""
        self.lag.ask.pop(contract, None)
        self.latency.forget(contract)
        self.gaps.pop(contract, None)
        for family in (*self.of_sinks, *self.of_refreshed, self.rejected, self.failed, self.broken_off):
            family.remove_by_labels({"contract": contract})

    def forget_sink(self, contract: str, sink: str) -> None:
        """Remove the series of one sink of the contract."""
        self.lag.forget_sink(contract, sink)
        self.latency.forget(contract, sink)
        self.gaps[contract] = {gap for gap in self.gaps.get(contract, ()) if gap.sink != sink}
        for family in (*self.of_sinks, *self.of_refreshed, self.failed):
            family.remove_by_labels({"contract": contract, "sink": sink})

    def _counter(self, name: str, words: str, labels: tuple[str, ...] = _OF_A_SINK) -> Counter:
        return Counter(name, words, labels, registry=self.registry)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, _OF_A_SINK, registry=self.registry)


class Latency(Collector):
    """Seconds from a record's Kafka timestamp until its batch was in the store.

    Only the least, the largest and the mean of a batch are known.  So the sum and the count are exact; the buckets
    assume that a batch's records are spread evenly between the least and the largest.
    """

    _NAME = "stream_end_to_end_seconds"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], tuple[list[int], float]] = {}

    def begin(self, labels: tuple[str, str]) -> None:
        """Show the series at zero, if it has no batch yet: one that begins with its first batch has no increase."""
        with self._lock:
            self._found.setdefault(labels, ([0] * (len(LATENCY_BUCKETS) + 1), 0.0))

    def add(self, labels: tuple[str, str], records: int, least: float, largest: float, mean: float) -> None:
        """Add one batch; times in seconds.  A negative time, from a clock ahead of ours, counts as 0."""
        least, largest, mean = max(least, 0.0), max(largest, 0.0), max(mean, 0.0)
        with self._lock:
            counts, total = self._found.get(labels, ([0] * (len(LATENCY_BUCKETS) + 1), 0.0))
            more = [*(round(records * _share(edge, least, largest)) for edge in LATENCY_BUCKETS), records]
            self._found[labels] = ([a + b for a, b in zip(counts, more, strict=True)], total + records * mean)

    def forget(self, contract: str, sink: str | None = None) -> None:
        """Remove the contract's series, or those of one of its sinks."""
        with self._lock:
            self._found = {
                labels: found
                for labels, found in self._found.items()
                if labels[0] != contract or sink not in (None, labels[1])
            }

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


class Lag(Collector):
    """Records left, asked of Kafka at each scrape, so that a hanging batch does not hide them.

    Attributes:
        ask: contract -> what returns the records left of each of its sinks.  While it raises ServiceError, the
            contract has no value.
    """

    def __init__(self) -> None:
        self.ask: dict[str, _Ask] = {}

    def forget_sink(self, contract: str, sink: str) -> None:
        """Show the sink no longer, until the contract's next stream says what to ask."""
        if (ask := self.ask.get(contract)) is not None:
            self.ask[contract] = lambda: {name: left for name, left in ask().items() if name != sink}

    def describe(self) -> Iterator[Metric]:
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        for contract, answer in _answers(list(self.ask.items())):
            for sink, records in answer.items():
                family.add_metric((contract, sink), records)
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "stream_lag_records", "Records in the topic that the store does not hold yet.", labels=_OF_A_SINK
        )


def _answers(asked: Sequence[tuple[str, _Ask]]) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Ask all at once: while Kafka is away, each takes its time-out, and a scrape does not wait for their sum."""
    if len(asked) < 2:
        yield from map(_answer, asked)
        return
    with ThreadPoolExecutor(min(len(asked), _MOST_AT_ONCE), thread_name_prefix="lag") as pool:
        yield from pool.map(_answer, asked)


def _answer(asked: tuple[str, _Ask]) -> tuple[str, Mapping[str, int]]:
    contract, ask = asked
    try:
        return contract, ask()
    except ServiceError:
        return contract, {}
