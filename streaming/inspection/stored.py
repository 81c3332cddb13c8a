"""Reads the stores: positions of the events that wrote the rows, and sample rows."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import RESERVED
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.stores.store import Key

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, order=True)
class Position:
    """Position of an event; it orders events of one key: by timestamp (ms since the epoch), then offset."""

    millis: int
    offset: int
    partition: int


def key(record: Mapping[str, Any], sink: SinkSpec) -> Key:
    """Return the primary key of a record in that store."""
    return tuple(_comparable(record[name]) for name in sink.primary_key)


def newest(
    settings: Settings, contract: Contract, sink: SinkSpec, count: int
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the contract's columns and some rows, the newest if the store has an order."""
    names = [column.name for column in layout.of(contract, sink).columns if column.name not in RESERVED]
    return names, STORES[sink.kind].rows(settings, sink, names, count)


def _comparable(value: Any) -> Any:
    """Convert a value to one form: drivers and fastavro have several."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dt.datetime):
        return _EPOCH + dt.timedelta(milliseconds=round((value - _EPOCH) / dt.timedelta(milliseconds=1)))
    return value


def positions(settings: Settings, sink: SinkSpec, keys: Iterable[Key]) -> dict[Key, Position]:
    """Return key -> position of the event that wrote its row, for the `keys` that have a row."""
    wanted = list(keys)
    if not wanted:
        return {}
    rows = STORES[sink.kind].positions(settings, sink, wanted)
    return {tuple(_comparable(part) for part in row[:-3]): Position(row[-3], row[-1], row[-2]) for row in rows}
