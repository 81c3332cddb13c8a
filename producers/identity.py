"""Which records of a contract are the same row: those with the same primary key."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.catalog.contract import Contract

#: Gives equal values for records that are the same row.
Identity = Callable[[dict[str, Any]], Hashable]


def identity_of(contract: Contract) -> Identity | None:
    """The identity of the contract's records: the primary key of its first table that has one.

    Without tables, it is the fields of its key schema.

    Returns:
        None for a contract that has neither, and for one whose tables have a row for each event.
    """
    fields = _fields(contract)
    if not fields:
        return None
    if len(fields) == 1:
        [field] = fields
        return lambda record: _hashable(record.get(field))
    return lambda record: tuple(_hashable(record.get(field)) for field in fields)


def _fields(contract: Contract) -> list[str]:
    if contract.sinks:
        return next((sink.primary_key for sink in contract.sinks if sink.primary_key), [])
    if contract.key is None:
        return []
    root = contract.key.schema.resolve(contract.key.schema.root)
    return list(root.by_name) if isinstance(root, Record) else []


def _hashable(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:  # a list, a map or a record inside the key
        return repr(value)
    return value  # type: ignore[no-any-return]
