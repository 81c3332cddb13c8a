"""Checks that every event of a run is in every store: reads the topic and the stores, and compares positions.

An event is in order in a store when it or a newer event wrote the row of its primary key.  A tombstone is in order
when there is no such row, or a newer event wrote it.  Either is in order when the dead-letter topic holds it.  Plain
clients and fastavro read the events, not the code that wrote them.  In an envelope, a delete counts as a tombstone.
"""

from __future__ import annotations

import io
import json
import math
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro
from fastavro import _read_py

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.envelope import AFTER, DELETE, OP, WRITES
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.dead_letters import letters as dead_letters
from avro_data_contracts.streaming.dead_letters.letters import Letters, Place
from avro_data_contracts.streaming.decode import framing
from avro_data_contracts.streaming.decode.framing import Headers, SchemaKey
from avro_data_contracts.streaming.decode.reasons import OF_ANOTHER, OF_NOBODY
from avro_data_contracts.streaming.decode.writer_schemas import Writer, Writers
from avro_data_contracts.streaming.inspection import behind, stored
from avro_data_contracts.streaming.inspection.hidden import Hidden
from avro_data_contracts.streaming.inspection.stored import Position
from avro_data_contracts.streaming.inspection.view_table import ViewTable
from avro_data_contracts.streaming.run import gaps
from avro_data_contracts.streaming.run.checkpoints import Checkpoints
from avro_data_contracts.streaming.sinks import refusals
from avro_data_contracts.streaming.stores.store import Key
from avro_data_contracts.streaming.topic import Ranges

# fastavro knows uuid only for strings.
for _readers in (fastavro.read.LOGICAL_READERS, _read_py.LOGICAL_READERS):  # type: ignore[attr-defined]
    _readers["fixed-uuid"] = lambda value, *_: uuid.UUID(bytes=value)


@dataclass(frozen=True)
class Produced:
    """A producer's report of its run.

    Attributes:
        fetched: items taken from the source.
        produced: records that Kafka acknowledged.
        refused: items that could not become a record, by reason.
        ranges: partition -> first and last offset of its records.
    """

    fetched: int
    produced: int
    refused: Mapping[str, int]
    ranges: Ranges

    @classmethod
    def read(cls, path: Path) -> Produced:
        """Read the report of `python -m producers --json`; `-` is standard input.

        Raises ConfigurationError when the file is not such a report.
        """
        try:
            document = json.loads(sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8"))
            ranges = {int(partition): (first, last) for partition, (first, last) in document["offsets"].items()}
            return cls(document["fetched"], document["produced"], document["refused"]["reasons"], ranges)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"not a report of a producer: {type(error).__name__} {error}",
                where=str(path),
                fix="write it with `python -m avro_data_contracts.producers --json > FILE`",
            ) from None


@dataclass(frozen=True)
class Stored:
    """The events in one store.

    Attributes:
        keys: number of distinct primary keys among the events that can be decoded.
        rows: number of keys whose row was written by their newest event, or a newer one.
        deleted: number of keys without a row, because their newest event is a tombstone.
        expired: number of keys without a row, because that stays no longer after its newest event.
        missing: positions of events whose row is missing, older, or not deleted by the tombstone, and of events that
            cannot be decoded and have no dead letter.
        older: number of keys whose row an older event wrote.
        unwritten: partition -> first and last offset that the stream has still to write, where an event is missing.
        otherwise: number of keys whose row its newest event wrote, with other values in masked columns.
    """

    keys: int
    rows: int
    deleted: int
    missing: tuple[Position, ...]
    expired: int = 0
    older: int = 0
    unwritten: Ranges = field(default_factory=dict)
    otherwise: int = 0

    @property
    def lost(self) -> list[Position]:
        """The missing events that do not wait for the stream."""
        return [one for one in self.missing if not self._waits(one)]

    def _waits(self, one: Position) -> bool:
        first, last = self.unwritten.get(one.partition, (0, -1))
        return first <= one.offset <= last


@dataclass(frozen=True)
class Outcome:
    """What became of the events of a run.

    Attributes:
        events: number of records in the ranges, without the skipped ones.
        put_back: number of these that were put back from the dead letters.
        dead_lettered: number of records of the ranges that the dead-letter topic holds, by reason; a record that one
            store refused counts here, and is expected in the others.
        stores: by name of the store.
        skipped: number of records that concern another contract of the topic.
        lost: store -> records that Kafka deleted before the store read them, accepted by `--accept-loss`; they are
            no longer in a range.
        views: the tables of views.
        left_out: view -> why its tables were not compared.
    """

    events: int
    put_back: int
    dead_lettered: Mapping[str, int]
    stores: Mapping[str, Stored]
    lost: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    views: tuple[ViewTable, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def dead_for(self, store: str) -> int:
        """Count the records that the store should not have: rejected for all stores, or refused by this one."""
        return sum(
            number for reason, number in self.dead_lettered.items() if refusals.store_of(reason) in (None, store)
        )

    def in_order(self, produced: Produced | None = None) -> bool:
        """Return whether the numbers agree: fetched = produced + refused, produced = events, all stored or dead.

        The tables of views have the rows that their SQL makes.
        """
        own = self.agrees(produced) and not any(store.missing or store.otherwise for store in self.stores.values())
        return own and all(view.in_order for view in self.views)

    def agrees(self, produced: Produced | None) -> bool:
        """Return whether the topic has what the producer reports."""
        if produced is None:
            return True
        fetched = produced.produced + sum(produced.refused.values())
        return produced.fetched == fetched and produced.produced == self.events - self.put_back

    @property
    def lags(self) -> bool:
        """Whether events are missing, and all of them wait for the stream."""
        stores, views = self.stores.values(), self.views
        waits = any(store.missing for store in stores) or any(view.unwritten for view in views)
        wrong = any(store.lost or store.otherwise for store in stores) or any(view.findings for view in views)
        return waits and not wrong


def reconcile(settings: Settings, contract: Contract, ranges: Ranges | None = None) -> Outcome:
    """Compare the events of `ranges` with what the stores hold.

    Args:
        ranges: partition -> (first offset, last offset), both included; None for the whole topic.

    Raises:
        ServiceError: Kafka, the registry or a store does not answer.
        ConfigurationError: a mask hashes, and there is no key, or a weak one.
    """
    hidden = {sink.kind: Hidden(settings, contract, sink) for sink in contract.sinks}
    ranges = ranges if ranges is not None else topic.whole(settings, contract.topic)
    letters = dead_letters.read(settings, contract)
    rejected = _rejected(letters)
    dead: Counter[str] = Counter()
    newest: dict[str, dict[Key, Position]] = {sink.kind: {} for sink in contract.sinks}
    expected: dict[str, dict[Key, tuple[Any, ...]]] = {sink.kind: {} for sink in contract.sinks}
    tombstones: set[Position] = set()
    undecoded: list[Position] = []
    events = skipped = put_back = 0
    checkpoints = Checkpoints(settings, contract)
    decoder = _Decoder(settings, contract)
    of_keys = _Decoder(settings, contract.keys, framing.KEY_HEADER) if contract.deletes else None
    for message in topic.read(settings, contract.topic, ranges):
        partition, offset = topic.place(message)
        if decoder.skips(message.value(), topic.headers(message)):
            skipped += 1
            continue
        events += 1
        put_back += Place(contract.topic, partition, offset) in letters.put_back
        position = Position(message.timestamp()[1], offset, partition)
        reasons = rejected.get((position.partition, position.offset), {}).get(position.millis, frozenset())
        dead.update(reasons)
        refused_by = {store for reason in reasons if (store := refusals.store_of(reason)) is not None}
        if len(refused_by) < len(reasons):
            continue
        deletes, record = decoder.change(message.value(), topic.headers(message))
        if deletes and of_keys is not None:
            record = of_keys.record(message.key(), topic.headers(message))
            tombstones.add(position)
        if record is None:
            undecoded.append(position)
            continue
        for sink in contract.sinks:
            if sink.kind in refused_by:
                continue
            masks = hidden[sink.kind]
            key = stored.key(masks.key_of(record), sink, position, checkpoints.topic_id)
            newest[sink.kind][key] = max(position, newest[sink.kind].get(key, position))
            if masks.columns and newest[sink.kind][key] == position and not deletes:
                expected[sink.kind][key] = masks.values(record)
    stores = {}
    for sink in contract.sinks:
        wanted = newest[sink.kind]
        # Before the rows are read: what is written meanwhile is not missing.
        written = behind.written(checkpoints.folder / sink.kind, contract.topic)
        there = stored.positions(settings, sink, wanted, hidden[sink.kind].columns)
        found = {key: position for key, (position, _) in there.items()}
        gone = {key for key, position in wanted.items() if position in tombstones and key not in found}
        ends = time.time() - sink.stays_s if sink.stays_s is not None else -math.inf
        expired = {
            key
            for key, position in wanted.items()
            if position.millis < ends * 1000 and key not in gone and (key not in found or found[key] < position)
        }
        missing = [
            position
            for key, position in wanted.items()
            if key not in gone and key not in expired and (key not in found or found[key] < position)
        ]
        rows = len(wanted) - len(gone) - len(missing) - len(expired)
        older = sum(key in found and key not in expired and found[key] < wanted[key] for key in wanted)
        otherwise = sum(
            key in there and there[key][0] == wanted[key] and there[key][1] != values
            for key, values in expected[sink.kind].items()
            if wanted[key] not in tombstones
        )
        lacking = tuple(sorted([*missing, *undecoded]))
        if written is None and not found:
            written = {}  # the stream has not begun
        # The first store's query sends the letters.
        waiting = lacking if sink is contract.sinks[0] else missing
        unwritten = behind.unwritten(waiting, written, ranges)
        stores[sink.kind] = Stored(len(wanted), rows, len(gone), lacking, len(expired), older, unwritten, otherwise)
    lost: Counter[str] = Counter()
    for gap in gaps.losses(checkpoints.folder):
        lost[gap.sink] += gap.records
    return Outcome(events, put_back, dict(dead), stores, dict(lost), skipped)


class _Decoder:
    """Decodes values to records, with fastavro.

    Args:
        header: the Kafka header that may carry the schema id.
    """

    def __init__(self, settings: Settings, contract: Contract, header: str = framing.VALUE_HEADER) -> None:
        self._writers = Writers(Registry.from_settings(settings), contract)
        self._contract = contract
        self._reader = fastavro.parse_schema(json.loads(to_json(contract.reader)))
        self._header = header
        self._found: dict[SchemaKey, Writer] = {}
        self._reads: dict[SchemaKey, Callable[[bytes], dict[str, Any]] | None] = {}

    def skips(self, value: bytes | None, headers: Headers | None) -> bool:
        """Return whether the record concerns another contract of the topic."""
        if not self._contract.siblings:
            return False
        key, _ = framing.parted(value, headers, self._header)
        if key is None:
            return not self._contract.leads
        reason = self._writer(key).reason
        return reason == OF_ANOTHER or (reason in OF_NOBODY and not self._contract.leads)

    def _writer(self, key: SchemaKey) -> Writer:
        if key not in self._found:
            self._found[key] = self._writers.of([key])[key]
        return self._found[key]

    def change(self, value: bytes | None, headers: Headers | None) -> tuple[bool, dict[str, Any] | None]:
        """Return whether the message deletes the row of its key, and the row that it writes, if there is one."""
        record = self.record(value, headers)
        if self._contract.envelope is None or record is None:
            return value is None, record
        return record[OP] == DELETE, record[AFTER] if record[OP] in WRITES else None

    def record(self, value: bytes | None, headers: Headers | None) -> dict[str, Any] | None:
        """Return the record, None when the value cannot be decoded."""
        key, body = framing.parted(value, headers, self._header)
        if key is None:
            return None
        if key not in self._reads:
            self._reads[key] = self._reading(self._writer(key).text)
        read = self._reads[key]
        if read is None:
            return None
        try:
            return read(body)
        except (EOFError, ValueError, IndexError, OverflowError, RecursionError):
            return None

    def _reading(self, text: str) -> Callable[[bytes], dict[str, Any]] | None:
        """Return a reader of bodies written with this schema; None for an empty text, which cannot be read."""
        if not text:
            return None
        writer = fastavro.parse_schema(json.loads(text))
        # fastavro's reader in C has no limit: a deeply nested recursive type crashes the process.
        recursive = any(types.recursions(parsing.parse_stored(text)))
        read: Callable[..., Any] = _read_py.schemaless_reader if recursive else fastavro.schemaless_reader
        return lambda body: read(io.BytesIO(body), writer, self._reader)


def _rejected(letters: Letters) -> dict[tuple[int, int], dict[int, frozenset[str]]]:
    """Return (partition, offset) -> timestamp -> reasons: offsets repeat when a topic is created again."""
    found: dict[tuple[int, int], dict[int, frozenset[str]]] = {}
    for letter in letters.letters:
        if letter.origin is not None:
            of_place = found.setdefault((letter.origin.partition, letter.origin.offset), {})
            of_place[letter.millis] = of_place.get(letter.millis, frozenset()) | {letter.reason}
    return found
