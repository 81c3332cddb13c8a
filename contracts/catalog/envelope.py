"""Debezium's envelope around a row: what a record of it has to have, and the schemas that come out of it.  Pure.

Debezium writes each change of a row as a record with the row `before` and `after`, the operation (`op`), and where
the change is from.  The envelope is what is registered; the row in `after` is what tables, rules and consumers see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from avro_data_contracts.contracts.avro import connect, shapes
from avro_data_contracts.contracts.avro.nodes import Node, Record, Schema

AFTER, BEFORE, OP = "after", "before", "op"
#: Operations that leave a row in `after`: create, update, and read (by a snapshot).
WRITES: Final = ("c", "u", "r")
DELETE, TRUNCATE, MESSAGE = "d", "t", "m"
#: What stands for a long value that an update did not change and the database did not log.
UNAVAILABLE: Final = "__debezium_unavailable_value"


@dataclass(frozen=True)
class Flaw:
    """Why a schema is not an envelope.  `node`: the place of the flaw."""

    node: Node
    what: str
    fix: str


def flaw(schema: Schema) -> Flaw | None:
    """What keeps a schema from being Debezium's envelope; None if nothing does."""
    root = schema.resolve(schema.root)
    fix = "name the schema that Debezium registers, or remove `envelope:`"
    if not isinstance(root, Record):
        return Flaw(root, f"the value is not a Debezium envelope: it is {root.label}, and not a record", fix)
    if missing := [name for name in (BEFORE, AFTER, OP) if name not in root.by_name]:
        if "__op" in root.by_name or "__deleted" in root.by_name:
            fix = "remove `envelope:`, because ExtractNewRecordState has taken the rows out of their envelopes"
        return Flaw(root, f"the value is not a Debezium envelope: it has no {' and no '.join(missing)}", fix)
    row, nullable = shapes.nullability(schema, root.by_name[AFTER].type)
    if not isinstance(row, Record) or not nullable:
        what = f"the value is not a Debezium envelope: {AFTER} has to be null or a record"
        return Flaw(root.by_name[AFTER], what, fix)
    if shapes.nullability(schema, root.by_name[OP].type)[0].type != "string":
        return Flaw(root.by_name[OP], f"the value is not a Debezium envelope: {OP} has to be a string", fix)
    return None


def is_one(schema: Schema) -> bool:
    """Whether it is the schema of an envelope."""
    return flaw(schema) is None


def row(schema: Schema) -> Schema:
    """The schema of the rows in an envelope, with logical types in place of the names of Debezium's types."""
    found = connect.typed(schema)
    root = found.resolve(found.root)
    assert isinstance(root, Record)  # otherwise it is no envelope
    inner, _ = shapes.nullability(found, root.by_name[AFTER].type)
    return replace(found, root=inner)


def reader(schema: Schema) -> Schema:
    """The schema to read an envelope with: only its operation and the row after it.

    `before` is not complete (REPLICA IDENTITY DEFAULT leaves out all but the key), `source` and the rest change with
    each version of Debezium, and no row is made of them.
    """
    found = connect.typed(schema)
    root = found.resolve(found.root)
    assert isinstance(root, Record)  # otherwise it is no envelope
    fields = tuple(field for field in root.fields if field.name in (AFTER, OP))
    kept = replace(root, fields=fields, by_name=MappingProxyType({field.name: field for field in fields}))
    return replace(found, root=kept, named=MappingProxyType({**found.named, kept.fullname: kept}))
