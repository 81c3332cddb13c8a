"""The type that Spark gives a decoded value, and the Avro type of a value that Spark computes.  Pure.

Spark's types are written as its `simpleString` does: `bigint`, `decimal(10,2)`, `array<string>`.
"""

from __future__ import annotations

import re
from typing import Final

from avro_data_contracts.contracts.avro.jsonpos import Document, Pointer
from avro_data_contracts.contracts.avro.nodes import NO_PROPS, AnyType, Array, Logical, Map, Primitive, Record, Schema
from avro_data_contracts.contracts.avro.nodes import Union as AvroUnion
from avro_data_contracts.contracts.avro.shapes import decimal_digits, nullability, type_name
from avro_data_contracts.contracts.stores.types import MOST_DIGITS, merged, several

_SCALARS: Final = {
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
    "bytes": "binary",
    "enum": "string",
    "fixed": "binary",
    "date": "date",
    "time-millis": "int",
    "time-micros": "bigint",
    "timestamp-millis": "timestamp",
    "timestamp-micros": "timestamp",
    "timestamp-nanos": "bigint",
    "local-timestamp-millis": "timestamp_ntz",
    "local-timestamp-micros": "timestamp_ntz",
    "local-timestamp-nanos": "bigint",
    "duration": "binary",
}
#: Spark's type -> Avro's base and logical type.
_COMPUTED: Final = {
    "boolean": ("boolean", None),
    "int": ("int", None),
    "bigint": ("long", None),
    "float": ("float", None),
    "double": ("double", None),
    "string": ("string", None),
    "binary": ("bytes", None),
    "date": ("int", "date"),
    "timestamp": ("long", "timestamp-micros"),
    "timestamp_ntz": ("long", "local-timestamp-micros"),
}


def of(schema: Schema, node: AnyType) -> str:
    """Return Spark's type of a value of this type; empty if no store can hold one (`stores.types`)."""
    try:
        return _of(schema, node, frozenset())
    except _NotInSpark:
        return ""


class _NotInSpark(Exception):
    """A type that the stream refuses."""


def _of(schema: Schema, node: AnyType, around: frozenset[str]) -> str:
    """As `of`.  `around`: the records around it."""
    node, _ = nullability(schema, node)
    if isinstance(node, Record):
        if node.fullname in around:
            raise _NotInSpark
        inside = around | {node.fullname}
        return f"struct<{','.join(f'{field.name}:{_of(schema, field.type, inside)}' for field in node.fields)}>"
    if isinstance(node, Array):
        return f"array<{_of(schema, node.items, around)}>"
    if isinstance(node, Map):
        return f"map<string,{_of(schema, node.values, around)}>"
    if isinstance(node, AvroUnion):
        if number := merged(schema, node):
            return _SCALARS[number]
        branches = enumerate(several(schema, node))
        return f"struct<{','.join(f'member{number}:{_of(schema, branch, around)}' for number, branch in branches)}>"
    name = type_name(node)
    if name == "decimal" and (digits := decimal_digits(node))[0] <= MOST_DIGITS:
        return f"decimal({digits[0]},{digits[1]})"
    if name == "uuid":
        return "string" if node.type == "string" else "binary"
    if name not in _SCALARS:
        raise _NotInSpark
    return _SCALARS[name]


def ddl_of(schema: Schema, node: AnyType) -> str:
    """Return the type as `of` does, with names in quotes: for a CAST."""
    return re.sub(r"([A-Za-z_][A-Za-z0-9_]*):", r"`\1`:", of(schema, node))


def computed(spark: str, document: Document, pointer: Pointer) -> Primitive | None:
    """Return the Avro type of a value that Spark computes; None if no store can hold it."""
    at = (document, pointer, NO_PROPS)
    if found := re.fullmatch(r"decimal\((\d+),(\d+)\)", spark):
        precision, scale = int(found[1]), int(found[2])
        fits = 0 < precision <= MOST_DIGITS and 0 <= scale <= precision
        return Primitive(*at, "bytes", Logical("decimal", precision, scale)) if fits else None
    if spark not in _COMPUTED:
        return None
    base, logical = _COMPUTED[spark]
    return Primitive(*at, base, Logical(logical) if logical else None)


def optional(node: AnyType) -> AvroUnion:
    """Return the type, which may now be null."""
    at = (node.document, node.pointer, node.props)
    branches = node.branches if isinstance(node, AvroUnion) else (node,)
    return AvroUnion(*at, (Primitive(*at, "null", None), *branches))
