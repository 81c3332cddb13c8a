"""Writes the rows of a view that has one for each event, as those of a contract.

The view is a contract of its own (`contracts.views.derived`), so its sink is the one of its store.  Between the two,
the record of each event becomes that of the view; events that the view leaves out are not there.

An event for which the SQL fails is a dead letter of the view, like a row that a store refuses.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.queries import of_view
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.views.derived import Derived
from avro_data_contracts.contracts.views.statement import with_column
from avro_data_contracts.streaming.failures import ComputationFailed
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.sinks.refusals import RowsRefused
from avro_data_contracts.streaming.sinks.sink import Sink
from avro_data_contracts.streaming.views.events import Events
from avro_data_contracts.streaming.views.outer import Outer

#: The column with everything of an event but its record.
_EVENT = "__event"
_JUDGED = ("record", "reason", "detail")


class ViewSink(Outer):
    """A view in one store.

    Args:
        contract: whose events it reads.
        inner: the store's sink for the contract that the view is.
    """

    def __init__(self, settings: Settings, contract: Contract, derived: Derived, inner: Sink) -> None:
        super().__init__(of_view(derived.view.name, inner.name), inner)
        self._events = Events(settings, contract, derived)
        self._derived = derived
        self._inner = inner
        self._sql = with_column(derived.view.sql, f"`{_EVENT}`")

    def check(self, spark: SparkSession, checkpoint: Path) -> None:
        """Raise ConfigurationError if the columns are not, in Spark, those that the tables are made for."""
        self._events.check(lambda: self._computed(self._events.none(spark)))

    def write(self, decoded: DataFrame) -> Counts:
        try:
            return self._inner.write(self.rows(decoded))
        except ComputationFailed as error:
            told = error
        refused = self._events.failing(decoded, self.rows)
        if not refused:
            raise told
        raise RowsRefused(self.name, refused)

    def rows(self, decoded: DataFrame) -> DataFrame:
        """Return the batch with the view's record in place of the contract's, without what the view leaves out."""
        computed = self._computed(decoded)
        names = [one.name for one in self._derived.analysis.outputs]
        return computed.select(
            f"{_EVENT}.*",
            F.struct(*(F.col(f"`{one}`") for one in names)).alias("record"),
            *(F.lit(None).cast("string").alias(one) for one in ("reason", "detail")),
        )

    def _computed(self, decoded: DataFrame) -> DataFrame:
        """Return the result of the SQL, and the event of each row."""
        event = F.struct(*(one for one in decoded.columns if one not in _JUDGED)).alias(_EVENT)
        return self._events.sql(decoded, self._sql, [event])
