"""What the stores hold: positions of the events that wrote the rows, and rows to look at."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cassandra.concurrent import execute_concurrent_with_args
from cassandra.util import Date
from psycopg import sql

from contracts.catalog.contract import Contract
from contracts.settings import Settings
from contracts.stores.cassandra.sink import CassandraSink
from contracts.stores.postgres.sink import PostgresSink
from contracts.stores.sink import Sink
from contracts.stores.table import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP, RESERVED
from contracts.tables import layout
from streaming.sinks import cassandra, postgres

Key = tuple[Any, ...]
_SLICE = 100
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, order=True)
class Position:
    """Where an event stands; events of one key are ordered by it: timestamp (ms since the epoch), then offset."""

    millis: int
    offset: int
    partition: int


def key(record: Mapping[str, Any], sink: Sink) -> Key:
    """The primary key of a record in that store."""
    return tuple(_comparable(record[name]) for name in sink.primary_key)


def newest(settings: Settings, contract: Contract, sink: Sink, count: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of the contract's columns, and some rows: PostgreSQL's newest, Cassandra's first (it has no order)."""
    names = [column.name for column in layout.of(contract, sink).columns if column.name not in RESERVED]
    if isinstance(sink, CassandraSink):
        listed = ", ".join(f'"{name}"' for name in names)
        with cassandra.connect(settings) as session:
            statement = f"SELECT {listed} FROM {sink.quoted} LIMIT {int(count)}"  # noqa: S608 - identifiers
            return names, [tuple(row) for row in session.execute(statement)]
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} DESC LIMIT {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.Identifier(sink.schema_name, sink.table),
        sql.Identifier(EVENT_TIMESTAMP),
        count,
    )
    with postgres.connect(settings) as connection:
        return names, connection.execute(query).fetchall()


def _comparable(value: Any) -> Any:
    """One form of what the two drivers and fastavro have several for."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Date):
        return value.date()
    if isinstance(value, dt.datetime):
        return _EPOCH + dt.timedelta(milliseconds=_millis(value))
    return value


def positions(settings: Settings, sink: Sink, keys: Iterable[Key]) -> dict[Key, Position]:
    """Position of the event that wrote the row, for those of `keys` that have one."""
    wanted = list(keys)
    if not wanted:
        return {}
    rows = (
        _cassandra(settings, sink, wanted) if isinstance(sink, CassandraSink) else _postgres(settings, sink, wanted)
    )
    return {tuple(_comparable(part) for part in row[:-3]): Position(row[-3], row[-1], row[-2]) for row in rows}


def _cassandra(settings: Settings, sink: CassandraSink, keys: list[Key]) -> Iterator[tuple[Any, ...]]:
    """Rows of the partitions of `keys`, many partitions in one request: one for each costs ten times as much."""
    # Milliseconds: no year after 9999 is one of Python's.
    millis = f'toUnixTimestamp("{EVENT_TIMESTAMP}")'
    names = ", ".join((*(f'"{name}"' for name in sink.primary_key), millis, EVENT_PARTITION, EVENT_OFFSET))
    with cassandra.connect(settings) as session:
        query = f'SELECT {names} FROM {sink.quoted} WHERE "{sink.primary_key[0]}" IN ?'  # noqa: S608 - identifiers
        statement = session.prepare(query)
        is_uuid = statement.column_metadata[0].type.subtypes[0].typename == "uuid"
        partitions = list(dict.fromkeys(uuid.UUID(key[0]) if is_uuid else key[0] for key in keys))
        slices = [(partitions[at : at + _SLICE],) for at in range(0, len(partitions), _SLICE)]
        for _, result in execute_concurrent_with_args(session, statement, slices, concurrency=16):
            for row in result:
                yield tuple(row)


def _postgres(settings: Settings, sink: PostgresSink, keys: list[Key]) -> Iterator[tuple[Any, ...]]:
    millis = sql.SQL("(extract(epoch FROM {}) * 1000)::bigint").format(sql.Identifier(EVENT_TIMESTAMP))
    with postgres.connect(settings) as connection:
        columns = sql.SQL(", ").join(
            [*map(sql.Identifier, sink.primary_key), millis, *map(sql.Identifier, (EVENT_PARTITION, EVENT_OFFSET))]
        )
        table = sql.Identifier(sink.schema_name, sink.table)
        kept = sql.SQL("CREATE TEMPORARY TABLE wanted ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
        key = sql.SQL(", ").join(map(sql.Identifier, sink.primary_key))
        connection.execute(kept.format(key, table))
        with connection.cursor() as cursor:
            with cursor.copy(sql.SQL("COPY wanted FROM STDIN")) as copy:
                for one in keys:
                    copy.write_row(one)
            cursor.execute(sql.SQL("SELECT {} FROM {} JOIN wanted USING ({})").format(columns, table, key))
            yield from cursor


def _millis(moment: dt.datetime) -> int:
    if moment.tzinfo is None:  # cassandra-driver gives naive UTC
        moment = moment.replace(tzinfo=dt.UTC)
    return round((moment - _EPOCH) / dt.timedelta(milliseconds=1))
