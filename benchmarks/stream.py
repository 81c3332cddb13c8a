"""The stream into both stores at once, in steady state: the first batch of each query is left out."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql.streaming import StreamingQueryListener

from benchmarks import producer, records, servers
from streaming import session
from streaming.job import Job, prepare

RECORDS = 600_000


class _Batches(StreamingQueryListener):
    """Start, end and size of every batch, by query."""

    def __init__(self) -> None:
        self.batches: dict[str, list[tuple[float, float, int]]] = {}

    def onQueryStarted(self, event: Any) -> None:  # noqa: N802 - Spark's name
        pass

    def onQueryProgress(self, event: Any) -> None:  # noqa: N802
        progress = event.progress
        if progress.numInputRows:
            start = dt.datetime.fromisoformat(progress.timestamp).timestamp()
            end = start + progress.batchDuration / 1000
            self.batches.setdefault(progress.name.rpartition(".")[2], []).append((start, end, progress.numInputRows))

    def onQueryIdle(self, event: Any) -> None:  # noqa: N802
        pass

    def onQueryTerminated(self, event: Any) -> None:  # noqa: N802
        pass


def measure() -> dict[str, Any]:
    """Records a second, each into both stores, from the end of the first batches to the end of the slower store."""
    with servers.up() as (_, configured):
        own, contract = servers.registered(configured, "bench_stream")
        producer._ours(own, contract, records.users(RECORDS))
        sinks = prepare(own, contract)
        spark = session.start(own)
        listener = _Batches()
        spark.streams.addListener(listener)
        try:
            Job(spark, own, contract, sinks).run(available_now=True)
        finally:
            spark.stop()
    stores = {name: batches for name, batches in listener.batches.items() if name != "dead_letter"}
    # Conservative: from the first store's first batch to the last store's last one.
    begin = min(batches[0][1] for batches in stores.values())
    finish = max(batches[-1][1] for batches in stores.values())
    rows = RECORDS - max(batches[0][2] for batches in stores.values())
    return {
        "records": RECORDS,
        "records_per_s": round(rows / (finish - begin)),
        "batches": {
            name: [{"rows": rows, "s": round(end - start, 2)} for start, end, rows in batches]
            for name, batches in listener.batches.items()
        },
    }
