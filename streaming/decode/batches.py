"""Decodes batches and their tombstones, with the known schemas or after looking the schemas up.

When the contract says that a tombstone deletes the row of its key, a decoded batch also has the column `tombstone`:
the key's fields, null for all other records.  Exactly one of `record`, `tombstone` and `reason` is not null.  In an
envelope, the record of a delete is a tombstone too.

The reason of a record that concerns another contract of the topic is `OF_ANOTHER`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.streaming.decode import decoder, framing
from avro_data_contracts.streaming.decode.framing import SchemaKey
from avro_data_contracts.streaming.decode.reasons import DELETES, OF_ANOTHER, OF_NOBODY, ChangeReason, Reason
from avro_data_contracts.streaming.decode.writer_schemas import LookedUp, Writer, Writers

TOMBSTONE = "tombstone"
_JUDGED = ("record", "reason", "detail")


@dataclass
class Asked:
    """The registry's answers for one batch, so that an unknown id is looked up once, and not at every attempt."""

    values: dict[SchemaKey, Writer] = field(default_factory=dict)
    keys: dict[SchemaKey, Writer] = field(default_factory=dict)


#: The writer schemas of values and keys that are known.
Known = tuple[dict[SchemaKey, Writer], ...]


class Decoding:
    """Decodes the batches of one contract.

    Args:
        registry: where each schema id is looked up once.
    """

    def __init__(self, registry: Registry, contract: Contract) -> None:
        self._values, self._value_writers = decoder.Decoder(contract), Writers(registry, contract)
        self._leads = contract.leads
        self._keys: decoder.Decoder | None = None
        self._enveloped = contract.envelope is not None
        if contract.deletes:
            self._keys = decoder.Decoder(contract.keys, framing.KEY_HEADER)
            self._key_writers = Writers(registry, contract.keys)

    @property
    def begun(self) -> bool:
        """Return whether any schema is known; if not, `known` would always fail."""
        return bool(self._value_writers.known)

    @property
    def known_schemas(self) -> Known:
        """Return what `known` decodes with."""
        values = self._value_writers.known
        return (values,) if self._keys is None else (values, self._key_writers.known)

    def known(self, batch: DataFrame) -> DataFrame:
        """Return the batch, decoded with the known schemas.

        Another schema id fails the job that reads the frame (`strict.UNSEEN`).
        """
        of_keys = LookedUp(self._key_writers.known, None) if self._keys is not None else None
        return self._decoded(batch, LookedUp(self._value_writers.known, None), of_keys)

    def looked_up(self, batch: DataFrame, asked: Asked) -> DataFrame:
        """Look up the batch's schema ids and return it decoded; reads it twice.  Raises ServiceError.

        Args:
            asked: answers from earlier attempts at the batch; new answers are added.
        """
        of_values = self._value_writers.of(decoder.schema_ids(batch), asked.values)
        of_keys = None
        if self._keys is not None:
            # In an envelope, only the decoded record says whether it deletes.
            deletions = batch if self._enveloped else batch.where(F.col("value").isNull())
            found = decoder.schema_ids(deletions.withColumn("value", F.col("key")), framing.KEY_HEADER)
            of_keys = self._key_writers.of(found, asked.keys)
        return self._decoded(batch, of_values, of_keys)

    def _decoded(self, batch: DataFrame, of_values: LookedUp, of_keys: LookedUp | None) -> DataFrame:
        values = self._values.decode(batch, of_values, of_values.unknown)
        if not self._leads:
            nobody = F.col("reason").isin(*(str(one) for one in OF_NOBODY))
            values = values.withColumn("reason", F.when(nobody, F.lit(OF_ANOTHER)).otherwise(F.col("reason")))
        if self._keys is None or of_keys is None:
            return values
        judged = values.withColumnsRenamed({name: f"_{name}" for name in _JUDGED}).withColumn(
            "_value", F.col("value")
        )
        tombstone = F.col("_reason").eqNullSafe(Reason.NULL_VALUE.value)
        dead = tombstone | F.col("_reason").eqNullSafe(DELETES)
        keys = self._keys.decode(
            judged.withColumn("value", F.when(dead, F.col("key"))),
            of_keys,
            of_keys.unknown,
        )
        what = F.when(tombstone, F.lit("a tombstone")).otherwise(F.lit("a delete"))
        lacks_key, lost = F.col("key").isNull(), F.lit(ChangeReason.CHANGE_WITHOUT_KEY.value)
        reason = F.when(lacks_key & ~tombstone, lost).otherwise(F.col("reason"))
        because = F.when(lacks_key, F.concat(what, F.lit(" without a key deletes no row"))).otherwise(
            F.concat(F.lit("the key of "), what, F.lit(": "), F.col("detail"))
        )
        return keys.select(
            *(F.col("_value").alias("value") if name == "value" else F.col(name) for name in batch.columns),
            F.col("_record").alias("record"),
            F.when(dead, F.col("record")).alias(TOMBSTONE),
            F.when(dead, reason).otherwise(F.col("_reason")).alias("reason"),
            F.when(dead, because).otherwise(F.col("_detail")).alias("detail"),
        )
