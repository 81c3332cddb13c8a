"""The joins of a view with reference data: each finds at most one row for an event.  Pure.

So a view with joins still has one row for each event, or adds each event up once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.views import spark_types
from avro_data_contracts.contracts.views.columns import Columns, Part
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.references import Data, line_of
from avro_data_contracts.contracts.views.results import Results
from avro_data_contracts.contracts.views.statement import Join, Statement, is_aggregate

_SHAPE = "write [LEFT] JOIN reference ON field = reference.key, with all columns of its key (docs/reference/views.md)"

_UNMASKED = "leave it out; or mask it in other stores than postgres"


def joined(found: Statement, data: Mapping[str, Data]) -> dict[str, Data]:
    """Return the reference data of each join that can be one, by its qualifier."""
    named = ((join.qualifier, ".".join(join.source)) for join in found.joins)
    return {qualifier: data[name] for qualifier, name in named if name in data}


def problems(view: View, found: Statement, data: Mapping[str, Data], own: str) -> Iterator[Problem]:
    """Yield what is wrong with the names and kinds of the joins.

    Args:
        data: the reference data that is in order.
        own: the name of the contract, as the SQL has it.
    """
    seen = set(found.qualifiers)
    for join in found.joins:
        at = found.place(join.node)
        if join.refused:
            yield Problem(Rule.kind, f"a view cannot have {join.refused}", _SHAPE, *at)
        named = ".".join(join.source)
        if join.qualifier in seen:
            what = f"two tables are called {join.qualifier}"
            yield Problem(Rule.sql, what, f"name this one: JOIN {named} AS …", *at)
        seen.add(join.qualifier)
        if join.source and named not in view.spec.reference:
            what = f"there is no reference data {named}: a view joins what `reference` in its header names"
            known = ", ".join(view.spec.reference)
            fix = f"reference data here: {known}" if known else f"add `-- reference: {{{named}: {{csv: …}}}}`"
            yield Problem(Rule.column, what, fix, *at)
    used = {".".join(join.source) for join in found.joins}
    for name in view.spec.reference:
        line = line_of(view, name)
        if name.lower() == own.lower():
            what = f"the reference data {name} has the name of the contract"
            yield Problem(Rule.reference, what, "give it another name", line, 1)
        elif name not in used:
            yield Problem(Rule.reference, f"the SQL does not join {name}", "join it, or remove it", line, 1)


def conditions(
    found: Statement, tables: Mapping[str, Data], schema: Schema, columns: Columns, results: Results
) -> Iterator[Problem]:
    """Yield what is wrong with the conditions of the joins.  `tables`: as in `joined`."""
    for join in found.joins:
        if join.on is not None and not join.refused and join.qualifier in tables:
            yield from _Condition(found, join, tables[join.qualifier], schema, columns, results).problems()


def filters(found: Statement, data: Mapping[str, Data], columns: Columns) -> Iterator[Problem]:
    """Yield the columns in WHERE whose values are masks where they are read."""
    where = found.select.args.get("where")
    if where is None:
        return
    inside = columns.inside(where)
    for name, path in dict.fromkeys((part.reference, part.path) for part in inside if part.reference):
        if (how := data[name].stored.get(path)) is not None:
            what = f"{name}.{path} is masked where it is read ({how}), and WHERE would look at its mask"
            yield Problem(Rule.mask, what, _UNMASKED, *found.place(where))


class _Condition:
    def __init__(
        self, found: Statement, join: Join, data: Data, schema: Schema, columns: Columns, results: Results
    ) -> None:
        self._statement = found
        self._join = join
        self._data = data
        self._schema = schema
        self._columns = columns
        self._results = results

    def problems(self) -> Iterator[Problem]:
        assert self._join.on is not None
        left, is_clear = set(self._data.key), True
        for one in _parts(self._join.on):
            pair = self._pair(one)
            if isinstance(pair, Problem):
                yield pair
                is_clear = False
                continue
            key, other = pair
            if key.path not in left:
                yield self._problem(one, f"{key.said} is compared twice", "compare each column of the key once")
            left.discard(key.path)
            if (how := self._data.stored.get(key.path)) is not None:
                what = f"{key.said} is masked where it is read ({how}), and no value of an event equals its mask"
                yield self._problem(one, what, _UNMASKED, Rule.mask)
            else:
                yield from self._of_types(key, other)
        if left and is_clear:
            names = [name for name in self._data.key if name in left]
            what = f"{self._data.name} may have several rows for an event: its key has {', '.join(names)} too"
            yield self._problem(self._join.node, what, f"add AND … = {self._join.qualifier}.{names[0]}")

    def _pair(self, one: exp.Expr) -> tuple[Part, exp.Expr] | Problem:
        """Return a column of the key, and what it is compared with."""
        if not isinstance(one, exp.EQ):
            text = one.sql(dialect="spark")
            what = f"{text}: a view joins on the key of {self._data.name}, by = and AND alone"
            return self._problem(one, what, "move a further condition to WHERE")
        for side, other in ((one.this, one.expression), (one.expression, one.this)):
            part = self._columns.part(_bare(side))
            if part is None or not self._is_own(_bare(side), part):
                continue
            if part.path not in self._data.key:
                key = ", ".join(self._data.key)
                what = f"{part.said} is not in the key of {self._data.name} ({key}): there may be several rows"
                return self._problem(side, what, "join on the key, or add the column to it")
            return self._against(part, other)
        what = f"neither side is a column of {self._data.name} alone"
        return self._problem(one, what, f"write field = {self._join.qualifier}.{self._data.key[0]}")

    def _against(self, key: Part, other: exp.Expr) -> tuple[Part, exp.Expr] | Problem:
        parts = list(self._columns.inside(other))
        if any(part.reference for part in parts):
            what = f"{other.sql(dialect='spark')} is of reference data, and a view joins its events with it"
            return self._problem(other, what, "compare with a field of the event")
        if not parts:
            what = f"{other.sql(dialect='spark')} is not a field of the event"
            return self._problem(other, what, "compare with a field, and move a constant to WHERE")
        if any(is_aggregate(node) for node in other.walk()):
            return self._problem(other, "an aggregate in ON, which looks at one event", "compare with a field")
        return key, other

    def _of_types(self, key: Part, other: exp.Expr) -> Iterator[Problem]:
        wanted, found = spark_types.of(self._data.schema, key.node), self._results.of(other).spark
        if found != wanted:
            text = other.sql(dialect="spark")
            kind = f"a {found}" if found else "of no certain type"
            what = f"{key.said} is a {wanted}, and {text} is {kind}: Spark would convert one of them"
            yield self._problem(other, what, f"write CAST({text} AS {wanted.upper()})", Rule.type)

    def _is_own(self, node: exp.Expr, part: Part) -> bool:
        """Whether a column is one of this join's, and not of another join of the same data."""
        qualifier = node.table.lower() if isinstance(node, exp.Column) else ""
        return part.reference == self._data.name and qualifier in ("", self._join.qualifier)

    def _problem(self, node: exp.Expr, what: str, fix: str, rule: Rule = Rule.kind) -> Problem:
        return Problem(rule, what, fix, *self._statement.place(node))


def _parts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what AND joins."""
    condition = _bare(condition)
    if isinstance(condition, exp.And):
        yield from _parts(condition.this)
        yield from _parts(condition.expression)
    else:
        yield condition


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node
