"""Counts of a frame, made while it is written, and read from its plan: no listener of Spark's is asked.

`Observation` would have its listener ask the plan of the *write*.  Where the store has failed, that plans the write
once more, and the connector may wait for its dead session for ever: in the one thread that tells every query its
counts, so that no store would go on.  Here the write's plan has nothing to tell, as the frame is one of rows only, as
`foreachBatch` makes its own.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame


class Observed:
    """A frame to be written once, and what it and the frames that it is made of observe (`DataFrame.observe`).

    Attributes:
        rows: the same frame without its plan.  Whatever reads it once more counts once more.
    """

    def __init__(self, frame: DataFrame) -> None:
        session = frame.sparkSession
        jvm: Any = session._jvm
        # The settings of an expression are those of the thread's session; the write would have set it.
        jvm.org.apache.spark.sql.SparkSession.setActiveSession(session._jsparkSession)
        self._execution = frame._jdf.queryExecution()
        rows = session._jsparkSession.internalCreateDataFrame(self._execution.toRdd(), frame._jdf.schema(), False)
        self.rows = DataFrame(rows, session)

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Aggregate -> its value, of what is observed by that name; of what was read so far."""
        row = self._execution.observedMetrics().apply(name)
        return {aggregate: row.get(number) for number, aggregate in enumerate(row.schema().fieldNames())}
