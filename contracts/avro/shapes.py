"""The type without null, and the name of the type that its values have."""

from __future__ import annotations

from avro_data_contracts.contracts.avro.nodes import AnyType, Fixed, Primitive, Schema, Union


def nullability(schema: Schema, node: AnyType) -> tuple[AnyType, bool]:
    """The type without null, and whether null was there; follows references.

    A union of one type becomes that type.  A union of several types stays as it is.
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
    """Precision and scale of a decimal; `node` must have the `type_name` `decimal`."""
    logical = node.logical if isinstance(node, Primitive | Fixed) else None
    assert logical is not None
    assert logical.precision is not None
    assert logical.scale is not None
    return logical.precision, logical.scale


def type_name(node: AnyType) -> str:
    """The key of the type table: the logical type where Avro recognises one, else the Avro type."""
    logical = node.logical if isinstance(node, Primitive | Fixed) else None
    return logical.name if logical is not None else node.type
