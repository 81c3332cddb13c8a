"""What a view makes of its contract's events: its columns with their types and sources, and what is wrong.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from avro_data_contracts.contracts.avro.nodes import AnyType, Record, Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.views import clauses, joins, references, refreshed, spark_types, statement
from avro_data_contracts.contracts.views.columns import Columns, Part
from avro_data_contracts.contracts.views.grouping import Grouping, Key, Reader
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.references import Data
from avro_data_contracts.contracts.views.refreshed import Refreshed, RowReader
from avro_data_contracts.contracts.views.results import Results
from avro_data_contracts.contracts.views.sources import LATEST, is_latest, name_of
from avro_data_contracts.contracts.views.sources import problems as source_problems
from avro_data_contracts.contracts.views.statement import Kind, Statement
from avro_data_contracts.contracts.views.watermark import problems as watermark_problems

#: A name that is also one of a field.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Output:
    """A column of a view's result.

    Attributes:
        sql: its expression, always written alike.
        spark: its type in Spark; empty if it is not certain.
        nullable: whether it may be null.
        node: its Avro type, if it is part of an event as it is.
        paths: the parts of an event that flow into it, each once.
        references: the columns of reference data that do, each once, with the name of the data.
        line, column: its 1-based place in the file.
    """

    name: str
    sql: str
    spark: str
    nullable: bool
    node: AnyType | None
    paths: tuple[str, ...]
    line: int
    column: int
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Analysis:
    """A view, read with the schema of its contract.

    Attributes:
        kind: None if the SQL cannot be read.
        outputs: its columns; if there are problems, perhaps not all.
        filtered: the parts of an event in WHERE, which decides whether it has a row.
        where: the condition, always written alike; empty for none.
        problems: in their order in the file.
        grouping: of an aggregation without problems.
        data: the reference data that it joins, by name.
        joins: each join with its condition, always written alike.
        matched: the parts of an event in the conditions of joins.
        filtering: the columns of reference data in WHERE, with the name of the data.
        is_latest: whether it reads one row for each key (`sources.is_latest`).
        refreshed: of an aggregation over such rows, without problems.
    """

    view: View
    kind: Kind | None
    outputs: tuple[Output, ...]
    filtered: tuple[str, ...]
    where: str
    problems: tuple[Problem, ...]
    grouping: Grouping | None = None
    data: Mapping[str, Data] = field(default_factory=dict)
    joins: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    filtering: tuple[tuple[str, str], ...] = ()
    is_latest: bool = False
    refreshed: Refreshed | None = None

    @property
    def groups(self) -> Mapping[str, int | None] | None:
        """Of an aggregation: column -> the number of the key that it is; None for a bound of the window."""
        of = self.grouping or self.refreshed
        return of.groups if of is not None else None

    @property
    def keys(self) -> tuple[Key, ...]:
        """What an aggregation groups by, besides a window."""
        of = self.grouping or self.refreshed
        return of.keys if of is not None else ()

    @property
    def sql(self) -> str:
        """The SQL for Spark, where `name.latest` would be a table in a schema."""
        return clauses.reading(self.view.sql, LATEST) if self.is_latest else self.view.sql

    @property
    def by_name(self) -> Mapping[str, Output]:
        return {one.name: one for one in self.outputs}


def analyse(contract: Contract, view: View) -> Analysis:
    """Read a view."""
    found = statement.parse(view.sql)
    if isinstance(found, Problem):
        return Analysis(view, None, (), (), "", (found,))
    schema = contract.rows.value.schema
    record = schema.resolve(schema.root)
    if not isinstance(record, Record):  # perhaps long ago
        what = "the value of the contract is not a record"
        return Analysis(
            view, None, (), (), "", (Problem(Rule.sql, what, "remove the view", *found.place(found.select)),)
        )
    problems = [*statement.refused(found), *source_problems(contract, view, found)]
    data, more = references.of(view)
    of_latest = is_latest(contract, found)
    own = LATEST if of_latest else name_of(contract)
    problems += [*more, *joins.problems(view, found, data, own)]
    tables = joins.joined(found, data)
    columns = Columns(found, schema, record, tables)
    problems += columns.problems(found.select)
    problems += joins.conditions(found, tables, schema, columns, Results(found, schema, columns))
    problems += joins.filters(found, data, columns)
    where = found.select.args.get("where")
    in_where = list(columns.inside(where)) if where is not None else []
    in_joins = [one for join in found.joins if join.on is not None for one in columns.inside(join.on)]
    condition = where.this.sql(dialect="spark") if where is not None else ""
    outputs: list[Output] = []
    reading = _Reading(found, schema, record, columns)
    for node in found.select.expressions:
        output = reading.output(node)
        if isinstance(output, Output):
            outputs.append(output)
        elif output is not None:
            problems.append(output)
    problems += _twice(outputs)
    grouping: Grouping | None = None
    of_rows: Refreshed | None = None
    problems += refreshed.header_problems(view, found, is_latest=of_latest)
    results = Results(found, schema, columns)
    if found.kind is Kind.aggregation and of_latest:
        of_rows, more = RowReader(found, schema, columns, results).read_rows()
        problems += [*more, *refreshed.uuid_problems(found, columns, data)]
    elif found.kind is Kind.aggregation:
        problems += watermark_problems(view, found, columns)
        grouping, more = Reader(found, schema, columns, results).read()
        problems += more
        if grouping is not None:
            outputs = [_of_group(grouping, schema, one) for one in outputs]
    if not problems:
        problems += reading.types(outputs)
    ordered = sorted(dict.fromkeys(problems), key=lambda one: (one.file, one.line, one.column))
    said = tuple(join.node.sql(dialect="spark") for join in found.joins)
    return Analysis(
        view,
        found.kind,
        tuple(outputs),
        _of_event(in_where),
        condition,
        tuple(ordered),
        grouping,
        data,
        said,
        _of_event(in_joins),
        _of_references(in_where),
        of_latest,
        of_rows,
    )


def _of_event(parts: Iterable[Part]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.path for one in parts if not one.reference))


def _of_references(parts: Iterable[Part]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((one.reference, one.path) for one in parts if one.reference))


class _Reading:
    def __init__(self, found: Statement, schema: Schema, record: Record, columns: Columns) -> None:
        self._statement = found
        self._schema = schema
        self._document = record.document
        self._columns = columns
        self._results = Results(found, schema, columns)

    def output(self, node: exp.Expr) -> Output | Problem | None:
        """Read a column; None if it is not one that has a name (`*`)."""
        inner = node.this if isinstance(node, exp.Alias) else node
        if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
            return None
        at = self._statement.place(node)
        name = node.alias if isinstance(node, exp.Alias) else ""
        if not name and isinstance(inner, exp.Column | exp.Dot):
            name = inner.output_name
        if not _NAME.fullmatch(name):
            if not name:
                return Problem(Rule.sql, f"{_short(node)} has no name", "name the column: … AS name", *at)
            what = f"{name!r} cannot be the name of a column"
            return Problem(Rule.sql, what, "use letters, digits and _, with a letter first", *at)
        result = self._results.of(inner)
        inside = list(self._columns.inside(node))
        paths, joined = _of_event(inside), _of_references(inside)
        sql = inner.sql(dialect="spark")
        return Output(name, sql, result.spark, result.nullable, result.node, paths, *at, references=joined)

    def types(self, outputs: list[Output]) -> Iterator[Problem]:
        """Yield the columns whose type is not certain, or is one that no store holds."""
        for one in outputs:
            at = one.line, one.column, one.name
            if not one.spark and one.node is not None:
                yield Problem(Rule.type, f"no store has a column for {one.name}", "leave it out of the view", *at)
            elif not one.spark:
                what = f"the type of {one.name} is not certain"
                yield Problem(Rule.type, what, f"say it: CAST({_short_text(one.sql)} AS …) AS {one.name}", *at)
            elif one.node is None and spark_types.computed(one.spark, self._document, ()) is None:
                fix = "CAST it to a type that a store holds, such as INT, BIGINT, STRING or TIMESTAMP"
                yield Problem(Rule.type, f"no store has a column for {one.name}, a computed {one.spark}", fix, *at)


def _of_group(grouping: Grouping, schema: Schema, one: Output) -> Output:
    """Return a column of an aggregation with its type, if it is a bound of the window."""
    if grouping.groups.get(one.name, 0) is not None:
        return one
    window = grouping.window
    return replace(one, spark=window.spark, nullable=False, node=window.bound(schema), paths=(window.time,))


def _twice(outputs: list[Output]) -> Iterator[Problem]:
    seen: set[str] = set()
    for one in outputs:
        if one.name.lower() in seen:
            what = f"the view has two columns {one.name}"
            yield Problem(Rule.sql, what, "give one of them another name with AS", one.line, one.column, one.name)
        seen.add(one.name.lower())


def _short(node: exp.Expr) -> str:
    return _short_text(node.sql(dialect="spark"))


def _short_text(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
