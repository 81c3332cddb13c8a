"""The statement of a view: parsed, its kind told, and everything refused that no view can have.  Pure.

This module and those above it load sqlglot, so only who has a view loads them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import ParseError, SqlglotError

from avro_data_contracts.contracts.views import spark_functions
from avro_data_contracts.contracts.views.problem import Problem, Rule

# It would print what it cannot parse; that is a problem here, with its place.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


class _Spark(Spark):
    """Spark's SQL, where `window` is also the name of a function: sqlglot takes `GROUP BY window(…)` for WINDOW."""

    class Tokenizer(Spark.Tokenizer):
        KEYWORDS: ClassVar = {word: kind for word, kind in Spark.Tokenizer.KEYWORDS.items() if word != "WINDOW"}


#: That of every view.
DIALECT: Final = _Spark

_SHAPE: Final = "a view is one statement: SELECT … FROM the contract, with a WHERE if it needs one"


class Kind(StrEnum):
    """What a view does with events."""

    projection = "projection"
    aggregation = "aggregation"


@dataclass(frozen=True)
class Join:
    """A JOIN.

    Attributes:
        node: all of it.
        source: the name of what is joined, in its parts; empty if it is something else than a name.
        qualifier: the name in front of its columns, in lower case.
        is_left: whether it is a LEFT JOIN.
        on: its condition; None if it has none.
        refused: what no view can have in it, in words; empty for nothing.
    """

    node: exp.Expr
    source: tuple[str, ...]
    qualifier: str
    is_left: bool
    on: exp.Expr | None
    refused: str


@dataclass(frozen=True)
class Statement:
    """A view's SELECT.

    Attributes:
        sql: the text that the places in `select` are about.
        source: the name in FROM, in its parts; empty if there is none.
        qualifiers: names in front of a column that mean the contract's own records, in lower case.
        joins: in their order.
    """

    sql: str
    select: exp.Select
    kind: Kind
    source: tuple[str, ...]
    qualifiers: frozenset[str]
    joins: tuple[Join, ...] = ()

    def place(self, node: exp.Expr) -> tuple[int, int]:
        """Return the 1-based line and column where a part of the statement begins."""
        starts = [one.meta["start"] for one in node.walk() if "start" in one.meta]
        return place_of(self.sql, min(starts)) if starts else first_place(self.sql)

    def word(self, node: exp.Expr) -> str:
        """Return the name of a function as the text has it, in lower case; empty if it has none."""
        meta = node.meta
        if "start" not in meta:  # a function with a syntax of its own
            names = node.sql_names() if isinstance(node, exp.Func) else []
            return next((name.lower() for name in names if name.lower() in spark_functions.KNOWN), "")
        word = self.sql[meta["start"] : meta["end"] + 1].lower()
        return word if re.fullmatch(r"[a-z_][a-z0-9_]*", word) else ""

    def is_refused(self, node: exp.Expr) -> bool:
        """Return whether a node is in a clause that no view can have, which is told as a whole."""
        while node.parent is not None and node.parent is not self.select:
            node = node.parent
        return node.parent is not None and node.arg_key not in _ALLOWED[self.kind]


def with_column(sql: str, column: str) -> str:
    """Return a view's SQL with a further column in front of the others; the rest of the text stays as it is."""
    select = next(one for one in sqlglot.tokenize(sql, dialect=DIALECT) if one.token_type.name == "SELECT")
    return f"{sql[: select.end + 1]} {column},{sql[select.end + 1 :]}"


def place_of(sql: str, offset: int) -> tuple[int, int]:
    """Return the 1-based line and column of an offset."""
    return sql.count("\n", 0, offset) + 1, offset - sql.rfind("\n", 0, offset)


def first_place(sql: str) -> tuple[int, int]:
    """Return the place of the first character that is not blank."""
    return place_of(sql, len(sql) - len(sql.lstrip())) if sql.strip() else (1, 1)


def parse(sql: str) -> Statement | Problem:
    """Parse the SQL of a view; a problem if it is not one SELECT."""
    line, column = first_place(sql)
    try:
        found = [one for one in sqlglot.parse(sql, dialect=DIALECT) if one is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        near = str(first.get("highlight") or "").strip()
        # sqlglot's column is where the word ends.
        at = first.get("line") or line, max(1, int(first.get("col") or column) - max(0, len(near) - 1))
        words = re.sub(r"<Token .*", "the end", str(first.get("description", "it does not parse")))
        what = f"not SQL: {words.rstrip('. ')}" + (f", near {near!r}" if near else "")
        return Problem(Rule.sql, what, "correct the SQL", *at)
    except (SqlglotError, RecursionError) as error:  # a text or comment without an end; nested too deep
        words = "it is nested too deep" if isinstance(error, RecursionError) else "a quote or a comment has no end"
        return Problem(Rule.sql, f"not SQL: {words}", "correct the SQL", line, column)
    if not found:
        return Problem(Rule.sql, "the view has no SELECT", _SHAPE, line, column)
    if len(found) > 1 or not isinstance(found[0], exp.Select):
        what = f"it has {len(found)} statements" if len(found) > 1 else "it is not a SELECT"
        return Problem(Rule.sql, what, _SHAPE, line, column)
    select = found[0]
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    source = _name_of(table)
    qualifiers = {table.alias.lower()} if table is not None and table.alias else {one.lower() for one in source[-1:]}
    joins = tuple(map(_join, select.args.get("joins") or ()))
    return Statement(sql, select, _kind(select), source, frozenset(qualifiers), joins)


def _join(node: exp.Join) -> Join:
    table = node.this
    source = _name_of(table)
    said = [str(node.args.get(name) or "").upper() for name in ("method", "side", "kind")]
    words = " ".join(word for word in said if word)
    usual = ("", "INNER", "LEFT", "LEFT OUTER")
    refused = "" if words in usual else f"{words} JOIN"
    if not source:
        refused = refused or "a JOIN of something else than a name"
    elif node.args.get("using"):
        refused = refused or "USING"
    elif isinstance(node.args.get("on"), exp.Boolean | None):  # TRUE, where the text has none
        refused = refused or "a JOIN without a condition"
    elif unusual := {name for name, part in node.args.items() if part} - {"this", "on", "side", "kind"}:
        refused = refused or min(unusual).upper()
    elif isinstance(table, exp.Table):
        refused = refused or _beside(table)
    qualifier = (table.alias or "".join(source[-1:])).lower()
    return Join(node, source, qualifier, "LEFT" in said, node.args.get("on"), refused)


def _name_of(table: exp.Expr | None) -> tuple[str, ...]:
    """The parts of the name of a table; none if it is something else."""
    if not isinstance(table, exp.Table) or not _plain(table):
        return ()
    return tuple(part.name for part in table.parts)


def _beside(table: exp.Table) -> str:
    """What a view cannot have beside the name of a table, in words; empty for nothing."""
    unusual = {name for name, part in table.args.items() if part} - {"this", "db", "catalog", "alias"}
    alias = table.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
        return "a list of columns behind an alias"
    return _WORDS.get(min(unusual), min(unusual).upper()) if unusual else ""


def _plain(table: exp.Table) -> bool:
    return all(isinstance(part, exp.Identifier) for part in table.parts)


def _kind(select: exp.Select) -> Kind:
    aggregates = (node for node in select.walk() if is_aggregate(node) and not isinstance(node.parent, exp.Window))
    return Kind.aggregation if select.args.get("group") or any(aggregates) else Kind.projection


def is_aggregate(node: exp.Expr) -> bool:
    """Return whether a node is the call of an aggregate function."""
    name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
    return isinstance(node, exp.AggFunc) or name in spark_functions.AGGREGATES


#: Parts of a SELECT that a view may have; the others, in words.
_ALLOWED: Final = {
    Kind.projection: {"expressions", "from_", "joins", "where"},
    Kind.aggregation: {"expressions", "from_", "joins", "where", "group"},
}
_SPECIAL: Final = frozenset({"now", "today", "tomorrow", "yesterday"})
_OF_EVENT: Final = "use a field of the event, such as kafka_timestamp"
_WORDS: Final = {
    "with_": "WITH",
    "distinct": "DISTINCT",
    "order": "ORDER BY",
    "sort": "SORT BY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "laterals": "LATERAL VIEW",
    "hint": "a hint",
    "joins": "a JOIN inside of another one",
    "sample": "TABLESAMPLE",
    "version": "a version of a table",
    "pivots": "PIVOT",
    "having": "HAVING",
}
_INSTEAD: Final = {
    "having": "query the table with this condition: a row that no longer fulfils it would stay there",
}
_NOT_ANYWHERE: Final[dict[type[exp.Expr], tuple[str, str]]] = {
    exp.Window: ("OVER", "a stream has no window over other rows"),
    exp.Query: ("a query inside", "a view reads one event at a time"),
    exp.Placeholder: ("a parameter", "write the value"),
    exp.Parameter: ("a parameter", "write the value"),
    exp.SessionParameter: ("a parameter", "write the value"),
    exp.TableSample: ("TABLESAMPLE", "a replay would take other rows"),
    exp.Distinct: ("DISTINCT", "each value would have to be kept"),
}


def refused(statement: Statement) -> Iterator[Problem]:
    """Yield the parts of a statement that no view can have."""
    select = statement.select
    yield from _of_others(statement.sql)
    if not statement.source:
        yield Problem(Rule.sql, "FROM does not name the contract", _SHAPE, *statement.place(select))
    from_ = select.args.get("from_")
    if from_ is not None and isinstance(from_.this, exp.Table) and (word := _beside(from_.this)):
        yield Problem(Rule.sql, f"a view cannot have {word}", _SHAPE, *statement.place(from_.this))
    for name, part in select.args.items():
        if part and name not in _ALLOWED[statement.kind]:
            first = part[0] if isinstance(part, list) else part
            at = statement.place(first if isinstance(first, exp.Expr) else select)
            word = _WORDS.get(name, name.strip("_").upper())
            fix = _INSTEAD.get(name, _SHAPE)
            yield Problem(Rule.sql, f"a view cannot have {word}", fix, *at)
    # Those of a clause that is refused as a whole are not told again.
    inside = [part for name in ("expressions", "where", "group") for part in _listed(select.args.get(name))]
    for part in (*inside, *(join.on for join in statement.joins if join.on is not None)):
        for node in part.walk():
            yield from _not_anywhere(statement, node)
            if isinstance(node, exp.Literal) and isinstance(node.parent, exp.Cast) and _is_special(node):
                what = f"{node.name!r} is another time when the topic is read again"
                yield Problem(Rule.sql, what, _OF_EVENT, *statement.place(node))
            if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
                what = "SELECT * is another list of columns with each change of the schema"
                yield Problem(Rule.star, what, "name the columns", *statement.place(node))
            elif isinstance(node, exp.Func):
                yield from _function(statement, node)


def _of_others(sql: str) -> Iterator[Problem]:
    """What sqlglot reads, and Spark 3.5 does not."""
    tokens = sqlglot.tokenize(sql, dialect=DIALECT)
    for one, after in zip(tokens, [*tokens[1:], None], strict=True):
        at = place_of(sql, one.start)
        if one.token_type.name == "DCOLON":
            yield Problem(Rule.sql, "Spark 3.5 has no '::'", "write CAST(… AS type)", *at)
        elif one.token_type.name == "COMMA" and after is not None and after.token_type.name == "FROM":
            yield Problem(Rule.sql, "there is a comma in front of FROM", "remove it", *at)


def _is_special(node: exp.Literal) -> bool:
    """Whether Spark converts a text to a date or time that depends on when it does so."""
    return node.is_string and node.name.strip().lower().partition(" ")[0] in _SPECIAL


def _listed(part: object) -> list[exp.Expr]:
    return [one for one in (part if isinstance(part, list) else [part]) if isinstance(one, exp.Expr)]


def _not_anywhere(statement: Statement, node: exp.Expr) -> Iterator[Problem]:
    for kind, (word, why) in _NOT_ANYWHERE.items():
        if isinstance(node, kind):
            yield Problem(Rule.sql, f"a view cannot have {word}: {why}", _SHAPE, *statement.place(node))


def _function(statement: Statement, node: exp.Func) -> Iterator[Problem]:
    word, at = statement.word(node), statement.place(node)
    if not word:
        return
    if word not in spark_functions.KNOWN:
        near = spark_functions.like(word)
        fix = f"write {near}, or correct the name" if near else "use a function of Spark 3.5"
        yield Problem(Rule.column, f"Spark has no function {word}", fix, *at)
    elif word in spark_functions.CHANGING:
        what = f"{word} may give another value when the topic is read again"
        yield Problem(Rule.sql, what, _OF_EVENT, *at)
    elif word in spark_functions.GENERATORS:
        what = f"{word} makes several rows of one event, and a view has one row for each"
        yield Problem(Rule.sql, what, "take the whole array, or one of its items", *at)
