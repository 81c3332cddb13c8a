"""The text of the parts of a statement, as the view has it.  Pure.

What Spark computes for an aggregation is made from these texts, never from what sqlglot would write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, exp

from avro_data_contracts.contracts.views.statement import DIALECT

#: Clauses behind GROUP BY, all of which are refused.
_BEHIND = frozenset({"HAVING", "ORDER_BY", "SORT_BY", "CLUSTER_BY", "DISTRIBUTE_BY", "LIMIT", "OFFSET", "QUALIFY"})
_OPENS, _CLOSES = ("L_PAREN", "L_BRACKET", "L_BRACE"), ("R_PAREN", "R_BRACKET", "R_BRACE")


@dataclass(frozen=True)
class Call:
    """A call of a function in a text.

    Attributes:
        name: in lower case.
        arguments: the text between its parentheses.
        filter: its FILTER clause; empty for none.
    """

    name: str
    arguments: str
    filter: str


@dataclass(frozen=True)
class Clauses:
    """The parts of `SELECT items FROM … JOIN … WHERE … GROUP BY keys`.

    Attributes:
        source: FROM, JOIN and WHERE.
    """

    sql: str
    items: tuple[tuple[Token, ...], ...]
    source: str
    keys: tuple[tuple[Token, ...], ...]

    def text(self, tokens: Sequence[Token]) -> str:
        """Return the text from the first to the last of some tokens."""
        return self.sql[tokens[0].start : tokens[-1].end + 1] if tokens else ""

    def replaced(self, tokens: Sequence[Token], names: frozenset[str], value: Callable[[Call], str]) -> str:
        """Return the text of an item with another text in place of each call of these functions."""
        found, at = "", tokens[0].start
        for begin, end, call in self._calls(tokens, names):
            found += self.sql[at : tokens[begin].start] + value(call)
            at = tokens[end].end + 1
        return found + self.sql[at : tokens[-1].end + 1]

    def calls(self, tokens: Sequence[Token], names: frozenset[str]) -> list[Call]:
        """Return the calls of these functions in an item, in their order; not those inside of others."""
        return [call for _, _, call in self._calls(tokens, names)]

    def _calls(self, tokens: Sequence[Token], names: frozenset[str]) -> Iterator[tuple[int, int, Call]]:
        number = 0
        while number < len(tokens) - 1:
            name = tokens[number].text.lower()
            if name not in names or tokens[number + 1].token_type.name != "L_PAREN":
                number += 1
                continue
            end = _closing(tokens, number + 1)
            arguments, filter_ = self.text(tokens[number + 2 : end]), ""
            if end + 2 < len(tokens) and tokens[end + 1].text.lower() == "filter":
                last = _closing(tokens, end + 2)
                filter_, end = " " + self.text(tokens[end + 1 : last + 1]), last
            yield number, end, Call(name, arguments, filter_)
            number = end + 1


def tokens(sql: str) -> list[Token]:
    """Return the tokens of a text without comments and semicolons."""
    return [one for one in sqlglot.tokenize(sql, dialect=DIALECT) if one.token_type.name != "SEMICOLON"]


def of(sql: str) -> Clauses | None:
    """Return the parts of an aggregation, which has been parsed; None if they are in another order."""
    found = tokens(sql)
    outside = _outside(found)
    begin, end = outside.get("SELECT"), outside.get("FROM")
    if begin is None or end is None or begin > end:
        return None
    group = outside.get("GROUP_BY", len(found))
    source = found[end:group]
    end_of_keys = min((at for kind, at in outside.items() if kind in _BEHIND and at > group), default=len(found))
    return Clauses(
        sql,
        tuple(_listed(found[begin + 1 : end])),
        sql[source[0].start : source[-1].end + 1],
        tuple(_listed(found[group + 1 : end_of_keys])),
    )


def reading(sql: str, name: str) -> str:
    """Return the text with another name in place of the one behind FROM, which has two parts."""
    found = tokens(sql)
    at = _outside(found)["FROM"] + 1
    return f"{sql[: found[at].start]}{name}{sql[found[at + 2].end + 1 :]}"


def condition(source: str) -> list[Token]:
    """Return what is behind WHERE."""
    found = tokens(source)
    return found[_outside(found).get("WHERE", len(found)) + 1 :]


def joins(source: str) -> list[Token]:
    """Return the joins, from the first to what is in front of WHERE."""
    found = tokens(source)
    outside = _outside(found)
    kinds = ("JOIN", "LEFT", "INNER", "OUTER")
    begin = min((outside[kind] for kind in kinds if kind in outside), default=len(found))
    return found[begin : outside.get("WHERE", len(found))] if "JOIN" in outside else []


def said(tokens: Sequence[Token], sql: str, qualifiers: Collection[str]) -> str:
    """Return a part of a text in one form.

    It is without comments, and without the name of the source in front of columns; strings of every kind are as in
    the text.

    Args:
        qualifiers: the names of the source, in lower case.
    """
    words: list[str] = []
    number = 0
    while number < len(tokens):
        one = tokens[number]
        following = tokens[number + 1].token_type.name if number + 1 < len(tokens) else ""
        if following == "DOT" and one.text.lower() in qualifiers and (words[-1:] or [""])[0] != ".":
            number += 2
            continue
        words.append(sql[one.start : one.end + 1] if _is_exact(one) else one.text.lower())
        number += 1
    return " ".join(words)


def named(node: exp.Expr) -> tuple[exp.Expr, str]:
    """Return the expression of a column of the result, and its name."""
    inner = node.this if isinstance(node, exp.Alias) else node
    return inner, node.alias if isinstance(node, exp.Alias) else inner.output_name


def unnamed(node: exp.Expr, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return the text of a column of the result without its name."""
    if not isinstance(node, exp.Alias):
        return tokens
    return tokens[: -2 if tokens[-2].token_type.name == "ALIAS" else -1]


def _is_exact(token: Token) -> bool:
    """Whether it is a string (`'a'`, `r'a'`, `X'0A'`), or a name that would be another word without its quotes."""
    kind = token.token_type.name
    if kind == "IDENTIFIER":
        return [one.token_type.name for one in tokens(token.text)] != ["VAR"]
    return kind.endswith("STRING")


def _outside(tokens: Sequence[Token]) -> dict[str, int]:
    """The first place outside of all parentheses of each kind of token."""
    found: dict[str, int] = {}
    depth = 0
    for number, one in enumerate(tokens):
        kind = one.token_type.name
        depth += (kind in _OPENS) - (kind in _CLOSES)
        is_operator = kind == "FROM" and number > 0 and tokens[number - 1].token_type.name == "DISTINCT"
        if not depth and not is_operator:  # IS DISTINCT FROM
            found.setdefault(kind, number)
    return found


def _listed(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Yield what commas outside of parentheses divide."""
    some: list[Token] = []
    depth = 0
    for one in tokens:
        kind = one.token_type.name
        depth += (kind in _OPENS) - (kind in _CLOSES)
        if kind == "COMMA" and not depth:
            yield tuple(some)
            some = []
        else:
            some.append(one)
    if some:
        yield tuple(some)


def _closing(tokens: Sequence[Token], opening: int) -> int:
    """The place of the parenthesis that closes another one; the last token if none does."""
    depth = 0
    for number in range(opening, len(tokens)):
        kind = tokens[number].token_type.name
        depth += (kind in _OPENS) - (kind in _CLOSES)
        if not depth:
            return number
    return len(tokens) - 1
