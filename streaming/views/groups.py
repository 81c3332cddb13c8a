"""Writes the rows of a view that has one for each group of events.

The state of a group goes from batch to batch (`views.state`): the parts of its values, which events flow into and
nothing else.  The groups of a batch are merged with those of the state, and each group that the batch has touched is
written again; a session, whose bounds may still change, is written once, when it is closed.  A row says how many
events it is made of, and the store keeps the row with more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.queries import of_view
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENTS, WRITE_TIME
from avro_data_contracts.contracts.views import continuity, grouping
from avro_data_contracts.contracts.views.derived import Derived, path_of
from avro_data_contracts.contracts.views.grouping import Grouping
from avro_data_contracts.streaming import failures, packed
from avro_data_contracts.streaming.decode.values import flaws_of_key
from avro_data_contracts.streaming.failures import ComputationFailed
from avro_data_contracts.streaming.sinks.counts import Counts, counted
from avro_data_contracts.streaming.sinks.observed import Observed
from avro_data_contracts.streaming.sinks.refusals import Coordinates, RowsRefused
from avro_data_contracts.streaming.sinks.sink import Sink
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.views import grouping_sql as names
from avro_data_contracts.streaming.views.events import Events
from avro_data_contracts.streaming.views.grouping_sql import GroupingSql
from avro_data_contracts.streaming.views.outer import NumberedSink
from avro_data_contracts.streaming.views.references import References
from avro_data_contracts.streaming.views.state import State, States

_MERGED: Final = "__groups"
_PLACE: Final = "__place"
#: The first and the last moment that a store has, µs since the epoch.
_YEARS: Final = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_OUTSIDE: Final = "its window begins or ends outside of the years 1 to 9999"


class GroupSink(NumberedSink):
    """An aggregation in one store.

    Args:
        contract: whose events it reads.
        inner: the store's sink for the contract that the view is.
    """

    def __init__(self, settings: Settings, contract: Contract, derived: Derived, inner: Sink) -> None:
        assert derived.analysis.grouping is not None
        assert derived.view.spec.lateness is not None  # `lint` and `derive` refuse a view without it
        super().__init__(of_view(derived.view.name, inner.name), inner)
        self._settings = settings
        self._bootstrap = settings.kafka_bootstrap_servers
        self._events = Events(settings, contract, derived)
        self._references = References(settings, derived.view, derived.analysis.data)
        self._derived = derived
        self._grouping: Grouping = derived.analysis.grouping
        self._sql = GroupingSql(self._grouping)
        self._lateness_us = derived.view.spec.lateness * 1_000_000
        self._of_store = derived.in_store(inner.name)

    def check(self, spark: SparkSession, checkpoint: Path) -> None:
        """Compare the view with what Spark makes of it, and with the state that it is to go on from.

        Raises:
            ConfigurationError: Spark refuses the SQL, or gives a column another type; or the state does not fit; or
                there is none, and the table has rows.  These may have more events than a group has after the first
                batches, and the store would keep them.
            ServiceError: the store does not answer.
        """
        events = self._events.joining(self._references.begin(spark))
        parts: DataFrame | None = None

        def computed() -> DataFrame:
            nonlocal parts
            parts = self._parts(events, events.none(spark), 0)
            return self._values(self._merged(parts, _types(parts)))

        self._events.check(computed)
        assert parts is not None
        states = States(checkpoint, self._derived.view.name)
        if (found := states.latest()) is not None and (words := self._unfit(found, _types(parts))):
            raise states.refusal("; ".join(words))
        if not states.begun() and STORES[self.spec.kind].rows(self._settings, self.spec, [EVENTS], 1):
            raise states.with_rows(self.spec.qualified)

    def rows(self, decoded: DataFrame, state: State | None) -> DataFrame:
        """Return the rows of one batch alone, in the form of a decoded batch.

        Args:
            state: that of the query.  A session has a row once it is closed; None: the events of the batch say which
                are.
        """
        parts = (
            self._parts(self._events, decoded, None).where(~F.col(names.TIMELESS)).drop(names.TIMELESS, names.LATE)
        )
        merged = self._merged(parts, _types(parts))
        if self._grouping.window.is_session:
            if state is None:
                newest = parts.agg(F.max(_micros(names.TIME)).alias("newest")).head()
                assert newest is not None
                state = State(self._grouping.identity, newest_us=newest.newest)
            merged = merged.where(self._closed(state))
        return self._rows(merged)

    def write_batch(self, decoded: DataFrame, checkpoint: Path, number: int) -> Counts:
        states, events = States(checkpoint, self._derived.view.name), self._events
        if self._derived.analysis.data:
            data = self._references.of_batch(checkpoint, number)
            events = events.joining(self._references.frames(decoded.sparkSession, data))
        before = states.before(number, State(self._grouping.identity))
        try:
            return self._write(events, decoded, before, states, number)
        except failures.JAVA_ERRORS as error:
            found = failures.of_java(failures.KAFKA, self._bootstrap, error)
            if not isinstance(found, ComputationFailed):
                raise found from None
            told = found
        except ComputationFailed as error:  # in the rows, while the store's sink writes them
            told = error
        if refused := events.failing(decoded, lambda some: self._parts(events, some, None)):
            raise RowsRefused(self.name, refused)
        view = self._derived.view
        rebuild = (
            f"rebuild the view: python -m avro_data_contracts.streaming --contract NAME views rebuild {view.name}"
        )
        fix = f"correct the SQL, e.g. with try_cast; if `contracts check` says VIEW_REBUILD, {rebuild}"
        if "OVERFLOW" in told.what or "OUT_OF_RANGE" in told.what:
            fix = f"use try_sum, which is null then, or CAST the argument to a larger type; then {rebuild}"
        elif told.what == "DIVIDE_BY_ZERO":
            fix = "divide by nullif(…, 0), or use try_divide, which is null then; the view goes on without a rebuild"
        raise ConfigurationError(
            f"view {view.name}: {told.what} in an aggregate, for no event by itself",
            file=view.file,
            path=path_of(view),
            fix=fix,
        )

    def _write(self, events: Events, decoded: DataFrame, before: State, states: States, number: int) -> Counts:
        read = Observed(self._parts(events, counted(decoded), self._watermark(before)))
        parts = read.rows.persist(StorageLevel.DISK_ONLY)
        try:
            types = _types(parts)
            if words := self._unfit(before, types):
                raise states.refusal("; ".join(words))
            seen = _Seen.of(parts, self._flaw())
            if seen.flawed:
                raise RowsRefused(self.name, self._flawed(events, decoded))
            counts = replace(Counts.of(read), late=seen.late, timeless=seen.timeless)
            touched = parts.where(~F.col(names.TIMELESS) & ~F.col(names.LATE)).drop(names.TIMELESS, names.LATE)
            stored = self._stored(parts.sparkSession, before, types)
            all_parts = touched.withColumn(names.TOUCHED, F.lit(True))
            if stored is not None:
                all_parts = all_parts.unionByName(stored.withColumn(names.TOUCHED, F.lit(False)))
            after = replace(
                before,
                identity=self._grouping.identity,
                newest_us=_latest(before.newest_us, seen.newest_us),
                late=before.late + seen.late,
                timeless=before.timeless + seen.timeless,
            )
            merged = self._merged(all_parts, types).persist(StorageLevel.DISK_ONLY)
            try:
                complete = self._closed(after) if self._grouping.window.is_session else F.col(names.TOUCHED)
                self._write_rows(merged.where(complete))
                states.keep(number, self._kept(merged.drop(names.TOUCHED), after, types))
            finally:
                merged.unpersist()
        finally:
            parts.unpersist()
        return counts

    def _write_rows(self, groups: DataFrame) -> None:
        """Write the rows of groups.

        Raises:
            RowRefused: the store refuses a row for its content; it names the window, and no other value of the group.
        """
        try:
            self._inner.write(self._rows(groups))
        except failures.RowRefused as error:
            view, table = self._derived.view, self.spec.qualified
            start = self._refused_window(groups)
            key = ", ".join(name for name, number in self._grouping.groups.items() if number is not None)
            of_group = f" (not shown: its {key})" if key else ""
            raise failures.RowRefused(
                f"view {view.name}: the row of the group whose window starts at {start} UTC{of_group} is refused: "
                f"{error.what}",
                where=error.where,
                fix=f"correct what it names in {table}; or leave such events out (WHERE), and rebuild the view: "
                f"python -m avro_data_contracts.streaming --contract NAME views rebuild {view.name}",
                server=error.server,
            ) from None

    def _refused_window(self, groups: DataFrame) -> str:
        """Return the start of a window with a group whose row the store refuses, found by halving."""
        start = F.col(names.START)
        found = sorted(groups.select(_micros(names.START), start.cast("string")).distinct().collect())
        while len(found) > 1:
            half = found[: len(found) // 2]
            try:
                self._inner.write(self._rows(groups.where(_micros(names.START).between(half[0][0], half[-1][0]))))
                found = found[len(half) :]
            except failures.RowRefused:
                found = half
        return str(found[0][1]) if found else "no time"

    def _parts(self, events: Events, decoded: DataFrame, closed_us: int | None) -> DataFrame:
        """Return the groups of a batch, with those of events that are late, or have no time."""
        text = self._sql.of_events(closed_us)
        return events.sql(decoded, text, [F.col("timestamp").alias(names.KAFKA_TIME)])

    def _merged(self, parts: DataFrame, types: Mapping[str, str]) -> DataFrame:
        if names.TOUCHED not in parts.columns:
            parts = parts.withColumn(names.TOUCHED, F.lit(True))
        return self._events.over({_MERGED: parts}, self._sql.merged(_MERGED, types))

    def _values(self, merged: DataFrame) -> DataFrame:
        return self._events.over({_MERGED: merged}, self._sql.values(_MERGED))

    def _rows(self, merged: DataFrame) -> DataFrame:
        """Return groups in the form of a decoded batch, as the store's sink takes it."""
        columns = [F.col(f"`{one.name}`") for one in self._derived.analysis.outputs]
        return self._values(merged).select(
            F.struct(*columns).alias("record"),
            *(F.lit(None).cast("string").alias(one) for one in ("reason", "detail")),
            F.lit(None).cast("binary").alias("value"),
            F.col(names.NEWEST).alias("timestamp"),
            F.col(names.EVENTS).alias(EVENTS),
            # Of one group, it grows with the number of its events, and with nothing else.
            (_micros(names.END) + F.col(names.EVENTS)).alias(WRITE_TIME),
        )

    def _kept(self, merged: DataFrame, after: State, types: Mapping[str, str]) -> State:
        columns = (F.col(name).alias(_stored_as(at)) for at, name in enumerate(self._names.values()))
        still_open = merged.where(~self._closed(after)).select(*columns)
        count = still_open.count()
        schema = packed.schema_of(still_open)
        pieces = tuple(packed.pack(still_open, count, schema)) if count else ()
        closed = self._watermark(after)
        return replace(after, closed_us=closed, columns=self._said(types), groups=count, schema=schema, pieces=pieces)

    def _flaw(self) -> Column:
        """Why the store can have no row of a group, from its window and its keys; null if it can."""
        groups = self._grouping.groups.items()
        keys = {name: grouping.key_name(number) for name, number in groups if number is not None}
        found = flaws_of_key(self._of_store, F.struct(*(F.col(key).alias(name) for name, key in keys.items())))
        words = [F.when(flaw, F.lit(why)) for flaw, why in found] if keys else []
        shown = [name for name in (names.START, names.END) if self._grouping.has(name)]
        words += [F.when(~_micros(name).between(*_YEARS), F.lit(_OUTSIDE)) for name in shown]
        return F.coalesce(*words, F.lit(None).cast("string"))

    def _flawed(self, events: Events, decoded: DataFrame) -> dict[Coordinates, str]:
        """Return the events of groups that the store can have no row of, and why."""
        place = F.struct("partition", "offset").alias(_PLACE)
        of_keys = events.sql(decoded, self._sql.of_keys(_PLACE), [place])
        found = of_keys.select(f"{_PLACE}.*", self._flaw().alias("words")).where("words IS NOT NULL")
        return {(row.partition, row.offset): row.words for row in found.toLocalIterator()}

    def _stored(self, spark: SparkSession, before: State, types: Mapping[str, str]) -> DataFrame | None:
        """Return the groups of the state, with the columns of the view as it is now."""
        found = packed.unpack(spark, before.pieces, before.schema)
        if found is None:
            return None
        said = list(before.columns)
        wanted = {name: _stored_as(said.index(one)) for one, name in self._names.items()}
        return found.select(*(F.col("one").getField(stored).alias(name) for name, stored in wanted.items()))

    @property
    def _names(self) -> dict[str, str]:
        """What each column of the state is -> its name now."""
        return self._sql.said

    def _said(self, types: Mapping[str, str]) -> dict[str, str]:
        return {said: types[name] for said, name in self._names.items()}

    def _unfit(self, state: State, types: Mapping[str, str]) -> list[str]:
        """Return why a state is not one of the view as it is now, each in words."""
        if not state.columns:  # before the first batch
            return []
        words = continuity.of_groups(state.identity, self._grouping)
        if words:
            return words
        for said, kind in self._said(types).items():
            if said not in state.columns:
                words.append(f"it does not have {said.rpartition(' #')[0]}")
            elif state.columns[said] != kind:
                words.append(f"{said.rpartition(' #')[0] or said} was {state.columns[said]}, and is {kind}")
        return words

    def _closed(self, state: State) -> Column:
        """Whether the window of a group is closed."""
        until = self._watermark(state)
        if until is None:
            return F.lit(False)
        # An event at the very end of a session belongs to it.
        return _micros(names.END) < until if self._grouping.window.is_session else _micros(names.END) <= until

    def _watermark(self, state: State) -> int | None:
        """Return the time up to which windows are closed, µs since the epoch; None before the first event.

        It never goes back, even if the view allows events to be later than before: the closed groups are gone.
        """
        now = None if state.newest_us is None else state.newest_us - self._lateness_us
        return _latest(now, state.closed_us)


@dataclass(frozen=True)
class _Seen:
    """What a batch had, in time.

    Attributes:
        late: events whose window was closed; for each such window, if windows overlap.
        timeless: events without a time.
        flawed: groups that the store can have no row of.
        newest_us: the newest time of an event.
    """

    late: int
    timeless: int
    flawed: int
    newest_us: int | None

    @classmethod
    def of(cls, parts: DataFrame, flaw: Column) -> _Seen:
        timeless, events = F.col(names.TIMELESS), F.col(names.EVENTS)
        row = parts.agg(
            F.sum(F.when(~timeless & F.col(names.LATE), events)).alias("late"),
            F.sum(F.when(timeless, events)).alias("timeless"),
            F.count_distinct(F.when(timeless, F.col(names.START))).alias("windows"),
            F.max(F.when(~timeless, _micros(names.TIME))).alias("newest"),
            F.count(flaw).alias("flawed"),
        ).head()
        assert row is not None
        # Each of them was given one time, and is in all windows around it.
        return cls(row.late or 0, (row.timeless or 0) // max(row.windows, 1), row.flawed, row.newest)


def _latest(*times: int | None) -> int | None:
    return max((one for one in times if one is not None), default=None)


def _stored_as(number: int) -> str:
    return f"column{number}"


def _micros(name: str) -> Column:
    return F.unix_micros(F.col(name).cast("timestamp"))


def _types(frame: DataFrame) -> dict[str, str]:
    return dict(frame.dtypes)
