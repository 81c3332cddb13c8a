"""Framing -> schema id -> `from_avro`: a frame of Kafka records gets the columns `record`, `reason` and `detail`.

Each record is decoded with the schema it was written with and resolved to the contract's (Avro schema resolution, in
the JVM).  Exactly one of `record` and `reason` is null.

Two properties of `from_avro` are dealt with here.  In PERMISSIVE mode a broken body gives a struct of nulls, which
cannot be told from a record of nulls; and bytes after the record's end are ignored.  So the body is decoded as the
first field of an envelope whose second field is a sentinel that is appended to the body: only a body that ends
exactly where its schema says leaves the sentinel in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from contracts.columns import MOST_DIGITS
from contracts.contract import Contract
from contracts.logical import logical_of, max_precision
from contracts.rules import Rule
from streaming import framing, rules, values
from streaming.reasons import Reason
from streaming.writers import Writer

# What `decode` fails with when it meets a schema id that it was not told of; the id follows.
UNSEEN = "unseen schema id "
SENTINEL = bytes.fromhex("c0ffee5eed5ea1ed")


def schema_ids(frame: DataFrame) -> set[int]:
    """The distinct schema ids of the frame's well-framed records.  Runs a Spark job."""
    rows = frame.where(_well_framed()).select(_prefix().alias("prefix")).distinct().collect()
    return {int.from_bytes(row.prefix[len(framing.MAGIC) :], "big") for row in rows}


class Decoder:
    """Decodes frames of Kafka records into a contract's; its value schema is the reader.

    The expressions are made once for each set of writer schemas, not once a batch.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._made: tuple[Mapping[int, Writer], Column, Column] | None = None

    def decode(self, frame: DataFrame, writers: Mapping[int, Writer]) -> DataFrame:
        """`frame` with `record` (struct of the contract's fields), `reason` (a `Reason`, or a rule's) and `detail`.

        Args:
            frame: Kafka records.
            writers: see `Writers.of`.  A record of any other schema id fails the job that reads the frame, with
                `UNSEEN` in its words: looking for the ids first would read every batch twice.
        """
        made = self._made
        if made is None or made[0] != writers:
            made = self._made = (writers, *self._expressions(writers))
        _, envelope, verdict = made
        judged = frame.withColumn("_envelope", envelope).withColumn("_verdict", verdict)
        return judged.select(
            *frame.columns,
            F.when(F.col("_verdict").isNull(), F.col("_envelope.value")).alias("record"),
            F.col("_verdict.reason").alias("reason"),
            F.col("_verdict.detail").alias("detail"),
        )

    def _expressions(self, writers: Mapping[int, Writer]) -> tuple[Column, Column]:
        readable = [writer for writer in writers.values() if writer.reason is None]
        refused = [writer for writer in writers.values() if writer.reason is not None]
        known = _prefix().isin([framing.of(schema_id) for schema_id in writers])
        complete = F.col("_envelope.end").eqNullSafe(F.lit(SENTINEL))
        record = F.col("_envelope.value")
        flaws = values.flaws(self._contract.value.schema, record) + values.flaws_of_key(self._contract, record)
        broken = rules.broken(self._contract.rules, record)
        envelope = _envelope(readable, self._contract.value.schema_text)
        return _once(envelope), _once(_verdict(refused, known, complete, flaws, broken))


def _prefix() -> Column:
    return F.substring("value", 1, framing.BYTES)


def _well_framed() -> Column:
    value = F.col("value")
    return value.isNotNull() & (F.length(value) >= framing.BYTES) & (F.substring(value, 1, 1) == F.lit(framing.MAGIC))


def _envelope(readable: Iterable[Writer], reader: str) -> Column:
    body = F.concat(F.substring(F.col("value"), framing.BYTES + 1, 2**31 - 1), F.lit(SENTINEL))
    # CORRECTED: Avro's calendar is the proleptic Gregorian one; Spark's default refuses days before 1582.
    reader = json.dumps(_with_all_digits(json.loads(reader)))
    options = {"avroSchema": _in_envelope(reader), "mode": "PERMISSIVE", "datetimeRebaseMode": "CORRECTED"}
    decoded = {writer.schema_id: from_avro(body, _in_envelope(writer.text), options) for writer in readable}
    # The branch that never holds gives the column its type when no record can be read.
    return F.when(F.lit(False), from_avro(body, _in_envelope(reader), options)).otherwise(
        _of_its_id(sorted(decoded.items()))
    )


def _of_its_id(columns: Sequence[tuple[int, Column]]) -> Column:
    """The column of the record's schema id, null when there is none; `columns` in the order of their ids.

    Found by halving: among fifty ids each record is compared with six, and no copy is made but for the last.
    """
    if not columns:
        return F.lit(None)
    if len(columns) == 1:
        ((schema_id, column),) = columns
        return F.when(_prefix() == F.lit(framing.of(schema_id)), column)
    half = len(columns) // 2
    # Spark compares bytes as unsigned numbers, from the left.
    below = F.col("value") < F.lit(framing.of(columns[half][0]))
    return F.when(below, _of_its_id(columns[:half])).otherwise(_of_its_id(columns[half:]))


def _in_envelope(schema: str) -> str:
    end = {"type": "fixed", "name": "_End", "size": len(SENTINEL)}
    fields = [{"name": "value", "type": json.loads(schema)}, {"name": "end", "type": end}]
    return json.dumps({"type": "record", "name": "_Envelope", "fields": fields})


def _with_all_digits(schema: Any) -> Any:
    """The schema with every decimal as long as Spark's can be.

    Of one with 18 digits or fewer Spark takes the last eight bytes only, and too large a number would become another
    one.  `values` finds what the decimal's own digits cannot hold.
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
    """`column`, made non-deterministic so that Spark neither copies nor moves it: each record is decoded once."""
    return F.when(F.monotonically_increasing_id() >= 0, column)


def _verdict(
    refused: Iterable[Writer],
    known: Column,
    complete: Column,
    flaws: Iterable[tuple[Column, str]],
    broken: Iterable[tuple[Column, Rule]],
) -> Column:
    """A struct (reason, detail), null for a good record.  The first of the conditions that holds decides."""
    chain = F.when(F.col("value").isNull(), _because(Reason.NULL_VALUE, "the record has no value"))
    short = F.concat(
        F.lit("the value has "), F.length(F.col("value")), F.lit(f" bytes; the framing alone takes {framing.BYTES}")
    )
    chain = chain.when(F.length(F.col("value")) < framing.BYTES, _because(Reason.TOO_SHORT, short))
    magic = F.concat(F.lit("the first byte is 0x"), F.hex(F.substring(F.col("value"), 1, 1)), F.lit(", not 0x00"))
    chain = chain.when(~_well_framed(), _because(Reason.BAD_MAGIC, magic))
    for writer in refused:
        because = _because(Reason(writer.reason), writer.detail)
        chain = chain.when(F.lit(framing.of(writer.schema_id)) == _prefix(), because)
    unseen = F.raise_error(F.concat(F.lit(UNSEEN), F.conv(F.hex(F.substring("value", 2, 4)), 16, 10)))
    chain = chain.when(~known, unseen.cast("struct<reason: string, detail: string>"))
    torn = "the body is no record of its writer schema: cut off, longer than the schema says, or garbage"
    chain = chain.when(~complete, _because(Reason.DECODE_ERROR, torn))
    for flaw, words in flaws:
        chain = chain.when(flaw, _because(Reason.DECODE_ERROR, words))
    for condition, rule in broken:
        chain = chain.when(condition, _because(rule.reason, rule.message))
    return chain


def _because(reason: str, detail: str | Column) -> Column:
    words = F.lit(detail) if isinstance(detail, str) else detail
    return F.struct(F.lit(str(reason)).alias("reason"), words.alias("detail"))
