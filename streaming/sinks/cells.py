"""Decoded values -> what a column holds, by the type tables of `contracts.stores` (docs/types.md)."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DateType, MapType, TimestampType

from contracts.avro import shapes
from contracts.avro.nodes import AnyType, Array, Field, Fixed, Map, Record, Schema, Union
from contracts.stores import types
from contracts.stores.known import store_of
from contracts.stores.sink import Sink

Cell = Callable[[Column], Column]

_NANOS = {"time-millis": 1_000_000, "time-micros": 1_000}
#: How Spark writes times in JSON.  Its own pattern ends at milliseconds.
_JSON_OPTIONS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}


def of(schema: Schema, field: Field, sink: Sink) -> Cell:
    """What makes the cell of `field` from its decoded value; null stays null."""
    node, _ = shapes.nullability(schema, field.type)
    if store_of(sink).column_type(schema, node).is_json:
        inside = _inside(schema, node)
        return lambda value: F.to_json(_applied(inside, value), _JSON_OPTIONS)
    if isinstance(node, Array | Map):
        item, _ = shapes.nullability(schema, node.items if isinstance(node, Array) else node.values)
        return _each(node, _in_cassandra(item)) or _same
    return (_in_cassandra(node) if sink.kind == "cassandra" else _in_postgres(node)) or _same


def _same(value: Column) -> Column:
    return value


def _applied(cell: Cell | None, value: Column) -> Column:
    return cell(value) if cell else value


def _each(node: Array | Map, cell: Cell | None) -> Cell | None:
    """`cell` for each item; None where that is None: the items stay as they are."""
    return cell and (_items if isinstance(node, Array) else _map_values)(cell)


def _items(cell: Cell) -> Cell:
    return lambda value: F.transform(value, lambda item: cell(item))


def _map_values(cell: Cell) -> Cell:
    return lambda value: F.transform_values(value, lambda _, item: cell(item))


def _in_cassandra(node: AnyType) -> Cell | None:
    name = shapes.type_name(node)
    if name in _NANOS:
        return lambda value: value.cast("long") * _NANOS[name]
    if name in ("timestamp-micros", "local-timestamp-micros"):
        return lambda value: F.unix_micros(value.cast("timestamp"))
    if name == "local-timestamp-millis":
        return lambda value: value.cast("timestamp")
    if name == "duration":
        return _cql_duration
    if name == "uuid":
        # As Cassandra gives it back: rows are compared by their keys.
        return _uuid if isinstance(node, Fixed) else F.lower
    return None


def in_numbers(rows: DataFrame) -> DataFrame:
    """`rows` for Cassandra's connector, with days and milliseconds since 1970 for days and moments: as Java's own
    objects, which it would make of them, they are in another calendar before 1582."""

    def number(kind: DataType) -> Cell | None:
        if isinstance(kind, ArrayType | MapType):
            inner = number(kind.elementType if isinstance(kind, ArrayType) else kind.valueType)
            return inner and (_items if isinstance(kind, ArrayType) else _map_values)(inner)
        return {DateType(): F.unix_date, TimestampType(): F.unix_millis}.get(kind)

    made = {field.name: number(field.dataType) for field in rows.schema.fields}
    return rows.select(*(_applied(cell, F.col(f"`{name}`")).alias(name) for name, cell in made.items()))


def _in_postgres(node: AnyType) -> Cell | None:
    """Days and moments go as text, which the server reads: as Java's own objects they are in another calendar before
    1582."""
    name = shapes.type_name(node)
    if name in _NANOS:
        return _time(name)
    if name in ("timestamp-millis", "timestamp-micros"):
        return lambda value: F.concat(value.cast("string"), F.lit("+00"))
    if name in ("date", "local-timestamp-millis", "local-timestamp-micros"):
        return lambda value: value.cast("string")
    if name == "duration":
        return _iso_duration
    return _uuid if name == "uuid" and isinstance(node, Fixed) else None


def _inside(schema: Schema, node: AnyType) -> Cell | None:
    """What makes a value inside of JSON; None where `to_json` writes it as it should be."""
    node, _ = shapes.nullability(schema, node)
    name = shapes.type_name(node)
    if isinstance(node, Union):
        return _union(schema, node)
    if isinstance(node, Record):
        return _struct([(field.name, field.name, _inside(schema, field.type)) for field in node.fields])
    if isinstance(node, Array | Map):
        return _each(node, _inside(schema, node.items if isinstance(node, Array) else node.values))
    if name in _NANOS:
        return _time(name)
    if name == "duration":
        return _iso_duration
    return _uuid if name == "uuid" and isinstance(node, Fixed) else None


def _union(schema: Schema, node: Union) -> Cell | None:
    """Spark's `member0`, `member1`, … -> one member with the branch's name, as in Avro's own JSON."""
    if types.merged(schema, node):
        return None
    branches = types.several(schema, node)
    members = []
    for number, branch in enumerate(branches):
        name = getattr(branch, "fullname", branch.type)
        members.append((f"member{number}", name, _inside(schema, branch)))
    return _struct(members)


def _struct(members: list[tuple[str, str, Cell | None]]) -> Cell | None:
    """(name in Spark, name in JSON, cell) of each member; None where all stay as they are."""
    if all(name == told and cell is None for name, told, cell in members):
        return None

    def cell(value: Column) -> Column:
        made = [_applied(inner, value.getField(name)).alias(told) for name, told, inner in members]
        return F.when(value.isNotNull(), F.struct(*made))

    return cell


def _time(name: str) -> Cell:
    """`13:05:00.123456` of a number of milliseconds or microseconds since midnight."""

    def cell(value: Column) -> Column:
        micros = value.cast("long") * (_NANOS[name] // 1000)
        return F.date_format(F.timestamp_micros(micros), "HH:mm:ss.SSSSSS")

    return cell


def _parts(duration: Column) -> tuple[Column, Column, Column]:
    """Months, days and milliseconds as text: each an unsigned little-endian number of four bytes."""
    digits = F.hex(duration)

    def part(at: int) -> Column:
        swapped = F.concat(*(F.substring(digits, 2 * (at + byte) + 1, 2) for byte in (3, 2, 1, 0)))
        return F.conv(swapped, 16, 10)

    return part(0), part(4), part(8)


def _cql_duration(value: Column) -> Column:
    months, days, millis = _parts(value)
    return F.concat(months, F.lit("mo"), days, F.lit("d"), millis, F.lit("ms"))


def _iso_duration(value: Column) -> Column:
    months, days, millis = _parts(value)
    seconds = (millis.cast("decimal(10,0)") / 1000).cast("decimal(10,3)").cast("string")
    return F.concat(F.lit("P"), months, F.lit("M"), days, F.lit("DT"), seconds, F.lit("S"))


def _uuid(value: Column) -> Column:
    digits = F.lower(F.hex(value))
    sizes = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    first, *others = (F.substring(digits, *size) for size in sizes)
    return F.concat(first, *(part for other in others for part in (F.lit("-"), other)))
