"""Avro type -> the column that Cassandra has for it (docs/reference/types.md)."""

from __future__ import annotations

from typing import Final

from contracts.avro.nodes import AnyType, Array, Map, Record, Schema, Union
from contracts.avro.shapes import nullability, type_name
from contracts.stores.table import ColumnType
from contracts.stores.types import merged

SCALARS: Final = {
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "text",
    "bytes": "blob",
    "enum": "text",
    "fixed": "blob",
    "uuid": "uuid",
    "date": "date",
    "time-millis": "time",
    "time-micros": "time",
    # `timestamp` ends at milliseconds: what has more digits is a number.
    "timestamp-millis": "timestamp",
    "timestamp-micros": "bigint",
    "timestamp-nanos": "bigint",
    "local-timestamp-millis": "timestamp",
    "local-timestamp-micros": "bigint",
    "local-timestamp-nanos": "bigint",
    "decimal": "decimal",
    "duration": "duration",
}
JSON: Final = ColumnType("text", is_json=True)


def of(schema: Schema, node: AnyType) -> ColumnType:
    """The column of a field of the type `node`, which has no problem (`types.problem`)."""
    node, _ = nullability(schema, node)
    if isinstance(node, Union):
        one = merged(schema, node)
        return ColumnType(SCALARS[one]) if one else JSON
    if isinstance(node, Array | Map):
        item, nullable = nullability(schema, node.items if isinstance(node, Array) else node.values)
        # There is no null inside of a collection.  Frozen: else an empty one would be null.
        if nullable or type_name(item) not in SCALARS:
            return JSON
        kind = "list<{}>" if isinstance(node, Array) else "map<text, {}>"
        return ColumnType(f"frozen<{kind.format(SCALARS[type_name(item)])}>")
    return JSON if isinstance(node, Record) else ColumnType(SCALARS[type_name(node)])
