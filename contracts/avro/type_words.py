"""Types in words, for people who read schemas."""

from __future__ import annotations

from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Logical, Map, Named, Reference, Schema, Union


def words(node: AnyType, schema: Schema | None = None) -> str:
    """A type in words: `null or string`, `decimal(10,2)`, `array of com.example.Item`."""
    if schema is not None:
        node = schema.resolve(node)
    if isinstance(node, (Array, Map)):
        return f"{node.type} of {_inner_words(node.items if isinstance(node, Array) else node.values, schema)}"
    if isinstance(node, Union):
        return " or ".join(words(branch) for branch in node.branches)
    if isinstance(node, Reference):
        return node.fullname
    if isinstance(node, Named):
        return node.fullname
    logical = getattr(node, "logical", None)
    return f"{node.label.split(' ')[0]} ({logical_words(logical)})" if logical else node.label


def _inner_words(node: AnyType, schema: Schema | None) -> str:
    """The type that a container holds; for a container inside it, without the type that this one holds."""
    branches = node.branches if isinstance(node, Union) else (node,)
    return " or ".join(
        f"{one.type}s" if isinstance(one, (Array, Map, Union)) else words(one, schema) for one in branches
    )


def logical_words(logical: Logical | None) -> str:
    """`timestamp-millis`, `decimal(10,2)`, `none`."""
    if logical is None:
        return "none"
    return f"{logical.name}({logical.precision},{logical.scale})" if logical.precision else logical.name
