"""The column type in Cassandra for each Avro type (docs/reference/types.md)."""

from __future__ import annotations

from typing import Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Map, Schema
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.stores.table import ColumnType
from avro_data_contracts.contracts.stores.types import scalar

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
    # `timestamp` has milliseconds only, so finer timestamps are numbers.
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
    """Return the column type of a field of the type `node`, which has no problem (`types.problem`)."""
    if name := scalar(schema, node):
        return ColumnType(SCALARS[name])
    node, _ = nullability(schema, node)
    if isinstance(node, Array | Map):
        item, nullable = nullability(schema, node.items if isinstance(node, Array) else node.values)
        # A collection cannot contain null.  It is frozen, because Cassandra stores an empty one as null otherwise.
        if nullable or type_name(item) not in SCALARS:
            return JSON
        kind = "list<{}>" if isinstance(node, Array) else "map<text, {}>"
        return ColumnType(f"frozen<{kind.format(SCALARS[type_name(item)])}>")
    return JSON
