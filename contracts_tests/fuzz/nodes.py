"""The oracle's own parser for Avro schemas, independent of bugs in the project's parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOTHING: Any = object()


@dataclass(eq=False)
class Node:
    """An Avro type.

    Attributes:
        kind: null, boolean, int, long, float, double, bytes, string, fixed, enum, array, map, record, union.
        name, space: name and namespace of a record, enum or fixed.
        logical: the logical type in effect, empty for none.
        inner: the items of an array, the values of a map, or the branches of a union.
    """

    kind: str
    name: str = ""
    space: str = ""
    aliases: tuple[str, ...] = ()
    logical: str = ""
    precision: int = 0
    scale: int = 0
    size: int = 0
    symbols: list[str] = field(default_factory=list)
    default: Any = NOTHING
    fields: list[Member] = field(default_factory=list)
    inner: list[Node] = field(default_factory=list)

    @property
    def fullname(self) -> str:
        return f"{self.space}.{self.name}" if self.space else self.name or self.kind

    @property
    def several(self) -> list[Node]:
        """The branches of a union except null."""
        return [one for one in self.inner if one.kind != "null"]

    @property
    def type_name(self) -> str:
        return self.logical or self.kind


@dataclass(eq=False)
class Member:
    """A field of a record."""

    name: str
    type: Node
    aliases: tuple[str, ...] = ()
    default: Any = NOTHING


def parse(schema: Any) -> Node:
    """Parse a schema and return its root.

    Args:
        schema: a self-contained schema as parsed JSON.
    """
    return _parse(schema, "", {})


def _parse(schema: Any, space: str, named: dict[str, Node]) -> Node:
    if isinstance(schema, list):
        return Node("union", inner=[_parse(one, space, named) for one in schema])
    if isinstance(schema, str):
        found = named.get(schema if "." in schema or not space else f"{space}.{schema}") or named.get(schema)
        return found or Node(schema)
    kind = schema["type"]
    if not isinstance(kind, str):
        return _parse(kind, space, named)
    node = Node(kind)
    if kind in ("record", "enum", "fixed"):
        node.space, _, node.name = schema["name"].rpartition(".")
        node.space = node.space or schema.get("namespace", space)
        named[node.fullname] = node
        node.size, node.symbols = schema.get("size", 0), schema.get("symbols", [])
        node.default = schema.get("default", NOTHING)
        for one in schema.get("fields", ()):
            type_ = _parse(one["type"], node.space, named)
            node.fields.append(Member(one["name"], type_, tuple(one.get("aliases", ())), one.get("default", NOTHING)))
    elif kind in ("array", "map"):
        node.inner = [_parse(schema["items" if kind == "array" else "values"], space, named)]
    elif schema.get("logicalType") is None and kind in named:
        return named[kind]
    node.logical = schema.get("logicalType", "")
    node.precision, node.scale = schema.get("precision", 0), schema.get("scale", 0)
    return node


def takes_bytes(node: Node, open_: tuple[Node, ...] = ()) -> bool:
    """Return whether every value of the type takes at least one byte.  A record inside itself counts once."""
    if node.kind == "record":
        return node not in open_ and any(takes_bytes(one.type, (*open_, node)) for one in node.fields)
    return node.kind != "null" and not (node.kind == "fixed" and node.size == 0)
