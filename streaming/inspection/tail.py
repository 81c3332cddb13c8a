"""`python -m streaming tail`: shows what is in a topic, decoded.  It reads without a group, and commits nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.quality import parsing
from avro_data_contracts.contracts.quality.expressions import Not
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.quality.rules import Rule
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.sources.documents import written
from avro_data_contracts.streaming import messages
from avro_data_contracts.streaming.inspection import guesses, masks, texts
from avro_data_contracts.streaming.inspection.seen import Decoder, Seen, moment

#: Without `--from`: so many of the newest offsets of each partition.
NEWEST: Final = 10
BEGIN: Final = "begin"
_POLL_S: Final = 0.2


@dataclass(frozen=True)
class Tailed:
    """What is shown.

    Attributes:
        topic: its name.
        contracts: those of the topic.
        only: the contract whose records are shown; empty: all.
    """

    topic: str
    contracts: tuple[Contract, ...]
    only: str = ""

    @classmethod
    def of(cls, catalog: Catalog, name: str) -> Tailed:
        """What a name means: a contract, a topic, or a dead-letter topic.

        Raises:
            ConfigurationError: it is none of these.
        """
        found = catalog.contracts.get(name)
        if found is not None:
            same = tuple(one for one in catalog.contracts.values() if one.topic == found.topic)
            return cls(found.topic, same, name if len(same) > 1 else "")
        same = tuple(one for one in catalog.contracts.values() if name in (one.topic, one.dead_letter_topic))
        if same:
            return cls(name, same)
        try:
            catalog.get(name)
        except ConfigurationError as error:
            raise error.but(what=f"there is no contract, topic or dead-letter topic {name!r}") from None
        raise AssertionError(name)  # `get` has raised


def condition(contracts: tuple[Contract, ...], text: str) -> dict[str, Judge]:
    """Compile `--where` for each contract that has its fields.

    Raises:
        ConfigurationError: it fits no contract.
    """
    judges, faults = {}, []
    for contract in contracts:
        try:
            # A judge tells which rule is broken, so its rule is that the condition does not hold.
            holds = Not(parsing.parse(text, contract.value.schema))
        except ConfigurationError as error:
            faults.append(error)
            continue
        judges[contract.name] = Judge([Rule("where", "", holds)])
    if not judges:
        raise faults[0].but(where=f"--where {text!r}")
    return judges


def key_is(seen: Seen, wanted: str) -> bool:
    """Whether the key is this text: the key itself, its only field, or its JSON."""
    value = seen.key.value
    if value is None:
        return False
    # A key of Avro has floats, one of JSON has all digits.
    alike = [wanted]
    for read in (json.loads, texts.exactly):
        with suppress(ValueError, RecursionError):
            alike.append(read(wanted))
    inner = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value
    return any(one in alike and not isinstance(one, bool) for one in (value, inner)) or value in alike


class Reading:
    """Reads a topic from a place on.

    Args:
        start: `begin`, an offset, a time in ISO 8601, or None for the newest.
    """

    def __init__(self, settings: Settings, topic: str, start: str | None) -> None:
        self._where = f"Kafka {settings.kafka_bootstrap_servers}"
        self._timeout_s = settings.kafka_max_block_ms / 1000
        self._topic = topic
        self._start = _start(start)
        self._consumer = Consumer(
            {
                **kafka.client(settings),
                "group.id": "contracts-tail",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )

    def messages(self, *, follow: bool) -> Iterator[Message]:
        """Yield messages, each partition in its order.

        Args:
            follow: go on after what is there now.

        Raises:
            ServiceError: Kafka does not answer.
            ConfigurationError: there is no such topic.
        """
        try:
            yield from self._messages(follow)
        except KafkaException as error:
            raise self._outage(error.args[0].str()) from None
        finally:
            self._consumer.close()

    def _messages(self, follow: bool) -> Iterator[Message]:
        marks = {one: self._marks(one) for one in self._partitions()}
        begin = self._begin(marks)
        ends = {one: high for one, (_, high) in marks.items()}
        open_ = {one for one, offset in begin.items() if offset < ends[one]}
        self._consumer.assign(
            [TopicPartition(self._topic, one, begin[one]) for one in sorted(begin) if follow or one in open_]
        )
        idle_s = 0.0
        while follow or open_:
            message = self._consumer.poll(_POLL_S)
            if message is None:
                idle_s += _POLL_S
                if not follow and idle_s > self._timeout_s:
                    raise self._outage(f"no record of {self._topic} arrived within {self._timeout_s:g} s")
                continue
            idle_s = 0.0
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    open_.discard(message.partition() or 0)
                    continue
                raise KafkaException(error)
            partition, offset = messages.place(message)
            if follow or offset < ends[partition]:
                yield message
            if offset + 1 >= ends[partition]:
                open_.discard(partition)

    def _partitions(self) -> list[int]:
        found = self._consumer.list_topics(self._topic, timeout=self._timeout_s).topics[self._topic]
        if found.error is not None:
            if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise ConfigurationError(
                    f"there is no topic {self._topic}", where=self._where, fix="make register-schemas"
                )
            raise KafkaException(found.error)
        return sorted(found.partitions)

    def _marks(self, partition: int) -> tuple[int, int]:
        found = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=self._timeout_s)
        if found is None:
            raise self._outage(f"did not say which offsets {self._topic} has")
        return found

    def _begin(self, marks: dict[int, tuple[int, int]]) -> dict[int, int]:
        kind, value = self._start
        if kind == "time":
            asked = [TopicPartition(self._topic, one, value) for one in marks]
            found = self._consumer.offsets_for_times(asked, timeout=self._timeout_s)
            return {one.partition: one.offset if one.offset >= 0 else marks[one.partition][1] for one in found}
        wanted = {one: high - value if kind == "newest" else value for one, (_, high) in marks.items()}
        return {one: min(max(wanted[one], low), high) for one, (low, high) in marks.items()}

    def _outage(self, words: str) -> ServiceError:
        fix = "check that it is up (`make status`, `make up`), and that KAFKA_BOOTSTRAP_SERVERS is right"
        return ServiceError(words, where=self._where, fix=fix, server="kafka")


def _start(text: str | None) -> tuple[str, int]:
    """Read `--from`: its kind, and an offset or milliseconds."""
    if text is None:
        return "newest", NEWEST
    if text == BEGIN:
        return "offset", 0
    if re.fullmatch(r"[0-9]{1,18}", text):
        return "offset", int(text)
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is neither a time, an offset nor `{BEGIN}`",
            where="--from",
            fix="write 2026-01-31, 2026-01-31T12:00:00 (in UTC), 1500 or begin",
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return "time", (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def show(
    settings: Settings,
    tailed: Tailed,
    *,
    follow: bool = False,
    start: str | None = None,
    key: str | None = None,
    where: str | None = None,
    as_json: bool = False,
    reveal: bool = False,
) -> int:
    """Print the messages; return how many could not be compared with `where`.

    Raises:
        ConfigurationError: an option is wrong, there is no such topic, or the condition names masked data.
        ServiceError: Kafka or the registry does not answer.
    """
    judges = condition(tailed.contracts, where) if where else {}
    registry = Registry.from_settings(settings)
    if where and not reveal:
        known = masks.of_values(registry, tailed.contracts)
        guesses.refuse_condition(tailed.contracts, where, known, fix="leave it out, or add --reveal")
    # The key is compared as it is, and masked only when it is shown.
    plain_keys = Decoder(registry, tailed.contracts, reveal=True, condition={}) if key is not None else None
    decoder = Decoder(registry, tailed.contracts, reveal=reveal, condition=judges)
    uncompared = 0
    for message in Reading(settings, tailed.topic, start).messages(follow=follow):
        if key is not None and plain_keys is not None and not key_is(plain_keys.seen(message), key):
            continue
        seen = decoder.seen(message)
        if tailed.only and seen.contract not in ("", tailed.only):
            continue
        if seen.matches is None:
            uncompared += 1
        if not seen.matches:
            continue
        if not _printed(written(seen.document()) if as_json else line(seen)):
            break
    return uncompared


def not_compared(number: int) -> str:
    """Say that so many records were not compared with `--where`, and why."""
    words = "1 record" if number == 1 else f"{number:,} records"
    return f"{words} could not be compared with --where: not decoded, or letters without a record of a contract"


def _printed(text: str) -> bool:
    """Print a line; return whether somebody still reads, who may be a `head` that has enough."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def line(seen: Seen) -> str:
    """One message as a line for people."""
    parts: list[Any] = [f"{seen.partition}:{seen.offset}", moment(seen.millis) or "no time"]
    if seen.value.version or seen.value.schema is not None:
        parts.append(f"v{seen.value.version}" if seen.value.version else f"schema {seen.value.schema}")
    if seen.rejected is not None:
        parts.append(_printable(_refusal(seen.rejected)))
    for name, part in (("key", seen.key), ("", seen.value)):
        prefix = f"{name} " if name else ""
        if part.reason:
            parts.append(f"{prefix}not decoded, {part.size} bytes ({part.reason}: {part.message})")
        elif name == "" or part.value is not None:
            parts.append(f"{prefix}{_printable(written(part.value))}")
    if (found := seen.broken) is not None and found.at is not None:
        place = f" in {_printable(found.field)} ({_printable(found.type)})" if found.field else ""
        parts.append(f"breaks at byte {found.at:,} of {found.size:,}{place}")
    return "  ".join(parts)


def _refusal(rejected: Mapping[str, Any]) -> str:
    """Why a record was rejected, as far as its letter says: reason, place, field, message."""
    field = f"field {rejected['field']}" if rejected["field"] else ""
    about = ", ".join(one for one in (rejected["place"], field) if one)
    head = f"{rejected['reason']} of {about}" if about else rejected["reason"]
    return f"{head}: {rejected['message']};" if rejected["message"] else f"{head};"


def _printable(text: str) -> str:
    """Escape what is not printable: texts come from producers."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
