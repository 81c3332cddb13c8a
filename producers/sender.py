"""What both publishers send with: one contract's encoder, its client of Kafka, and the counts of both."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from avro_data_contracts.contracts.catalog.choices import Payload
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.delivery import NotDelivered, OnDelivery
from avro_data_contracts.producers.encoding import Encoded, Encoder, Record
from avro_data_contracts.producers.raw import Raw
from avro_data_contracts.producers.rejection import RejectedRecord
from avro_data_contracts.producers.tally import Tally
from avro_data_contracts.producers.transactions import Transactions

QUEUE_MESSAGES = 200_000
QUEUE_KBYTES = 131_072
SEND_BETWEEN_POLLS = 500
TRANSACTION_TIMEOUT_S = 60  # as of librdkafka and of the Java clients


class Sender:
    """Sends messages of one contract.  Several threads may share one.

    Who gave a callback hears of its record's failure, and of no other.  Other failures are raised once, by the next
    call that is not about a record with a callback.

    Args:
        name: the client's name in Kafka.
        transactional_id: empty for none.
        transaction_timeout_s: after which Kafka ends a transaction.

    Attributes:
        topic, dead_letter_topic: where messages go.
        drops_payload: whether dead letters are without what was refused.
        outbox: the client.
        tally: the counts.
        transactions: None without a transactional id.
    """

    def __init__(
        self,
        contract: Contract,
        settings: Settings,
        name: str,
        *,
        transactional_id: str = "",
        transaction_timeout_s: int = TRANSACTION_TIMEOUT_S,
    ) -> None:
        self.topic = contract.topic
        self.dead_letter_topic = contract.dead_letter_topic
        self.drops_payload = contract.spec.dead_letter.payload is Payload.drop
        self._contract = contract
        self._settings = settings
        self._encoder: Encoder | None = None
        self._process = os.getpid()
        configuration: dict[str, Any] = {
            "partitioner": "murmur2_random",  # the Java clients' default: equal keys share a partition with theirs
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
        }
        if transaction_timeout_s < 1:
            raise ConfigurationError(
                f"transaction_timeout_s {transaction_timeout_s} is not at least 1",
                fix=f"leave it out: {TRANSACTION_TIMEOUT_S}",
            )
        timeout_ms = max(transaction_timeout_s * 1000, settings.kafka_max_block_ms)
        if transactional_id:
            configuration |= {"transactional.id": transactional_id, "transaction.timeout.ms": timeout_ms}
        self.outbox = Outbox(settings, name, configuration, poll_every=SEND_BETWEEN_POLLS)
        self.tally = Tally(self.topic, self.outbox.where)
        self.transactions = Transactions(self.outbox, self.tally, timeout_ms / 1000) if transactional_id else None

    def open(self) -> None:
        """As `Publisher.open`."""
        self._find_topics()
        encoder = Encoder.of(self._contract, Registry.from_settings(self._settings))
        if self.transactions is not None:
            self.transactions.prepare()
        self._encoder = encoder

    def close(self) -> None:
        self._encoder = None

    def ready(self) -> Encoder:
        """Return the encoder.  Raises ConfigurationError when it is not the time to send."""
        self._check_process()
        if self._encoder is None:
            raise ConfigurationError(
                f"the publisher of {self.topic} is not open",
                fix="use it in a `with` block, or call `open()` before the first record",
            )
        if self.transactions is not None and not self.transactions.running:
            raise ConfigurationError(
                f"the publisher of {self.topic} has a transactional id, and no transaction is running",
                fix="send inside `with publisher.transaction():`, or leave the id out",
            )
        return self._encoder

    def encode(self, record: Record) -> Encoded:
        """Return the message of a record.  Raises RejectedRecord, and ConfigurationError as `ready`."""
        return self.ready()(record)

    def send(self, encoded: Encoded, headers: Mapping[str, bytes] | None, on_delivery: OnDelivery | None) -> None:
        """Hand a message to the client; wait while its queue is full.  If it raises, the client does not have it."""
        own = _headers(encoded, headers)
        stretch, report = self.tally.of_record(encoded, on_delivery)
        before = self.tally.raise_errors if on_delivery is not None else self.raise_failures
        try:
            self.outbox.send(self.topic, encoded.value, encoded.key, own, report, before=before)
        except Exception as error:
            self.tally.not_taken(stretch)
            raise self._told(error, encoded.value) from None

    def send_raw(self, raw: Raw) -> None:
        """As `send`, for a message that nobody has checked."""
        self.ready()
        stretch, report = self.tally.of_record(Encoded(None, raw.value or b"", None, None), None)
        try:
            self.outbox.send(
                self.topic,
                raw.value,
                None,
                list(raw.headers),
                report,
                timestamp=raw.timestamp,
                before=self.raise_failures,
            )
        except Exception as error:
            self.tally.not_taken(stretch)
            raise self._told(error, raw.value or b"") from None

    def offer(self, encoded: Encoded, headers: Mapping[str, bytes] | None, on_delivery: OnDelivery) -> bool:
        """As `send`, but never wait.  Return False when the client's queue is full."""
        self.ready()  # a caller may have waited since `encode`
        own = _headers(encoded, headers)
        stretch, report = self.tally.of_record(encoded, on_delivery)
        try:
            taken = self.outbox.offer(self.topic, encoded.value, encoded.key, own, report)
        except Exception as error:
            self.tally.not_taken(stretch)
            raise self._told(error, encoded.value) from None
        if not taken:
            self.tally.not_taken(stretch)
        return taken

    def send_letter(self, value: bytes | None, headers: list[tuple[str, bytes]], reason: str) -> None:
        """As `send`, for a dead letter.  Raises RejectedRecord when it is too large for a message."""
        stretch, report = self.tally.of_letter(reason)
        try:
            self.outbox.send(self.dead_letter_topic, value, None, headers, report, before=self.raise_failures)
        except Exception as error:
            self.tally.not_taken(stretch)
            raise self._told(error, value or b"") from None

    def flush(self) -> None:
        """As `Publisher.flush`."""
        self._check_process()
        why = self.outbox.flush(self.outbox.patience_s + 5)
        failures = self.tally.failures()
        lost = self._not_delivered(failures, why or "") if failures or why is not None else None
        try:
            self.tally.raise_errors()
        except Exception as error:
            if lost is not None:
                error.add_note(str(lost))
            raise
        if lost is not None:
            raise lost

    def raise_failures(self) -> None:
        """Raise what a callback has raised, or NotDelivered for failures that nobody was told yet."""
        if self.tally.errors:
            self.tally.raise_errors()
        if self.tally.counts.failed and (failures := self.tally.failures()):
            raise self._not_delivered(failures)

    def _check_process(self) -> None:
        """Raise ConfigurationError after a fork: the client's threads stayed behind, and a call would never end."""
        if os.getpid() != self._process:
            raise ConfigurationError(
                f"the publisher of {self.topic} was made in another process, before a fork",
                fix="make one in each process",
            )

    def _told(self, error: Exception, value: bytes) -> Exception:
        """The error for a message that the client did not take; what is none of Kafka's stays as it is."""
        if not isinstance(error, KafkaException):
            return error
        reason = error.args[0]
        if reason.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return RejectedRecord("TOO_LARGE", f"it is too large for a message ({len(value)} bytes)")
        self.outbox.told(reason)
        return self._not_delivered(self.tally.failures(), reason.str())

    def _not_delivered(self, failures: Counter[str], why: str = "") -> NotDelivered:
        counts = self.tally.counts
        reasons = "; ".join(f"{reason} ({count})" for reason, count in failures.most_common())
        reasons = reasons or why or self.outbox.last_error
        delivered = counts.produced + counts.refused.total()
        return NotDelivered(
            f"{delivered} messages delivered, {counts.undelivered} not: {reasons}",
            where=self.outbox.where,
            fix="check that it is up (`make status`), then run again: a record that arrives twice is one row",
            server="kafka",
            topic=self.topic,
            reason=reasons,
        )

    def _find_topics(self) -> None:
        found = self.outbox.topics()
        missing = [topic for topic in (self.topic, self.dead_letter_topic) if topic not in found]
        if missing:
            raise ConfigurationError(
                f"there is no topic {' and no topic '.join(missing)}",
                where=self.outbox.where,
                fix="have the topic's owner create it (`kafka: external`)"
                if self._contract.spec.kafka.external
                else "contracts register (in a clone: make register-schemas)",
            )


def _headers(encoded: Encoded, own: Mapping[str, bytes] | None) -> list[tuple[str, bytes]] | None:
    return [*_checked(own), *(encoded.headers or ())] if own else encoded.headers


def _checked(headers: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """Return a message's own headers.  The client would crash on a name that is not UTF-8, and cut one at U+0000.

    Raises:
        RejectedRecord: Kafka has no such header.
    """
    for name, value in headers.items():
        if not isinstance(name, str):
            raise RejectedRecord("INVALID_RECORD", f"a header's name is not text ({type(name).__name__})")
        if "\0" in name or not _is_utf8(name):
            raise RejectedRecord("INVALID_RECORD", f"the name of header {name!a} has what Kafka cannot hold")
        if value is not None and not isinstance(value, bytes):
            words = f"the value of header {name!a} is not bytes ({type(value).__name__})"
            raise RejectedRecord("INVALID_RECORD", words)
    return list(headers.items())


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
