"""source | decode | sinks: one query and one checkpoint per sink, so that one store's outage stops no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery
from pyspark.sql.utils import StreamingQueryException
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from contracts.contract import CassandraSink as CassandraSpec
from contracts.contract import Contract
from contracts.errors import ContractsError, Refused, ServiceError
from contracts.registry import Registry
from contracts.settings import Settings
from streaming import decode, source
from streaming.sinks import Sink
from streaming.sinks.cassandra import CassandraSink
from streaming.sinks.dead_letter import DeadLetterSink
from streaming.sinks.postgres import PostgresSink
from streaming.writers import Writers

log = structlog.get_logger("streaming")


def sinks(settings: Settings, contract: Contract) -> list[Sink]:
    """The contract's stores, and its dead-letter topic."""
    stores: list[Sink] = [
        CassandraSink(settings, contract, spec)
        if isinstance(spec, CassandraSpec)
        else PostgresSink(settings, contract, spec)
        for spec in contract.sinks
    ]
    return [*stores, DeadLetterSink(settings, contract)]


class _Stopped(Exception):
    """Ends a query that would begin a batch although the job is stopping."""


class Job:
    """The stream of one contract.

    Args:
        spark: a session that has the Kafka, Avro, Cassandra and JDBC jars.
        settings: addresses and limits; `checkpoint_dir` gets one folder per contract and sink.
        contract: what to read, how to decode it, where to write it.
    """

    def __init__(self, spark: SparkSession, settings: Settings, contract: Contract) -> None:
        self._spark = spark
        self._settings = settings
        self._contract = contract
        self._writers = Writers(Registry.from_settings(settings), contract)
        self._failures: dict[str, ContractsError] = {}
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Lets the running batches end, and begins no other.  May be called from a signal handler."""
        self._stopping.set()

    def run(self, *, available_now: bool) -> None:
        """Streams until everything that was there is written (`available_now`), or until `stop`.

        Raises:
            ServiceError: a server did not come back in time; the other sinks have gone on as far as they could.
        """
        wanted = sinks(self._settings, self._contract)
        for sink in wanted:
            sink.prepare()
        queries = [self._start(sink, available_now) for sink in wanted]
        while any(query.isActive for query in queries):
            if self._stopping.wait(0.2):
                self._stop_idle(queries)
                time.sleep(0.2)
        self._raise_failures(queries)

    def _stop_idle(self, queries: list[StreamingQuery]) -> None:
        """Stops the queries that are between two batches; a running batch is finished first."""
        for query in queries:
            if query.isActive and not query.status["isTriggerActive"]:
                query.stop()

    def _start(self, sink: Sink, available_now: bool) -> StreamingQuery:
        frame = source.stream(
            self._spark, self._settings, self._contract.topic, max_per_batch=self._settings.stream_max_per_batch
        )
        checkpoint = self._settings.checkpoint_dir / self._contract.name / sink.name
        writer = (
            frame.writeStream.queryName(f"{self._contract.name}.{sink.name}")
            .option("checkpointLocation", _location(checkpoint))
            .foreachBatch(self._handler(sink))
        )
        trigger = {"availableNow": True} if available_now else {"processingTime": "0 seconds"}
        return writer.trigger(**trigger).start()

    def _handler(self, sink: Sink) -> Callable[[DataFrame, int], None]:
        def handle(batch: DataFrame, number: int) -> None:
            if self._stopping.is_set():
                raise _Stopped(f"batch {number} is not begun")
            try:
                self._retrying(sink)(self._write, sink, batch)
            except ContractsError as error:
                self._failures[sink.name] = error
                raise
            log.info("batch written", sink=sink.name, batch=number)

        return handle

    def _write(self, sink: Sink, batch: DataFrame) -> None:
        batch.persist()
        try:
            writers = self._writers.of(decode.schema_ids(batch))
            sink.write(decode.decode(batch, writers, self._contract))
        finally:
            batch.unpersist()

    def _retrying(self, sink: Sink) -> Retrying:
        def told(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            wait = round(state.next_action.sleep, 1) if state.next_action else 0
            log.warning(
                "attempt failed", sink=sink.name, attempt=state.attempt_number, again_in_s=wait, why=str(error)
            )

        return Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, ServiceError) and not isinstance(error, Refused)
            ),
            wait=wait_exponential_jitter(multiplier=0.5, max=15),
            stop=stop_after_delay(self._settings.stream_retry_for_s),
            sleep=self._sleep,
            before_sleep=told,
            reraise=True,
        )

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise ServiceError("stopped while it waited for a server", where=self._contract.name)

    def _raise_failures(self, queries: list[StreamingQuery]) -> None:
        for query in queries:
            failure = query.exception()
            if failure is None or self._stopping.is_set():
                continue
            sink = query.name.rpartition(".")[2]
            if sink in self._failures:
                raise self._failures[sink]
            raise _as_service_error(failure, query.name)


def _as_service_error(failure: StreamingQueryException, name: str) -> ServiceError:
    words = " ".join(str(failure).split())
    return ServiceError(
        f"the query failed: {words[:400]}", where=name, mend="see Spark's log; the checkpoint is kept, run it again"
    )


def _location(checkpoint: Path) -> str:
    return checkpoint.absolute().as_uri()
