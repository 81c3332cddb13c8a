"""The batches that Spark's queries wrote, as Spark reports them."""

from __future__ import annotations

import datetime as dt
import json
import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQueryListener

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic


@dataclass(frozen=True)
class Batch:
    """One written batch.

    Args:
        start: start time, seconds since 1970.
        end: end time, seconds since 1970; the rows are in the store by then.
        records: number of records.
        offsets: first offset of each partition, and the one after its last.
        took_ms: part of the work -> ms, as Spark tells it.
    """

    start: float
    end: float
    records: int
    offsets: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    took_ms: Mapping[str, int] = field(default_factory=dict)


class _Listener(StreamingQueryListener):
    def __init__(self) -> None:
        self.batches: dict[str, list[Batch]] = {}
        self.ended = threading.Semaphore(0)
        self.begun = 0

    def onQueryStarted(self, event: Any) -> None:  # noqa: N802 - Spark's name
        self.begun += 1

    def onQueryProgress(self, event: Any) -> None:  # noqa: N802
        progress = event.progress
        if progress.numInputRows:
            start = dt.datetime.fromisoformat(progress.timestamp).timestamp()
            end = start + progress.batchDuration / 1000
            offsets = _offsets(progress.sources[0])
            # Not numInputRows, which counts records twice if they are read twice.
            records = sum(last - first for first, last in offsets.values())
            batch = Batch(start, end, records, offsets, dict(progress.durationMs))
            self.batches.setdefault(progress.name.rpartition(".")[2], []).append(batch)

    def onQueryIdle(self, event: Any) -> None:  # noqa: N802
        pass

    def onQueryTerminated(self, event: Any) -> None:  # noqa: N802
        self.ended.release()


def _offsets(source: Any) -> dict[int, tuple[int, int]]:
    (ends,) = json.loads(source.endOffset).values()
    begun = source.startOffset not in (None, "None")  # PySpark writes "None" if there is none
    (starts,) = json.loads(source.startOffset).values() if begun else ({},)
    return {int(partition): (starts.get(partition, 0), end) for partition, end in ends.items()}


def written_at(store: list[Batch], partition: int, offset: int) -> float:
    """Return when a store's batch with this record ended, seconds since 1970."""
    at = bisect_right(store, offset, key=lambda batch: batch.offsets[partition][1])
    return store[at].end


def latencies(
    configured: Settings, contract: Contract, written: Mapping[str, list[Batch]]
) -> list[tuple[float, float]]:
    """Return when each event was sent, seconds since 1970, and the seconds until every store had it; by time."""
    whole, stores = topic.whole(configured, contract.topic), list(written.values())
    found = []
    for message in topic.read(configured, contract.topic, whole):
        sent = message.timestamp()[1] / 1000
        end = max(written_at(store, message.partition(), message.offset()) for store in stores)
        found.append((sent, end - sent))
    return sorted(found)


def beside(spark: SparkSession, run: Callable[[], object], load: Callable[[], None]) -> dict[str, list[Batch]]:
    """Run queries to their end while a thread produces what they read; `load` makes them end.  As `listened`."""
    producing = threading.Thread(target=load)
    producing.start()
    written = listened(spark, run)
    producing.join()
    return written


def listened(spark: SparkSession, run: Callable[[], object]) -> dict[str, list[Batch]]:
    """Run queries to their end; returns their batches by the last part of the query's name."""
    listener = _Listener()
    spark.streams.addListener(listener)
    run()
    for _ in range(listener.begun):  # the listener gets the last batch only after the query has ended
        assert listener.ended.acquire(timeout=60)
    spark.streams.removeListener(listener)
    return listener.batches
