"""Paths inside a value that become columns of their own (`columns` of a sink).  Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from avro_data_contracts.contracts.avro.nodes import Array, Field, Map, Primitive, Record, Schema, Union
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.stores.types import Problem


@dataclass(frozen=True)
class Leaf:
    """What a path leads to.

    Attributes:
        field: the last field of the path.
        names: of all fields of the path, the outermost first.
        nullable: whether the column may be null, because a field of the path may be.
    """

    field: Field
    names: tuple[str, ...]
    nullable: bool


def leaf(schema: Schema, record: Record, path: str) -> Leaf | Problem:
    """Return the field at a path such as `address.city`, or why there is none that can be a column."""
    names = tuple(path.split("."))
    if len(names) < 2:
        return Problem(f"{path!r} is not inside a field", "write a path such as address.city: a field has a column")
    inside, nullable, at = record, False, ""
    for number, name in enumerate(names):
        field = inside.by_name.get(name)
        if field is None:
            where = at or "the value"
            return Problem(f"{where} has no field {name!r}", f"fields of {where}: {', '.join(inside.by_name)}")
        at = f"{at}.{name}" if at else name
        node, may_be_null = nullability(schema, field.type)
        nullable = nullable or may_be_null
        if number == len(names) - 1:
            return Leaf(field, names, nullable)
        if isinstance(node, Union):
            return Problem(
                f"{at} is a union of several types, and the path does not say of which one",
                f"read it from the JSON in the column {names[0]}",
            )
        if isinstance(node, Array | Map):
            return Problem(
                f"{at} is {'an array' if isinstance(node, Array) else 'a map'}, which has any number of values",
                f"read them from the column {names[0]}",
            )
        if not isinstance(node, Record):
            return Problem(f"{at} is {type_name(node)}, and has no fields", f"end the path at {at}")
        inside = node
    raise AssertionError("a path has a last field")


def as_column(schema: Schema, name: str, found: Leaf) -> Field:
    """Return the field under the name of its column; it may be null if a field of the path may be."""
    type_ = found.field.type
    if found.nullable and not nullability(schema, type_)[1]:
        at = (type_.document, type_.pointer, type_.props)
        branches = type_.branches if isinstance(type_, Union) else (type_,)
        type_ = Union(*at, branches=(Primitive(*at, type="null", logical=None), *branches))
    return replace(found.field, name=name, type=type_)
