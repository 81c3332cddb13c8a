"""The columns that a view names: which part of an event each one is.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from avro_data_contracts.contracts.avro.jsonpos import Document
from avro_data_contracts.contracts.avro.nodes import (
    NO_PROPS,
    AnyType,
    Array,
    Field,
    Logical,
    Map,
    Primitive,
    Record,
    Schema,
)
from avro_data_contracts.contracts.avro.nodes import Union as AvroUnion
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.references import Data
from avro_data_contracts.contracts.views.statement import Kind, Statement

_NOTHING: Final[Mapping[str, Data]] = MappingProxyType({})


@dataclass(frozen=True)
class Part:
    """A part of an event.

    Attributes:
        path: inside the value, as paths of consumers are written; or the name of a column with the event's position.
        node: its Avro type.
        nullable: whether it may be null, because something around it may be; also because of a LEFT JOIN.
        reference: the reference data that it is a column of; empty for a part of the event.
    """

    path: str
    node: AnyType
    nullable: bool
    reference: str = ""

    @property
    def said(self) -> str:
        """The path, with the name of the reference data."""
        return f"{self.reference}.{self.path}" if self.reference else self.path


def position(document: Document) -> dict[str, Part]:
    """Return the columns with the position of an event, which a view may name too."""
    at = (document, (), NO_PROPS)
    moment = Primitive(*at, "long", Logical("timestamp-millis"))
    types = {
        EVENT_TIMESTAMP: moment,
        EVENT_PARTITION: Primitive(*at, "int", None),
        EVENT_OFFSET: Primitive(*at, "long", None),
    }
    return {name: Part(name, node, False) for name, node in types.items()}


class Columns:
    """Finds the columns of a statement in the record of its contract's value, and in the reference data it joins.

    Args:
        joined: the reference data, by the qualifiers of the statement's joins.
    """

    def __init__(
        self, statement: Statement, schema: Schema, record: Record, joined: Mapping[str, Data] = _NOTHING
    ) -> None:
        self._statement = statement
        self._schema = schema
        self._record = record
        self._joined = joined
        self._left = {join.qualifier for join in statement.joins if join.is_left}
        self._fields = {field.name.lower(): field for field in record.fields}
        self._position = position(schema.document)
        self._found: dict[int, Part | Problem] = {}  # by the outermost node of each chain of names

    def of(self, statement: Statement) -> Columns:
        """Return those of another statement over the same record."""
        return Columns(statement, self._schema, self._record, self._joined)

    def part(self, node: exp.Expr) -> Part | None:
        """Return what a column, or a path such as `address.city`, is; None for anything else, or if nobody knows."""
        column = node
        while isinstance(column, exp.Dot):
            column = column.this
        if not isinstance(column, exp.Column):
            return None
        top, _ = _chain(column)
        found = self._of(column) if top is node else None
        return found if isinstance(found, Part) else None

    def inside(self, node: exp.Expr) -> Iterator[Part]:
        """Yield every part of an event that an expression uses."""
        for column in node.find_all(exp.Column):
            found = self._of(column)
            if isinstance(found, Part):
                yield found

    def problems(self, node: exp.Expr) -> Iterator[Problem]:
        """Yield the columns of an expression that are not part of an event."""
        for column in node.find_all(exp.Column):
            found = self._of(column)
            if isinstance(found, Problem) and not self._statement.is_refused(column):
                yield found

    def _of(self, column: exp.Column) -> Part | Problem | None:
        """None: `*`, of another table, or something that only an aggregation has."""
        if isinstance(column.this, exp.Star):
            return None
        top, names = _chain(column)
        if id(top) not in self._found:
            found = self._resolved(column, names)
            if found is None:
                return None
            self._found[id(top)] = found
        return self._found[id(top)]

    def _resolved(self, column: exp.Column, names: list[str]) -> Part | Problem | None:
        kind = self._statement.kind
        if len(names) > 1 and names[0].lower() in self._joined:
            return self._of_reference(column, names[0].lower(), names[1:])
        if len(names) > 1 and names[0].lower() in {join.qualifier for join in self._statement.joins}:
            return None  # the join is a problem
        is_qualified = len(names) > 1 and names[0].lower() in self._statement.qualifiers
        if is_qualified:
            names = names[1:]
        elif kind is Kind.aggregation and names[0].lower() in ("window", "session_window"):
            return None
        first = names[0].lower()
        if not is_qualified and (having := self._having(first)):
            if len(having) > 1:
                fix = f"write {' or '.join(f'{one}.{names[0]}' for one in having)}"
                return self._problem(column, f"{names[0]!r} is a column of several tables", fix)
            if having[0] in self._joined:
                return self._of_reference(column, having[0], names)
        elif not is_qualified and any(join.qualifier not in self._joined for join in self._statement.joins):
            return None  # it may be a column of what nobody knows
        if len(names) == 1 and first in self._position and first not in self._fields:
            return self._position[first]
        return self._inside(column, names)

    def _having(self, name: str) -> list[str]:
        """The qualifiers of the tables with a column of this name, in lower case."""
        own = [min(self._statement.qualifiers, default="")] if name in self._fields or name in self._position else []
        return [*own, *(one for one, data in self._joined.items() if _column(data, name) is not None)]

    def _of_reference(self, column: exp.Column, qualifier: str, names: list[str]) -> Part | Problem:
        data = self._joined[qualifier]
        field = _column(data, names[0].lower())
        if field is None:
            what = f"{data.name} has no column {names[0]!r}"
            return self._problem(column, what, f"columns: {', '.join(data.record.by_name)}")
        if len(names) > 1:
            what = f"{data.name}.{field.name} has no parts"
            return self._problem(column, what, f"end the path at {field.name}")
        return Part(field.name, field.type, qualifier in self._left, data.name)

    def _inside(self, column: exp.Column, names: list[str]) -> Part | Problem:
        fields, path, nullable = self._fields, "", False
        for number, name in enumerate(names):
            field = fields.get(name.lower())
            if field is None:
                known = [one.name for one in fields.values()] + ([] if path else list(self._position))
                near = get_close_matches(name, known, 1)
                what = f"{path or 'the value'} has no field {name!r}"
                fix = f"{f'write {near[0]}; ' if near else ''}fields: {', '.join(known)}"
                if not path and len(names) > 1 and (own := self._own_name(name)):
                    fix = f"write {own}.{'.'.join(names[1:])}, or give the source an alias: FROM … AS {name}"
                return self._problem(column, what, fix)
            path = f"{path}.{field.name}" if path else field.name
            node, may_be_null = nullability(self._schema, field.type)
            nullable = nullable or may_be_null
            if number == len(names) - 1:
                return Part(path, field.type, nullable)
            if not isinstance(node, Record):
                kind = _kind(node)
                fix = f"end the path at {path}" + (f", or write {path}[…]" if isinstance(node, Array | Map) else "")
                return self._problem(column, f"{path} is {kind}, and a path does not go into it", fix)
            fields = {one.name.lower(): one for one in node.fields}
        raise AssertionError("a column has a name")

    def _own_name(self, name: str) -> str:
        """The qualifier of the source, if a name is only the first part of its name."""
        source = self._statement.source
        is_first = len(source) > 1 and name.lower() == source[0].lower()
        return min(self._statement.qualifiers, default="") if is_first else ""

    def _problem(self, column: exp.Column, what: str, fix: str) -> Problem:
        return Problem(Rule.column, what, fix, *self._statement.place(column))


def _column(data: Data, name: str) -> Field | None:
    """The column of a reference with this name in lower case."""
    return next((one for one in data.record.fields if one.name.lower() == name), None)


def _kind(node: AnyType) -> str:
    if isinstance(node, AvroUnion):
        return "a union of several types"
    return "an array" if isinstance(node, Array) else "a map" if isinstance(node, Map) else type_name(node)


def _chain(column: exp.Column) -> tuple[exp.Expr, list[str]]:
    """The whole path that begins with a column, and its names."""
    top: exp.Expr = column
    names = [part.name for part in column.parts]
    while isinstance(parent := top.parent, exp.Dot) and parent.this is top:
        top = parent
        names.append(parent.expression.name)
    return top, names
