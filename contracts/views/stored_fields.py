"""Which fields can be read back from a contract's table exactly as they were.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.avro.nodes import Field
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.position import POSITION
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.views.problem import Rule

_NOT_READ: Final = frozenset({"duration"})


@dataclass(frozen=True)
class Flaw:
    """Why a table does not say what a part of the value was.  `rule`: the one that a view breaks that reads it."""

    rule: Rule
    what: str


def field_of(contract: Contract, path: str) -> Field | None:
    """Return the field of the value that a path begins with; None if it is a part of the event's position."""
    record = contract.value.record
    first = path.partition(".")[0]
    return record.by_name[first] if first in record.by_name or path not in POSITION else None


def flaw(contract: Contract, sink: SinkSpec, path: str) -> Flaw | None:
    """Return why the table of a contract does not say what a part of the value was; None if it does."""
    field = field_of(contract, path)
    if field is None:
        return None
    schema, table = contract.value.schema, f"{sink.kind} {sink.qualified}"
    said = contract.spec.masks
    for masked, _, number in plan.masked_fields(said, schema, sink.kind):
        if paths.overlap(masked, path):
            return Flaw(Rule.mask, f"{masked} is masked in {table} ({said[number].mask}), which the view is made of")
    kind = types.scalar(schema, field.type)
    if not kind or kind in _NOT_READ:
        column = store_of(sink).column_type(schema, field.type)
        form = "JSON" if column.is_json else column.name
        return Flaw(Rule.kind, f"{table} holds {field.name} as {form}, which does not say exactly what it was")
    if nullability(schema, field.type)[1] and field.has_default and field.default is not None:
        what = f"null in {table} may be null, or the default of {field.name} in rows that were written before it"
        return Flaw(Rule.kind, what)
    return None
