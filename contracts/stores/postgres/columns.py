"""Avro type -> the column that PostgreSQL has for it (docs/reference/types.md)."""

from __future__ import annotations

from typing import Final

from contracts.avro.nodes import AnyType, Array, Map, Record, Schema, Union
from contracts.avro.shapes import decimal_digits, nullability, type_name
from contracts.stores.table import ColumnType
from contracts.stores.types import merged

#: `{precision}` and `{scale}` are a decimal's.
SCALARS: Final = {
    "boolean": "boolean",
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "double": "double precision",
    "string": "text",
    "bytes": "bytea",
    "enum": "text",
    "fixed": "bytea",
    "uuid": "uuid",
    "date": "date",
    "time-millis": "time without time zone",
    "time-micros": "time without time zone",
    "timestamp-millis": "timestamp with time zone",
    "timestamp-micros": "timestamp with time zone",
    "timestamp-nanos": "bigint",
    "local-timestamp-millis": "timestamp without time zone",
    "local-timestamp-micros": "timestamp without time zone",
    "local-timestamp-nanos": "bigint",
    "decimal": "numeric({precision},{scale})",
    "duration": "interval",
}
JSON: Final = ColumnType("jsonb", is_json=True)


def of(schema: Schema, node: AnyType) -> ColumnType:
    """The column of a field of the type `node`, which has no problem (`types.problem`)."""
    node, _ = nullability(schema, node)
    if isinstance(node, Union):
        one = merged(schema, node)
        return ColumnType(SCALARS[one]) if one else JSON
    if isinstance(node, Array | Map | Record):
        return JSON
    name = SCALARS[type_name(node)]
    if type_name(node) == "decimal":
        precision, scale = decimal_digits(node)
        name = name.format(precision=precision, scale=scale)
    return ColumnType(name)
