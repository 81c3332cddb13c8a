"""A plan that is made once and reads one small batch after another.

Spark analyses, optimizes, plans and compiles what a batch has to run, which takes longer than to read a few hundred
records with it.  So the plan is made for `CurrentBatch` (java/CurrentBatch.java), whose rows are those of the batch
at work, and what it gives comes to the driver.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame, Row

from avro_data_contracts.streaming.sinks.observed import Observed

SOURCE: Final = Path(__file__).with_name("java") / "CurrentBatch.java"


class Prepared:
    """The plan.  Not safe for several threads: after an attempt that was abandoned, and may wake up, make another.

    Args:
        batch: a batch like all those to come.
        make: returns what is to be read of the frame of a batch, which has one partition.
    """

    def __init__(self, batch: DataFrame, make: Callable[[DataFrame], DataFrame]) -> None:
        session = batch.sparkSession
        jvm: Any = session._jvm
        self._current = jvm.datacontracts.CurrentBatch(session._jsparkSession.sparkContext())
        frame = session._jsparkSession.internalCreateDataFrame(self._current, batch._jdf.schema(), False)
        # Spark does not know that there is one partition, and would sort the rows into several.
        self._observed = Observed(make(DataFrame(frame, session).coalesce(1)))

    def collect(self, batch: DataFrame) -> list[Row]:
        """Read a batch, and return its rows.  Raises what Spark raises."""
        self._observed.reset()
        self._current.set(batch._jdf.queryExecution().toRdd())
        try:
            return self._observed.rows.collect()
        finally:
            self._current.clear()

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Return aggregate -> value of an observation of the last batch."""
        return self._observed[name]
