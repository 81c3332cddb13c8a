"""What a type is at heart: without null, and by the name that its values are known by."""

from __future__ import annotations

from contracts.avro.nodes import AnyType, Fixed, Primitive, Schema, Union


def nullability(schema: Schema, node: AnyType) -> tuple[AnyType, bool]:
    """The type without null, and whether null was there; references are followed.

    A union of one type is that type.  A union of several stays the union that it is.
    """
    node = schema.resolve(node)
    if isinstance(node, Union):
        others = [branch for branch in node.branches if branch.type != "null"]
        nullable = len(others) < len(node.branches)
        if len(others) == 1:
            inner, inside = nullability(schema, others[0])
            return inner, nullable or inside
        return node, nullable
    return node, False


def decimal_digits(node: AnyType) -> tuple[int, int]:
    """Precision and scale of a decimal; only of a node whose `type_name` is `decimal`."""
    logical = node.logical if isinstance(node, Primitive | Fixed) else None
    assert logical is not None
    assert logical.precision is not None
    assert logical.scale is not None
    return logical.precision, logical.scale


def type_name(node: AnyType) -> str:
    """Key of the type table: the logical type where there is one that counts, else the Avro type."""
    logical = node.logical if isinstance(node, Primitive | Fixed) else None
    return logical.name if logical is not None else node.type
