"""Writes the rows of a view that has one for each event, as those of a contract.

The view is a contract of its own (`contracts.views.derived`), so its sink is the one of its store.  Between the two,
the record of each event becomes that of the view; events that the view leaves out are not there.

An event for which the SQL fails is a dead letter of the view, like a row that a store refuses.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.queries import of_view
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.views.derived import Derived
from avro_data_contracts.contracts.views.statement import with_column
from avro_data_contracts.streaming.decode.batches import TOMBSTONE
from avro_data_contracts.streaming.failures import ComputationFailed
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.sinks.refusals import RowsRefused
from avro_data_contracts.streaming.sinks.sink import Sink
from avro_data_contracts.streaming.views.events import Events
from avro_data_contracts.streaming.views.outer import NumberedSink, Outer
from avro_data_contracts.streaming.views.references import References

#: The column with everything of an event but its record.
_EVENT = "__event"
_JUDGED = ("record", "reason", "detail")
_KEY, _RECORD, _PARTITION, _OFFSET = "__key", "__record", "__partition", "__offset"


class ViewSink(Outer):
    """A view in one store.

    Args:
        contract: whose events it reads.
        inner: the store's sink for the contract that the view is.
    """

    def __init__(self, settings: Settings, contract: Contract, derived: Derived, inner: Sink) -> None:
        super().__init__(of_view(derived.view.name, inner.name), inner)
        self._events = Events(settings, contract, derived)
        self._references = References(settings, derived.view, derived.analysis.data)
        self._derived = derived
        self._sql = with_column(derived.analysis.sql, f"`{_EVENT}`")

    def check(self, spark: SparkSession, checkpoint: Path) -> None:
        """Raise ConfigurationError if the columns are not, in Spark, those that the tables are made for."""
        events = self._events.joining(self._references.begin(spark))
        self._events.check(lambda: self._computed(events, events.none(spark)))

    def write(self, decoded: DataFrame) -> Counts:
        return self._write(self._events, decoded)

    def _write(self, events: Events, decoded: DataFrame) -> Counts:
        def rows(some: DataFrame) -> DataFrame:
            return self._rows(events, some)

        try:
            return self._inner.write(rows(decoded))
        except ComputationFailed as error:
            told = error
        refused = events.failing(decoded, rows)
        if not refused:
            raise told
        raise RowsRefused(self.name, refused)

    def rows(self, decoded: DataFrame) -> DataFrame:
        """Return what the SQL makes of a decoded batch, in the same form; it joins nothing."""
        return self._rows(self._events, decoded)

    def _rows(self, events: Events, decoded: DataFrame) -> DataFrame:
        """Return the batch with the view's record in place of the contract's, without what the view leaves out."""
        computed = self._computed(events, decoded)
        names = [one.name for one in self._derived.analysis.outputs]
        record = F.struct(*(F.col(f"`{one}`") for one in names))
        if self._derived.analysis.is_latest:
            return self._latest(decoded, computed.select(*_place(_EVENT), record.alias(_RECORD)))
        return computed.select(f"{_EVENT}.*", record.alias("record"), *_no_reason())

    def _latest(self, decoded: DataFrame, passed: DataFrame) -> DataFrame:
        """Return each event with its row; an event that the view leaves out deletes the row of its key.

        Args:
            passed: the place of each event with a row, and its record.
        """
        of_event, of_tombstone = (
            F.struct(*(F.col(column).getField(name).alias(name) for name in self.spec.key_fields))
            for column in ("record", TOMBSTONE if TOMBSTONE in decoded.columns else "record")
        )
        key = F.when(F.col("record").isNull(), of_tombstone).otherwise(of_event)
        own = [one for one in decoded.columns if one not in (*_JUDGED, TOMBSTONE)]
        good = decoded.where(F.col("reason").isNull()).select(*own, key.alias(_KEY))
        same = (F.col("partition") == F.col(_PARTITION)) & (F.col("offset") == F.col(_OFFSET))
        return good.join(passed, same, "left").select(
            *own,
            F.col(_RECORD).alias("record"),
            F.when(F.col(_RECORD).isNull(), F.col(_KEY)).alias(TOMBSTONE),
            *_no_reason(),
        )

    def _computed(self, events: Events, decoded: DataFrame) -> DataFrame:
        """Return the result of the SQL, and the event of each row."""
        event = F.struct(*(one for one in decoded.columns if one not in (*_JUDGED, TOMBSTONE))).alias(_EVENT)
        return events.sql(decoded, self._sql, [event])


def _place(event: str) -> list[Column]:
    named = {"partition": _PARTITION, "offset": _OFFSET}
    return [F.col(event).getField(name).alias(alias) for name, alias in named.items()]


def _no_reason() -> list[Column]:
    return [F.lit(None).cast("string").alias(one) for one in ("reason", "detail")]


class JoinedViewSink(NumberedSink, ViewSink):
    """A view in one store that joins reference data; each attempt at a batch joins the same."""

    def write_batch(self, decoded: DataFrame, checkpoint: Path, number: int) -> Counts:
        data = self._references.of_batch(checkpoint, number)
        frames = self._references.frames(decoded.sparkSession, data)
        return self._write(self._events.joining(frames), decoded)
