"""Decodes Kafka records: adds the columns `record`, `reason` and `detail` to a frame.

Each record is decoded with the schema it was written with and resolved to the contract's (Avro schema resolution, in
the JVM).  Exactly one of `record` and `reason` is null.

The strict reader (`streaming.decode.strict`) checks the bytes first, and what it refuses never reaches Avro.  What it
passes, `from_avro` decodes to the values that were written.  One check remains: in PERMISSIVE mode a body that cannot
be decoded becomes a struct of nulls, which looks like a record of nulls.  So the body is decoded as the first field
of an envelope whose second field is a sentinel, appended to the body.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.logical import logical_of, max_precision
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.envelope import AFTER
from avro_data_contracts.contracts.quality.rules import Rule
from avro_data_contracts.contracts.stores.types import MOST_DIGITS
from avro_data_contracts.streaming.decode import debezium, framing, programs, rules, values
from avro_data_contracts.streaming.decode.framing import SchemaKey
from avro_data_contracts.streaming.decode.reasons import Reason
from avro_data_contracts.streaming.decode.strict import StrictReader
from avro_data_contracts.streaming.decode.writer_schemas import Writer

SENTINEL = bytes.fromhex("c0ffee5eed5ea1ed")
_NO_RECORD = "the body fits its writer schema, but Avro cannot convert it to the contract's schema"


def schema_ids(frame: DataFrame, header: str = framing.VALUE_HEADER) -> list[SchemaKey]:
    """Return the distinct schema ids and GUIDs that the records of a frame name.  Runs a Spark job.

    The most frequent come first; of equally frequent ones, the lowest id.  A registry counts from 1, so of random ids
    it lacks the high ones.

    Args:
        frame: Kafka records, with `value` and perhaps `headers`.
        header: the Kafka header that may carry the schema id.
    """
    key = StrictReader(frame.sparkSession, header, {}, {}, None).key()
    found = _with_headers(frame).select(key.alias("key")).where("key IS NOT NULL").groupBy("key").count()
    # Sorted here: for a sort of its own, Spark would read the frame a second time.
    rows = sorted(found.collect(), key=lambda row: (-row["count"], len(row.key), row.key))
    return [int(row.key) if row.key.isdecimal() else row.key for row in rows]


class Decoder:
    """Decodes frames of Kafka records to a contract's value schema.

    It builds its expressions once for each set of writer schemas, not for each batch.

    Args:
        header: the Kafka header that may carry the schema id.
    """

    def __init__(self, contract: Contract, header: str = framing.VALUE_HEADER) -> None:
        self._contract = contract
        self._header = header
        self._made: tuple[Mapping[SchemaKey, Writer], str | None, Column, Column, Column] | None = None

    def decode(self, frame: DataFrame, writers: Mapping[SchemaKey, Writer], unknown: str | None = None) -> DataFrame:
        """Return `frame` with `record` (the contract's fields), `reason` (a `Reason` or a rule's) and `detail`.

        Args:
            frame: Kafka records, as a batch or a stream.
            writers: see `Writers.of`.
            unknown: why a record of any other schema id is rejected, with `{}` for the id.  None: such a record
                fails the job that reads the frame (`strict.UNSEEN`), because looking for the ids first would read
                every batch twice.
        """
        made = self._made
        if made is None or made[0] != writers or made[1] != unknown:
            made = self._made = (dict(writers), unknown, *self._expressions(frame, writers, unknown))
        _, _, read, envelope, verdict = made
        judged = (
            _with_headers(frame)
            .withColumn("_read", read)
            .withColumn("_envelope", envelope)
            .withColumn("_verdict", verdict)
        )
        return judged.select(
            *frame.columns,
            F.when(F.col("_verdict").isNull(), self._record(F.col("_envelope.value"))).alias("record"),
            F.col("_verdict.reason").alias("reason"),
            F.col("_verdict.detail").alias("detail"),
        )

    def _expressions(
        self, frame: DataFrame, writers: Mapping[SchemaKey, Writer], unknown: str | None
    ) -> tuple[Column, Column, Column]:
        reader, rows = self._contract.reader, self._contract.rows
        texts = sorted({writer.text for writer in writers.values() if writer.reason is None})
        numbers = {text: number for number, text in enumerate(texts)}
        walked = {text: programs.program(parsing.parse_stored(text), reader) for text in texts}
        strict_reader = StrictReader(
            frame.sparkSession,
            self._header,
            {key: (numbers[one.text], walked[one.text]) for key, one in writers.items() if one.reason is None},
            {key: (one.reason, one.detail) for key, one in writers.items() if one.reason is not None},
            unknown,
        )
        read = F.col("_envelope.value")
        record = self._record(read)
        changes = [] if self._contract.envelope is None else debezium.verdicts(rows.value.schema, read)
        flaws = values.flaws(rows.value.schema, record) + values.flaws_of_key(rows, record)
        broken = rules.broken(self._contract.rules, record)
        envelope = _envelope(texts, to_json(reader))
        return strict_reader.read(), _once(envelope), _once(_verdict(changes, flaws, broken))

    def _record(self, read: Column) -> Column:
        """Return the row in what was read."""
        return read if self._contract.envelope is None else read.getField(AFTER)


def _with_headers(frame: DataFrame) -> DataFrame:
    """Return the frame with `headers`; if it was read without them, no record has any."""
    if "headers" in frame.columns:
        return frame
    return frame.withColumn("headers", F.lit(None).cast("array<struct<key: string, value: binary>>"))


def _envelope(texts: Sequence[str], reader: str) -> Column:
    """Return the record and the sentinel behind it; null where the strict reader found a reason."""
    body = F.concat(F.col("value").substr(F.col("_read.start") + 1, F.lit(2**31 - 1)), F.lit(SENTINEL))
    # CORRECTED: Avro's calendar is the proleptic Gregorian one; Spark's default refuses days before 1582.
    reader = json.dumps(_with_all_digits(json.loads(reader)))
    options = {"avroSchema": _in_envelope(reader), "mode": "PERMISSIVE", "datetimeRebaseMode": "CORRECTED"}
    decoded = [from_avro(body, _in_envelope(text), options) for text in texts]
    # The branch that never applies gives the column its type when no record can be read.
    return F.when(F.lit(False), from_avro(body, _in_envelope(reader), options)).otherwise(
        F.when(F.col("_read.reason").isNull(), _of_its_number(decoded, 0))
    )


def _of_its_number(columns: Sequence[Column], first: int) -> Column:
    """Select the column of the record's writer schema, from those numbered from `first` on.

    It halves the list at each step: among fifty schemas, a record takes six comparisons.
    """
    if len(columns) < 2:
        return columns[0] if columns else F.lit(None)
    half = len(columns) // 2
    below = F.col("_read.writer") < first + half
    return F.when(below, _of_its_number(columns[:half], first)).otherwise(
        _of_its_number(columns[half:], first + half)
    )


def _in_envelope(schema: str) -> str:
    end = {"type": "fixed", "name": "_DataContractsEnd", "size": len(SENTINEL)}
    fields = [{"name": "value", "type": json.loads(schema)}, {"name": "end", "type": end}]
    return json.dumps({"type": "record", "name": "_DataContractsEnvelope", "fields": fields})


def _with_all_digits(schema: Any) -> Any:
    """Return the schema with every decimal as long as Spark's can be.

    For a decimal of 18 digits or fewer, Spark reads only the last eight bytes, and a number that is too large would
    become another one.  `values` finds the numbers that exceed the decimal's own digits.
    """
    if isinstance(schema, list):
        return [_with_all_digits(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _with_all_digits(one) if key in _WITH_TYPES else one for key, one in schema.items()}
    base, size = schema.get("type"), schema.get("size", 0)
    if schema.get("logicalType") == "decimal" and isinstance(base, str) and logical_of(base, schema, size):
        found["precision"] = min(MOST_DIGITS, max_precision(size) if base == "fixed" else MOST_DIGITS)
    return found


_WITH_TYPES = ("type", "fields", "items", "values")


def _once(column: Column) -> Column:
    """Make `column` non-deterministic, so that Spark neither copies nor moves it and decodes each record once."""
    return F.when(F.spark_partition_id() >= 0, column)


def _verdict(
    changes: Iterable[tuple[Column, str, str]],
    flaws: Iterable[tuple[Column, str]],
    broken: Iterable[tuple[Column, Rule]],
) -> Column:
    """Return a struct (reason, detail), null for a good record.  The first condition that holds decides."""
    read = F.struct(F.col("_read.reason").alias("reason"), F.col("_read.detail").alias("detail"))
    chain = F.when(F.col("_read.reason").isNotNull(), read)
    complete = F.col("_envelope.end").eqNullSafe(F.lit(SENTINEL))
    chain = chain.when(~complete, _because(Reason.DECODE_ERROR, _NO_RECORD))
    for condition, reason, words in changes:
        chain = chain.when(condition, _because(reason, words))
    for flaw, words in flaws:
        chain = chain.when(flaw, _because(Reason.DECODE_ERROR, words))
    for condition, rule in broken:
        chain = chain.when(condition, _because(rule.reason, rule.message))
    return chain


def _because(reason: str, detail: str) -> Column:
    return F.struct(F.lit(str(reason)).alias("reason"), F.lit(detail).alias("detail"))
