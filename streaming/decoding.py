"""Batches -> decoded batches: with the schemas that are known, or those that are looked up; and tombstones.

Where the contract says that a tombstone deletes the row of its key, a decoded batch has one column more: `tombstone`,
the key's fields, null for everything else.  Exactly one of `record`, `tombstone` and `reason` is not null.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.contract import Contract
from contracts.registry import Registry
from streaming import decode
from streaming.reasons import Reason
from streaming.writers import Writer, Writers

TOMBSTONE = "tombstone"
_JUDGED = ("record", "reason", "detail")


class Decoding:
    """Decodes the batches of one contract.

    Args:
        registry: where schema ids are looked up, each once.
    """

    def __init__(self, registry: Registry, contract: Contract) -> None:
        self._values, self._value_writers = decode.Decoder(contract), Writers(registry, contract)
        self._keys: decode.Decoder | None = None
        if contract.deletes:
            self._keys, self._key_writers = decode.Decoder(contract.keys), Writers(registry, contract.keys)

    @property
    def begun(self) -> bool:
        """Whether any schema is known: then `known` is worth a try."""
        return bool(self._value_writers.known)

    def known(self, batch: DataFrame) -> DataFrame:
        """The batch decoded with what is known; an id that is not fails the job that reads the frame (`UNSEEN`)."""
        return self._decoded(batch, {}, {})

    def looked_up(self, batch: DataFrame) -> DataFrame:
        """The batch, its schema ids looked up first: reads it twice.  Raises ServiceError."""
        of_values = self._value_writers.of(decode.schema_ids(batch))
        if self._keys is None:
            return self._decoded(batch, of_values, {})
        return self._decoded(batch, of_values, self._key_writers.of(decode.schema_ids(_keys_of_tombstones(batch))))

    def _decoded(self, batch: DataFrame, of_values: Mapping[int, Writer], of_keys: Mapping[int, Writer]) -> DataFrame:
        values = self._values.decode(batch, self._value_writers.known | of_values)
        if self._keys is None:
            return values
        judged = values.withColumnsRenamed({name: f"_{name}" for name in _JUDGED}).withColumn(
            "_value", F.col("value")
        )
        keys = self._keys.decode(
            judged.withColumn("value", F.when(F.col("_value").isNull(), F.col("key"))),
            self._key_writers.known | of_keys,
        )
        dead = F.col("_reason").eqNullSafe(Reason.NULL_VALUE.value)
        because = F.when(F.col("key").isNull(), F.lit("a tombstone without a key deletes no row")).otherwise(
            F.concat(F.lit("the key of a tombstone: "), F.col("detail"))
        )
        return keys.select(
            *(F.col("_value").alias("value") if name == "value" else F.col(name) for name in batch.columns),
            F.col("_record").alias("record"),
            F.when(dead, F.col("record")).alias(TOMBSTONE),
            F.when(dead, F.col("reason")).otherwise(F.col("_reason")).alias("reason"),
            F.when(dead, because).otherwise(F.col("_detail")).alias("detail"),
        )


def _keys_of_tombstones(batch: DataFrame) -> DataFrame:
    return batch.where(F.col("value").isNull()).withColumn("value", F.col("key"))
