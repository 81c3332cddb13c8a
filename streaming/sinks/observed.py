"""Reads counts of a written frame from its plan, without one of Spark's listeners.

The listener of `Observation` asks the plan of the *write*.  After a failure of the store, that plans the write again,
and the connector may wait for its dead session forever, in the one thread that delivers the counts of every query: no
store would continue.  Here the write's plan has nothing to observe, because the frame consists of rows only, like the
frames of `foreachBatch`.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame


class Observed:
    """A frame to write once, and what it and the frames under it observe (`DataFrame.observe`).

    Attributes:
        rows: the same frame without its plan.  Reading it again counts again.
    """

    def __init__(self, frame: DataFrame) -> None:
        self._session = frame.sparkSession
        self._schema = frame._jdf.schema()
        self._activate()
        self._execution = frame._jdf.queryExecution()
        self.rows = self._rows(self._execution.toRdd())

    def reset(self) -> None:
        """Count from the beginning, for another reading of other rows, and renew `rows`.

        The plan's `resetMetrics` leaves out what is observed; to execute the plan once more does not.
        """
        self._activate()
        self.rows = self._rows(self._execution.executedPlan().execute())

    def _activate(self) -> None:
        """An expression takes its settings from the thread's session, which a write would have set."""
        jvm: Any = self._session._jvm
        jvm.org.apache.spark.sql.SparkSession.setActiveSession(self._session._jsparkSession)

    def _rows(self, rdd: Any) -> DataFrame:
        frame = self._session._jsparkSession.internalCreateDataFrame(rdd, self._schema, False)
        return DataFrame(frame, self._session)

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Return aggregate -> value of the observation with that name, for what was read so far."""
        row = self._execution.observedMetrics().apply(name)
        return {aggregate: row.get(number) for number, aggregate in enumerate(row.schema().fieldNames())}
