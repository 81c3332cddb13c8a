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
        session = frame.sparkSession
        jvm: Any = session._jvm
        # An expression takes its settings from the thread's session, which the write would have set.
        jvm.org.apache.spark.sql.SparkSession.setActiveSession(session._jsparkSession)
        self._execution = frame._jdf.queryExecution()
        rows = session._jsparkSession.internalCreateDataFrame(self._execution.toRdd(), frame._jdf.schema(), False)
        self.rows = DataFrame(rows, session)

    def reset(self) -> None:
        """Count from the beginning, for another reading of other rows."""
        self._execution.executedPlan().resetMetrics()

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Return aggregate -> value of the observation with that name, for what was read so far."""
        row = self._execution.observedMetrics().apply(name)
        return {aggregate: row.get(number) for number, aggregate in enumerate(row.schema().fieldNames())}
