"""An aggregation: what it groups by, and which parts of its values go from one batch to the next.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from sqlglot import Token, exp

from avro_data_contracts.contracts.avro.nodes import NO_PROPS, Logical, Primitive, Schema
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.views import clauses, division, durations, spark_types, statement
from avro_data_contracts.contracts.views.aggregates import CONTINUED
from avro_data_contracts.contracts.views.clauses import Call, Clauses
from avro_data_contracts.contracts.views.columns import Columns
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.results import Result, Results
from avro_data_contracts.contracts.views.statement import Statement, is_aggregate

WINDOW: Final = "window"
SESSION: Final = "session_window"
#: Spark makes as many rows of each event.
MOST_WINDOWS: Final = 1_000
_BOUNDS: Final = ("start", "end")
_NAMES: Final = frozenset(CONTINUED)


@dataclass(frozen=True)
class Window:
    """The window of an aggregation.

    Attributes:
        time, time_sql: the path of the time column, and the text that names it.
        spark: its type, `timestamp` or `timestamp_ntz`.
        unit: the Avro type of its bounds.
        is_session: whether it ends when no event has come for `size_ms`.
        size_ms, slide_ms, begin_ms: its length, the time between the starts of two, and where the first one starts.
        arguments: the text of its arguments behind the time.
        said: the call, in one form.
    """

    time: str
    spark: str
    unit: str
    is_session: bool
    size_ms: int
    slide_ms: int
    begin_ms: int
    time_sql: str
    arguments: str
    said: str

    def bound(self, schema: Schema) -> Primitive:
        """Return the type of its start and its end."""
        return Primitive(schema.document, (), NO_PROPS, "long", Logical(self.unit))


@dataclass(frozen=True)
class Key:
    """Something that a view groups by, besides the window.

    Attributes:
        sql: its text.
        said: its text in one form.
        computed: SQL that computes it: of two texts that are one value in a store, one.
    """

    sql: str
    said: str
    computed: str


@dataclass(frozen=True)
class Kept:
    """A column of the state.

    Attributes:
        said: what it is, in one form: two states whose columns say the same go on from each other.
        of_events: SQL that computes it from events.
        merge: SQL that computes it from those of the state and of a batch, which have its name.
        tries: as in `aggregates.Part`.
        spark: its type in Spark; empty if that is not certain.
        fields: the paths of the parts of an event that flow into it, each with its type in Spark.
    """

    name: str
    said: str
    of_events: str
    merge: str
    tries: bool
    spark: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grouping:
    """What an aggregation groups by and keeps.

    Attributes:
        source: the text of FROM, JOIN and WHERE; `where` in one form.
        joins: its joins in one form, if it has any.
        kept: the columns of the state, besides those of the group.
        values: the SQL of each column of the view, from `START`, `END`, the keys and the state.
        groups: column of the view -> the number of the key that it is; `None` for a bound of the window.
    """

    window: Window
    keys: tuple[Key, ...]
    source: str
    where: str
    kept: tuple[Kept, ...]
    values: tuple[str, ...]
    groups: dict[str, int | None]
    joins: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What decides which events are in a group."""
        joins = (self.joins,) if self.joins else ()
        return (self.window.said, *(key.said for key in self.keys), *joins, self.where)

    def has(self, bound: str) -> bool:
        """Return whether a column of the view is that bound of the window, `START` or `END`."""
        return any(value.startswith(f"`{bound}` AS ") for value in self.values)


START, END, EVENTS, NEWEST, TIME = "__start", "__end", "__events", "__newest", "__time"


def key_name(number: int) -> str:
    """Return the column of the state with a key."""
    return f"__key{number}"


class Reader:
    """Reads the grouping of a statement.  `refusing`: says that it cannot have an aggregate."""

    refusing: ClassVar = "the stream cannot continue {} from batch to batch"

    def __init__(self, found: Statement, schema: Schema, columns: Columns, results: Results) -> None:
        self._results = results
        self._statement = found
        self._schema = schema
        self._columns = columns
        self._problems: list[Problem] = []
        self._window: Window | None = None
        self._keys: list[Key] = []

    def read(self) -> tuple[Grouping | None, list[Problem]]:
        """Return the grouping, or what is wrong; a missing window is no problem here (`views.watermark`)."""
        select = self._statement.select
        if (parts := self._parts()) is None:
            return None, self._problems
        self._group(parts)
        if self._problems or self._window is None:
            return None, self._problems
        kept: dict[str, Kept] = {}
        values, groups = [], dict[str, int | None]()
        for tokens, node in zip(parts.items, select.expressions, strict=True):
            values.append(self._value(parts, tokens, node, kept, groups))
        where = select.args.get("where")
        said = self._said(clauses.condition(parts.source), parts.source) if where is not None else ""
        joins = self._said(clauses.joins(parts.source), parts.source)
        found = Grouping(
            self._window, tuple(self._keys), parts.source, said, tuple(kept.values()), tuple(values), groups, joins
        )
        return (None if self._problems else found), self._problems

    def _parts(self) -> Clauses | None:
        """Return the parts of the text, whose calls are checked; None if they are not those of an aggregation."""
        parts = clauses.of(self._statement.sql)
        select = self._statement.select
        if parts is None or len(parts.items) != len(select.expressions):
            self._problem(select, "an aggregation is written SELECT … FROM … WHERE … GROUP BY …", "write it so")
            return None
        self._check_calls(select)
        self._problems += division.problems(self._statement, self._results)
        return parts

    def _group(self, parts: Clauses) -> None:
        group = self._statement.select.args.get("group")
        if group is None:
            return
        if unusual := [name for name, part in group.args.items() if part and name != "expressions"]:
            self._problem(group, f"a view cannot GROUP BY {unusual[0].upper()}", "name the expressions")
            return
        if len(parts.keys) != len(group.expressions):
            self._problem(group, "the list of GROUP BY cannot be read", "write GROUP BY …, …")
            return
        for tokens, node in zip(parts.keys, group.expressions, strict=True):
            word = self._statement.word(node) if isinstance(node, exp.Func) else ""
            if word in (WINDOW, SESSION):
                self._read_window(parts, tokens, node, is_session=word == SESSION)
            elif isinstance(node, exp.Literal):
                self._problem(node, f"GROUP BY {node.name} is not a column", "write the expression")
            elif isinstance(node, exp.Cube | exp.Rollup | exp.GroupingSets):
                self._problem(node, "a view has one list of groups", "name the expressions")
            elif not any(True for _ in node.find_all(exp.Column)):
                self._problem(node, f"{parts.text(tokens)} is the same for all events", "leave it out")
            else:
                text = parts.text(tokens)
                computed = f"lower({text})" if self._is_uuid(self._results.of(node)) else text
                self._keys.append(Key(text, self._said(tokens, parts.sql), computed))

    def _read_window(self, parts: Clauses, tokens: Sequence[Token], node: exp.Anonymous, *, is_session: bool) -> None:
        arguments = node.expressions
        if self._window is not None:
            self._problem(node, "a view has one window", "write a view for each")
            return
        found = self._columns.part(arguments[0]) if arguments else None
        spark = spark_types.of(self._schema, found.node) if found is not None else ""
        if found is None or found.reference or spark not in ("timestamp", "timestamp_ntz"):
            what = (
                f"the window is over {parts.text(tokens[2:3]) or 'nothing'}, which is not a column with a timestamp"
            )
            self._problem(node, what, "name the time column of the header", Rule.watermark)
            return
        lengths = [durations.millis(one.name) if _is_text(one) else None for one in arguments[1:]]
        if not 1 <= len(lengths) <= (1 if is_session else 3) or None in lengths:
            fix = "write window(time, '1 hour'), or with a slide: window(time, '1 hour', '10 minutes')"
            fix = "write session_window(time, '30 minutes')" if is_session else fix
            self._problem(node, "the length of the window is not clear", fix)
            return
        size, slide, begin = (*(one or 0 for one in lengths), *(None, None, None))[:3]
        slide, begin = size if slide is None else slide, begin or 0
        assert size is not None
        assert slide is not None
        if not 0 < slide <= size or abs(begin) >= slide or size > slide * MOST_WINDOWS:
            what = "the window is longer than 0, its slide is not longer than it, and begins within one slide"
            fix = f"correct the times; an event may be in {MOST_WINDOWS:,} windows at most"
            self._problem(node, what, fix)
            return
        comma = next(i for i, one in enumerate(tokens) if one.token_type.name == "COMMA")
        time, rest = parts.text(tokens[2:comma]), parts.text(tokens[comma:-1])
        said = f"{self._statement.word(node)}({self._said(tokens[2:comma], parts.sql)}, {size}, {slide}, {begin})"
        # The bounds of other windows are whole milliseconds, which every store has; a session begins with an event.
        exact = type_name(nullability(self._schema, found.node)[0])
        unit = exact if is_session else f"{'local-' * (spark == 'timestamp_ntz')}timestamp-millis"
        self._window = Window(found.path, spark, unit, is_session, size, slide, begin, time, rest, said)

    def _value(
        self,
        parts: Clauses,
        tokens: tuple[Token, ...],
        node: exp.Expr,
        kept: dict[str, Kept],
        groups: dict[str, int | None],
    ) -> str:
        """Return the SQL of a column of the view; note which group it is, and what it keeps."""
        assert self._window is not None
        inner, name = clauses.named(node)
        tokens = clauses.unnamed(node, tokens)
        if (bound := self._bound_of(inner)) is not None:
            groups[name] = None
            return f"`{START if bound == 'start' else END}` AS `{name}`"
        said = self._said(tokens, parts.sql)
        for number, key in enumerate(self._keys):
            if key.said == said:
                groups[name] = number
                return f"`{key_name(number)}` AS `{name}`"
        self._check_columns(inner)
        value = parts.replaced(tokens, _NAMES, lambda call: self._kept(call, kept))
        return f"{value}\nAS `{name}`"

    def _check_columns(self, value: exp.Expr) -> None:
        for column in value.find_all(exp.Column):
            if not isinstance(column.this, exp.Star) and not self._is_inside(column, value):
                what = f"{column.sql(dialect='spark')} is neither in GROUP BY, written alike, nor in an aggregate"
                self._problem(column, what, "group by the whole expression, or aggregate it")

    @property
    def _word(self) -> str:
        return SESSION if self._window is not None and self._window.is_session else WINDOW

    def _bound_of(self, node: exp.Expr) -> str | None:
        """`start` or `end` if a node is that of the window."""
        if isinstance(node, exp.Dot) and self._is_window(node.this) and node.expression.name.lower() in _BOUNDS:
            return str(node.expression.name.lower())
        if isinstance(node, exp.Column) and node.table.lower() == self._word and node.name.lower() in _BOUNDS:
            return str(node.name.lower())
        return None

    def _is_window(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.Column):
            return node.name.lower() == self._word and not node.table
        if not isinstance(node, exp.Anonymous) or self._statement.word(node) != self._word:
            return False
        arguments = node.expressions
        part = self._columns.part(arguments[0]) if arguments else None
        lengths = [durations.millis(one.name) if _is_text(one) else None for one in arguments[1:]]
        assert self._window is not None
        same = (self._window.size_ms, self._window.slide_ms, self._window.begin_ms)[: len(lengths)]
        if part is None or part.path != self._window.time or tuple(lengths) != same:
            self._problem(node, "the view groups by another window", "write the one of GROUP BY")
        return True

    def _kept(self, call: Call, kept: dict[str, Kept]) -> str:
        """Return the SQL of an aggregate, from the columns of the state that it needs, which are added."""
        found = CONTINUED[call.name]
        text = f"{call.name}({call.arguments}){call.filter}"
        said = self._said(clauses.tokens(text), text)
        begin = list(kept).index(first) if (first := f"{said} #0") in kept else len(kept)
        names = [f"`__kept{begin + number}`" for number in range(len(found.parts))]
        for number, part in enumerate(found.parts):
            of_events = part.of_events.format(of=call.arguments, filter=call.filter)
            result, fields = self._read_apart(of_events)
            if self._is_uuid(result):  # min, max
                of_events = part.of_events.format(of=f"lower({call.arguments})", filter=call.filter)
            name, merge = names[number].strip("`"), part.merge.format(*names)
            one = Kept(name, f"{said} #{number}", of_events, merge, part.tries, result.spark, fields)
            kept.setdefault(one.said, one)
        return f"({found.value.format(*names)})"

    def _read_apart(self, text: str) -> tuple[Result, tuple[tuple[str, str], ...]]:
        """Return the result of an expression, and the parts of an event in it, each with its type."""
        found = statement.parse(f"SELECT {text} FROM {self._statement.source[-1]}")  # noqa: S608 - only read
        if isinstance(found, Problem):
            return Result(), ()
        same = self._statement
        found = replace(found, kind=same.kind, qualifiers=same.qualifiers, joins=same.joins)
        columns = self._columns.of(found)
        (node,) = found.select.expressions
        inside = {part.said: spark_types.of(self._schema, part.node) for part in columns.inside(node)}
        return Results(found, self._schema, columns).of(node), tuple(inside.items())

    def _is_uuid(self, result: Result) -> bool:
        """Whether it is a text of hex digits, which the stores read in any case."""
        if result.node is None:
            return False
        node, _ = nullability(self._schema, result.node)
        return type_name(node) == "uuid" and node.type == "string"

    def _check_calls(self, select: exp.Select) -> None:
        where = select.args.get("where")
        for node in select.walk():
            if not is_aggregate(node):
                continue
            word = self._statement.word(node) or node.key
            if word not in CONTINUED:
                fix = f"use one of these: {', '.join(CONTINUED)}"
                self._problem(node, self.refusing.format(word), fix, Rule.kind)
            elif node.find_ancestor(exp.Where) is where and where is not None:
                self._problem(node, f"{word} in WHERE, which looks at one event", "move it to SELECT")
            elif any(is_aggregate(one) for one in _around(node, select)):
                self._problem(node, f"{word} is inside another aggregate", "aggregate once")
            elif word in ("avg", "mean") and not self._results.of(node).spark:
                argument = _arguments(node)
                what = f"{word} is computed in binary, and {argument} is not certain to be such a number"
                exact = f"CAST(sum({argument}) / count({argument}) AS DECIMAL(…))"
                fix = f"write {exact}, or {word}(CAST({argument} AS DOUBLE))"
                self._problem(node, what, fix, Rule.type)

    def _is_inside(self, node: exp.Expr, top: exp.Expr) -> bool:
        """Whether a node is inside an aggregate, or its FILTER."""
        return any(is_aggregate(one) or isinstance(one, exp.Filter) for one in _around(node, top))

    def _said(self, tokens: Sequence[Token], sql: str) -> str:
        return clauses.said(tokens, sql, self._statement.qualifiers)

    def _problem(self, node: exp.Expr, what: str, fix: str, rule: Rule = Rule.sql) -> None:
        self._problems.append(Problem(rule, what, fix, *self._statement.place(node)))


def _around(node: exp.Expr, top: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what a node is inside of, up to another one, which is included."""
    while node is not top and node.parent is not None:
        node = node.parent
        yield node


def _arguments(node: exp.Expr) -> str:
    """Return the arguments of a call, for messages."""
    return node.sql(dialect="spark").partition("(")[2].removesuffix(")")


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string
