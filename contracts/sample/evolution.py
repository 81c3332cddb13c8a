"""Pairs of records across a change of a contract: as they were written, and as today's contract reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Logical, Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.compat import meanings
from avro_data_contracts.contracts.compat.changes import Change, Kind
from avro_data_contracts.contracts.compat.resolution import differences
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.sample import plain, valid
from avro_data_contracts.contracts.sample.resolved import Resolver, Unreadable

INCOMPATIBLE: Final = "INCOMPATIBLE_SCHEMA"
DECODE_ERROR: Final = "DECODE_ERROR"


@dataclass(frozen=True)
class Pair:
    """One record before and after a change.

    Attributes:
        before: as the earlier version writes it.
        after: as the contract reads it; None if it does not.
        reason: why the stream refuses the record; empty if it stores it.
        schemas: of the two.
    """

    before: Any
    after: Any
    reason: str
    schemas: tuple[Schema, Schema]

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"before": plain.of(self.schemas[0], self.before)}
        if self.after is not None:
            told["after"] = plain.of(self.schemas[1], self.after)
        return {**told, "reason": self.reason} if self.reason else told


def pairs(before: Contract, after: Contract, count: int, seed: int | str) -> Iterator[Pair]:
    """Yield pairs: records of `before`, and what `after` makes of them."""
    schemas = before.value.schema, after.value.schema
    resolver, judge = Resolver(*schemas), Judge(after.rules)
    is_readable = not differences(schemas[1], schemas[0]) and not any(
        map(_is_bent, meanings.between(schemas[0], schemas[1]))
    )
    for record in islice(valid.records(before, seed), count):
        if not is_readable:
            yield Pair(record, None, INCOMPATIBLE, schemas)
            continue
        try:
            read = resolver.read(record)
        except Unreadable:
            yield Pair(record, None, DECODE_ERROR, schemas)
            continue
        broken = judge.first_broken(read) if after.rules else None
        yield Pair(record, read, broken.reason if broken else "", schemas)


def _is_bent(change: Change) -> bool:
    """Whether the same bytes would be another value, so that the stream refuses every record of the schema."""
    if change.kind is Kind.decimal:
        return True
    return (
        change.kind is Kind.logical
        and None not in (_unit(change.before), _unit(change.after))
        and (_unit(change.before) != _unit(change.after))
    )


def _unit(logical: Logical | Any) -> str | None:
    return logical.name.removeprefix("local-") if isinstance(logical, Logical) else None
