"""Values that Avro can carry and a store cannot: found before the sink, where one would stop the whole batch."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts import tables
from contracts.nodes import AnyType, Record, Schema

_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"


def flaws(schema: Schema, record: Column) -> list[tuple[Column, str]]:
    """Conditions under which a decoded record cannot be stored, each with its words.  Null values have no flaw.

    Args:
        schema: the reader schema, a record.
        record: the decoded struct.
    """
    return list(_flaws(schema, schema.root, record, ""))


def _flaws(schema: Schema, node: AnyType, value: Column, path: str) -> Iterator[tuple[Column, str]]:
    node, _ = tables.nullability(schema, node)
    name = tables.type_name(node)
    if isinstance(node, Record):
        for field in node.fields:
            yield from _flaws(
                schema, field.type, value.getField(field.name), f"{path}.{field.name}" if path else field.name
            )
    elif name == "uuid":
        yield ~value.rlike(_UUID), f"{path} is not a UUID"
    elif name == "date":
        yield (
            ~value.between(F.lit(_FIRST_DAY).cast("date"), F.lit(_LAST_DAY).cast("date")),
            (f"{path} is no date between {_FIRST_DAY} and {_LAST_DAY}"),
        )
    elif name in ("timestamp-millis", "timestamp-micros"):
        first = F.lit(f"{_FIRST_DAY} 00:00:00+00:00").cast("timestamp")
        last = F.lit(f"{_LAST_DAY} 23:59:59.999999+00:00").cast("timestamp")
        yield ~value.between(first, last), f"{path} is no time between the years 1 and 9999"
    elif name == "string":
        yield value.contains("\x00"), f"{path} holds the character U+0000, which PostgreSQL cannot store"
        # What is no UTF-8 comes back from Java's strings as other bytes.
        yield value.cast("binary") != F.encode(value, "UTF-8"), f"{path} is not valid UTF-8"
