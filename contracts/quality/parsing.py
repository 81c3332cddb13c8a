"""Parses the text of an `expression` rule: a small part of Python's syntax, checked against a schema.  Pure.

dob is null or dob <= '2020-12-31'
1 <= quantity <= 100 and price * quantity <= total
country not in ('US', 'CA') or matches(post_code, r'[0-9A-Z -]+')
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import patterns
from avro_data_contracts.contracts.quality import typing as typed
from avro_data_contracts.contracts.quality.expressions import And, Expression, IsNull, Kind, Literal, Not, Or, Path

MAX_LENGTH: Final = 1_000
_GRAMMAR: Final = (
    "allowed: and, or, not, == != < <= > >=, in (...), is null, + - *, len(), matches() (docs/reference/rules.md)"
)
_CONSTANTS: Final = {"true": True, "false": False}
_COMPARISONS: Final = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: Final = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


def parse(text: str, schema: Schema) -> Expression:
    """Parse `text` into a condition.

    Raises:
        ConfigurationError: the text cannot be parsed, or does not fit the schema.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigurationError(
            f"the expression has {len(text)} characters",
            fix=f"shorten it to {MAX_LENGTH}, or split it into several rules",
        )
    wrapped = f"({text.strip()}\n)"  # so that the text may have several lines
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an escape that Python does not know
            tree = ast.parse(wrapped, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        words = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigurationError(f"the expression cannot be parsed: {words}", fix=_GRAMMAR) from None
    reader = _Reader(wrapped, schema)
    condition = reader.condition(tree.body)
    if not reader.names_a_field:
        raise ConfigurationError(
            "the expression names no field", fix="name a field: without one, the result is the same for every record"
        )
    return condition


class _Reader:
    def __init__(self, text: str, schema: Schema) -> None:
        self._text = text
        self._schema = schema
        self.names_a_field = False

    def condition(self, node: ast.expr) -> Expression:
        """Parse `node`, whose result must be true, false or null."""
        found = self._expression(node)
        if found.type.kind is not Kind.boolean:
            raise ConfigurationError(
                f"{self._source(node)} is {found.type.kind}, but must be true or false", fix=_GRAMMAR
            )
        return found

    def _source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self._text, node) or "this part"

    def _refuse(self, node: ast.AST, what: str = "is not allowed in an expression") -> ConfigurationError:
        return ConfigurationError(f"{self._source(node)} {what}", fix=_GRAMMAR)

    def _expression(self, node: ast.expr) -> Expression:
        match node:
            case ast.BoolOp(op=operator, values=values):
                parts = tuple(self.condition(one) for one in values)
                return And(parts) if isinstance(operator, ast.And) else Or(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._negative(self._expression(operand))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
                symbol = _ARITHMETIC[type(operator)]
                return typed.arithmetic(symbol, self._expression(left), self._expression(right))
            case ast.Compare(left=left, ops=operators, comparators=others):
                return self._comparisons([left, *others], operators)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(node, name, arguments)
            case ast.Constant():
                return self._constant(node)
            case ast.Name(id=name) if name in _CONSTANTS:
                return typed.literal(_CONSTANTS[name])
            case ast.Name(id="null"):
                raise self._refuse(node, "is only allowed after `is` and `is not`")
            case ast.Name() | ast.Attribute():
                return self._path(node)
        raise self._refuse(node)

    def _negative(self, operand: Expression) -> Expression:
        if isinstance(operand, Literal) and isinstance(operand.value, Decimal):
            return typed.number(operand.value.copy_negate())
        return typed.arithmetic("-", typed.number(Decimal(0)), operand)

    def _comparisons(self, operands: Sequence[ast.expr], operators: Sequence[ast.cmpop]) -> Expression:
        parts = [
            self._comparison(left, operator, right)
            for left, operator, right in zip(operands, operators, operands[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Expression:
        if isinstance(operator, (ast.Is, ast.IsNot)):
            if not isinstance(right, ast.Name) or right.id != "null":
                raise self._refuse(right, "comes after `is`, where only null is allowed")
            null = IsNull(self._path(left))
            return null if isinstance(operator, ast.Is) else Not(null)
        if isinstance(operator, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.Tuple, ast.List)):
                raise self._refuse(right, "comes after `in`, which needs a list such as ('A', 'B')")
            listed = [self._expression(one) for one in right.elts]
            values = [one for one in listed if isinstance(one, Literal)]
            if len(values) < len(listed):
                raise self._refuse(right, "contains something other than constants")
            found = typed.one_of(self._expression(left), values)
            return found if isinstance(operator, ast.In) else Not(found)
        return typed.compare(_COMPARISONS[type(operator)], self._expression(left), self._expression(right))

    def _call(self, node: ast.Call, name: str, arguments: Sequence[ast.expr]) -> Expression:
        match name, arguments:
            case "len", [one]:
                return typed.length(self._expression(one))
            case "matches", [one, ast.Constant(value=str(text))]:
                return typed.matches(self._expression(one), patterns.parse(text))
        raise self._refuse(node)

    def _constant(self, node: ast.Constant) -> Expression:
        value = node.value
        if isinstance(value, float):  # the text is exact, the value is not
            return typed.number(Decimal(self._source(node)))
        if type(value) in (int, str):
            return typed.literal(value)
        raise self._refuse(node)

    def _path(self, node: ast.expr) -> Path:
        names: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise self._refuse(node, "is not a field")
        self.names_a_field = True
        return typed.path(self._schema, ".".join([inner.id, *names]))
