"""The verdict of a run: reads the topics and both stores with plain clients and finds losses and differences."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import fastavro
from confluent_kafka import Message

from avro_data_contracts.streaming import topic
from contracts_tests.chaos.writer import Place
from contracts_tests.fixtures.pipeline import Pipeline, comparable
from contracts_tests.fuzz.mutations import VALUE_HEADER
from contracts_tests.fuzz.nodes import parse
from contracts_tests.fuzz.oracle import Known
from contracts_tests.fuzz.oracle import judge as judge_record

_SHOWN = 5


@dataclass
class Verdict:
    """The fate of all records.

    Attributes:
        produced: number of records in the topic.
        bad: number of them that are not valid records of the contract.
        keys: number of distinct ids among the valid ones.
        cassandra, postgres: number of rows.
        dead: number of distinct records in the dead-letter topic.
        letters: number of all records there; a batch that was written again may have duplicated some.
        problems: one sentence for each loss or difference.
    """

    produced: int = 0
    bad: int = 0
    keys: int = 0
    cassandra: int = 0
    postgres: int = 0
    dead: int = 0
    letters: int = 0
    problems: list[str] = field(default_factory=list)


def judge(pipeline: Pipeline, acknowledged: Mapping[Place, bytes]) -> Verdict:
    """Compare the acknowledged records with the topic, and the topic with the stores and the dead letters."""
    name = pipeline.contract.topic
    events = list(topic.read(pipeline.settings, name, topic.whole(pipeline.settings, name)))
    there = {place(event): event.value() for event in events}
    verdict = Verdict(produced=len(events))
    lost = [at for at, value in acknowledged.items() if there.get(at) != value]
    _tell(verdict, "acknowledged, but not in the topic", lost)

    bad, newest = _split(pipeline, events)
    verdict.bad, verdict.keys = len(bad), len(newest)
    rows = {"Cassandra": pipeline.cassandra_rows(), "PostgreSQL": pipeline.postgres_rows()}
    verdict.cassandra, verdict.postgres = len(rows["Cassandra"]), len(rows["PostgreSQL"])
    for store, found in rows.items():
        _tell(verdict, f"not in {store}", newest.keys() - found.keys())
        _tell(verdict, f"in {store}, and never sent", found.keys() - newest.keys())
        compared = {key: _differing(newest[key], comparable(found[key])) for key in newest.keys() & found.keys()}
        differs = {key: columns for key, columns in compared.items() if columns}
        names = ", ".join(sorted(set().union(*differs.values())))
        _tell(verdict, f"in {store}, and not as its last event has it ({names})", differs)

    letters = pipeline.dead_letters()
    dead = {_origin(letter): (letter.key(), letter.value(), _millis(letter)) for letter in letters}
    verdict.letters, verdict.dead = len(letters), len(dead)
    _tell(verdict, "bad, and not in the dead-letter topic", bad.keys() - dead.keys())
    _tell(verdict, "in the dead-letter topic, though it is good", dead.keys() - bad.keys())
    _tell(verdict, "dead-lettered, and not as it was", [at for at in bad.keys() & dead.keys() if bad[at] != dead[at]])
    return verdict


def _millis(letter: Message) -> int:
    """The timestamp of the letter's record."""
    return int(dict(letter.headers())["contracts.timestamp"])


def _differing(event: Mapping[str, Any], row: Mapping[str, Any]) -> set[str]:
    """Return the columns that differ, or that only one of the two has."""
    return event.keys() ^ row.keys() | {name for name in event.keys() & row.keys() if event[name] != row[name]}


def place(message: Message) -> Place:
    return message.partition(), message.offset()


def good_events(pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    """Yield the valid records of the topic, each with its position."""
    name = pipeline.contract.topic
    events = topic.read(pipeline.settings, name, topic.whole(pipeline.settings, name))
    return (record for _, record in _decoded(pipeline, events) if record is not None)


def _split(
    pipeline: Pipeline, events: Iterable[Message]
) -> tuple[dict[Place, tuple[bytes | None, bytes | None, int]], dict[str, dict[str, Any]]]:
    """Return the bad events by place, and the row that each id's last event makes."""
    bad: dict[Place, tuple[bytes | None, bytes | None, int]] = {}
    newest: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}
    for event, record in _decoded(pipeline, events):
        if record is None:
            bad[place(event)] = (event.key(), event.value(), event.timestamp()[1])
            continue
        at = (event.timestamp()[1], event.offset())
        if record["id"] not in newest or newest[record["id"]][0] < at:
            newest[record["id"]] = (at, record)
    return bad, {key: comparable(row) for key, (_, row) in newest.items()}


def _decoded(pipeline: Pipeline, events: Iterable[Message]) -> Iterator[tuple[Message, dict[str, Any] | None]]:
    """Yield each event with its record and position; None: it is bad."""
    reader = fastavro.parse_schema(json.loads(pipeline.contract.value.schema_text))
    known = Known(parse(json.loads(pipeline.contract.value.schema_text)))
    writers: dict[int, Any] = {}
    for event in events:
        record = _decode(pipeline, event.value(), known, writers, reader)
        if record is not None:
            moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=event.timestamp()[1])
            position = {"kafka_timestamp": moment, "kafka_partition": event.partition()}
            record = {**record, **position, "kafka_offset": event.offset()}
        yield event, record


def _decode(
    pipeline: Pipeline, value: bytes, known: Known, writers: dict[int, Any], reader: Any
) -> dict[str, Any] | None:
    """Return the record as fastavro reads it, None when the fuzzer's oracle judges it invalid."""
    schema_id = int.from_bytes(value[1:5], "big", signed=True)
    if schema_id >= 0 and schema_id not in writers:
        found = pipeline.registry.by_id(schema_id)
        writers[schema_id] = found and fastavro.parse_schema(json.loads(found.text))
        if found:
            known.readable[schema_id] = parse(json.loads(found.text))
    if judge_record(value, (), VALUE_HEADER, known).reason:
        return None
    record = fastavro.schemaless_reader(io.BytesIO(value[5:]), writers[schema_id], reader)
    return {**record, "id": str(record["id"])}


def _origin(letter: Message) -> Place:
    told = dict(letter.headers())
    return int(told["__connect.errors.partition"]), int(told["__connect.errors.offset"])


def _tell(verdict: Verdict, what: str, found: Iterable[Any]) -> None:
    some = sorted(found)
    if some:
        verdict.problems.append(f"{len(some)} {what}: {', '.join(map(str, some[:_SHOWN]))}")
