"""Small batches: read with a plan that is made once, and written by the store's own driver.

A batch that has anything unusual (a large record, a late event, a row that the store refuses) is left to the usual
way, which is idempotent as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.decode.batches import Decoding, Known
from avro_data_contracts.streaming.sinks.counts import Counts, counted
from avro_data_contracts.streaming.sinks.prepared import Prepared
from avro_data_contracts.streaming.sinks.sink import Direct

# The rows come to the driver together, so a record must not be large, bytes.
_LARGE_BYTES: Final = 4096
_LONGEST_REST: Final = 63


class Turns:
    """Which small batches are worth a try: where each has something unusual, reading them twice costs too much.

    After a second try in vain it rests for a batch, then for three, and so on.
    """

    def __init__(self) -> None:
        self._rest = 0
        self._in_vain = 0

    def next(self) -> bool:
        """Return whether the next batch is worth a try."""
        if self._rest:
            self._rest -= 1
            return False
        return True

    def tried(self, *, done: bool) -> None:
        """Take notice of whether a batch could be written."""
        self._in_vain = 0 if done else self._in_vain + 1
        self._rest = 0 if done else min(2 ** (self._in_vain - 1) - 1, _LONGEST_REST)


class SmallBatches:
    """Writes the small batches of one store.

    Not safe for several threads: after an attempt that was abandoned, make another.

    Args:
        decoding: knows the schemas.
        decode: returns the decoded frame of a batch, with the known schemas.

    Attributes:
        turns: ask it before each batch.
    """

    def __init__(
        self, settings: Settings, sink: Direct, decoding: Decoding, decode: Callable[[DataFrame], DataFrame]
    ) -> None:
        self._bootstrap = settings.kafka_bootstrap_servers
        self._sink = sink
        self._decoding = decoding
        self._decode = decode
        self.turns = Turns()
        self._plan: Prepared | None = None
        self._made_for: Known | None = None

    def write(self, batch: DataFrame) -> Counts | None:
        """Write a batch; None: it is left to the usual way, and may be written in part.

        Raises:
            UnseenSchemaId: a schema id has to be looked up first.
            ServiceError: Kafka or the store fails.
        """
        try:
            plan = self._prepared(batch)
            rows = plan.collect(batch)
        except failures.JAVA_ERRORS as error:
            self._plan = None
            raise failures.of_java(failures.KAFKA, self._bootstrap, error) from None
        done = not plan["sizes"]["large"] and self._sink.send(rows)
        self.turns.tried(done=done)
        return Counts.of(plan) if done else None

    def _prepared(self, batch: DataFrame) -> Prepared:
        known = self._decoding.known_schemas
        if self._plan is None or self._made_for != known:
            self._plan, self._made_for = Prepared(batch, self._cells), known
        return self._plan

    def _cells(self, batch: DataFrame) -> DataFrame:
        is_large = F.octet_length("value") > _LARGE_BYTES
        small = batch.observe("sizes", F.count_if(is_large).alias("large")).where(~is_large | F.col("value").isNull())
        return self._sink.cells(counted(self._decode(small)))
