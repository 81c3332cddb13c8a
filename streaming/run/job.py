"""Run one query and one checkpoint for each store, of the contract and of each of its views.

So the outage of one store does not stop the others.  The query of the first store also sends each batch's rejects to
the dead-letter topic, before its checkpoint moves on.
Each query counts its batch while it writes it, so a batch without rejects (most of them) is not read again for them.
The log, the metrics and the consumer group report a written batch from the same counts.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.lineage import outputs, runs
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.run import afresh, gaps, pools, source
from avro_data_contracts.streaming.run.batch_writer import BatchWriter
from avro_data_contracts.streaming.run.broker import SameTopic, Watch
from avro_data_contracts.streaming.run.checkpoints import Checkpoints
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.run.progress import Progress
from avro_data_contracts.streaming.run.refreshing import Refreshing
from avro_data_contracts.streaming.run.store_query import Stopped, StoreQuery
from avro_data_contracts.streaming.sinks.sink import Replacing, Sink
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.stores.store import cannot_refresh

if TYPE_CHECKING:
    from avro_data_contracts.streaming.views.groups import GroupSink
    from avro_data_contracts.streaming.views.projection import ViewSink
    from avro_data_contracts.streaming.views.refreshed import RefreshedView

log = structlog.get_logger("streaming")


def stores(settings: Settings, contract: Contract) -> list[Sink]:
    """Return a sink for each store of the contract, then one for each store of each of its views.

    Raises:
        ConfigurationError: a view is wrong.
    """
    own = [STORES[spec.kind].sink(settings, contract, spec) for spec in contract.sinks]
    return [*own, *_of_views(settings, contract)]


def _of_views(settings: Settings, contract: Contract) -> list[ViewSink | GroupSink]:
    if not contract.views:
        return []
    # These load sqlglot.
    from avro_data_contracts.contracts.views.derived import derive
    from avro_data_contracts.streaming.views.groups import GroupSink
    from avro_data_contracts.streaming.views.projection import JoinedViewSink, ViewSink

    found: list[ViewSink | GroupSink] = []
    for derived in (derive(contract, view) for view in contract.views if not view.is_refreshed):
        whole = derived.whole()
        for spec in whole.sinks:
            projecting = JoinedViewSink if derived.analysis.data else ViewSink
            of = projecting if derived.analysis.grouping is None else GroupSink
            found.append(of(settings, contract, derived, STORES[spec.kind].sink(settings, whole, spec)))
    return found


def refreshed(settings: Settings, contract: Contract) -> list[RefreshedView]:
    """Return the tables of views that no query writes, because they are refreshed.

    Raises:
        ConfigurationError: a view is wrong, or a store cannot refresh a table.
    """
    wanted = [view for view in contract.views if view.is_refreshed]
    if not wanted:
        return []
    from avro_data_contracts.contracts.views.derived import derive
    from avro_data_contracts.streaming.views.refreshed import RefreshedView

    found: list[RefreshedView] = []
    for derived in (derive(contract, view) for view in wanted):
        whole = derived.whole()
        for spec in whole.sinks:
            inner = STORES[spec.kind].sink(settings, whole, spec)
            if not isinstance(inner, Replacing):
                raise cannot_refresh(spec.kind)
            found.append(RefreshedView(settings, contract, derived, inner))
    return found


def _check_views(spark: SparkSession, contract: Contract, sinks: Iterable[Sink], checkpoints: Path) -> None:
    """Raise ConfigurationError if a view has other columns in Spark than its tables, or cannot go on."""
    if contract.views:
        from avro_data_contracts.streaming.views.groups import GroupSink
        from avro_data_contracts.streaming.views.projection import ViewSink

        for sink in sinks:
            if isinstance(sink, ViewSink | GroupSink):
                sink.check(spark, checkpoints / sink.name)


def prepare(settings: Settings, contract: Contract, *, accept_loss: bool = False) -> list[Sink]:
    """Prepare the stores for writing, and return them.  Every server has to answer before anything heavy starts.

    Args:
        accept_loss: continue behind records that Kafka deleted before a store read them (see `streaming.run.gaps`).

    Raises:
        RecordsLost: Kafka deleted such records, and the loss is not accepted.
        ServiceError: a server does not answer.
        ConfigurationError: the topics or the schema do not exist yet, the contract has no sinks, or a checkpoint
            belongs to another stream.
    """
    if not contract.sinks:
        raise ConfigurationError(
            "the contract has no sinks",
            where=contract.file,
            fix=f"add {' or '.join(STORES)} to `sinks`",
        )
    names = (contract.topic, contract.dead_letter_topic)
    missing = [f"topic {name}" for name, state in Topics(settings).read(names).items() if state is None]
    if not Registry.from_settings(settings).versions(contract.value.name):
        missing.append(f"subject {contract.value.name}")
    if missing:
        raise ConfigurationError(
            f"missing: {', '.join(missing)}",
            where=contract.file,
            fix="have the topics' owner create them (`kafka: external`), and register the schemas"
            if contract.spec.kafka.external
            else "register the contract: make register-schemas",
        )
    wanted, of_refreshed = stores(settings, contract), refreshed(settings, contract)
    checkpoints = Checkpoints(settings, contract)
    checkpoints.claim(sink.name for sink in wanted)
    for sink in wanted:
        if checkpoints.begun(sink.name) and not sink.has_table():
            raise checkpoints.without_table(sink.name, sink.spec.qualified)
        sink.prepare()
    for view in of_refreshed:
        view.prepare()
    gaps.pass_over(settings, contract, checkpoints.folder, [sink.name for sink in wanted], accept_loss)
    return wanted


class Job:
    """The stream of one contract: it starts a query for each store, watches them, and ends them.

    Args:
        spark: a session that has the jars of Kafka, Avro and the stores.
        settings: addresses and limits; `checkpoint_dir` gets one folder per contract, topic id and sink.
        contract: what to read, and how to decode it.
        sinks: the stores to write to, from `prepare`.
        stopping: once it is set, the running batches are finished and no other begins.
        metrics: counts what is done; None: they are counted and not served.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        contract: Contract,
        sinks: list[Sink],
        stopping: threading.Event | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._spark = spark
        self._sinks = sinks
        self._settings = settings
        self._contract = contract
        checkpoints = Checkpoints(settings, contract)
        checkpoints.claim(sink.name for sink in sinks)
        self._checkpoints = checkpoints.folder
        _check_views(spark, contract, sinks, checkpoints.folder)
        self._same_topic = SameTopic(settings, contract.topic, checkpoints.topic_id)
        self._stopping = stopping or threading.Event()
        self._log = log.bind(contract=contract.name)
        self._metrics = metrics or Metrics(contract)
        self._writer = BatchWriter(
            spark, settings, contract, sinks[0].name, checkpoints.folder, self._same_topic, self._metrics
        )
        self._queries = {
            sink.name: StoreQuery(sink.name, self._stopping, settings.stream_retry_for_s, self._log) for sink in sinks
        }
        self._refreshing: list[Refreshing] = []
        for view in refreshed(settings, contract):
            view.check(spark)
            afresh.forget(checkpoints.folder / view.name)  # it wrote the table when the view was another one
            self._refreshing.append(
                Refreshing(
                    spark, settings, contract, view, checkpoints.folder, self._stopping, self._metrics, self._log
                )
            )
        #: Whether its queries have been started.
        self.begun = False
        # Sink -> records of the batches that it has written.
        self._written = {sink.name: 0 for sink in sinks}
        self._rejected = 0
        self._once = False
        folders = {sink.name: self._checkpoints / sink.name for sink in sinks}
        self._progress = Progress(settings, contract, folders, self._metrics.commit_failed)
        self._metrics.watch(self._progress.lag)
        self._metrics.lost(gaps.losses(self._checkpoints))

    def run(self, *, available_now: bool) -> None:
        """Stream until everything that was there is written (`available_now`), or until `stopping` is set.

        Raises:
            ServiceError: a server did not come back in time.  With `available_now` the other stores have got
                everything that was there; otherwise they have finished the batch that was running.
        """
        with runs.of_stream(self._contract, self._settings) as told:
            try:
                self._stream(available_now)
            finally:
                of_refreshed = {one.name: one.rows for one in self._refreshing}
                told.rows |= {**self._written, **of_refreshed, outputs.DEAD_LETTERS: self._rejected}

    def _stream(self, available_now: bool) -> None:
        self._once = available_now
        self._progress.begin()
        try:
            for sink in self._sinks:
                self._queries[sink.name].follow(self._start(sink, available_now))
            self.begun = True
            if not available_now:
                for one in self._refreshing:
                    one.begin()
            lost = self._wait(available_now)
            if available_now:
                self._refresh_once()
        except BaseException:
            # Spark would go on with those that have begun, and refuse to start them again.
            self._stopping.set()
            for query in self._queries.values():
                query.abandon()
            raise
        finally:
            self._progress.close()
            self._same_topic.close()
        self._log.info("ended", **self._written, rejected=self._rejected)
        if lost is not None:
            raise lost
        self._raise_failures()

    def lag(self) -> Mapping[str, int]:
        """Ask Kafka, and return sink -> records that it does not hold yet.  Raises ServiceError."""
        return self._progress.lag()

    def at_work(self) -> str:
        """Say what the end of the stream waits for."""
        batches = [(name, query.batch) for name, query in self._queries.items()]
        writing = [f"{name} to write batch {batch}" for name, batch in batches if batch is not None]
        writing += [f"{one.name} to be refreshed" for one in self._refreshing if one.at_work]
        return ", ".join(writing) or "the queries to end"

    def _wait(self, available_now: bool) -> ServiceError | None:
        """Wait until all queries have ended; return the outage of Kafka that has ended them, if one has."""
        lost = None
        queries = self._queries.values()
        with Watch(self._settings, self._contract.topic, self._same_topic) as broker:
            while any(query.active for query in queries):
                # Each look asks Spark about each query, and a stream that waits for records looks for days.
                if self._stopping.wait(0.2 if available_now else 1.0):
                    for query in queries:
                        query.stop_if_idle()
                    time.sleep(0.2)
                elif (lost := broker.given_up()) is not None or (
                    # A stream that continues without one of its stores would hide the failure, so it ends.
                    # Kafka's client may hold up a query that has given up, and Spark still calls it active.
                    not available_now
                    and (
                        any(query.ended or not query.active for query in queries)
                        or any(one.error is not None for one in self._refreshing)
                    )
                ):
                    self._stopping.set()
        for query in queries:
            query.join()
        for one in self._refreshing:
            one.join()
        return lost

    def _refresh_once(self) -> None:
        """Refresh each view whose contract's table has everything that was there."""
        for one in self._refreshing:
            own = self._queries[one.source]
            if not self._stopping.is_set() and not own.ended and own.failure() is None:
                one.once()

    def _start(self, sink: Sink, available_now: bool) -> StreamingQuery:
        frame = source.stream(
            self._spark, self._settings, self._contract.topic, max_per_batch=self._settings.stream_max_per_batch
        )
        checkpoint = self._checkpoints / sink.name
        writer = (
            frame.writeStream.queryName(f"{self._contract.name}.{sink.name}")
            .option("checkpointLocation", _location(checkpoint))
            .foreachBatch(_handler(self, sink))
        )
        # The thread of the query inherits it.
        pools.enter(self._spark, self._contract.name, sink.name)
        return writer.trigger(**trigger(self._settings, available_now)).start()

    def _write(self, sink: Sink, batch: DataFrame, number: int) -> None:
        query, began = self._queries[sink.name], time.monotonic()
        with query.writing(number):
            counts = query.retry(self._writer.attempts(sink, batch, number))
        seconds = time.monotonic() - began
        self._metrics.written(sink.name, counts, seconds)
        self._progress.written(sink.name, number)
        self._written[sink.name] += counts.written
        self._rejected += sum(counts.dead_lettered.values())
        told = {"records": counts.records, "rejected": counts.rejected, "seconds": round(seconds, 3)}
        if self._contract.siblings:
            told["skipped"] = counts.skipped
        if counts.late:
            told["late"] = counts.late
        if counts.timeless:
            told["without_time"] = counts.timeless
        self._log.info("batch written", sink=sink.name, batch=number, **told)

    def _raise_failures(self) -> None:
        for sink in self._sinks:
            query = self._queries[sink.name]
            if query.error is not None:
                raise query.error
            if not query.ended and (failure := query.failure()) is not None:
                self._writer.check_gaps(sink)
                raise failure
        for one in self._refreshing:
            if (error := one.error) is not None:
                raise error
        for one in self._refreshing:
            if one.stale is not None and self._once:
                raise one.stale


def _handler(job: Job, sink: Sink) -> Callable[[DataFrame, int], None]:
    """Return what Spark calls with a batch.

    Spark's gateway keeps it for as long as the process lives.  It must not keep the job, with its clients of Kafka.
    """
    held = weakref.ref(job)

    def handle(batch: DataFrame, number: int) -> None:
        if (alive := held()) is None:  # Kafka was away, so Spark could not end the query when the job ended
            raise Stopped(f"batch {number} is not begun")
        alive._write(sink, batch, number)

    return handle


def trigger(settings: Settings, available_now: bool) -> dict[str, Any]:
    """Return the arguments of `DataStreamWriter.trigger`.  Batches start at multiples of the interval."""
    if available_now:
        return {"availableNow": True}
    return {"processingTime": f"{round(settings.stream_interval * 1000)} milliseconds"}


def _location(checkpoint: Path) -> str:
    # Not a URI: Spark would take its `%20` for three letters of the name.
    return f"file://{checkpoint.absolute()}"
