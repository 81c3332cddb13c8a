"""Sends records to Kafka as Avro with the contract's registered schemas, and counts what Kafka acknowledges."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, ServiceError
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers import dead_letter, serializer
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.scalars import Misfit
from avro_data_contracts.producers.settled import Settled, Stretch

QUEUE_MESSAGES = 200_000
QUEUE_KBYTES = 131_072
SEND_BETWEEN_POLLS = 500


class RejectedRecord(Rejection):
    """A record that does not fit the contract's schema, breaks one of its rules, or is too large for the topic."""

    stage = "VALUE_CONVERTER"


class NotDelivered(ServiceError):
    """Kafka did not acknowledge every message; `what` has the numbers."""


class Publisher:
    """Sends records of one contract to its topic, and refused ones to its dead-letter topic.

    Call `open` first, then `send` and `refuse`, and `flush` at the end.

    Args:
        name: of the producer: the client's name in Kafka, and in the headers of dead letters.

    Attributes:
        topic: where records go.
        dead_letter_topic: where refused records go.
        produced: number of records that Kafka acknowledged.
        refused: number of dead letters that Kafka acknowledged, by reason.
        sent: number of records and dead letters handed to the client.
        undelivered: number of these that Kafka has not acknowledged (yet).
        offsets: partition -> first and last offset of the acknowledged records.
        settled: the place of the latest `mark` before which everything is acknowledged; None for none.
    """

    def __init__(self, contract: Contract, settings: Settings, *, name: str = "producers") -> None:
        self.topic = contract.topic
        self.dead_letter_topic = contract.dead_letter_topic
        self.name = name
        self.produced = 0
        self.refused: Counter[str] = Counter()
        self.offsets: dict[int, tuple[int, int]] = {}
        self._contract = contract
        self._settings = settings
        self._judge = Judge(contract.rules)
        self._marks = Settled()
        self._report = functools.partial(self._on_record, self._marks.now)
        configuration = {
            "partitioner": "murmur2_random",  # the Java clients' default: equal keys share a partition with theirs
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
        }
        self._outbox = Outbox(
            settings, name, configuration, poll_every=SEND_BETWEEN_POLLS, polled=self._stop_on_failure
        )

    @property
    def sent(self) -> int:
        return self._outbox.sent

    @property
    def undelivered(self) -> int:
        return self.sent - self.produced - self.refused.total()

    @property
    def settled(self) -> Any:
        return self._marks.place

    def mark(self, place: Any) -> None:
        """Say where in its source the caller is: everything before that place was handed over."""
        self._marks.mark(place)
        self._report = functools.partial(self._on_record, self._marks.now)

    def open(self) -> None:
        """Check that the topics and schemas exist, before the first record.

        Raises:
            ServiceError: Kafka or the registry does not answer.
            ConfigurationError: a topic or a schema is missing.
        """
        self._find_topics()
        registry = Registry.from_settings(self._settings)
        key = self._contract.key
        place = self._contract.spec.producer.schema_id
        self._value_serializer = serializer.of(self._contract.value, registry, place)
        self._key_serializer = serializer.of(key, registry, place) if key else None
        serializers = (self._key_serializer, self._value_serializer)
        self._headers = [header for one in serializers if one is not None for header in one.headers] or None

    def send(self, record: dict[str, Any]) -> None:
        """Serialize a record and hand it to the client.  Waits while the client's queue is full.

        Raises:
            RejectedRecord: it does not fit the schema, breaks a rule, or is too large.
            NotDelivered: Kafka did not take an earlier message, so it makes no sense to go on.
        """
        try:
            key = self._key(record)
            value = self._value_serializer(record)
            broken = self._judge.first_broken(record)
        except Misfit as misfit:
            raise RejectedRecord("INVALID_RECORD", misfit.told("field"), field=misfit.path) from None
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError) as error:
            # The message of a library contains the value, which may be personal.
            words = f"it does not fit the schema ({type(error).__name__})"
            raise RejectedRecord("INVALID_RECORD", words) from None
        if broken is not None:
            raise RejectedRecord(broken.reason, broken.message)
        try:
            self._outbox.send(self.topic, value, key, self._headers, self._report)
        except KafkaException as error:
            raise self._not_taken(error, value) from None
        self._marks.now.pending += 1

    def _key(self, record: dict[str, Any]) -> bytes | None:
        serialize = self._key_serializer
        if serialize is None:
            return None
        try:
            key = {name: record[name] for name in serialize.fields}
        except KeyError as error:
            raise RejectedRecord("INVALID_RECORD", f"the key needs a field {error.args[0]!r}") from None
        try:
            return serialize(key)
        except Misfit as misfit:
            raise RejectedRecord("INVALID_RECORD", misfit.told("the key's field"), field=misfit.path) from None

    def refuse(self, given: Any, refusal: Rejection, *, position: str = "") -> None:
        """Hand a refused record to the client, for the dead-letter topic.

        Args:
            given: the record, or what the source gave for it; it need not be valid in any way.
            position: its place in the source, for messages and a header of the letter.

        Raises:
            NotDelivered: as `send`.
            ServiceError: the client does not take it.
        """
        letter = dead_letter.of(given, refusal, topic=self.topic, producer=self.name, position=position)
        try:
            self._send_letter(letter)
        except KafkaException as error:
            why = self._not_taken(error, letter.value or b"")
            if not isinstance(why, RejectedRecord):
                raise why from None
            if isinstance(given, (bytes, dead_letter.Row)) and position:
                # The file still has it, and the letter says where.
                self._send_letter(letter.without_value())
                return
            about = f"{position}, {letter.reason}" if position else letter.reason
            raise ServiceError(
                f"a refused record ({about}) cannot go to {self.dead_letter_topic}: {why.what}",
                where=self._outbox.where,
                fix=f"raise max.message.bytes of {self.dead_letter_topic}, or correct the record at the source",
                server="kafka",
            ) from None

    def _send_letter(self, letter: dead_letter.DeadLetter) -> None:
        stretch = self._marks.now
        report = functools.partial(self._on_dead_letter, stretch, letter.reason)
        self._outbox.send(self.dead_letter_topic, letter.value, None, letter.headers, report)
        stretch.pending += 1

    def wait(self, seconds: float) -> None:
        """Wait, and take delivery reports meanwhile.  Raises as `send`."""
        self._outbox.poll(seconds)

    def flush(self) -> None:
        """Wait until Kafka has acknowledged every message, or the client has given it up (KAFKA_MAX_BLOCK_MS).

        Raises:
            NotDelivered: not everything was acknowledged.
        """
        self._outbox.flush(self._outbox.patience_s + 5)
        if self.undelivered:
            raise self._not_delivered()

    def _not_taken(self, error: KafkaException, value: bytes) -> ContractsError:
        reason = error.args[0]
        if reason.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return RejectedRecord("TOO_LARGE", f"it is too large for a message ({len(value)} bytes)")
        self._outbox.last_error = reason.str()
        return self._not_delivered()

    def _on_record(self, stretch: Stretch, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.produced += 1
            stretch.pending -= 1
            partition, offset = message.partition(), message.offset()
            if partition is None or offset is None:  # the broker already had it from an earlier attempt
                return
            first, last = self.offsets.get(partition, (offset, offset))
            self.offsets[partition] = (min(first, offset), max(last, offset))
        else:
            self._outbox.count_failure(error, message)

    def _on_dead_letter(self, stretch: Stretch, reason: str, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.refused[reason] += 1
            stretch.pending -= 1
        else:
            self._outbox.failed[f"{error.str()} (dead letter)"] += 1

    def _stop_on_failure(self) -> None:
        if self._outbox.failed:
            raise self._not_delivered()

    def _not_delivered(self) -> NotDelivered:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in self._outbox.failed.most_common())
        return NotDelivered(
            f"{self.sent - self.undelivered} messages delivered, {self.undelivered} not: "
            f"{reasons or self._outbox.last_error or f'no acknowledgement within {self._outbox.patience_s:g} s'}",
            where=self._outbox.where,
            fix="check that it is up (`make status`), then run again: a record that arrives twice is one row",
            server="kafka",
        )

    def _find_topics(self) -> None:
        found = self._outbox.topics()
        missing = [topic for topic in (self.topic, self.dead_letter_topic) if topic not in found]
        if missing:
            raise ConfigurationError(
                f"there is no topic {' and no topic '.join(missing)}",
                where=self._outbox.where,
                fix="have the topic's owner create it (`kafka: external`)"
                if self._contract.spec.kafka.external
                else "make register-schemas",
            )
