"""The functions of the lint rules about types and defaults.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from avro_data_contracts.contracts.avro.defaults import fits
from avro_data_contracts.contracts.avro.logical import BASES, max_precision, nearest
from avro_data_contracts.contracts.avro.nodes import (
    MISSING,
    AnyType,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    Union,
)
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.avro.slips import show
from avro_data_contracts.contracts.avro.trampoline import Step
from avro_data_contracts.contracts.avro.trampoline import run as trampoline
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.lint.scope import Hit, Scope


def duplicate_keys(scope: Scope) -> Iterator[Hit]:
    for subject in scope.subjects:
        for one in subject.schema.document.duplicates:
            message = f"an object has the key {one.key!r} twice, and only the last one counts"
            yield Hit(message, "", subject.file, one.line, one.column, "", subject.name)


def default_of_first_branch(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        node = field.type
        if isinstance(node, Union) and field.has_default and node.branches:
            first = node.branches[0]
            if not fits(first, field.default, subject.schema.resolve):
                what = f"the default {show(field.default)} does not have the union's first type, {first.label}"
                yield scope.at(subject, field, "default", what)


def nullable_order(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        if isinstance(field.type, Union):
            types = [branch.type for branch in field.type.branches]
            if "null" in types[1:] and not (field.has_default and field.default is not None):
                yield scope.at(subject, field, "type", "null is not the union's first type")


def nullable_default(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        if isinstance(field.type, Union) and not field.has_default:
            types = [branch.type for branch in field.type.branches]
            if types[:1] == ["null"]:
                yield scope.at(subject, field, "name", f"{field.name!r} may be null, but is not optional")


def enum_default(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.named:
        if isinstance(node, Enum) and node.default is None and subject.role != "key":
            yield scope.at(subject, node, "name", f"the enum {node.fullname} has no default")


def default_symbol(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        for node, value in _defaults(subject, field):
            if isinstance(node, Enum) and value not in node.symbols:
                yield scope.at(subject, field, "default", f"{show(value)} is not a symbol of {node.fullname}")


def default_bytes(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        for node, value in _defaults(subject, field):
            if isinstance(node, Fixed) and len(value) != node.size:
                what = f"the default has {len(value)} bytes, and {node.fullname} has {node.size}"
                yield scope.at(subject, field, "default", what)
            elif (isinstance(node, Fixed) or node.type == "bytes") and any(one > "\xff" for one in value):
                yield scope.at(subject, field, "default", "the default has a character that is not a byte")


def default_uuid(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        for node, value in _defaults(subject, field):
            if isinstance(node, Primitive) and type_name(node) == "uuid" and not _is_uuid(value):
                yield scope.at(subject, field, "default", f"the default {show(value)} is not a UUID")


def _is_uuid(value: str) -> bool:
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _defaults(subject: Subject, field: Field) -> list[tuple[AnyType, Any]]:
    """Each value inside a field's default, except containers, with the type that it is read as."""
    found: list[tuple[AnyType, Any]] = []
    if field.has_default and field.default is not None:
        trampoline(_into(subject, field.type, field.default, found))
    return found


def _into(subject: Subject, node: AnyType, value: Any, found: list[tuple[AnyType, Any]]) -> Step:
    node = subject.schema.resolve(node)
    if isinstance(node, Union):
        branch = next((one for one in node.branches if fits(one, value, subject.schema.resolve)), None)
        if branch is not None:
            yield _into(subject, branch, value, found)
    elif isinstance(node, Array) and isinstance(value, list):
        for item in value:
            yield _into(subject, node.items, item, found)
    elif isinstance(node, Map) and isinstance(value, dict):
        for item in value.values():
            yield _into(subject, node.values, item, found)
    elif isinstance(node, Record) and isinstance(value, dict):
        for field in node.fields:
            inner = value.get(field.name, MISSING)
            if inner is not MISSING:
                yield _into(subject, field.type, inner, found)
    elif isinstance(value, str):
        found.append((node, value))


def logical_types(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.nodes:
        # Nobody reads such an attribute of the field itself.
        if "logicalType" in node.props and getattr(node, "logical", None) is None:
            what, fix = _ignored(node)
            yield scope.at(subject, node, "logicalType", what, fix)


def _ignored(node: Field | AnyType) -> tuple[str, str]:
    name = node.props["logicalType"]
    if isinstance(node, Field):
        return (
            f"logicalType {show(name)} is on the field, where nobody reads it",
            'put it on the type itself: "type": {"type": …, "logicalType": …}',
        )
    if name not in BASES:
        near = nearest(str(name))
        return f"the logical type {show(name)} does not exist", f"write {near!r}" if near else "remove it"
    if name == "decimal" and node.type in ("bytes", "fixed"):
        limit = f", at most {max_precision(node.size)} for its size" if isinstance(node, Fixed) else ""
        return (
            "this decimal has a wrong precision or scale, so it is ignored and read as plain bytes",
            f"use a whole precision above 0{limit}, and a scale from 0 to the precision",
        )
    base = "bytes or fixed" if name == "decimal" else BASES[name]
    return f"logicalType {name} on {node.type} is ignored", f"use it on {base}"
