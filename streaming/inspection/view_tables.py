"""Compares the tables of a contract's views with what their SQL makes of the topic, value by value.

Spark reads and decodes the topic as the stream does, and computes all of it at once: a projection event by event, an
aggregation as one batch.  Neither events nor rows are held in memory.  What is compared is what the stream has read,
by its checkpoints on this machine, or else the whole topic.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.queries import of_view
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.views.derived import Derived, derive, path_of
from avro_data_contracts.streaming import failures, topic
from avro_data_contracts.streaming.dead_letters import letters as dead_letters
from avro_data_contracts.streaming.decode import strict, timestamps
from avro_data_contracts.streaming.decode.batches import Asked, Decoding
from avro_data_contracts.streaming.failures import ComputationFailed, UnreadableTimestamp, UnseenSchemaId
from avro_data_contracts.streaming.inspection import behind, refreshed_table, unlike
from avro_data_contracts.streaming.inspection.unlike import Circumstances, Unlike
from avro_data_contracts.streaming.inspection.view_table import ViewTable
from avro_data_contracts.streaming.run import job, pieces, source
from avro_data_contracts.streaming.run.checkpoints import Checkpoints
from avro_data_contracts.streaming.sinks import refusals, rows
from avro_data_contracts.streaming.sinks.refusals import Coordinates
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.topic import Ranges
from avro_data_contracts.streaming.views.groups import GroupSink
from avro_data_contracts.streaming.views.projection import ViewSink
from avro_data_contracts.streaming.views.state import States

_BINARY = ("float", "double")
#: Judges the rows that a decoded batch makes, and returns how many there are.
_Judge = Callable[[DataFrame], tuple[int, Unlike]]


@dataclass(frozen=True)
class _Progress:
    """How far a query is, at one moment.

    Attributes:
        first, last: partition -> the first offset that the topic has, and the one after its last.
        written: partition -> the offset after the last one that is written; None: unknown on this machine.
        at_work: whether a further batch has begun.
    """

    first: Mapping[int, int]
    last: Mapping[int, int]
    written: Mapping[int, int] | None
    at_work: bool

    @property
    def ends(self) -> Mapping[int, int]:
        """Partition -> the offset after the last one to compare."""
        if self.written is None:
            return self.last
        return {one: min(max(self.written.get(one, 0), self.first[one]), end) for one, end in self.last.items()}

    def unwritten(self, ranges: Ranges | None) -> Ranges:
        """Return the offsets of these ranges that the query has still to read."""
        found = {}
        for one, end in self.ends.items():
            first, last = (0, self.last[one] - 1) if ranges is None else ranges.get(one, (0, -1))
            if max(first, end) <= last:
                found[one] = (max(first, end), last)
        return found

    def same(self, other: _Progress) -> bool:
        """Whether the tables cannot have rows of further events, at one of the two moments or between them."""
        if self.written is None:
            return self.last == other.last
        return self.written == other.written and not self.at_work and not other.at_work


class ViewTables:
    """The tables of a contract's views.

    Attributes:
        left_out: view -> why one of its tables was not compared; complete after `compare`.

    Args:
        ranges: partition -> first and last offset of the run that somebody asks about; None: the whole topic.  All of
            the topic is compared nevertheless, because a row may be made of other events too.  But only the events of
            the run have to be written.
    """

    def __init__(
        self, spark: SparkSession, settings: Settings, contract: Contract, ranges: Ranges | None = None
    ) -> None:
        self._spark = spark
        self._settings = settings
        self._contract = contract
        self._ranges = ranges
        self._checkpoints = Checkpoints(settings, contract)
        self._decoding = Decoding(Registry.from_settings(settings), contract)
        self._asked = Asked()
        self.left_out: dict[str, str] = {}

    def compare(self) -> Iterator[ViewTable]:
        """Compare each table.

        Raises:
            ServiceError: a server does not answer.
            ConfigurationError: a view is wrong, or its SQL fails for an event that no dead letter has.
        """
        sinks = {one.name: one for one in job.stores(self._settings, self._contract)}
        for derived in (derive(self._contract, view) for view in self._contract.views if not view.is_refreshed):
            if _cannot(derived):
                continue
            for spec in derived.whole().sinks:
                sink = sinks[of_view(derived.view.name, spec.kind)]
                assert isinstance(sink, ViewSink | GroupSink)
                yield self._compared(derived, spec, sink)
        for view in job.refreshed(self._settings, self._contract):
            if _cannot(view.derived):
                continue
            folder = self._checkpoints.folder
            found = refreshed_table.compared(self._spark, self._settings, self._contract, view, folder)
            if isinstance(found, ViewTable):
                yield found
            else:
                before = self.left_out.get(view.derived.view.name)
                self.left_out[view.derived.view.name] = f"{before}; {found}" if before else found

    def _compared(self, derived: Derived, spec: SinkSpec, sink: ViewSink | GroupSink) -> ViewTable:
        begin = self._progress(sink.name)
        state = None
        if begin.written and isinstance(sink, GroupSink):
            state = States(self._checkpoints.folder / sink.name, derived.view.name).latest()
        of_groups = derived.analysis.grouping is not None
        compacts = "compact" in self._contract.spec.kafka.config.get("cleanup.policy", "")
        known = Circumstances(
            first=begin.first,
            ends=begin.ends,
            forgets=compacts or (of_groups and any(begin.first.values())),
            moved=lambda: not begin.same(self._progress(sink.name)),
            topic_id=self._checkpoints.topic_id,
            expired_before=(time.time() - spec.stays_s) * 1000 if spec.stays_s is not None else -math.inf,
            late=None if state is None else state.late,
            **_of_grouping(derived),
        )
        # After the query's position: the letters of a batch are sent before it moves on.
        refused = self._refused(sink.name)

        def judge(decoded: DataFrame) -> tuple[int, Unlike]:
            decoded = _without(timestamps.judged(decoded), sink.name, refused)
            if spec.appends:
                decoded = decoded.withColumn(rows.TOPIC_ID, F.lit(self._checkpoints.topic_id))
            made = sink.rows(decoded, state) if isinstance(sink, GroupSink) else sink.rows(decoded)
            with STORES[spec.kind].compared(self._settings, derived.whole(), spec, made) as found:
                judged = unlike.of_groups if of_groups else unlike.of_events
                return found.rows, judged(found.unlike, known)

        number, found = self._in_any_time(derived, begin, judge)
        return ViewTable(
            view=derived.view.name,
            store=spec.kind,
            table=spec.qualified,
            rows=number,
            unlike={kind.value: count for kind, count in found.rows.items() if count},
            columns=dict(found.columns),
            named=tuple(found.named),
            late=known.late,
            short=found.short,
            unwritten=begin.unwritten(self._ranges),
        )

    def _progress(self, query: str) -> _Progress:
        checkpoint = self._checkpoints.folder / query
        # Before the rows are read: what is written meanwhile is newer.
        written = behind.written(checkpoint, self._contract.topic)
        if written is None and self._checkpoints.folder.is_dir() and not checkpoint.is_dir():
            written = {}  # the stream writes from this machine, and has not begun with the view
        at_work = behind.at_work(checkpoint)
        marks = topic.between(self._settings, self._contract.topic, None, None)
        first, last = ({one: mark[at] for one, mark in marks.items()} for at in (0, 1))
        return _Progress(first, last, written, at_work)

    def _in_any_time(self, derived: Derived, progress: _Progress, judge: _Judge) -> tuple[int, Unlike]:
        """Judge the events up to a query's position, also if Spark's Kafka source cannot read their timestamps."""
        name, first, ends = self._contract.topic, progress.first, progress.ends
        view = derived.view
        try:
            try:
                batch = source.between(self._spark, self._settings, name, first, ends)
                return self._decoded(batch.withColumn("timestamp", strict.timestamp(self._spark)), judge)
            except UnreadableTimestamp:
                ranges = {one: (first[one], end - 1) for one, end in ends.items() if end > first[one]}
                frames = pieces.read(self._spark, self._settings, name, ranges)
                return self._decoded(reduce(DataFrame.unionByName, frames), judge)
        except ComputationFailed as error:
            raise ConfigurationError(
                f"view {view.name}: {error.what}, for an event of {name} that is no dead letter of the view",
                file=view.file,
                path=path_of(view),
                fix="run the stream, which makes it a dead letter; or correct the SQL, e.g. with try_cast",
            ) from None

    def _decoded(self, batch: DataFrame, judge: _Judge) -> tuple[int, Unlike]:
        """Judge a batch, decoded with the schemas that are known, or after looking up those that it names.

        Raises ServiceError, as a sink does.
        """
        try:
            if self._decoding.begun:
                try:
                    return judge(self._decoding.known(batch))
                except failures.JAVA_ERRORS as error:
                    if not isinstance(self._told(error), UnseenSchemaId):
                        raise
            return judge(self._decoding.looked_up(batch, self._asked))
        except failures.JAVA_ERRORS as error:
            raise self._told(error) from None

    def _told(self, error: Py4JJavaError | CapturedException) -> ServiceError:
        return failures.of_java(failures.KAFKA, self._settings.kafka_bootstrap_servers, error)

    def _refused(self, query: str) -> dict[Coordinates, str]:
        """Return the places of the events that are dead letters of a query, with their timestamps, ms."""
        found: dict[Coordinates, set[int]] = {}
        for letter in dead_letters.read(self._settings, self._contract).letters:
            if letter.origin is not None and letter.reason == refusals.reason(query):
                found.setdefault((letter.origin.partition, letter.origin.offset), set()).add(letter.millis)
        return {place: ",".join(map(str, sorted(times))) for place, times in found.items()}


def left_out(contract: Contract) -> dict[str, str]:
    """Return view -> why its tables cannot be compared, for those that cannot."""
    found = {view.name: _cannot(derive(contract, view)) for view in contract.views}
    return {name: why for name, why in found.items() if why}


def _cannot(derived: Derived) -> str:
    """Say why the SQL over the whole topic does not tell the rows of a view; empty when it does."""
    if derived.analysis.data:
        step = "batch" if derived.analysis.refreshed is None else "refresh"
        return f"each {step} has joined the reference data of its time"
    deletes = derived.analysis.is_latest and derived.analysis.refreshed is None
    return "rows of .latest are deleted, too" if deletes else ""


def _without(decoded: DataFrame, query: str, refused: Mapping[Coordinates, str]) -> DataFrame:
    """Reject the events that are dead letters of a query.

    The place alone is not enough: a topic that was created again has the same ones.
    """
    if not refused:
        return decoded
    marked = refusals.marked(decoded, query, refused)
    times = F.split("detail", ",")
    is_ours = F.array_contains(times, timestamps.millis(marked).cast("string"))
    of_another = F.col("reason").eqNullSafe(refusals.reason(query)) & ~is_ours
    return marked.withColumn("reason", F.when(~of_another, F.col("reason")))


def _of_grouping(derived: Derived) -> dict[str, Any]:
    """What the circumstances of an aggregation are, besides."""
    grouping = derived.analysis.grouping
    if grouping is None:
        return {}
    return {
        "is_of_sessions": grouping.window.is_session,
        "binary": frozenset(one.name for one in derived.analysis.outputs if one.spark in _BINARY),
        "bounds": tuple(name for name, number in grouping.groups.items() if number is None),
    }
