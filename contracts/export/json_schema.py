"""An Avro type as a JSON Schema (draft 7), for documents whose format has no room for Avro.  Pure.

It says what a value looks like to a person.  What it cannot say (sizes of numbers, decimals) only Avro's schema says.
"""

from __future__ import annotations

from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Enum, Map, Named, Record, Schema, Union
from avro_data_contracts.contracts.avro.shapes import type_name

#: Avro type, or logical type where Avro recognises one -> JSON Schema.
_SCALARS: Final[dict[str, dict[str, Any]]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "decimal": {"type": "number"},
    "big-decimal": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string", "format": "date"},
    "time-millis": {"type": "string", "format": "time"},
    "time-micros": {"type": "string", "format": "time"},
    **{f"timestamp-{unit}": {"type": "string", "format": "date-time"} for unit in ("millis", "micros", "nanos")},
}


def of(schema: Schema, node: AnyType) -> dict[str, Any]:
    """Return the JSON Schema of a type.  A type inside itself is only named, by its `title`."""
    return _of(schema, node, ())


def _of(schema: Schema, node: AnyType, around: tuple[str, ...]) -> dict[str, Any]:
    node = schema.resolve(node)
    if isinstance(node, Union):
        return {"oneOf": [_of(schema, one, around) for one in node.branches]}
    if isinstance(node, Array):
        return {"type": "array", "items": _of(schema, node.items, around)}
    if isinstance(node, Map):
        return {"type": "object", "additionalProperties": _of(schema, node.values, around)}
    found: dict[str, Any] = {"title": node.name} if isinstance(node, Named) else {}
    if isinstance(node, Named) and node.doc:
        found["description"] = node.doc
    if isinstance(node, Enum):
        return {**found, "type": "string", "enum": list(node.symbols)}
    if isinstance(node, Record):
        found["type"] = "object"
        if node.fullname not in around:
            inner = (*around, node.fullname)
            found["properties"] = {one.name: _field(schema, one.type, one.doc, inner) for one in node.fields}
            found["required"] = list(node.by_name)
        return found
    return {**found, **_SCALARS.get(type_name(node), {"type": "string"})}


def _field(schema: Schema, node: AnyType, doc: str | None, around: tuple[str, ...]) -> dict[str, Any]:
    found = _of(schema, node, around)
    return {**found, "description": doc} if doc else found
