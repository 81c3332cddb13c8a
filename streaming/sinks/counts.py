"""What a batch held, counted while it was written: no record is read or decoded once more for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from streaming.sinks.observed import Observed

_BATCH = "batch"


def counted(decoded: DataFrame) -> DataFrame:
    """The same batch, counted where it is read; `Counts.of` tells."""
    written = F.when(F.col("reason").isNull(), F.unix_millis("timestamp"))
    return decoded.observe(
        _BATCH,
        F.count(F.lit(1)).alias("records"),
        F.count("reason").alias("rejected"),
        F.sum(F.when(F.col("reason").isNotNull(), F.octet_length("value"))).alias("rejected_bytes"),
        F.min(written).alias("oldest"),
        F.max(written).alias("newest"),
        F.avg(written).alias("mean"),
    )


@dataclass(frozen=True)
class Counts:
    """One batch in one store.

    Attributes:
        records: read from the topic.
        rejected: of these, not for the store.
        oldest, newest, mean: Kafka timestamps of the others, ms since the epoch; None when there are none.
        dead_lettered: records sent to the dead-letter topic, by reason; empty but for the contract's first store.
        rejected_bytes: size of the rejected values together; None when there are none.
    """

    records: int
    rejected: int
    oldest: int | None
    newest: int | None
    mean: float | None
    dead_lettered: Mapping[str, int] = field(default_factory=dict)
    rejected_bytes: int | None = None

    @classmethod
    def of(cls, observed: Observed) -> Counts:
        """Of a frame that is made of `counted`, and was written."""
        return cls(**observed[_BATCH])

    def __add__(self, other: Counts) -> Counts:
        """Of two parts of a batch."""
        both = (self, other)
        written = sum(one.written for one in both if one.mean is not None)
        sizes = [one.rejected_bytes for one in (self, other) if one.rejected_bytes is not None]
        return Counts(
            records=self.records + other.records,
            rejected=self.rejected + other.rejected,
            oldest=min((one.oldest for one in both if one.oldest is not None), default=None),
            newest=max((one.newest for one in both if one.newest is not None), default=None),
            mean=sum(one.mean * one.written for one in both if one.mean is not None) / written if written else None,
            dead_lettered=Counter(self.dead_lettered) + Counter(other.dead_lettered),
            rejected_bytes=sum(sizes) if sizes else None,
        )

    @property
    def written(self) -> int:
        return self.records - self.rejected
