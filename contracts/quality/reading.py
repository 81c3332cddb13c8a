"""From `rules` in a contract.yaml, and a schema, to rules that can be applied.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import parsing, patterns
from avro_data_contracts.contracts.quality import typing as typed
from avro_data_contracts.contracts.quality.expressions import And, Compare, Expression, IsNull, Literal, Not, Path
from avro_data_contracts.contracts.quality.rules import Rule, RuleSpec

#: Returns file and line of a key of a rule, from the number of the rule and the key.
Where = Callable[[int, str], tuple[str, int]]

_SHOWN: Final = 120


def read(specs: Sequence[RuleSpec], schema: Schema, where: Where) -> tuple[Rule, ...]:
    """The rules, in their order.

    Raises:
        ConfigurationError: a field does not exist, a bound does not fit it, two rules have one name, …
    """
    found: list[Rule] = []
    for number, spec in enumerate(specs):
        if any(rule.name == spec.name for rule in found):
            file, line = where(number, "name")
            what = f"two rules are called {spec.name}"
            raise ConfigurationError(what, file=file, line=line, fix="rename one of the two")
        found.append(_rule(spec, schema, partial(where, number)))
    return tuple(found)


def _rule(spec: RuleSpec, schema: Schema, where: Callable[[str], tuple[str, int]]) -> Rule:
    field = None
    if spec.field:
        with _in_rule(spec, lambda: where("field")):
            field = typed.path(schema, spec.field)
    with _in_rule(spec, lambda: where(spec.given[0])):
        if spec.expression is not None:
            holds = parsing.parse(spec.expression, schema)
        else:
            assert field is not None
            holds = _of_field(spec, field)
    told = spec.description or " ".join((spec.expression or _words(spec)).split())
    return Rule(spec.name, f"breaks the rule {spec.name}: {_short(told)}", holds, spec.field)


@contextmanager
def _in_rule(spec: RuleSpec, where: Callable[[], tuple[str, int]]) -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        file, line = where()
        raise ConfigurationError(f"rule {spec.name}: {error.what}", file=file, line=line, fix=error.fix) from None


def _of_field(spec: RuleSpec, field: Path) -> Expression:
    if spec.required:
        return Not(IsNull(field))
    if spec.pattern is not None:
        return typed.matches(field, patterns.parse(spec.pattern))
    if spec.one_of is not None:
        return typed.one_of(field, [typed.literal(value) for value in spec.one_of])
    if spec.min_length is not None or spec.max_length is not None:
        return _between(typed.length(field), spec.min_length, spec.max_length)
    return _between(field, spec.min, spec.max)


def _between(of: Expression, least: object, most: object) -> Expression:
    bounds = (("<=", most), (">=", least))
    parts = [typed.compare(operator, of, typed.literal(bound)) for operator, bound in bounds if bound is not None]
    if len(parts) == 2 and _bound(parts[1]) > _bound(parts[0]):
        raise ConfigurationError("min is greater than max", fix="swap them")
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _bound(one: Compare) -> Any:
    """A constant; the constants of one rule have one kind, so they can be compared."""
    assert isinstance(one.right, Literal)
    return one.right.value


def _words(spec: RuleSpec) -> str:
    told = [f"{key} {value}" for key, value in spec.asks.items() if key not in ("field", "required")]
    return f"{spec.field}: {' and '.join(told) or 'is required'}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
