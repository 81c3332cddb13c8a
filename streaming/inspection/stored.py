"""Reads the stores: positions of the events that wrote the rows, and sample rows."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP, EVENT_TOPIC
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.stores.store import Key

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, order=True)
class Position:
    """Position of an event; it orders events of one key: by timestamp (ms since the epoch), then offset."""

    millis: int
    offset: int
    partition: int


def key(record: Mapping[str, Any], sink: SinkSpec, position: Position, topic_id: str) -> Key:
    """Return the primary key of a record's row in that store, in one form (see `comparable`)."""
    event = {
        EVENT_TIMESTAMP: position.millis * 1000,
        EVENT_PARTITION: position.partition,
        EVENT_OFFSET: position.offset,
        EVENT_TOPIC: topic_id,
    }
    return tuple(event[name] if name in event else comparable(record[name]) for name in sink.key)


def comparable(value: Any) -> Any:
    """Return a value of a key in one form: drivers and fastavro have several.

    Moments are microseconds since 1970, a time of day is microseconds since midnight, and a UUID is text.
    """
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dt.datetime):
        return ((value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - _EPOCH) // _MICROSECOND
    if isinstance(value, dt.time):
        return (dt.datetime.combine(_EPOCH, value) - _EPOCH.replace(tzinfo=None)) // _MICROSECOND
    return value


def tables(contract: Contract) -> list[tuple[Contract, SinkSpec]]:
    """Return each table of a contract, and of its views, with the contract that its rows are of."""
    found = [(contract, sink) for sink in contract.sinks]
    if contract.views:
        from avro_data_contracts.contracts.views.derived import derive  # loads sqlglot

        of_views = (derive(contract, view).whole() for view in contract.views)
        found += [(one, sink) for one in of_views for sink in one.sinks]
    return found


def newest(
    settings: Settings, contract: Contract, sink: SinkSpec, count: int
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the contract's columns and some rows, the newest if the store has an order."""
    names = [column.name for column in layout.of(contract, sink).columns]
    return names, STORES[sink.kind].rows(settings, sink, names, count)


def positions(
    settings: Settings, sink: SinkSpec, keys: Iterable[Key], columns: Sequence[str] = ()
) -> dict[Key, tuple[Position, tuple[Any, ...]]]:
    """Return key -> position of the event that wrote its row, and values of `columns`, for the `keys` with a row."""
    wanted = list(keys)
    if not wanted:
        return {}
    size = len(sink.key)
    return {
        tuple(comparable(part) for part in row[:size]): (
            Position(row[size], row[size + 2], row[size + 1]),
            tuple(row[size + 3 :]),
        )
        for row in STORES[sink.kind].positions(settings, sink, wanted, columns)
    }
