"""Converts decoded values to what a column holds (docs/reference/types.md): the part that stores share."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Fixed, Map, Record, Schema, Union
from avro_data_contracts.contracts.stores import types

Cell = Callable[[Column], Column]

NANOS = {"time-millis": 1_000_000, "time-micros": 1_000}
#: How Spark writes times in JSON.  Its default pattern ends at milliseconds.
_JSON_OPTIONS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}


def json_of(schema: Schema, node: AnyType) -> Cell:
    """Return what converts a decoded value of that type to JSON text."""
    inside = _inside(schema, node)
    return lambda value: F.to_json(applied(inside, value), _JSON_OPTIONS)


def same(value: Column) -> Column:
    """Return the value as it is."""
    return value


def applied(cell: Cell | None, value: Column) -> Column:
    """Apply `cell` to a value; without a cell the value stays."""
    return cell(value) if cell else value


def each(node: Array | Map, cell: Cell | None) -> Cell | None:
    """Return `cell` applied to each item; None when it is None: the items stay as they are."""
    return cell and (items if isinstance(node, Array) else map_values)(cell)


def items(cell: Cell) -> Cell:
    """Return `cell` applied to each item of an array."""
    return lambda value: F.transform(value, lambda item: cell(item))


def map_values(cell: Cell) -> Cell:
    """Return `cell` applied to each value of a map."""
    return lambda value: F.transform_values(value, lambda _, item: cell(item))


def _inside(schema: Schema, node: AnyType) -> Cell | None:
    """Return what converts a value inside JSON; None when `to_json` already writes it correctly."""
    node, _ = shapes.nullability(schema, node)
    name = shapes.type_name(node)
    if isinstance(node, Union):
        return _union(schema, node)
    if isinstance(node, Record):
        return _struct([(field.name, field.name, _inside(schema, field.type)) for field in node.fields])
    if isinstance(node, Array | Map):
        return each(node, _inside(schema, node.items if isinstance(node, Array) else node.values))
    if name in NANOS:
        return time(name)
    if name == "duration":
        return iso_duration
    return uuid if name == "uuid" and isinstance(node, Fixed) else None


def _union(schema: Schema, node: Union) -> Cell | None:
    """Turn Spark's `member0`, `member1`, … into one member with the branch's name, as in Avro's own JSON."""
    if types.merged(schema, node):
        return None
    branches = types.several(schema, node)
    members = []
    for number, branch in enumerate(branches):
        name = getattr(branch, "fullname", branch.type)
        members.append((f"member{number}", name, _inside(schema, branch)))
    return _struct(members)


def _struct(members: list[tuple[str, str, Cell | None]]) -> Cell | None:
    """Convert a struct: (name in Spark, name in JSON, cell) of each member; None when all stay as they are."""
    if all(name == told and cell is None for name, told, cell in members):
        return None

    def cell(value: Column) -> Column:
        made = [applied(inner, value.getField(name)).alias(told) for name, told, inner in members]
        return F.when(value.isNotNull(), F.struct(*made))

    return cell


def time(name: str) -> Cell:
    """Convert milliseconds or microseconds since midnight to text such as `13:05:00.123456`."""

    def cell(value: Column) -> Column:
        micros = value.cast("long") * (NANOS[name] // 1000)
        return F.date_format(F.timestamp_micros(micros), "HH:mm:ss.SSSSSS")

    return cell


def parts(duration: Column) -> tuple[Column, Column, Column]:
    """Return months, days and milliseconds as text; each is an unsigned little-endian number of four bytes."""
    digits = F.hex(duration)

    def part(at: int) -> Column:
        swapped = F.concat(*(F.substring(digits, 2 * (at + byte) + 1, 2) for byte in (3, 2, 1, 0)))
        return F.conv(swapped, 16, 10)

    return part(0), part(4), part(8)


def iso_duration(value: Column) -> Column:
    """Convert a duration to text in ISO 8601."""
    months, days, millis = parts(value)
    seconds = (millis.cast("decimal(10,0)") / 1000).cast("decimal(10,3)").cast("string")
    return F.concat(F.lit("P"), months, F.lit("M"), days, F.lit("DT"), seconds, F.lit("S"))


def uuid(value: Column) -> Column:
    """Convert sixteen bytes to the text of a UUID."""
    digits = F.lower(F.hex(value))
    sizes = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    first, *others = (F.substring(digits, *size) for size in sizes)
    return F.concat(first, *(part for other in others for part in (F.lit("-"), other)))
