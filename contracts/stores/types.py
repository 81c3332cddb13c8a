"""Avro types in tables: what is the same for every store, and what no store can hold.  Pure.

Each store has its own table of types in `columns.py`.  Types that contain others are JSON in most stores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Field,
    Map,
    Record,
    Reference,
    Schema,
    Union,
    children,
)
from avro_data_contracts.contracts.avro.shapes import decimal_digits, nullability, type_name

#: The most digits that a decimal of Spark has.
MOST_DIGITS: Final = 38
#: Fields of these types may be part of a primary key: all stores, and all readers of the topic, agree on whether two
#: of their values are equal.
KEYS: Final = frozenset(
    {
        "boolean", "int", "long", "string", "bytes", "enum", "fixed", "uuid", "date", "time-millis", "time-micros",
        "timestamp-millis", "timestamp-micros", "timestamp-nanos",
        "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos",
    }
)  # fmt: skip
#: Types that no store has a column for, and what to use instead.
REFUSED: Final = {
    "null": "give it a type besides null, or leave the field out",
    "big-decimal": "use decimal, which has its scale in the schema",
}


@dataclass(frozen=True)
class Problem:
    """Why no store can hold a field, and what to do."""

    what: str
    fix: str


def several(schema: Schema, node: Union) -> list[AnyType]:
    """Return the branches of a union besides null, with references followed."""
    return [schema.resolve(branch) for branch in node.branches if branch.type != "null"]


def merged(schema: Schema, node: Union) -> str:
    """Return the type that Spark uses for a union of two numbers; empty for every other union."""
    types = {branch.type for branch in several(schema, node)}
    return {frozenset({"int", "long"}): "long", frozenset({"float", "double"}): "double"}.get(frozenset(types), "")


def scalar(schema: Schema, node: AnyType) -> str:
    """Return the name of the one value that a field of the type `node` holds; empty if it holds several."""
    node, _ = nullability(schema, node)
    if isinstance(node, Union):
        return merged(schema, node)
    return "" if isinstance(node, Array | Map | Record) else type_name(node)


def is_key(schema: Schema, node: AnyType) -> bool:
    """Whether a field of the type `node` may be part of a primary key."""
    return scalar(schema, node) in KEYS


def problem(schema: Schema, field: Field) -> Problem | None:
    """Return why no store can hold the field, because of its type or one inside it; None if all can."""
    outer, _ = nullability(schema, field.type)
    if outer.type == "null" or (isinstance(outer, Union) and not several(schema, outer)):
        return _no_column("null")
    for node in _inside(schema, field.type):
        if found := _own_problem(schema, node):
            return found
    return None


def _inside(schema: Schema, root: AnyType) -> Iterator[AnyType]:
    """A type and everything inside it; each record once."""
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
    if name == "decimal" and (digits := decimal_digits(node)[0]) > MOST_DIGITS:
        return Problem(
            f"the decimal has {digits} digits, but Spark, which reads all records, has at most {MOST_DIGITS}",
            f"give it a precision of at most {MOST_DIGITS}, or store the number as a string",
        )
    if isinstance(node, Union) and merged(schema, node):
        logical = [type_name(one) for one in several(schema, node) if type_name(one) != one.type]
        if logical:
            what = f"Spark reads both types of a union in it as one number, and {logical[0]} is lost"
            return Problem(what, "use one field for each of them")
    return None


def _no_column(name: str) -> Problem:
    return Problem(f"no store has a column for the Avro type {name}", REFUSED[name])


def recursions(schema: Schema) -> Iterator[Reference]:
    """Yield the places where a record is used inside itself, because Spark has no recursive types."""
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
