"""Converts decoded values to what a Cassandra column holds (docs/reference/types.md)."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DateType, MapType, TimestampType

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Field, Fixed, Map, Schema
from avro_data_contracts.contracts.stores.cassandra import columns
from avro_data_contracts.streaming.sinks import cells
from avro_data_contracts.streaming.sinks.cells import Cell


def of(schema: Schema, field: Field) -> Cell:
    """Return what converts the decoded value of `field` to its cell; null stays null."""
    node, _ = shapes.nullability(schema, field.type)
    if columns.of(schema, node).is_json:
        return cells.json_of(schema, node)
    if isinstance(node, Array | Map):
        item, _ = shapes.nullability(schema, node.items if isinstance(node, Array) else node.values)
        return cells.each(node, _scalar(item)) or cells.same
    return _scalar(node) or cells.same


def _scalar(node: AnyType) -> Cell | None:
    name = shapes.type_name(node)
    if name in cells.NANOS:
        return lambda value: value.cast("long") * cells.NANOS[name]
    if name in ("timestamp-micros", "local-timestamp-micros"):
        return lambda value: F.unix_micros(value.cast("timestamp"))
    if name == "local-timestamp-millis":
        return lambda value: value.cast("timestamp")
    if name == "duration":
        return _cql_duration
    if name == "uuid":
        # As Cassandra returns it: rows are compared by their keys.
        return cells.uuid if isinstance(node, Fixed) else F.lower
    return None


def in_numbers(rows: DataFrame) -> DataFrame:
    """Convert days and moments to days and milliseconds since 1970.

    Cassandra's connector would convert them to Java's objects, which use another calendar before 1582.
    """

    def number(kind: DataType) -> Cell | None:
        if isinstance(kind, ArrayType | MapType):
            inner = number(kind.elementType if isinstance(kind, ArrayType) else kind.valueType)
            return inner and (cells.items if isinstance(kind, ArrayType) else cells.map_values)(inner)
        if isinstance(kind, DateType):
            return F.unix_date
        return F.unix_millis if isinstance(kind, TimestampType) else None

    made = {field.name: number(field.dataType) for field in rows.schema.fields}
    return rows.select(*(cells.applied(cell, F.col(f"`{name}`")).alias(name) for name, cell in made.items()))


def _cql_duration(value: Column) -> Column:
    months, days, millis = cells.parts(value)
    return F.concat(months, F.lit("mo"), days, F.lit("d"), millis, F.lit("ms"))
