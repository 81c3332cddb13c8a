"""The second check of defaults, once every name of a schema is known.  Source: Avro 1.12.1, `SchemaResolver`.

While Avro reads a schema, a type that is not complete yet takes any object as its default.  Afterwards Avro copies
the schema, record by record, and checks each default again as it completes the copy of its record.  If a default
leads into a record whose copy is not complete at that moment, Avro refuses it, even where it would fit.  So the order
of the copies matters, and this module follows it.
"""

from __future__ import annotations

from typing import NamedTuple

from avro_data_contracts.contracts.avro.defaults import fits
from avro_data_contracts.contracts.avro.jsonpos import Pointer
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Field, Map, Record, Reference, Schema, Union
from avro_data_contracts.contracts.avro.slips import quoted, show
from avro_data_contracts.contracts.avro.trampoline import Step, run


class Fault(NamedTuple):
    """What is wrong, where, and how to fix it."""

    what: str
    pointer: Pointer
    fix: str


class _IncompleteError(Exception):
    """A default led into a record that is not complete yet."""


def check_resolved(schema: Schema) -> Fault | None:
    """The first default that fails the second check; None when all pass."""
    records = (named for named in schema.named.values() if isinstance(named, Record))
    if not any(isinstance(field.default, (dict, list)) for record in records for field in record.fields):
        return None
    found: Fault | None = run(_Copying(schema).everything())
    return found


class _Copying:
    """The order in which Avro copies a schema: which records it has begun, and which it has completed."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.begun: set[int] = set()
        self.complete: set[int] = set()

    def everything(self) -> Step:
        for start in [*self.schema.named.values(), self.schema.root]:
            fault = yield self._visit(start)
            if fault is not None:
                return fault
        return None

    def _visit(self, start: AnyType) -> Step:
        """One depth-first walk.  A record is on `waiting` twice: once to begin it, and once to complete it (True)."""
        visited: set[int] = set()
        waiting: list[tuple[AnyType, bool]] = [(start, False)]
        while waiting:
            node, inside_done = waiting.pop()
            if isinstance(node, Reference):
                # The types of other schemas have been copied before, so none of their references is open.
                if not node.forward or node.document is not self.schema.document:
                    waiting.append((self.schema.resolve(node), False))
                elif id(node) not in self.begun:
                    target = self.schema.resolve(node)
                    if id(target) not in self.begun:
                        fault = yield self._visit(target)
                        if fault is not None:
                            return fault
                    self.begun.add(id(node))
            elif inside_done:
                fault = self._finish(node)
                if fault is not None:
                    return fault
            elif id(node) not in visited:
                visited.add(id(node))
                waiting.extend(self._begin(node))
        return None

    def _begin(self, node: AnyType) -> list[tuple[AnyType, bool]]:
        """What to check for `node`, the next thing last."""
        if isinstance(node, Record):
            self.begun.add(id(node))
            return [(node, True), *((field.type, False) for field in reversed(node.fields))]
        if isinstance(node, Union):
            return [(branch, False) for branch in node.branches]
        if isinstance(node, Array):
            return [(node.items, False)]
        return [(node.values, False)] if isinstance(node, Map) else []

    def _finish(self, node: AnyType) -> Fault | None:
        if not isinstance(node, Record) or id(node) in self.complete:
            return None
        for field in node.fields:
            if field.has_default:
                fault = self._check(field)
                if fault is not None:
                    return fault
        self.complete.add(id(node))
        return None

    def _check(self, field: Field) -> Fault | None:
        what = f"the default {show(field.default)} of the field {quoted(field.name)}"
        # A default of another schema has no place in this text.
        at = (field.pointer, "default") if field.document is self.schema.document else ()
        try:
            if fits(field.type, field.default, self._known):
                return None
        except _IncompleteError as incomplete:
            fix = "make the field a union with null, with null as its default"
            return Fault(f"{what} leads into the recursive type {incomplete}", at, fix)
        return Fault(f"{what} does not fit its type", at, "use a default of the field's type")

    def _known(self, node: Reference | Record) -> AnyType | None:
        if isinstance(node, Record) and id(node) not in self.complete:
            raise _IncompleteError(node.fullname)
        return self.schema.resolve(node)
