"""Converts decoded values to what a PostgreSQL column holds (docs/reference/types.md)."""

from __future__ import annotations

from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import AnyType, Field, Fixed, Schema
from avro_data_contracts.contracts.stores.postgres import columns
from avro_data_contracts.streaming.sinks import cells
from avro_data_contracts.streaming.sinks.cells import Cell


def of(schema: Schema, field: Field) -> Cell:
    """Return what converts the decoded value of `field` to its cell; null stays null."""
    node, _ = shapes.nullability(schema, field.type)
    if columns.of(schema, node).is_json:
        return cells.json_of(schema, node)
    return _scalar(node) or cells.same


def _scalar(node: AnyType) -> Cell | None:
    """Convert days and moments to text, which the server parses: Java's objects use another calendar before 1582."""
    name = shapes.type_name(node)
    if name in cells.NANOS:
        return cells.time(name)
    if name in ("timestamp-millis", "timestamp-micros"):
        return lambda value: F.concat(value.cast("string"), F.lit("+00"))
    if name in ("date", "local-timestamp-millis", "local-timestamp-micros"):
        return lambda value: value.cast("string")
    if name == "duration":
        return cells.iso_duration
    return cells.uuid if name == "uuid" and isinstance(node, Fixed) else None
