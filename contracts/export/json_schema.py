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
    """Return the JSON Schema of a type.

    A record has its fields where it first is; inside itself and wherever it is again it is only named, by its
    `title`.  So the document is no longer than the schema is, however its types refer to each other.
    """
    return _Writer(schema).of(node)


class _Writer:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._written: set[str] = set()

    def of(self, node: AnyType) -> dict[str, Any]:
        node = self._schema.resolve(node)
        if isinstance(node, Union):
            return {"oneOf": [self.of(one) for one in node.branches]}
        if isinstance(node, Array):
            return {"type": "array", "items": self.of(node.items)}
        if isinstance(node, Map):
            return {"type": "object", "additionalProperties": self.of(node.values)}
        found: dict[str, Any] = {"title": node.name} if isinstance(node, Named) else {}
        if isinstance(node, Named) and node.doc:
            found["description"] = node.doc
        if isinstance(node, Enum):
            return {**found, "type": "string", "enum": list(node.symbols)}
        if isinstance(node, Record):
            found["type"] = "object"
            if node.fullname not in self._written:
                self._written.add(node.fullname)
                found["properties"] = {one.name: self._field(one.type, one.doc) for one in node.fields}
                found["required"] = list(node.by_name)
            return found
        return {**found, **_SCALARS.get(type_name(node), {"type": "string"})}

    def _field(self, node: AnyType, doc: str | None) -> dict[str, Any]:
        found = self.of(node)
        return {**found, "description": doc} if doc else found
