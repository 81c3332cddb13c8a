"""The type that a masked value has in a store, and why a value cannot be masked so.  Pure."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from avro_data_contracts.contracts.avro.nodes import (
    NO_PROPS,
    AnyType,
    Array,
    Field,
    Map,
    Primitive,
    Record,
    Schema,
    Union,
)
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.masks.plan import Leaf, OfItems, OfRecord, OfUnion, Plan
from avro_data_contracts.contracts.masks.spec import ANY_TYPE, How, Kind
from avro_data_contracts.contracts.stores import types

#: What a store has in place of a value that is redacted.
REDACTED: Final = "***"
#: Types whose values have a year.
_WITH_YEAR: Final = frozenset(
    {"date", *(f"{where}timestamp-{unit}" for where in ("", "local-") for unit in ("millis", "micros", "nanos"))}
)
#: A number of these types has several texts, and NaN is not even equal to itself.
_FLOATING: Final = frozenset({"float", "double"})


def misfit(schema: Schema, node: AnyType, how: How) -> tuple[str, str] | None:
    """Return why a type cannot be masked so, and what to do; None if it can."""
    if how.kind in ANY_TYPE:
        return None
    name = types.scalar(schema, node)
    told = name or _label(nullability(schema, node)[0])
    if how.kind is Kind.hash and (not name or name in _FLOATING):
        why = "a number that is not exact" if name else "more than one value"
        return f"hash is for one exact value, and this is {told}, {why}", _instead(how.kind)
    if how.kind is Kind.truncate and name != "string":
        return f"truncate is for text (string), and this is {told}", _instead(how.kind)
    if how.kind is Kind.year and name not in _WITH_YEAR:
        return f"year is for a date or a timestamp, and this is {told}", _instead(how.kind)
    return None


def field(schema: Schema, one: Field, plan: Plan | None) -> Field | None:
    """Return a field as a store has it; None if it has no column."""
    if plan is None:
        return one
    if isinstance(plan, Leaf) and plan.how.kind is Kind.drop:
        return None
    return replace(one, type=masked_type(schema, one.type, plan))


def masked_type(schema: Schema, node: AnyType, plan: Plan | None) -> AnyType:
    """Return the type of masked values; null stays null.  Nothing in `plan` drops the whole value."""
    if plan is None:
        return node
    inner, nullable = nullability(schema, node)
    if isinstance(plan, Leaf):
        made = _of_leaf(inner, plan.how.kind)
        nullable = nullable or plan.how.kind is Kind.null
    elif isinstance(plan, OfRecord):
        assert isinstance(inner, Record)
        kept = ((one.name, field(schema, one, plan.fields.get(one.name))) for one in inner.fields)
        by_name = {name: one for name, one in kept if one is not None}
        made = replace(inner, fields=tuple(by_name.values()), by_name=MappingProxyType(by_name))
    elif isinstance(plan, OfItems):
        assert isinstance(inner, Array | Map)
        if isinstance(inner, Array):
            made = replace(inner, items=masked_type(schema, inner.items, plan.inner))
        else:
            made = replace(inner, values=masked_type(schema, inner.values, plan.inner))
    else:
        assert isinstance(inner, Union)
        return _of_union(schema, inner, plan)
    return optional(made) if nullable else made


def _of_union(schema: Schema, node: Union, plan: OfUnion) -> Union:
    number, branches = 0, []
    for one in node.branches:
        if one.type == "null":
            branches.append(one)
        else:
            branches.append(masked_type(schema, one, plan.branches.get(number)))
            number += 1
    return replace(node, branches=tuple(branches))


def _of_leaf(node: AnyType, kind: Kind) -> AnyType:
    if kind is Kind.null:
        return node
    return Primitive(node.document, node.pointer, NO_PROPS, "int" if kind is Kind.year else "string", None)


def optional(node: AnyType) -> AnyType:
    """Return the type with null among its values."""
    place = (node.document, node.pointer, NO_PROPS)
    branches = node.branches if isinstance(node, Union) else (node,)
    if any(one.type == "null" for one in branches):
        return node
    return Union(*place, branches=(Primitive(*place, "null", None), *branches))


def _label(node: AnyType) -> str:
    if isinstance(node, Union):
        return "a union of several types"
    return {"record": "a record", "array": "an array", "map": "a map"}.get(node.type, type_name(node))


def _instead(kind: Kind) -> str:
    hashed = "" if kind is Kind.hash else ", or hash"
    return f"mask it with drop, null or redact{hashed}; a rule for the field wins over one for its tag"
