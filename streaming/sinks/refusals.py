"""Rows that a store refuses, and how they are marked in a batch.

A store may refuse what Avro and the contract accept: a row that is too large for its protocol, or that fails a CHECK
which somebody has added.  Such a record is a dead letter of that store, `REFUSED:<store>`; the other store has its
row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from avro_data_contracts.contracts.errors import ContractsError

PREFIX = "REFUSED:"
#: If a store refuses all rows of a batch, and at least so many, the cause is the table, not a row.
TOO_MANY = 20
#: Number of parts in which a batch's rows come to the driver, one whole part at a time.
PARTS = 64
#: Partition and offset of a record in the contract's topic.
Coordinates = tuple[int, int]
_ENTRIES = "array<struct<partition: int, offset: bigint, words: string>>"


class RowsRefused(ContractsError):
    """A store has refused single rows of a batch.

    Attributes:
        rows: coordinates of each record -> the store's words, which contain none of its values.
        store: short name of the store.
    """

    def __init__(self, store: str, rows: Mapping[Coordinates, str]) -> None:
        super().__init__(f"{store} refuses {len(rows)} rows of a batch")
        self.store = store
        self.rows = rows


def of_the_table(taken: int, refused: Mapping[Coordinates, str]) -> str:
    """Return the message if a store refuses every row of a batch, because of its table; empty otherwise.

    Args:
        taken: number of rows of the batch that the store accepts.
    """
    if taken or len(refused) < TOO_MANY:
        return ""
    return f"it refuses each of the {len(refused)} rows of a batch: {next(iter(refused.values()))}"


def reason(store: str) -> str:
    """Return the reason code of a record that the store refuses."""
    return PREFIX + store


def store_of(code: str) -> str | None:
    """Return the store that a refusal's reason code names; None for every other code."""
    return code.removeprefix(PREFIX) if code.startswith(PREFIX) else None


def marked(decoded: DataFrame, store: str, rows: Mapping[Coordinates, str]) -> DataFrame:
    """Return the batch with the good records at the places of `rows` rejected.

    The plan does not grow with them: they are joined as one small table.
    """
    if not rows:
        return decoded
    entries = [{"partition": place[0], "offset": place[1], "words": words} for place, words in rows.items()]
    told = decoded.sparkSession.range(1).select(
        F.explode(F.from_json(F.lit(json.dumps(entries)), _ENTRIES)).alias("refused")
    )
    told = told.select(
        F.col("refused.partition").alias("partition"),
        F.col("refused.offset").alias("offset"),
        F.col("refused.words").alias("_words"),
    )
    joined = decoded.join(F.broadcast(told), ["partition", "offset"], "left")
    refused = F.col("reason").isNull() & F.col("_words").isNotNull()
    columns = {
        **{name: F.col(name) for name in decoded.columns},
        "reason": F.when(refused, F.lit(reason(store))).otherwise(F.col("reason")),
        "detail": F.when(refused, F.col("_words")).otherwise(F.col("detail")),
    }
    return joined.select(*(column.alias(name) for name, column in columns.items()))
