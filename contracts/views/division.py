"""Divisions of what a group has added up: one by zero would stop the view, because no event is its cause.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.results import Results
from avro_data_contracts.contracts.views.statement import Statement, is_aggregate

#: Null if their argument is null in all events of the group: what is null is not divided.
_OF_VALUES = ("sum", "try_sum", "min", "max", "avg", "mean")
_BINARY = (exp.DataType.Type.FLOAT, exp.DataType.Type.DOUBLE)
_FUNCTIONS = ("mod", "pmod")


def problems(found: Statement, results: Results) -> Iterator[Problem]:
    """Yield the divisions of a group's values whose divisor may be zero."""
    for column in found.select.expressions:
        for node in column.walk():
            both = _operands(found, node)
            if both is None or _is_of_events(node):
                continue
            above, below = both
            if not _is_never_zero(found, results, below) and not _is_mean(found, above, below):
                text = below.sql(dialect="spark")
                what = f"{text} may be 0, and the division of that group would stop the view"
                fix = f"divide by nullif({text}, 0), or write try_divide: null then"
                yield Problem(Rule.sql, what, fix, *found.place(below))


def _operands(found: Statement, node: exp.Expr) -> tuple[exp.Expr, exp.Expr] | None:
    if isinstance(node, exp.Div | exp.IntDiv | exp.Mod):
        return node.this, node.expression
    if isinstance(node, exp.Anonymous) and found.word(node) in _FUNCTIONS and len(node.expressions) == 2:
        return node.expressions[0], node.expressions[1]
    return None


def _is_of_events(node: exp.Expr) -> bool:
    """Whether each event computes it: then the event is a dead letter."""
    parent = node.parent
    while parent is not None and not isinstance(parent, exp.Select):
        if is_aggregate(parent) or isinstance(parent, exp.Filter):
            return True
        parent = parent.parent
    return False


def _is_never_zero(found: Statement, results: Results, node: exp.Expr) -> bool:
    if isinstance(node, exp.Paren | exp.Neg):
        return _is_never_zero(found, results, node.this)
    if isinstance(node, exp.Cast):
        inside = _number(node.this)
        if inside is not None and abs(inside) < 1 and node.to.this not in _BINARY:
            return False
        return _is_never_zero(found, results, node.this)
    if isinstance(node, exp.Literal):
        return _number(node) not in (None, 0)
    if isinstance(node, exp.Nullif):
        return _number(node.expression) == 0
    if isinstance(node, exp.Count):  # of a group, which has an event
        return isinstance(node.this, exp.Star) or not results.of(node.this).nullable
    return False


def _number(node: exp.Expr) -> float | None:
    try:
        return float(node.name) if isinstance(node, exp.Literal) else None
    except ValueError:
        return None


def _is_mean(found: Statement, above: exp.Expr, below: exp.Expr) -> bool:
    """Whether it is `sum(x) / count(x)`, or such: null if there is no x."""
    (word, of), (counting, counted) = _call(found, above), _call(found, below)
    return word in _OF_VALUES and counting == "count" and of == counted


def _call(found: Statement, node: exp.Expr) -> tuple[str, tuple[str, str]]:
    """Return the name of an aggregate, and its argument and filter, in one form."""
    while isinstance(node, exp.Paren | exp.Cast):
        node = node.this
    condition = ""
    if isinstance(node, exp.Filter):
        node, condition = node.this, node.expression.sql(dialect="spark")
    if not is_aggregate(node) or not isinstance(node.this, exp.Expr):
        return "", ("", "")
    return found.word(node), (node.this.sql(dialect="spark"), condition)
