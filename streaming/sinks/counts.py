"""Counts of a batch, taken while it is written, so that no record is read or decoded twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from avro_data_contracts.streaming.decode.reasons import OF_ANOTHER
from avro_data_contracts.streaming.sinks.observed import Observed
from avro_data_contracts.streaming.sinks.prepared import Prepared

_BATCH = "batch"


def counted(decoded: DataFrame) -> DataFrame:
    """Return the batch with counters that `Counts.of` reads."""
    written = F.when(F.col("reason").isNull(), F.unix_millis("timestamp"))
    skipped = F.col("reason").eqNullSafe(OF_ANOTHER)
    rejected = F.col("reason").isNotNull() & ~skipped
    return decoded.observe(
        _BATCH,
        F.count(F.lit(1)).alias("records"),
        F.count(F.when(rejected, True)).alias("rejected"),
        F.count(F.when(skipped, True)).alias("skipped"),
        F.sum(F.when(rejected, F.octet_length("value"))).alias("rejected_bytes"),
        F.min(written).alias("oldest"),
        F.max(written).alias("newest"),
        F.avg(written).alias("mean"),
    )


@dataclass(frozen=True)
class Counts:
    """One batch in one store.

    Attributes:
        records: number read from the topic.
        rejected: number of these that do not go to the store, except the skipped ones.
        oldest, newest, mean: Kafka timestamps of the others, ms since the epoch; None when there are none.
        dead_lettered: number of records sent to the dead-letter topic, by reason.  All but the contract's first store
            send only the rows that they refuse.
        rejected_bytes: total size of the rejected values; None when there are none.
        skipped: number of records that concern another contract of the topic.
        late: events that came when their window was closed; for each such window, if windows overlap.
        timeless: events without a time, which are in no window.
    """

    records: int
    rejected: int
    oldest: int | None
    newest: int | None
    mean: float | None
    dead_lettered: Mapping[str, int] = field(default_factory=dict)
    rejected_bytes: int | None = None
    skipped: int = 0
    late: int = 0
    timeless: int = 0

    @classmethod
    def of(cls, observed: Observed | Prepared) -> Counts:
        """Read the counts of a frame made from `counted`, after it was read."""
        return cls(**observed[_BATCH])

    def __add__(self, other: Counts) -> Counts:
        """Add two parts of a batch."""
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
            skipped=self.skipped + other.skipped,
            late=self.late + other.late,
            timeless=self.timeless + other.timeless,
        )

    @property
    def written(self) -> int:
        return self.records - self.rejected - self.skipped
