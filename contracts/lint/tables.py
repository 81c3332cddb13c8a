"""The functions of the lint rules about tables and keys.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

from collections.abc import Iterator

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import Field, Record
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.position import COORDINATES, EVENT_TIMESTAMP
from avro_data_contracts.contracts.stores.table import Refusal
from avro_data_contracts.contracts.tables import layout


def sink_types(scope: ContractScope) -> Iterator[Hit]:
    if scope.contract.sinks:
        yield from _refused(scope, layout.type_refusals(scope.contract.value.record, scope.value), "type")


def column_names(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        yield from _refused(scope, layout.name_refusals(scope.contract.value.record, sink), "name")


def column_counts(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        masked = plan.of(scope.contract.spec.masks, scope.value, sink.kind)
        store, record = store_of(sink), layout.with_nested(scope.contract.value.record, scope.value, sink, masked)
        refusals = (store.size_refusals, store.full_row_refusals)
        for one in (found for refused in refusals for found in refused(sink, record, scope.value)):
            yield scope.in_contract(["sinks", sink.kind], one.why, one.fix)


def sink_names(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        for one in store_of(sink).target_refusals(sink):
            yield scope.in_contract(["sinks", sink.kind, *one.at], one.why, one.fix)


def table_shapes(scope: ContractScope) -> Iterator[Hit]:
    for sink in scope.contract.sinks:
        wanted, told = layout.wanted(scope.contract, sink), list(store_of(sink).target_refusals(sink))
        for one in wanted if isinstance(wanted, tuple) else ():
            if one.at and one not in told:
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
        partition = store_of(sink).partition_of(sink)
        if partition and partition != COORDINATES and sink.appends and sink.stays_s is None:
            fields = [scope.contract.value.record.by_name[name] for name in partition if name in sink.key_fields]
            if EVENT_TIMESTAMP not in partition and not any(_is_time(scope, field) for field in fields):
                listed = ", ".join(partition)
                at = ["sinks", sink.kind, *sink.path_of(partition[0])[:1]]
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
            at: list[str | int] = ["sinks", sink.kind, *sink.path_of(name)]
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
        at = ["sinks", sink.kind, sink.path_of(sink.primary_key[0])[0]]
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
