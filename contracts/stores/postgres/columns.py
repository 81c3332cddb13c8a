"""The column type in PostgreSQL for each Avro type (docs/reference/types.md)."""

from __future__ import annotations

from typing import Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Schema
from avro_data_contracts.contracts.avro.shapes import decimal_digits, nullability
from avro_data_contracts.contracts.stores.table import ColumnType
from avro_data_contracts.contracts.stores.types import scalar

#: `{precision}` and `{scale}` are those of a decimal.
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
    """Return the column type of a field of the type `node`, which has no problem (`types.problem`)."""
    name = scalar(schema, node)
    if not name:
        return JSON
    if name != "decimal":
        return ColumnType(SCALARS[name])
    precision, scale = decimal_digits(nullability(schema, node)[0])
    return ColumnType(SCALARS[name].format(precision=precision, scale=scale))
