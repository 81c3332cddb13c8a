"""Reads a topic from its end: the newest records first, as far as somebody looks, without a group or a commit.

Within a partition, records come in the order of their offsets, the last first; between partitions, the one with the
newest timestamp comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.inspection import guesses, masks, tail
from avro_data_contracts.streaming.inspection.seen import Decoder, Seen
from avro_data_contracts.streaming.inspection.tail import Tailed

#: Records that one question reads, before it says how far it has come.
MOST_READ: Final = 5_000
#: Offsets of a partition that are read at once.
_FEWEST, _MOST = 20, 640
#: Of records that are larger together, no more than the fewest are read at once.
_MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Wanted:
    """The records that somebody wants.

    Attributes:
        limit: so many.
        key: text or JSON; empty: any.
        where: a condition, as in the expression of a rule; empty: none.
        version: of the schema in its subject; None: any.
        reason: of a dead letter; empty: any.
        since, until: range of timestamps, ms since the epoch, without `until` itself.
        before: partition -> only records with smaller offsets; where an earlier answer stopped.
        reveal: show personal data.
    """

    limit: int = 20
    key: str = ""
    where: str = ""
    version: int | None = None
    reason: str = ""
    since: int | None = None
    until: int | None = None
    before: Mapping[int, int] = field(default_factory=dict)
    reveal: bool = False


@dataclass(frozen=True)
class Found:
    """The records.

    Attributes:
        seen: the newest first.
        read: how many records were read for them.
        uncompared: how many of these could not be compared with `where`: they cannot be decoded, or are dead letters
            that hold no record of a contract.
        older: `before` of the next question; None: there are no older ones.
    """

    seen: tuple[Seen, ...]
    read: int
    uncompared: int
    older: Mapping[int, int] | None


def newest(settings: Settings, tailed: Tailed, wanted: Wanted) -> Found:
    """Return the newest records that somebody wants.

    Raises:
        ConfigurationError: there is no such topic, or the condition does not fit, may take for ever, or names
            personal data that is masked.
        ServiceError: Kafka or the registry does not answer.
    """
    registry = Registry.from_settings(settings)
    judges = tail.condition(tailed.contracts, wanted.where) if wanted.where else {}
    guesses.refuse_slow(tailed.contracts, wanted.where)
    if not wanted.reveal and wanted.where:
        guesses.refuse_condition(tailed.contracts, wanted.where, masks.of_values(registry, tailed.contracts))
    if not wanted.reveal and wanted.key:
        guesses.refuse_key(tailed.contracts, masks.of_keys(registry, tailed.contracts))
    if Topics(settings).read([tailed.topic])[tailed.topic] is None:
        raise ConfigurationError(
            f"there is no topic {tailed.topic}",
            where=f"Kafka {settings.kafka_bootstrap_servers}",
            fix="register the contract: make register-schemas",
        )
    decoder = Decoder(registry, tailed.contracts, reveal=wanted.reveal, condition=judges)
    ranges = topic.between(settings, tailed.topic, wanted.since, wanted.until)
    source = _Source(settings, tailed, decoder)
    partitions = [
        _Backwards(source, wanted, one, low, min(high, wanted.before.get(one, high)), MOST_READ // len(ranges))
        for one, (low, high) in ranges.items()
    ]
    found: list[Seen] = []
    while len(found) < wanted.limit and sum(one.read for one in partitions) < MOST_READ:
        heads = [one for one in partitions if one.head is not None]
        if not heads:
            break
        found.append(max(heads, key=_age).take())
    older = {one.partition: one.end for one in partitions}
    left = any(one.end > one.low for one in partitions)
    read, uncompared = sum(one.read for one in partitions), sum(one.uncompared for one in partitions)
    return Found(tuple(found), read, uncompared, older if left else None)


class _Source(NamedTuple):
    settings: Settings
    tailed: Tailed
    decoder: Decoder


class _Backwards:
    """The records of a partition that are wanted, the last first.

    Args:
        low, end: the first offset, and the one after the last.
        most: how many to read.

    Attributes:
        end: every record from here on was taken, or is not wanted.
    """

    def __init__(self, source: _Source, wanted: Wanted, partition: int, low: int, end: int, most: int) -> None:
        self._source = source
        self._wanted = wanted
        self._most = most
        self.partition = partition
        self.low = low
        self.end = max(low, end)
        self.read = 0
        self.uncompared = 0
        self._unread = self.end
        self._size = _FEWEST
        self._bytes = 0
        self._waiting: list[Seen] = []

    @property
    def head(self) -> Seen | None:
        """The next one; None: there is none, or too many others were read for it."""
        while not self._waiting and self._unread > self.low and self.read < self._most:
            first = max(self.low, self._unread - self._size)
            ranges = {self.partition: (first, self._unread - 1)}
            self._waiting = list(self._matching(ranges))
            self._unread = first
            self._size = min(_MOST, self._size * 2) if self._bytes < _MOST_BYTES else _FEWEST
            if not self._waiting:
                self.end = first
        return self._waiting[-1] if self._waiting else None

    def take(self) -> Seen:
        taken = self._waiting.pop()
        self.end = taken.offset if self._waiting else self._unread
        return taken

    def _matching(self, ranges: topic.Ranges) -> Iterator[Seen]:
        wanted, (settings, tailed, decoder) = self._wanted, self._source
        self._bytes = 0
        for message in topic.read(settings, tailed.topic, ranges):
            self.read += 1
            self._bytes += len(message.value() or b"")
            seen = decoder.seen(message)
            if tailed.only and seen.contract not in ("", tailed.only):
                continue
            if wanted.key and not tail.key_is(seen, wanted.key):
                continue
            if wanted.version is not None and seen.value.version != wanted.version:
                continue
            if wanted.reason and (seen.rejected is None or seen.rejected["reason"] != wanted.reason):
                continue
            if seen.matches is None:
                self.uncompared += 1
            if seen.matches:
                yield seen


def _age(one: _Backwards) -> tuple[int, int]:
    assert one.head is not None
    return one.head.millis, -one.partition
