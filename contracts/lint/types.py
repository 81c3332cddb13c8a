"""The functions of the lint rules about types, defaults and stores.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from avro_data_contracts.contracts.avro import shapes
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
    Schema,
    Union,
)
from avro_data_contracts.contracts.avro.paths import follow, without_labels
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.avro.slips import show
from avro_data_contracts.contracts.avro.trampoline import Step
from avro_data_contracts.contracts.avro.trampoline import run as trampoline
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.catalog.findings import Severity
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit, Scope
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.position import EVENT_TIMESTAMP, PLACE
from avro_data_contracts.contracts.stores.table import Refusal
from avro_data_contracts.contracts.tables import layout


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


def sink_types(scope: ContractScope) -> Iterator[Hit]:
    if scope.contract.sinks:
        yield from _refused(scope, layout.type_refusals(scope.contract.value.record, scope.value), "type")


def column_names(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        yield from _refused(scope, layout.name_refusals(scope.contract.value.record, sink), "name")


def column_counts(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        store, record = store_of(sink), layout.with_nested(scope.contract.value.record, scope.value, sink)
        refusals = (store.size_refusals, store.full_row_refusals)
        for one in (found for refused in refusals for found in refused(record, scope.value)):
            yield scope.in_contract(["sinks", sink.kind], one.why, one.fix)


def sink_names(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        for key, one in store_of(sink).place_refusals(sink):
            yield scope.in_contract(["sinks", sink.kind, key], one.why, one.fix)


def table_shapes(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        wanted = layout.wanted(scope.contract, sink)
        for one in wanted if isinstance(wanted, tuple) else ():
            if one.at:
                yield scope.in_contract(["sinks", sink.kind, *one.at], one.why, one.fix)


def times_to_live(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        others = [other for other in scope.contract.sinks if other.stays_s is None]
        if sink.stays_s is not None and others:
            listed = ", ".join(f"{store_of(other).title} {other.qualified}" for other in others)
            yield scope.in_contract(
                ["sinks", sink.kind, "ttl"], f"rows go from {sink.qualified} after their time, and stay in {listed}"
            )


def growing_partitions(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        if sink.appends and store_of(sink).partitions and sink.partition[-1] not in PLACE and sink.stays_s is None:
            fields = [scope.contract.value.record.by_name[name] for name in sink.partition if name in sink.key_fields]
            if EVENT_TIMESTAMP not in sink.partition and not any(_is_time(scope, field) for field in fields):
                listed = ", ".join(sink.partition)
                at = ["sinks", sink.kind, *sink.place_of(sink.partition[0])[:1]]
                yield scope.in_contract(at, f"each event adds a row to the partition of its {listed}, for ever")


def _is_time(scope: ContractScope, field: Field) -> bool:
    name = type_name(shapes.nullability(scope.value, field.type)[0])
    return name == "date" or "timestamp" in name


def _refused(scope: ContractScope, refusals: Iterator[Refusal], attribute: str) -> Iterator[Hit]:
    """One hit per field, at that attribute of it."""
    for one in refusals:
        field = scope.contract.value.record.by_name[one.column]
        yield scope.at(scope.contract.value, field, attribute, one.why, one.fix)


def recursive_types(scope: ContractScope) -> Iterator[Hit]:
    if not scope.contract.sinks:
        return
    for node in types.recursions(scope.value):
        what = f"{node.fullname} contains itself, and Spark has no recursive types"
        yield scope.at(scope.contract.value, node, "", what)


def primary_keys(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        for index, name in enumerate(sink.key_fields):
            at: list[str | int] = ["sinks", sink.kind, *sink.place_of(name)]
            if name in sink.key_fields[:index]:
                twice = [*at[:3], index] if at[2] == "primary_key" else at
                yield scope.in_contract(twice, f"the primary key names {name!r} twice", "name it once")
            field = scope.contract.value.record.by_name[name]
            if types.problem(scope.value, field) is None and not types.is_key(scope.value, field.type):
                kind = type_name(shapes.nullability(scope.value, field.type)[0])
                what = f"{name!r}, {'an' if kind[0] in 'aeiou' else 'a'} {kind}, is part of the primary key"
                yield scope.in_contract(at, what, f"use a field of another type: {', '.join(sorted(types.KEYS))}")


def partition_keys(scope: ContractScope) -> Iterator[Hit]:
    contract = scope.contract
    for sink in contract.sinks:
        if sink.appends:  # a row has one event
            continue
        at = ["sinks", sink.kind, sink.place_of(sink.primary_key[0])[0]]
        if contract.key is None:
            yield scope.in_contract(at, "the topic has no key schema, so events of one row come from any partition")
            continue
        schema = contract.key.schema
        root = schema.resolve(schema.root)
        names = [field.name for field in root.fields] if isinstance(root, Record) else []
        extra = [name for name in names if name not in sink.primary_key]
        if extra:
            listed = ", ".join(extra)
            yield scope.in_contract(
                at, f"the record key has {listed}, which is not in the primary key, so one row has several partitions"
            )


def consumer_fields(scope: ContractScope) -> Iterator[Hit]:
    for number, consumer in enumerate(scope.contract.spec.consumers):
        for index, path in enumerate(consumer.fields):
            found = follow(scope.value, path)
            if found.places:
                continue
            keys: list[str | int] = ["consumers", number, "fields", index]
            if others := _in_other_types(scope.value, path):
                what = f"{consumer.name} reads {path!r}, but only {few(others)} is in the value"
                fix = "remove it when the consumer no longer reads it"
                yield scope.in_contract(keys, what, fix, Severity.warning)
                continue
            near = get_close_matches(path, found.choices, 1)
            fix = f"write {near[0]}" if near else f"name a field of the value, or remove it{_choices(found.choices)}"
            what = f"{consumer.name} reads {path!r}, which is not in the value"
            yield scope.in_contract(keys, what, fix)


def _in_other_types(schema: Schema, path: str) -> tuple[str, ...]:
    """Where a path leads through other types of the unions on it, if these have the types that it names."""
    plain = without_labels(path)
    if plain == path or not all(follow(schema, path[: mark.end()]).places for mark in re.finditer(r"\)", path)):
        return ()
    return tuple(follow(schema, plain).places)


def _choices(paths: tuple[str, ...]) -> str:
    return f" (there are {few(paths, 5)})" if paths else ""
