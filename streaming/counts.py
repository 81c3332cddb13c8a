"""What a batch held, observed while it was written: no record is read or decoded once more for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F


def aggregates() -> list[Column]:
    """To be observed (`DataFrame.observe`) of a decoded batch; `Counts.of` reads them."""
    written = F.when(F.col("reason").isNull(), F.unix_millis("timestamp"))
    return [
        F.count(F.lit(1)).alias("records"),
        F.count("reason").alias("rejected"),
        F.min(written).alias("oldest"),
        F.max(written).alias("newest"),
        F.avg(written).alias("mean"),
    ]


@dataclass(frozen=True)
class Counts:
    """One batch in one store.

    Attributes:
        records: read from the topic.
        rejected: of these, not for the store.
        oldest, newest, mean: Kafka timestamps of the others, ms since the epoch; None when there are none.
        dead_lettered: records sent to the dead-letter topic, by reason; empty but for the contract's first store.
    """

    records: int
    rejected: int
    oldest: int | None
    newest: int | None
    mean: float | None
    dead_lettered: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, observed: Mapping[str, Any], dead_lettered: Mapping[str, int]) -> Counts:
        return cls(**observed, dead_lettered=dead_lettered)

    @property
    def written(self) -> int:
        return self.records - self.rejected
