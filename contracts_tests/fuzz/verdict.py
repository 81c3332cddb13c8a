"""Compare topic, stores and dead letters: is each record in the right place, and correct?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.streaming import topic
from contracts_tests.fuzz.contracts import Fuzzed
from contracts_tests.fuzz.java import JavaReader
from contracts_tests.fuzz.mutations import KEY_HEADER, VALUE_HEADER
from contracts_tests.fuzz.oracle import Branch, Malformed, Verdict, decode, flaw_of_key, judge
from contracts_tests.fuzz.stored import POSITION, STORES, expected, rows

Place = tuple[int, int]
#: Ends the message if a batch has so many unknown ids that the registry was not asked about all of them.
_NOT_ASKED = "the registry was not asked for each"
# Each record of the fuzz fits into a letter.
_ADDED = (*dead_letter.ADDED, dead_letter.TIMESTAMP)
_SHOWN = 200


@dataclass(frozen=True)
class Difference:
    """A difference between what should be and what is.

    Attributes:
        what: the kind of difference, in a few words.
        place: partition and offset of the record, None if there is no record.
        details: what was expected and what was found.
        record: key, value and headers of the record in hex.
    """

    what: str
    place: Place | None
    details: str
    record: str = ""

    def __str__(self) -> str:
        at = "" if self.place is None else f" at {self.place[0]}-{self.place[1]}"
        return "\n    ".join(filter(None, (f"{self.what}{at}: {self.details}", self.record)))


@dataclass
class Found:
    """What became of one topic.

    Attributes:
        records: number of records in the topic.
        reasons: number of bad records by reason.
        rows: number of rows by store.
        letters: number of messages in the dead-letter topic.
        compared: number of bodies given to Avro's Java reader.
        differences: empty if all is well.
    """

    name: str
    records: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    rows: dict[str, int] = field(default_factory=dict)
    letters: int = 0
    compared: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def good(self) -> int:
        return self.records - self.reasons.total()


class _Topic:
    """The records of one topic, and what should become of each."""

    def __init__(self, fuzzed: Fuzzed) -> None:
        self.fuzzed = fuzzed
        self.messages: dict[Place, Message] = {}
        self.verdicts: dict[Place, Verdict] = {}
        # Primary key -> place of its newest event.
        self.newest: dict[tuple[Any, ...], Place] = {}
        self.tombstones: set[Place] = set()
        self._asked: set[int] = set()
        settings, name = fuzzed.pipeline.settings, fuzzed.pipeline.contract.topic
        for message in topic.read(settings, name, topic.whole(settings, name)):
            self._add(message)
        self.ids = Counter(one.schema_id for one in self.verdicts.values() if one.schema_id is not None)

    def _add(self, message: Message) -> None:
        place = (message.partition(), message.offset())
        verdict = self._judged(message)
        self.messages[place], self.verdicts[place] = message, verdict
        if verdict.reason:
            return
        key = tuple(self._stored(verdict.record, name) for name in self.fuzzed.shape.primary_key)
        if key not in self.newest or self._order(self.newest[key]) < self._order(place):
            self.newest[key] = place

    def _order(self, place: Place) -> tuple[int, int, int]:
        return (self.messages[place].timestamp()[1], place[1], place[0])

    def _stored(self, record: Mapping[str, Any], name: str) -> Any:
        [kind] = [one.type for one in self.fuzzed.reader.fields if one.name == name]
        return expected(kind, record[name], "postgres")

    def _judged(self, message: Message) -> Verdict:
        fuzzed, value = self.fuzzed, message.value()
        known, header = fuzzed.values, VALUE_HEADER
        is_tombstone = value is None and fuzzed.keys is not None
        if is_tombstone:
            value, known, header = message.key(), fuzzed.keys, KEY_HEADER
            self.tombstones.add((message.partition(), message.offset()))
        headers = message.headers() or []
        verdict = judge(value, headers, header, known)
        if verdict.reason == "UNKNOWN_SCHEMA_ID" and verdict.schema_id not in self._asked:
            self._asked.add(verdict.schema_id)
            fuzzed.learn(verdict.schema_id)
            verdict = judge(value, headers, header, known)
        if verdict.reason:
            return verdict
        key = list(fuzzed.shape.primary_key)
        if why := flaw_of_key(verdict.record, known.reader, dict.fromkeys(STORES, key)):
            verdict.reason, verdict.why = "DECODE_ERROR", why
        elif not is_tombstone and (rule := fuzzed.rules.first_broken(unwrapped(verdict.record))):
            verdict.reason = rule.reason
        return verdict

    def told(self, place: Place) -> str:
        """Return the record and the oracle's verdict as text."""
        message, verdict = self.messages[place], self.verdicts[place]
        parts = {"key": message.key(), "value": message.value()}
        shown = [f"{name} {_hex(content)}" for name, content in parts.items()]
        shown += [f"header {name} {_hex(content)}" for name, content in message.headers() or ()]
        why = f"the oracle: {verdict.reason or 'good'} {verdict.why}".strip()
        return "\n    ".join([why, *shown])


def judged(fuzzed: Fuzzed, java: JavaReader | None) -> Found:
    """Compare the topic with the stores, the dead letters, and the results of Avro's Java reader."""
    there = _Topic(fuzzed)
    reasons = Counter(one.reason for one in there.verdicts.values() if one.reason)
    found = Found(fuzzed.shape.name, len(there.messages), reasons)
    found.differences += _letters(there, found)
    for store in STORES:
        found.differences += _rows(there, store, found)
    if java is not None:
        found.differences += _java(there, java, found)
    return found


def unwrapped(value: Any) -> Any:
    """Return a record without the branches of its unions."""
    if isinstance(value, Branch):
        return unwrapped(value.value)
    if isinstance(value, dict):
        return {key: unwrapped(one) for key, one in value.items()}
    return [unwrapped(one) for one in value] if isinstance(value, list) else value


def _letters(there: _Topic, found: Found) -> Iterator[Difference]:
    open_ = {place for place, verdict in there.verdicts.items() if verdict.reason}
    name = there.fuzzed.pipeline.contract.topic.encode()
    for letter in there.fuzzed.pipeline.dead_letters():
        found.letters += 1
        headers = letter.headers() or []
        own, added = headers[: -len(_ADDED)], headers[-len(_ADDED) :]
        if tuple(name for name, _ in added) != _ADDED:
            yield Difference("a letter without its headers", None, str([name for name, _ in headers]))
            continue
        told = dict(added)
        place = (int(told[dead_letter.PARTITION]), int(told[dead_letter.OFFSET]))
        if place not in open_:
            what = "a letter of a good record" if place in there.verdicts else "a letter of no record"
            if place in there.verdicts and there.verdicts[place].reason:
                what = "a second letter of a record"
            words = f"{told[dead_letter.REASON]!r} {told[dead_letter.MESSAGE]!r}"
            yield Difference(what, place, words, there.told(place) if place in there.messages else "")
            continue
        open_.remove(place)
        message, reasons = there.messages[place], _reasons(there, place, told[dead_letter.MESSAGE].decode())
        if told[dead_letter.REASON].decode() not in reasons:
            words = f"{told[dead_letter.REASON]!r} {told[dead_letter.MESSAGE]!r}, not {' or '.join(sorted(reasons))}"
            yield Difference("a letter with another reason", place, words, there.told(place))
        kept = (letter.key(), letter.value(), own, int(told[dead_letter.TIMESTAMP]), told[dead_letter.TOPIC])
        if kept != (message.key(), message.value(), message.headers() or [], message.timestamp()[1], name):
            yield Difference("a letter that is not as its record was", place, repr(kept)[:_SHOWN], there.told(place))
    for place in sorted(open_):
        yield Difference("a bad record without a letter", place, "it is gone, or it is a row", there.told(place))


def _reasons(there: _Topic, place: Place, message: str) -> set[str]:
    """Return the allowed reasons: the oracle's, or UNKNOWN_SCHEMA_ID in a batch with too many unknown ids."""
    verdict = there.verdicts[place]
    not_asked = verdict.reason == "WRONG_SUBJECT" and message.endswith(_NOT_ASKED)
    return {verdict.reason, "UNKNOWN_SCHEMA_ID"} if not_asked else {verdict.reason}


def _rows(there: _Topic, store: str, found: Found) -> Iterator[Difference]:
    fuzzed = there.fuzzed
    wanted = {key: place for key, place in there.newest.items() if place not in there.tombstones}
    found.rows[store] = 0
    for row in rows(fuzzed.pipeline.settings, fuzzed.pipeline.contract, fuzzed.reader, store):
        found.rows[store] += 1
        place = wanted.pop(fuzzed.identity_of(row), None)
        if place is None:
            at = (row["kafka_partition"], row["kafka_offset"])
            told = there.told(at) if at in there.messages else ""
            yield Difference(f"a row in {store} that should not be", at, repr(fuzzed.identity_of(row))[:_SHOWN], told)
            continue
        position = (there.messages[place].timestamp()[1], *place)
        right = dict(zip(POSITION, position, strict=True))
        for one in fuzzed.reader.fields:
            right[one.name] = expected(one.type, there.verdicts[place].record[one.name], store)
        for name, value in right.items():
            if row[name] != value:
                words = f"{name} is {_short(row[name])}, and should be {_short(value)}"
                yield Difference(f"another value in {store}", place, words, there.told(place))
    for key, place in wanted.items():
        yield Difference(f"no row in {store}", place, repr(key)[:_SHOWN], there.told(place))


def _java(there: _Topic, java: JavaReader, found: Found) -> Iterator[Difference]:
    """Yield bodies that Avro's own reader accepts, refuses or reads differently from the oracle."""
    places: dict[int, list[Place]] = {}
    for place, verdict in there.verdicts.items():
        if verdict.java_too is not None and verdict.schema_id in there.fuzzed.texts and place not in there.tombstones:
            places.setdefault(verdict.schema_id, []).append(place)
    newest = there.fuzzed.texts[there.fuzzed.ids[-1]]
    reader = there.fuzzed.reader
    for schema_id, some in places.items():
        bodies = [there.verdicts[place].body or b"" for place in some]
        answers = java.read(there.fuzzed.texts[schema_id], newest, bodies)
        for place, answer in zip(some, answers, strict=True):
            found.compared += 1
            verdict = there.verdicts[place]
            if (answer is None) != verdict.java_too:
                words = "Java refuses it" if answer is None else "Java reads it"
                yield Difference("Java has another verdict", place, words, there.told(place))
            elif answer is not None:
                try:
                    same = _plain(decode(answer, reader, reader)) == _plain(verdict.record)
                except Malformed as error:
                    yield Difference("Java writes what is no record", place, str(error), there.told(place))
                    continue
                if not same:
                    words = f"{_short(decode(answer, reader, reader))}, not {_short(verdict.record)}"
                    yield Difference("Java reads another record", place, words, there.told(place))


def _plain(value: Any) -> Any:
    """Make a value comparable: floats become text, because NaN != NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return repr(value) if isinstance(value, float) else value


def _hex(content: bytes | None) -> str:
    if content is None:
        return "null"
    rest = "" if len(content) <= 2_000 else f"… ({len(content)} bytes)"
    return f"{content[:2_000].hex()}{rest}" or "empty"


def _short(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


def counted(differences: Iterable[Difference]) -> Counter[str]:
    """Count the differences of each kind."""
    return Counter(one.what for one in differences)
