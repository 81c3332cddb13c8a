"""Avro type -> the column that each store has for it, and what no store has a column for.  Pure.

`SCALARS` is the type table; docs/types.md shows it, and a test compares the two.  Everything that is put together of
other types is JSON: `jsonb` in PostgreSQL, and `text` with the same JSON in Cassandra, but for arrays and maps of
scalars that are never null, which Cassandra has collections for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.avro.nodes import AnyType, Array, Field, Map, Record, Reference, Schema, Union, children
from contracts.avro.shapes import nullability, type_name

#: Digits that Spark's decimal has at most.
MOST_DIGITS: Final = 38


@dataclass(frozen=True)
class ColumnType:
    """What one Avro type becomes.

    Attributes:
        cql, sql: the column's type as the store itself writes it; `{precision}` and `{scale}` are a decimal's.
        is_key: two values are one row's exactly when both stores, and everybody who reads the topic, say so: it may
            be part of a primary key.
        is_json: Cassandra's text is JSON.
    """

    cql: str
    sql: str
    is_key: bool = False
    is_json: bool = False


SCALARS: Final = {
    "boolean": ColumnType("boolean", "boolean"),
    "int": ColumnType("int", "integer", is_key=True),
    "long": ColumnType("bigint", "bigint", is_key=True),
    "float": ColumnType("float", "real"),
    "double": ColumnType("double", "double precision"),
    "string": ColumnType("text", "text", is_key=True),
    "bytes": ColumnType("blob", "bytea", is_key=True),
    "enum": ColumnType("text", "text", is_key=True),
    "fixed": ColumnType("blob", "bytea", is_key=True),
    "uuid": ColumnType("uuid", "uuid", is_key=True),
    "date": ColumnType("date", "date", is_key=True),
    # Cassandra's `timestamp` ends at milliseconds: what has more digits is a number there.
    "time-millis": ColumnType("time", "time without time zone"),
    "time-micros": ColumnType("time", "time without time zone"),
    "timestamp-millis": ColumnType("timestamp", "timestamp with time zone", is_key=True),
    "timestamp-micros": ColumnType("bigint", "timestamp with time zone"),
    "timestamp-nanos": ColumnType("bigint", "bigint"),
    "local-timestamp-millis": ColumnType("timestamp", "timestamp without time zone"),
    "local-timestamp-micros": ColumnType("bigint", "timestamp without time zone"),
    "local-timestamp-nanos": ColumnType("bigint", "bigint"),
    "decimal": ColumnType("decimal", "numeric({precision},{scale})"),
    "duration": ColumnType("duration", "interval"),
}
JSON: Final = ColumnType("text", "jsonb", is_json=True)
#: Types that no store has a column for, and what to use instead.
REFUSED: Final = {
    "null": "give it a type beside null, or leave the field out",
    "big-decimal": "use decimal, which says its scale in the schema",
}


@dataclass(frozen=True)
class Problem:
    """Why no store can hold a field, and what to do."""

    what: str
    mend: str


def several(schema: Schema, node: Union) -> list[AnyType]:
    """The branches of a union besides null, references followed."""
    return [schema.resolve(branch) for branch in node.branches if branch.type != "null"]


def merged(schema: Schema, node: Union) -> str:
    """The one type that Spark reads a union of two numbers as; empty for every other union."""
    types = {branch.type for branch in several(schema, node)}
    return {frozenset({"int", "long"}): "long", frozenset({"float", "double"}): "double"}.get(frozenset(types), "")


def of(schema: Schema, node: AnyType) -> ColumnType:
    """The column of a field of the type `node`, which has no `problem`."""
    node, _ = nullability(schema, node)
    if isinstance(node, Union):
        one = merged(schema, node)
        return SCALARS[one] if one else JSON
    if isinstance(node, Array | Map):
        item, nullable = nullability(schema, node.items if isinstance(node, Array) else node.values)
        # Cassandra has no null inside of a collection.  Frozen: else an empty one would be null.
        if nullable or type_name(item) not in SCALARS:
            return JSON
        kind = "list<{}>" if isinstance(node, Array) else "map<text, {}>"
        return ColumnType(f"frozen<{kind.format(_scalar(item).cql)}>", JSON.sql)
    return JSON if isinstance(node, Record) else _scalar(node)


def _scalar(node: AnyType) -> ColumnType:
    known = SCALARS[type_name(node)]
    if type_name(node) != "decimal":
        return known
    digits = {"precision": node.logical.precision, "scale": node.logical.scale}
    return ColumnType(known.cql, known.sql.format(**digits), known.is_key)


def problem(schema: Schema, field: Field) -> Problem | None:
    """Why no store can hold the field, because of its type or of one in it; None when both can."""
    outer, _ = nullability(schema, field.type)
    if outer.type == "null" or (isinstance(outer, Union) and not several(schema, outer)):
        return _no_column("null")
    for node in _inside(schema, field.type):
        if found := _own_problem(schema, node):
            return found
    return None


def _inside(schema: Schema, root: AnyType) -> Iterator[AnyType]:
    """A type and everything in it; each record once."""
    seen: set[str] = set()
    waiting: list[AnyType | Field] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Reference):
            node = schema.resolve(node)
        if isinstance(node, Record):
            if node.fullname in seen:
                continue
            seen.add(node.fullname)
        if not isinstance(node, Field):
            yield node
        waiting.extend(reversed(children(node)))


def _own_problem(schema: Schema, node: AnyType) -> Problem | None:
    name = type_name(node)
    if name == "big-decimal":
        return _no_column(name)
    if name == "decimal" and node.logical.precision > MOST_DIGITS:
        return Problem(
            f"a decimal of {node.logical.precision} digits, and Spark, which reads all records, has decimals of at "
            f"most {MOST_DIGITS}",
            f"give it a precision of at most {MOST_DIGITS}, or store the number as a string",
        )
    if isinstance(node, Union) and merged(schema, node):
        logical = [type_name(one) for one in several(schema, node) if type_name(one) != one.type]
        if logical:
            what = f"Spark reads both types of a union in it as one number, and {logical[0]} is lost"
            return Problem(what, "make it a field for each of them")
    return None


def _no_column(name: str) -> Problem:
    return Problem(f"no store has a column for the Avro type {name}", REFUSED[name])


def recursions(schema: Schema) -> Iterator[Reference]:
    """Where a record is used inside of itself: Spark has no such type."""
    done: set[str] = set()
    waiting: list[tuple[AnyType | Field, bool]] = [(schema.root, False)]
    open_: list[str] = []
    while waiting:
        node, inside_done = waiting.pop()
        if inside_done:
            done.add(open_.pop())
            continue
        if isinstance(node, Reference):
            if node.fullname in open_:
                yield node
                continue
            node = schema.resolve(node)
        if isinstance(node, Record):
            if node.fullname in done or node.fullname in open_:
                continue
            open_.append(node.fullname)
            waiting.append((node, True))
        waiting.extend((inner, False) for inner in reversed(children(node)))
