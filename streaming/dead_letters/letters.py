"""Reads the dead letters of a contract: one for each record and what became of it, without its content.

A record may be in the dead-letter topic several times, because a batch that is written again sends it again.  The
letters of one record share its position, timestamp, key, value and headers; the position alone does not identify a
record, because a topic that was deleted and created again has the same positions.

A receipt, a message of the dead-letter topic with neither key nor value, says where a letter was put back.  So the
record itself stays unaltered, and the receipt remains when the topic's retention deletes the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import Message

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.decode import framing
from avro_data_contracts.streaming.sinks import refusals


@dataclass(frozen=True, order=True)
class Place:
    """Position of a record; written `topic-partition-offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Parse `topic-partition-offset`.  Raises ValueError."""
        name, partition, offset = text.rsplit("-", 2)
        return cls(name, int(partition), int(offset))


@dataclass(frozen=True)
class Letter:
    """A record that was rejected.

    Attributes:
        at: place of the letter, in the dead-letter topic.
        origin: place of the record; None if it never was a record of the topic (a producer's letter).
        by: who wrote the letter, `streaming` or the producer's name.
        reason: the code.
        message: the reason in words.
        millis: the record's timestamp, ms since the epoch.
        key_bytes, value_bytes: sizes, None for null; the original sizes if key or value were left out.
        left_out: whether the value is not in the letter.
        key_left_out: whether the key and the record's own headers are not in it either.
        schema_id: id or GUID of the schema that the value was written with, None when nothing names one.
        headers: names of the record's own headers.
        digest: digest of timestamp, key, value and own headers.
        replayed_as: where the record was put back, None if it was not.
        again: whether the record had been put back and was rejected again.
        source, field: of a producer's letter: the place in its source, and the path of the field; empty: unknown.
    """

    at: Place
    origin: Place | None
    by: str
    reason: str
    message: str
    millis: int
    key_bytes: int | None
    value_bytes: int | None
    left_out: bool
    key_left_out: bool
    schema_id: framing.SchemaKey | None
    headers: tuple[str, ...]
    digest: str
    replayed_as: Place | None = None
    again: bool = False
    source: str = ""
    field: str = ""


#: A letter; or the identity of a record that was put back, and where; or None for what is neither.
Entry = Letter | tuple[object, Place] | None


@dataclass(frozen=True)
class Letters:
    """What the dead-letter topic holds for one contract.

    Attributes:
        letters: one for each record, in the order of the dead-letter topic.
        duplicates: number of further letters of the same records.
        put_back: places of the records that were put back.
    """

    letters: tuple[Letter, ...]
    duplicates: int
    put_back: frozenset[Place]


def read(settings: Settings, contract: Contract) -> Letters:
    """Read everything that is there now.

    Raises:
        ConfigurationError: the contract is not registered.
        ServiceError: Kafka does not answer.
    """
    name = topic_of(settings, contract)
    return gathered(
        (entry(one, contract.topic) for one in topic.read(settings, name, topic.whole(settings, name))), contract
    )


def topic_of(settings: Settings, contract: Contract) -> str:
    """Return the name of the dead-letter topic.

    Raises:
        ConfigurationError: there is none, because the contract is not registered.
    """
    name = contract.dead_letter_topic
    if Topics(settings).read([name])[name] is None:
        raise ConfigurationError(
            f"missing: topic {name}", where=contract.file, fix="register the contract: make register-schemas"
        )
    return name


def entry(message: Message, of_topic: str) -> Entry:
    """Return what a message of the dead-letter topic is, without its content."""
    return _receipt(message) or letter_of(message, of_topic)


def gathered(entries: Iterable[Entry], contract: Contract) -> Letters:
    """Return one letter for each record.  `entries`: in the order of the dead-letter topic."""
    newest: dict[object, Letter] = {}
    receipts: dict[object, Place] = {}
    places: set[Place] = set()
    duplicates = 0
    for one in entries:
        if isinstance(one, Letter):
            identity = _identity(one)
            duplicates += newest.pop(identity, None) is not None
            newest[identity] = one
        elif one is not None:
            identity, place = one
            receipts[identity] = place
            places.add(place)
    put_back = frozenset(place for place in places if place.topic == contract.topic)
    letters = (
        replace(letter, replayed_as=receipts.get(record_of(letter)), again=letter.origin in put_back)
        for letter in newest.values()
    )
    return Letters(tuple(sorted(letters, key=lambda letter: letter.at)), duplicates, put_back)


def messages(settings: Settings, letters: Mapping[Place, Letter]) -> Iterator[tuple[Letter, Message]]:
    """Yield the messages of these letters, by `at`.  They are read again, because a value may be large."""
    ranges: dict[str, dict[int, tuple[int, int]]] = {}
    for at in letters:
        partitions = ranges.setdefault(at.topic, {})
        first, last = partitions.get(at.partition, (at.offset, at.offset))
        partitions[at.partition] = (min(first, at.offset), max(last, at.offset))
    for name, wanted in ranges.items():
        for message in topic.read(settings, name, wanted):
            letter = letters.get(Place(name, *topic.place(message)))
            if letter is not None:
                yield letter, message


def receipt(letter: Letter, place: Place) -> dict[str, Any]:
    """Return the arguments of `Outbox.send` that record that the letter was put back at `place`."""
    told = {
        dead_letter.REPLAYED: str(letter.origin),
        dead_letter.REPLAYED_AS: str(place),
        dead_letter.DIGEST: letter.digest,
    }
    return {"key": None, "value": None, "headers": [(name, told[name].encode()) for name in dead_letter.RECEIPT]}


def letter_of(message: Message, of_topic: str) -> Letter | None:
    """Return the letter in a message of the dead-letter topic; None if it is about another topic, or not a letter."""
    headers = topic.headers(message)
    told = {name: (value or b"").decode(errors="replace") for name, value in headers}
    if told.get(dead_letter.TOPIC) != of_topic:
        return None
    own = dead_letter.own(headers)
    needed = {} if own is None else dead_letter.needed(headers)
    origin = None if own is None else _origin(of_topic, told)
    key, value = message.key(), message.value()
    millis = needed.get(dead_letter.TIMESTAMP, message.timestamp()[1])
    return Letter(
        at=Place(str(message.topic()), *topic.place(message)),
        origin=origin,
        by=told.get(dead_letter.CONNECTOR, ""),
        reason=told.get(dead_letter.REASON, ""),
        message=told.get(dead_letter.MESSAGE, ""),
        millis=millis,
        key_bytes=needed.get(dead_letter.KEY_LEFT_OUT, _length(key)),
        value_bytes=needed.get(dead_letter.LEFT_OUT, _length(value)),
        left_out=dead_letter.LEFT_OUT in needed,
        key_left_out=dead_letter.KEY_LEFT_OUT in needed,
        schema_id=framing.parted(value, headers if own is None else own, framing.VALUE_HEADER)[0],
        headers=tuple(name for name, _ in (headers if own is None else own)),
        digest=_digest(millis, key, value, own or []),
        source=told.get(dead_letter.SOURCE_POSITION, "") if own is None else "",
        field=told.get(dead_letter.SOURCE_FIELD, "") if own is None else "",
    )


def _receipt(message: Message) -> tuple[object, Place] | None:
    headers = topic.headers(message)
    if message.key() is not None or message.value() is not None:
        return None
    if tuple(name for name, _ in headers) != dead_letter.RECEIPT:
        return None
    told = {name: (value or b"").decode(errors="replace") for name, value in headers}
    try:
        identity = (Place.parse(told[dead_letter.REPLAYED]), told[dead_letter.DIGEST])
        return identity, Place.parse(told[dead_letter.REPLAYED_AS])
    except ValueError:  # another program's
        return None


def record_of(letter: Letter) -> object:
    """Return what all letters of one record have in common."""
    return (letter.origin, letter.digest) if letter.origin else letter.at


def _identity(letter: Letter) -> object:
    """Return `record_of` with the store, because each store may refuse a record."""
    return record_of(letter), refusals.store_of(letter.reason)


def _origin(of_topic: str, told: Mapping[str, str]) -> Place | None:
    """Return the record's place; None if another program wrote headers of the same names."""
    try:
        return Place(of_topic, int(told[dead_letter.PARTITION]), int(told[dead_letter.OFFSET]))
    except ValueError:
        return None


def _length(value: bytes | None) -> int | None:
    return None if value is None else len(value)


def _digest(millis: int, key: bytes | None, value: bytes | None, headers: list[dead_letter.Header]) -> str:
    digest = hashlib.sha256(str(millis).encode())
    for part in (key, value, *(part for name, content in headers for part in (name.encode(), content))):
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    return digest.hexdigest()[:32]
