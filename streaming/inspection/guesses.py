"""Refuses filters on what is masked: which records match would tell it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import parsing
from avro_data_contracts.contracts.quality.expressions import Path
from avro_data_contracts.streaming.inspection.masks import Masks

_FIX: Final = "leave it out, or ask somebody who may reveal personal data"


def refuse_condition(contracts: Sequence[Contract], text: str, masks: Masks, *, fix: str = _FIX) -> None:
    """Refuse a condition that names personal data.

    Raises:
        ConfigurationError: it does.
    """
    for contract in contracts:
        schema = contract.value.schema
        try:
            expression = parsing.parse(text, schema)
        except ConfigurationError:
            continue  # it is no condition for this contract's records
        for path in _paths(expression):
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


def _paths(expression: Any) -> Iterator[Path]:
    if isinstance(expression, Path):
        yield expression
    elif isinstance(expression, tuple):
        for one in expression:
            yield from _paths(one)
    elif dataclasses.is_dataclass(expression):
        for one in dataclasses.fields(expression):
            yield from _paths(getattr(expression, one.name))
