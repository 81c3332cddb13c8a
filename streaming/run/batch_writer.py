"""One attempt at a batch: decode it, write it into one store, and send its rejects to the dead-letter topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial, reduce
from operator import add
from pathlib import Path

import structlog
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.decode import strict, timestamps
from avro_data_contracts.streaming.decode.batches import Asked, Decoding
from avro_data_contracts.streaming.failures import UnreadableTimestamp, UnseenSchemaId
from avro_data_contracts.streaming.run import attempt, gaps, pieces
from avro_data_contracts.streaming.run.broker import SameTopic
from avro_data_contracts.streaming.run.checkpoints import ranges
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.run.small import SmallBatches
from avro_data_contracts.streaming.sinks import refusals, rows
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.sinks.dead_letter import DeadLetterSink
from avro_data_contracts.streaming.sinks.refusals import RowsRefused
from avro_data_contracts.streaming.sinks.sink import Direct, Numbered, Sink

log = structlog.get_logger("streaming")


class BatchWriter:
    """Writes the batches of one contract.

    Args:
        first: name of the store whose batches also send their rejects to the dead-letter topic.
        checkpoints: holds a folder for each store, see `Checkpoints.folder`.
        same_topic: checked before each attempt.
        metrics: counts the attempts that fail.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        contract: Contract,
        first: str,
        checkpoints: Path,
        same_topic: SameTopic,
        metrics: Metrics,
    ) -> None:
        self._spark = spark
        self._settings = settings
        self._contract = contract
        self._first = first
        self._checkpoints = checkpoints
        self._same_topic = same_topic
        self._metrics = metrics
        self._dead_letters = DeadLetterSink(settings, contract)
        self._decoding = Decoding(Registry.from_settings(settings), contract)
        self._timestamp = strict.timestamp(spark)
        self._small: dict[str, SmallBatches] = {}
        self._log = log.bind(contract=contract.name)

    def attempts(self, sink: Sink, batch: DataFrame, number: int) -> Callable[[], Counts]:
        """Return what to call for each attempt at a batch.

        It raises ServiceError when another attempt may help, and another ContractsError when none does.
        """
        if isinstance(sink, Numbered):
            of_batch = sink.of_batch(self._checkpoints / sink.name, number)
            return partial(self._attempt, of_batch, batch, number, Asked(), whole=True)
        return partial(self._attempt, sink, batch, number, Asked())

    def check_gaps(self, sink: Sink) -> None:
        """Raise RecordsLost when Kafka has deleted what the store is to read next: another attempt does not help."""
        # Without an answer from Kafka this is unknown; then the error that led here is reported.
        with suppress(ServiceError):
            gaps.pass_over(self._settings, self._contract, self._checkpoints, [sink.name], accept_loss=False)

    def _attempt(self, sink: Sink, batch: DataFrame, number: int, asked: Asked, *, whole: bool = False) -> Counts:
        try:
            self._same_topic.check()
            try:
                small = self._small_of(sink, number)
                return self._write_in_time(sink, lambda: self._write_either_way(sink, batch, asked, small))
            except UnreadableTimestamp as error:
                self._log.info("read with a plain consumer", sink=sink.name, batch=number, why=error.what)
                return self._write_in_time(sink, lambda: self._write_pieces(sink, number, asked, whole=whole))
        except ServiceError as error:
            self._metrics.attempt_failed(sink.name, error)
            self.check_gaps(sink)
            raise

    def _write_in_time(self, sink: Sink, write: Callable[[], Counts]) -> Counts:
        """Abandon a write that hangs or is too slow.  Should it go on, it writes what the next attempt writes."""
        limit = self._settings.stream_write_timeout_s
        try:
            return attempt.within(limit, self._spark, self._contract.name, sink.name, write)
        except failures.JAVA_ERRORS as error:  # from reading: a sink translates the errors of its own server
            raise failures.of_java(failures.KAFKA, self._settings.kafka_bootstrap_servers, error) from None
        except attempt.TookTooLongError:
            self._small.pop(sink.name, None)  # it may wake up
            words = f"the batch was not written within {limit:g} s"
            fix = "check that the server answers (`make status`), or raise STREAM_WRITE_TIMEOUT_S"
            raise ServiceError(words, where=sink.name, fix=fix, server=sink.name) from None

    def _small_of(self, sink: Sink, number: int) -> SmallBatches | None:
        """Return what writes the batch if it is small; None if it is not, or the sink has only the usual way."""
        most = self._settings.stream_small_batch
        if not most or not isinstance(sink, Direct) or not sink.direct or not self._decoding.begun:
            return None
        read = ranges(self._checkpoints / sink.name, self._contract.topic, number)
        if not 0 < sum(last - first + 1 for first, last in read.values()) <= most:
            return None
        if sink.name not in self._small:
            decode = partial(self._decoded, sink)
            self._small[sink.name] = SmallBatches(self._settings, sink, self._decoding, decode)
        found = self._small[sink.name]
        return found if found.turns.next() else None

    def _write_either_way(self, sink: Sink, batch: DataFrame, asked: Asked, small: SmallBatches | None) -> Counts:
        known = True
        if small is not None:
            try:
                counts = small.write(batch)
            except UnseenSchemaId:
                self._log.info("a schema id not seen before", sink=sink.name)
                known = False
            else:
                if counts is not None:
                    return self._with_letters(sink, batch, counts)
        return self._write(sink, self._guarded(batch), asked, known=known)

    def _with_letters(self, sink: Sink, batch: DataFrame, counts: Counts) -> Counts:
        if sink.name != self._first or not counts.rejected:
            return counts
        decoded = self._decoding.known(self._guarded(batch))
        return replace(counts, dead_lettered=self._dead_letters.write(decoded, counts.rejected_bytes or 0))

    def _guarded(self, batch: DataFrame) -> DataFrame:
        return batch.withColumn("timestamp", self._timestamp)

    def _decoded(self, sink: Sink, batch: DataFrame) -> DataFrame:
        return self._decoding.known(self._placed(sink, self._guarded(batch)))

    def _placed(self, sink: Sink, batch: DataFrame) -> DataFrame:
        return batch.withColumn(rows.TOPIC_ID, F.lit(self._same_topic.topic_id)) if sink.spec.appends else batch

    def _write(self, sink: Sink, batch: DataFrame, asked: Asked, *, known: bool = True) -> Counts:
        batch = self._placed(sink, batch)
        if known and self._decoding.begun:
            try:
                return self._write_decoded(sink, self._decoding.known(batch))
            except UnseenSchemaId:
                self._log.info("a schema id not seen before", sink=sink.name)
        # A sink is idempotent, so it may write again what the attempt above has written.
        # On disk: with large records, Spark would hold some 80 MB per task in memory beyond what it counts.
        batch.persist(StorageLevel.DISK_ONLY)
        try:
            return self._write_decoded(sink, self._decoding.looked_up(batch, asked))
        finally:
            batch.unpersist()

    def _write_pieces(self, sink: Sink, number: int, asked: Asked, *, whole: bool) -> Counts:
        """Write a batch that Spark's source cannot read, piece by piece, each as if it were a batch.

        Args:
            whole: whether the sink takes the batch only as a whole.
        """
        name = self._contract.topic
        frames = pieces.read(self._spark, self._settings, name, ranges(self._checkpoints / sink.name, name, number))
        if whole:
            return self._write(sink, reduce(DataFrame.unionByName, frames), asked)
        return reduce(add, (self._write(sink, frame, asked) for frame in frames))

    def _write_decoded(self, sink: Sink, decoded: DataFrame) -> Counts:
        decoded = timestamps.judged(decoded)
        refused: dict[refusals.Coordinates, str] = {}
        while True:
            marked = refusals.marked(decoded, sink.name, refused)
            try:
                counts = sink.write(marked)
                break
            except RowsRefused as found:
                # Write the batch again without these rows: an older event of the same key may be the newest now.
                if not found.rows.keys() - refused.keys():
                    raise
                refused |= found.rows
                self._log.warning(
                    "rows refused", sink=sink.name, rows=len(found.rows), why=next(iter(found.rows.values()))
                )
        letters: Mapping[str, int] = {}
        first = sink.name == self._first
        if refused or (first and counts.rejected):
            only = None if first else refusals.reason(sink.name)
            letters = self._dead_letters.write(marked, counts.rejected_bytes or 0, only)
        return replace(counts, dead_lettered=letters)
