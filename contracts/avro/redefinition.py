"""Two definitions of one name in a schema, allowed when they are equal.  Source: Avro 1.12.1, `Schema.equals`.

Equal means the same fields with their types, defaults, orders and unknown attributes.  Docs, aliases and the
default of an enum do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Enum,
    Fixed,
    Map,
    Named,
    NamedType,
    Record,
    Reference,
    Union,
)


def same(one: AnyType, other: AnyType, known: Mapping[str, NamedType], is_open: Callable[[Reference], bool]) -> bool:
    """True when the registry takes `one` and `other` for the same definition.

    Args:
        known: the types that are complete.
        is_open: whether the type of a reference is not complete; such a type equals nothing, not even a second use of
            itself.
    """
    waiting: list[tuple[AnyType, AnyType]] = [(one, other)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        left, right = waiting.pop()
        if any(isinstance(node, Reference) and is_open(node) for node in (left, right)):
            return False
        left, right = _target(left, known), _target(right, known)
        if left is right or (id(left), id(right)) in seen:
            continue
        seen.add((id(left), id(right)))
        if left.type != right.type or not same_json(left.props, right.props):
            return False
        if isinstance(left, Named) and left.fullname != right.fullname:  # type: ignore[union-attr]
            return False
        inner = _inner(left, right)
        if inner is None:
            return False
        waiting.extend(inner)
    return True


def _target(node: AnyType, known: Mapping[str, NamedType]) -> AnyType:
    return known[node.fullname] if isinstance(node, Reference) else node


def _inner(left: AnyType, right: AnyType) -> list[tuple[AnyType, AnyType]] | None:
    """The pairs that must also be equal; None when these two already differ."""
    if isinstance(left, Record) and isinstance(right, Record):
        if len(left.fields) != len(right.fields):
            return None
        for mine, its in zip(left.fields, right.fields, strict=True):
            if (mine.name, mine.order) != (its.name, its.order) or not same_json(mine.props, its.props):
                return None
            if not same_json(mine.default, its.default):
                return None
        return [(mine.type, its.type) for mine, its in zip(left.fields, right.fields, strict=True)]
    if isinstance(left, Enum) and isinstance(right, Enum):
        return [] if left.symbols == right.symbols else None
    if isinstance(left, Fixed) and isinstance(right, Fixed):
        return [] if left.size == right.size else None
    if isinstance(left, Array) and isinstance(right, Array):
        return [(left.items, right.items)]
    if isinstance(left, Map) and isinstance(right, Map):
        return [(left.values, right.values)]
    if isinstance(left, Union) and isinstance(right, Union):
        if len(left.branches) != len(right.branches):
            return None
        return list(zip(left.branches, right.branches, strict=True))
    return []


def same_json(one: Any, other: Any) -> bool:
    """Compare JSON values, and keep 1, 1.0 and true apart."""
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if left is right:
            continue
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            waiting.extend((left[key], right[key]) for key in left)
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            waiting.extend(zip(left, right, strict=True))
        elif type(left) is not type(right) or repr(left) != repr(right):
            return False
    return True
