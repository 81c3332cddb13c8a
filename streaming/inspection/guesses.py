"""Refuses filters: on what is masked, because which records match would tell it, and those that may take for ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import parsing
from avro_data_contracts.contracts.quality.effort import is_quick
from avro_data_contracts.contracts.quality.expressions import Expression, Matches, Path
from avro_data_contracts.streaming.inspection.masks import Masks

T = TypeVar("T")

_FIX: Final = "leave it out, or ask somebody who may reveal personal data"


def refuse_condition(contracts: Sequence[Contract], text: str, masks: Masks, *, fix: str = _FIX) -> None:
    """Refuse a condition that names personal data.

    Raises:
        ConfigurationError: it does.
    """
    for schema, expression in _read(contracts, text):
        for path in _all(expression, Path):
            if masks.covers(schema, path.fields):
                raise ConfigurationError(f"{path} is personal data, and masked", where="the condition", fix=fix)


def refuse_key(contracts: Sequence[Contract], masks: Masks) -> None:
    """Refuse to look for a key if something of it is masked: of a key without a schema, everything is.

    Raises:
        ConfigurationError: something is.
    """
    schemas = [one.key.schema for one in contracts if one.key is not None]
    if not schemas or any(map(masks.any_in, schemas)):
        raise ConfigurationError("the key has personal data, which is masked", where="the key", fix=_FIX)


def refuse_slow(contracts: Sequence[Contract], text: str) -> None:
    """Refuse a condition with a pattern that may take for ever: nothing could stop it, and all pages would wait.

    Raises:
        ConfigurationError: it has one.
    """
    for _, expression in _read(contracts, text):
        for one in _all(expression, Matches):
            if not is_quick(one.pattern):
                raise ConfigurationError(
                    f"the pattern {one.pattern.text!r} may take for ever on some texts",
                    where="the condition",
                    fix="repeat one thing only (a.*), outside of groups, with few alternatives, or use "
                    "`python -m avro_data_contracts.streaming tail --where`",
                )


def _read(contracts: Sequence[Contract], text: str) -> Iterator[tuple[Schema, Expression]]:
    """The condition for each contract whose records it can be one for, and the schema of these."""
    for contract in contracts:
        schema = contract.value.schema
        try:
            expression = parsing.parse(text, schema)
        except ConfigurationError:
            continue
        yield schema, expression


def _all(expression: Any, kind: type[T]) -> Iterator[T]:
    """Every part of an expression of a kind."""
    if isinstance(expression, kind):
        yield expression
    if isinstance(expression, tuple):
        for one in expression:
            yield from _all(one, kind)
    elif dataclasses.is_dataclass(expression) and not isinstance(expression, Path):
        for field in dataclasses.fields(expression):
            yield from _all(getattr(expression, field.name), kind)
