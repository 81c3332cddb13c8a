"""Does every event of a run stand in every store?  Reads the topic and both stores afresh, and compares by position.

An event is in order in a store when the row of its primary key was written by it or by a newer event, or when the
dead-letter topic holds it.  It is read with plain clients and fastavro, not with the code that wrote it.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fastavro
from cassandra.concurrent import execute_concurrent_with_args
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from psycopg import sql

from contracts.contract import CassandraSink, Contract, PostgresSink, Sink
from contracts.errors import ConfigurationError
from contracts.registry import Registry
from contracts.settings import Settings
from contracts.tables import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from streaming import failures
from streaming.sinks import cassandra, dead_letter, postgres
from streaming.writers import Writers

Key = tuple[Any, ...]
Ranges = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, order=True)
class Position:
    """Where an event stands; events of one key are ordered by it: timestamp (ms since the epoch), then offset."""

    millis: int
    offset: int
    partition: int


@dataclass(frozen=True)
class Outcome:
    """What became of the events of a run.

    Attributes:
        events: records in the range.
        keys: distinct primary keys among those that can be decoded.
        dead_lettered: records of the range that the dead-letter topic holds, by reason.
        stored: by store, how many of `keys` have their row.
        missing: by store, positions of events whose row is missing or older.
    """

    events: int
    keys: int
    dead_lettered: Mapping[str, int]
    stored: Mapping[str, int]
    missing: Mapping[str, tuple[Position, ...]]

    @property
    def in_order(self) -> bool:
        return not any(self.missing.values())


def reconcile(settings: Settings, contract: Contract, ranges: Ranges | None = None) -> Outcome:
    """Compares the events of `ranges` with what the stores hold.

    Args:
        ranges: partition -> (first offset, last offset), both included; None for the whole topic.

    Raises:
        ServiceError: Kafka, the registry or a store does not answer.
    """
    ranges = ranges if ranges is not None else whole(settings, contract.topic)
    rejected = _rejected(settings, contract, ranges)
    newest: dict[Key, Position] = {}
    undecoded: list[Position] = []
    events = 0
    keys = _Keys(settings, contract)
    for message in _read(settings, contract.topic, ranges):
        events += 1
        position = Position(message.timestamp()[1], message.offset(), message.partition())
        if (position.partition, position.offset) in rejected:
            continue
        key = keys.of(message.value())
        if key is None:
            undecoded.append(position)
        else:
            newest[key] = max(position, newest.get(key, position))
    stored, missing = {}, {}
    for sink in contract.sinks:
        found = _positions(settings, sink, newest)
        lost = [p for key, p in newest.items() if key not in found or found[key] < p]
        stored[sink.kind] = len(newest) - len(lost)
        missing[sink.kind] = tuple(sorted([*lost, *undecoded]))
    return Outcome(events, len(newest), Counter(rejected.values()), stored, missing)


def whole(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """First and last offset of each partition of the topic that holds a record."""
    with _consumer(settings) as consumer:
        partitions = _partitions(consumer, settings, topic)
        marks = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in partitions}
    return {p: (low, high - 1) for p, (low, high) in marks.items() if high > low}


class _Keys:
    """Primary keys of values, decoded with fastavro."""

    def __init__(self, settings: Settings, contract: Contract) -> None:
        if not contract.sinks:
            raise ConfigurationError(
                "the contract has no sink", where=contract.file, mend="there is nothing to reconcile"
            )
        self._writers = Writers(Registry.from_settings(settings), contract)
        self._names = contract.sinks[0].primary_key
        self._reader = fastavro.parse_schema(json.loads(contract.value.schema_text))
        self._parsed: dict[int, Any] = {}

    def of(self, value: bytes | None) -> Key | None:
        """The primary key, None when the value cannot be decoded."""
        if value is None or len(value) < 5 or value[0] != 0:
            return None
        schema_id = int.from_bytes(value[1:5], "big")
        if schema_id not in self._parsed:
            writer = self._writers.of([schema_id])[schema_id]
            self._parsed[schema_id] = (
                fastavro.parse_schema(json.loads(writer.text)) if writer.reason is None else None
            )
        if self._parsed[schema_id] is None:
            return None
        try:
            record = fastavro.schemaless_reader(io.BytesIO(value[5:]), self._parsed[schema_id], self._reader)
        except (EOFError, ValueError, IndexError, UnicodeDecodeError, OverflowError):
            return None
        return tuple(_comparable(record[name]) for name in self._names)


def _comparable(value: Any) -> Any:
    return str(value) if isinstance(value, uuid.UUID) else value


@contextmanager
def _consumer(settings: Settings) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": "contracts-reconcile",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "log_level": 0,
        }
    )
    try:
        yield consumer
    except KafkaException as error:
        raise failures.service("Kafka", settings.kafka_bootstrap_servers, error.args[0].str()) from error
    finally:
        consumer.close()


def _partitions(consumer: Consumer, settings: Settings, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=settings.kafka_max_block_ms / 1000).topics[topic]
    if found.error is not None:
        raise failures.service("Kafka", settings.kafka_bootstrap_servers, f"topic {topic}: {found.error.str()}")
    return sorted(found.partitions)


def _read(settings: Settings, topic: str, ranges: Ranges) -> Iterator[Message]:
    """Every record of the ranges, one partition after the other."""
    with _consumer(settings) as consumer:
        for partition, (first, last) in sorted(ranges.items()):
            consumer.assign([TopicPartition(topic, partition, first)])
            offset = first - 1
            while offset < last:
                message = consumer.poll(settings.kafka_max_block_ms / 1000)
                if message is None:
                    words = f"nothing came of {topic} [{partition}] after offset {offset}"
                    raise failures.service("Kafka", settings.kafka_bootstrap_servers, words)
                if message.error():
                    raise KafkaException(message.error())
                offset = message.offset()
                if offset <= last:
                    yield message


def _rejected(settings: Settings, contract: Contract, ranges: Ranges) -> dict[tuple[int, int], str]:
    """(partition, offset) -> reason of the events of `ranges` that stand in the dead-letter topic."""
    found = {}
    for message in _read(settings, contract.dead_letter_topic, whole(settings, contract.dead_letter_topic)):
        headers = dict(message.headers() or ())
        if headers.get(dead_letter.TOPIC) != contract.topic.encode() or dead_letter.OFFSET not in headers:
            continue
        partition, offset = int(headers[dead_letter.PARTITION]), int(headers[dead_letter.OFFSET])
        first, last = ranges.get(partition, (0, -1))
        if first <= offset <= last:
            found[partition, offset] = headers[dead_letter.REASON].decode()
    return found


def _positions(settings: Settings, sink: Sink, keys: Iterable[Key]) -> dict[Key, Position]:
    """Position of the event that wrote the row, for those of `keys` that have one."""
    wanted = list(keys)
    if not wanted:
        return {}
    rows = (
        _cassandra(settings, sink, wanted) if isinstance(sink, CassandraSink) else _postgres(settings, sink, wanted)
    )
    return {
        tuple(_comparable(part) for part in row[:-3]): Position(_millis(row[-3]), row[-1], row[-2]) for row in rows
    }


def _cassandra(settings: Settings, sink: CassandraSink, keys: list[Key]) -> Iterator[tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in (*sink.primary_key, EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET))
    where = " AND ".join(f'"{name}" = ?' for name in sink.primary_key)
    with cassandra.connect(settings) as session:
        statement = session.prepare(f"SELECT {names} FROM {sink.qualified} WHERE {where}")  # noqa: S608 - identifiers of the contract
        types = {column.name: column.type.typename for column in statement.column_metadata}
        arguments = [
            tuple(uuid.UUID(p) if types[n] == "uuid" else p for n, p in zip(sink.primary_key, key, strict=True))
            for key in keys
        ]
        for _, result in execute_concurrent_with_args(session, statement, arguments, concurrency=64):
            for row in result:
                yield tuple(row)


def _postgres(settings: Settings, sink: PostgresSink, keys: list[Key]) -> Iterator[tuple[Any, ...]]:
    names = (*sink.primary_key, EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET)
    with postgres.connect(settings) as connection:
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
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
    return round(moment.timestamp() * 1000)
