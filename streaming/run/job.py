"""source | decode | stores: one query and one checkpoint per store, so that one's outage stops no other.

The query of the first store also sends its batch's rejects to the dead-letter topic, before its checkpoint moves on.
Each counts its batch while it writes it: a batch without any, as nearly every one is, is not read again for them.
What is seen from outside of a written batch (log, metrics, the consumer group) comes from the same counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

import structlog
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import StorageLevel
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential_jitter

from contracts.catalog.contract import Contract
from contracts.errors import ConfigurationError, ContractsError, Refused, ServiceError
from contracts.registry.client import Registry
from contracts.registry.topics import Topics
from contracts.settings import Settings
from streaming import failures
from streaming.decode import strict, timestamps
from streaming.decode.batches import Asked, Decoding
from streaming.failures import UnreadableTimestamp, UnseenSchemaId
from streaming.run import gaps, pieces, source
from streaming.run.broker import SameTopic, Watch
from streaming.run.checkpoints import Checkpoints, ranges
from streaming.run.metrics import Metrics
from streaming.run.progress import Progress
from streaming.sinks import refusals
from streaming.sinks.counts import Counts
from streaming.sinks.dead_letter import DeadLetterSink
from streaming.sinks.refusals import RowsRefused
from streaming.sinks.sink import Sink
from streaming.stores.known import STORES

log = structlog.get_logger("streaming")


def stores(settings: Settings, contract: Contract) -> list[Sink]:
    """A sink for each store of the contract."""
    return [STORES[spec.kind].sink(settings, contract, spec) for spec in contract.sinks]


def prepare(settings: Settings, contract: Contract, *, accept_loss: bool = False) -> list[Sink]:
    """The stores, ready to be written; before anything heavy starts, every server has answered once.

    Args:
        accept_loss: go on behind records that Kafka deleted before a store read them (see `streaming.run.gaps`).

    Raises:
        RecordsLost: Kafka deleted such records, and nobody has accepted it.
        ServiceError: which server does not answer, and its address.
        ConfigurationError: the topics or the schema are not there yet, the contract names no store, or a checkpoint
            is not of this stream.
    """
    if not contract.sinks:
        raise ConfigurationError(
            "it names no store to stream into",
            where=contract.file,
            fix=f"add {' or '.join(STORES)} to its sinks",
        )
    names = (contract.topic, contract.dead_letter_topic)
    missing = [f"topic {name}" for name, state in Topics(settings).read(names).items() if state is None]
    if not Registry.from_settings(settings).versions(contract.value.name):
        missing.append(f"subject {contract.value.name}")
    if missing:
        raise ConfigurationError(
            f"not there: {', '.join(missing)}",
            where=contract.file,
            fix="register the contract: make register-schemas",
        )
    wanted = stores(settings, contract)
    checkpoints = Checkpoints(settings, contract)
    checkpoints.claim(sink.name for sink in wanted)
    for sink in wanted:
        if checkpoints.begun(sink.name) and not sink.has_table():
            raise checkpoints.without_table(sink.name, sink.spec.qualified)
        sink.prepare()
    gaps.pass_over(settings, contract, checkpoints.folder, [sink.name for sink in wanted], accept_loss)
    return wanted


class _Stopped(Exception):
    """Ends a query that would begin a batch, or another attempt at one, although the job is stopping."""


class Job:
    """The stream of one contract.

    Args:
        spark: a session that has the jars of Kafka, Avro and the stores.
        settings: addresses and limits; `checkpoint_dir` gets one folder per contract, topic id and sink.
        contract: what to read, and how to decode it.
        sinks: the stores to write, from `prepare`.
        stopping: once it is set, the running batches end and no other begins.
        metrics: counts what is done; its own, seen by nobody, when None.
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
        self._same_topic = SameTopic(settings, contract.topic, checkpoints.topic_id)
        self._dead_letters = DeadLetterSink(settings, contract)
        self._decoding = Decoding(Registry.from_settings(settings), contract)
        self._timestamp = strict.timestamp(spark)
        # Sinks that write at the moment, and which batch; and why the others ended, None for: they were told to.
        self._writing: dict[str, int] = {}
        self._ended: dict[str, Exception | None] = {}
        # Records of the batches that each sink has written.
        self._written = {sink.name: 0 for sink in sinks}
        self._rejected = 0
        self._stops: dict[str, threading.Thread] = {}
        self._stopping = stopping or threading.Event()
        self._log = log.bind(contract=contract.name)
        self._metrics = metrics or Metrics(contract)
        folders = {sink.name: self._checkpoints / sink.name for sink in sinks}
        self._progress = Progress(settings, contract, folders, self._metrics.commit_failed)
        self._metrics.watch(self._progress.lag)
        for gap in gaps.losses(self._checkpoints):
            self._metrics.lost(gap.sink, gap.records)

    def run(self, *, available_now: bool) -> None:
        """Streams until everything that was there is written (`available_now`), or until told to stop.

        Raises:
            ServiceError: a server did not come back in time.  With `available_now` the other stores have got
                everything that was there; otherwise they have finished the batch that was running.
        """
        self._progress.begin()
        queries = [self._start(sink, available_now) for sink in self._sinks]
        lost = self._wait(queries, available_now)
        self._progress.close()
        self._log.info("ended", **self._written, rejected=self._rejected)
        if lost is not None:
            raise lost
        self._raise_failures(queries)

    def at_work(self) -> str:
        """What is being done, for whoever waits for its end."""
        writing = [f"{sink} to write batch {number}" for sink, number in dict(self._writing).items()]
        return ", ".join(writing) or "the queries to end"

    def _wait(self, queries: list[StreamingQuery], available_now: bool) -> ServiceError | None:
        """Until all queries have ended; the outage of Kafka that has ended them, if one has."""
        lost = None
        with Watch(self._settings, self._contract.topic, self._same_topic) as broker:
            while any(query.isActive for query in queries):
                if self._stopping.wait(0.2):
                    self._stop_idle(queries)
                    time.sleep(0.2)
                elif (lost := broker.given_up()) is not None or (
                    # A stream that goes on without one of its stores would hide it: it ends, and says why.
                    # One that has given up may be kept by Kafka's client before Spark calls it ended.
                    not available_now and (self._ended or not all(query.isActive for query in queries))
                ):
                    self._stopping.set()
        for stop in self._stops.values():
            stop.join()
        return lost

    def _stop_idle(self, queries: list[StreamingQuery]) -> None:
        """Stops the queries that write nothing, side by side: each waits for what it has asked the broker.

        A running batch is finished first.
        """
        for query, sink in zip(queries, self._sinks, strict=True):
            if query.isActive and sink.name not in self._writing and sink.name not in self._stops:
                stop = threading.Thread(target=self._stop, args=(query, sink), name=f"stop-{sink.name}", daemon=True)
                self._stops[sink.name] = stop
                stop.start()

    def _stop(self, query: StreamingQuery, sink: Sink) -> None:
        with suppress(Py4JError, ConnectionError):  # its JVM is gone: who waits for the query says so
            try:
                query.stop()
            except Py4JJavaError as error:
                # Nothing is left to be written, and Kafka's client waits, without an end, for a broker that is away
                # (`stopTimeout` in `spark.session`).
                self._log.info("stopped, and left behind", sink=sink.name, why=error.java_exception.toString())

    def _start(self, sink: Sink, available_now: bool) -> StreamingQuery:
        frame = source.stream(
            self._spark, self._settings, self._contract.topic, max_per_batch=self._settings.stream_max_per_batch
        )
        checkpoint = self._checkpoints / sink.name
        writer = (
            frame.writeStream.queryName(f"{self._contract.name}.{sink.name}")
            .option("checkpointLocation", _location(checkpoint))
            .foreachBatch(self._handler(sink))
        )
        trigger = {"availableNow": True} if available_now else {"processingTime": "0 seconds"}
        return writer.trigger(**trigger).start()

    def _handler(self, sink: Sink) -> Callable[[DataFrame, int], None]:
        def handle(batch: DataFrame, number: int) -> None:
            self._writing[sink.name] = number
            began = time.monotonic()
            try:
                if self._stopping.is_set():
                    raise _Stopped(f"batch {number} is not begun")
                guarded = batch.withColumn("timestamp", self._timestamp)
                counts = self._retrying(sink)(self._attempt, sink, guarded, number, Asked())
            except _Stopped:
                self._ended[sink.name] = None
                raise
            except ContractsError as error:
                self._ended[sink.name] = error
                self._log.error("given up", sink=sink.name, batch=number, why=error.what)
                raise
            except (Py4JError, ConnectionError):  # its JVM is gone: who waits for the query says so
                raise
            except Exception as error:  # a bug; Spark would report only the first lines of its traceback
                self._ended[sink.name] = error
                raise
            finally:
                del self._writing[sink.name]
            seconds = time.monotonic() - began
            self._metrics.written(sink.name, counts, seconds)
            self._progress.written(sink.name, number)
            self._written[sink.name] += counts.written
            self._rejected += sum(counts.dead_lettered.values())
            told = {"records": counts.records, "rejected": counts.rejected, "seconds": round(seconds, 3)}
            self._log.info("batch written", sink=sink.name, batch=number, **told)

        return handle

    def _attempt(self, sink: Sink, batch: DataFrame, number: int, asked: Asked) -> Counts:
        try:
            self._same_topic.check()
            try:
                return self._write_in_time(sink, lambda: self._write(sink, batch, asked))
            except UnreadableTimestamp as error:
                self._log.info("brought by a plain consumer", sink=sink.name, batch=number, why=error.what)
                return self._write_in_time(sink, lambda: self._write_pieces(sink, number, asked))
        except ServiceError as error:
            self._metrics.attempt_failed(sink.name, error)
            self._check_gaps(sink)
            raise

    def _check_gaps(self, sink: Sink) -> None:
        """Raises RecordsLost where Kafka has deleted what the store is to read: no other attempt helps."""
        # Without an answer from Kafka nobody can say, and the error that brought us here is reported.
        with suppress(ServiceError):
            gaps.pass_over(self._settings, self._contract, self._checkpoints, [sink.name], accept_loss=False)

    def _write_in_time(self, sink: Sink, write: Callable[[], Counts]) -> Counts:
        """A write that hangs in a driver is left behind; should it wake up, it writes what is written again."""
        limit = self._settings.stream_write_timeout_s
        attempt: Future[Counts] = Future()

        def work() -> None:
            try:
                attempt.set_result(write())
            except failures.JAVA_ERRORS as error:  # a sink tells of its own server; this is about reading
                attempt.set_exception(failures.of_java(failures.KAFKA, self._settings.kafka_bootstrap_servers, error))
            except BaseException as error:  # handed over to the thread that waits
                attempt.set_exception(error)

        threading.Thread(target=work, name=f"write-{sink.name}", daemon=True).start()
        try:
            return attempt.result(limit)
        except TimeoutError:
            words = f"the batch was not written within {limit:g} s"
            fix = "see whether the server answers (`make status`), or raise STREAM_WRITE_TIMEOUT_S"
            raise ServiceError(words, where=sink.name, fix=fix, server=sink.name) from None

    def _write(self, sink: Sink, batch: DataFrame, asked: Asked) -> Counts:
        if self._decoding.begun:
            try:
                return self._write_decoded(sink, self._decoding.known(batch))
            except UnseenSchemaId:
                self._log.info("a schema id not seen before", sink=sink.name)
        # A sink is idempotent: what the attempt above has written already is written again.
        # On disk: what Spark keeps in memory beyond what it counts, some 80 MB a task, is too much of large records.
        batch.persist(StorageLevel.DISK_ONLY)
        try:
            return self._write_decoded(sink, self._decoding.looked_up(batch, asked))
        finally:
            batch.unpersist()

    def _write_pieces(self, sink: Sink, number: int, asked: Asked) -> Counts:
        """Write a batch that Spark's source cannot read, piece by piece, each as if it were a batch."""
        name = self._contract.topic
        frames = pieces.read(self._spark, self._settings, name, ranges(self._checkpoints / sink.name, name, number))
        return reduce(add, (self._write(sink, frame, asked) for frame in frames))

    def _write_decoded(self, sink: Sink, decoded: DataFrame) -> Counts:
        decoded = timestamps.judged(decoded)
        refused: dict[refusals.Place, str] = {}
        while True:
            marked = refusals.marked(decoded, sink.name, refused)
            try:
                counts = sink.write(marked)
                break
            except RowsRefused as found:
                # Without these rows the batch is written again: an older event of the same key may be the newest now.
                if not found.rows.keys() - refused.keys():
                    raise
                refused |= found.rows
                self._log.warning(
                    "rows refused", sink=sink.name, rows=len(found.rows), why=next(iter(found.rows.values()))
                )
        letters: Mapping[str, int] = {}
        first = sink is self._sinks[0]
        if refused or (first and counts.rejected):
            only = None if first else refusals.reason(sink.name)
            letters = self._dead_letters.write(marked, counts.rejected_bytes or 0, only)
        return replace(counts, dead_lettered=letters)

    def _retrying(self, sink: Sink) -> Retrying:
        def told(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            wait = round(state.next_action.sleep, 1) if state.next_action else 0
            self._log.warning(
                "attempt failed", sink=sink.name, attempt=state.attempt_number, again_in_s=wait, why=str(error)
            )

        return Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, ServiceError) and not isinstance(error, Refused)
            ),
            wait=wait_exponential_jitter(multiplier=0.5, max=15),
            stop=_since_first_failure(self._settings.stream_retry_for_s),
            sleep=self._sleep,
            before_sleep=told,
            reraise=True,
        )

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _Stopped("stopped while it waited for a server")

    def _raise_failures(self, queries: list[StreamingQuery]) -> None:
        for query, sink in zip(queries, self._sinks, strict=True):
            if sink.name in self._ended:
                why = self._ended[sink.name]
            else:
                why = (failure := query.exception()) and _as_service_error(failure, query.name)
                if why is not None:
                    self._check_gaps(sink)
            if why is not None:
                raise why


def _since_first_failure(seconds: float) -> Callable[[RetryCallState], bool]:
    """Whether a server has been waited for that long.  An attempt that hung has taken its time before that."""
    failed: list[float] = []

    def over(_: RetryCallState) -> bool:
        failed.append(time.monotonic())
        return failed[-1] - failed[0] >= seconds

    return over


def _as_service_error(failure: StreamingQueryException, name: str) -> ServiceError:
    words = " ".join(str(failure).split())
    fix = "see Spark's log; the checkpoint is kept, run it again"
    return ServiceError(f"the query failed: {words[:400]}", where=name, fix=fix, server="spark")


def _location(checkpoint: Path) -> str:
    # No URI: Spark takes the `%20` of one for three letters of the name.
    return f"file://{checkpoint.absolute()}"
