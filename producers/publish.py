"""Sends records to Kafka as Avro with the contract's registered schemas, and counts what Kafka acknowledges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException

from avro_data_contracts.contracts import settings as environment
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers import dead_letter, transactions
from avro_data_contracts.producers.delivery import Delivered, NotDelivered, OnDelivery
from avro_data_contracts.producers.encoding import Encoded, Encoder, FromJson, Record
from avro_data_contracts.producers.rejection import RejectedRecord, Rejection
from avro_data_contracts.producers.tally import Tally

QUEUE_MESSAGES = 200_000
QUEUE_KBYTES = 131_072
SEND_BETWEEN_POLLS = 500
_SLICE_S = 0.05


class Publisher:
    """Sends records of one contract to its topic, and refused ones to its dead-letter topic.

    Use it in a `with` block, which calls `open`, and at the end `flush`.  Several threads may share one, except for
    `transaction`.

    Args:
        name: of the producer: the client's name in Kafka, and in the headers of dead letters.
        transactional_id: for `transaction`; the same in each run of a program, and different for programs that run
            at the same time.

    Attributes:
        contract, settings: as given.
        topic: where records go.
        dead_letter_topic: where refused records go.
        produced: number of records that Kafka acknowledged; of transactions, those that were committed.
        refused: number of dead letters that Kafka acknowledged, by reason.
        sent: number of records and dead letters handed to the client.
        given_back: number of records that were not delivered, and whose `on_delivery` was told.
        undelivered: number of those that were sent and that Kafka has not acknowledged (yet).
        offsets: partition -> first and last offset of the acknowledged records.
        settled: the place of the latest `mark` before which everything is acknowledged; None for none.
    """

    def __init__(
        self, contract: Contract, settings: Settings, *, name: str = "producers", transactional_id: str = ""
    ) -> None:
        self.topic = contract.topic
        self.dead_letter_topic = contract.dead_letter_topic
        self.name = name
        self.contract = contract
        self.settings = settings
        self._encoder: Encoder | None = None
        self._from_json = FromJson(contract)
        configuration = {
            "partitioner": "murmur2_random",  # the Java clients' default: equal keys share a partition with theirs
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
            **transactions.configuration(transactional_id, settings.kafka_max_block_ms),
        }
        self._outbox = Outbox(
            settings, name, configuration, poll_every=SEND_BETWEEN_POLLS, polled=self._stop_on_failure
        )
        self._tally = Tally(self.topic, self._outbox)
        self._transactions = transactions.Transactions(self._outbox) if transactional_id else None

    @classmethod
    def of(
        cls,
        contract: str | Contract,
        settings: Settings | None = None,
        *,
        name: str = "producers",
        transactional_id: str = "",
    ) -> Self:
        """Return the publisher of a contract, by its name or as it is.

        Args:
            contract: the name is looked up in `settings.contracts_dir`.
            settings: those of the environment by default.

        Raises:
            ConfigurationError: there is no such contract, or a setting is wrong.
        """
        return cls(*named(contract, settings), name=name, transactional_id=transactional_id)

    @property
    def sent(self) -> int:
        return self._outbox.sent

    @property
    def produced(self) -> int:
        return self._tally.produced

    @property
    def refused(self) -> Counter[str]:
        return self._tally.refused

    @property
    def given_back(self) -> int:
        return self._tally.given_back

    @property
    def offsets(self) -> dict[int, tuple[int, int]]:
        return self._tally.offsets

    @property
    def undelivered(self) -> int:
        return self._tally.undelivered

    @property
    def settled(self) -> Any:
        return self._tally.settled

    def mark(self, place: Any) -> None:
        """Say where in its source the caller is: everything before that place was handed over."""
        self._tally.mark(place)

    def open(self) -> None:
        """Check that the topics and schemas exist, before the first record.

        Raises:
            ServiceError: Kafka or the registry does not answer.
            ConfigurationError: a topic or a schema is missing.
        """
        self._find_topics()
        encoder = Encoder.of(self.contract, Registry.from_settings(self.settings))
        if self._transactions is not None:
            self._transactions.prepare()
        self._encoder = encoder

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush.  After an exception, too: what was sent is not lost, and the exception says if it was."""
        try:
            self.flush()
        except ContractsError as other:
            if error is None:
                raise
            error.add_note(str(other))
        finally:
            self.close()

    def close(self) -> None:
        """Take no further record.  `flush` first."""
        self._encoder = None

    def from_json(self, text: str | bytes) -> dict[str, Any]:
        """Return the record of plain JSON, such as the body of a request (docs/reference/conversions.md).

        Raises:
            RejectedRecord: it is not JSON, or its values do not fit the schema.
        """
        return self._from_json(text)

    def send(
        self, record: Record, *, headers: Mapping[str, bytes] | None = None, on_delivery: OnDelivery | None = None
    ) -> None:
        """Check and serialize a record, and hand it to the client.  Waits while the client's queue is full.

        Args:
            record: a mapping of field names to values, or an object that has `to_record`.
            headers: of the message.
            on_delivery: called once, in a later call of this publisher, with a Delivered or a NotDelivered.  Without
                it, a failure is raised by a later call.

        Raises:
            RejectedRecord: it does not fit the schema, breaks a rule, or is too large.
            NotDelivered: Kafka did not take an earlier record, so it makes no sense to go on.
            ConfigurationError: the publisher is not open, or a transaction has to begin first.
        """
        encoded = self.encode(record)
        stretch, report = self._tally.of_record(encoded, on_delivery)
        try:
            self._outbox.send(self.topic, encoded.value, encoded.key, self._headers(headers), report)
        except KafkaException as error:
            raise self._not_taken(error, encoded.value) from None
        self._tally.taken(stretch)

    def send_and_wait(self, record: Record, *, headers: Mapping[str, bytes] | None = None) -> Delivered:
        """Send a record, wait until Kafka has acknowledged it, and return where it is.

        Raises:
            RejectedRecord, ConfigurationError: as `send`.
            NotDelivered: Kafka did not acknowledge it within KAFKA_MAX_BLOCK_MS.
        """
        outcomes: list[Delivered | NotDelivered] = []
        self.send(record, headers=headers, on_delivery=outcomes.append)
        while not outcomes:
            self._outbox.serve(_SLICE_S)
        if isinstance(outcomes[0], NotDelivered):
            raise outcomes[0]
        return outcomes[0]

    def encode(self, record: Record) -> Encoded:
        """Return the message of a record, as `send` sends it.  Raises as `send`."""
        if self._encoder is None:
            raise ConfigurationError(
                f"the publisher of {self.topic} is not open",
                fix="use it in a `with` block, or call `open()` before the first record",
            )
        if self._transactions is not None and not self._transactions.running:
            raise ConfigurationError(
                f"the publisher of {self.topic} has a transactional id, and no transaction is running",
                fix="send inside `with publisher.transaction():`, or leave the id out",
            )
        return self._encoder(record)

    def offer(self, encoded: Encoded, headers: Mapping[str, bytes] | None, on_delivery: OnDelivery) -> bool:
        """Hand a message to the client, without waiting.  Return False when its queue is full.  Raises as `send`."""
        stretch, report = self._tally.of_record(encoded, on_delivery)
        try:
            taken = self._outbox.offer(self.topic, encoded.value, encoded.key, self._headers(headers), report)
        except KafkaException as error:
            raise self._not_taken(error, encoded.value) from None
        if taken:
            self._tally.taken(stretch)
        return taken

    def refuse(self, given: Any, refusal: Rejection, *, position: str = "") -> None:
        """Hand a refused record to the client, for the dead-letter topic.

        Args:
            given: the record, or what the source gave for it; it need not be valid in any way.
            position: its place in the source, for messages and a header of the letter.

        Raises:
            NotDelivered: as `send`.
            ServiceError: the client does not take it.
        """
        given = given.to_record() if not isinstance(given, dict) and hasattr(given, "to_record") else given
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
        stretch, report = self._tally.of_letter(letter.reason)
        self._outbox.send(self.dead_letter_topic, letter.value, None, letter.headers, report)
        self._tally.taken(stretch)

    def wait(self, seconds: float) -> None:
        """Wait, and take delivery reports meanwhile.  Raises as `send`."""
        self._outbox.poll(seconds)

    def serve(self, seconds: float) -> None:
        """Wait, and take delivery reports meanwhile.  Raises nothing for what was not delivered."""
        self._outbox.serve(seconds)

    def flush(self) -> None:
        """Wait until Kafka has acknowledged every message, or the client has given it up (KAFKA_MAX_BLOCK_MS).

        Raises:
            NotDelivered: not everything was acknowledged.
        """
        self._outbox.flush(self._outbox.patience_s + 5)
        if self.undelivered:
            raise self._not_delivered()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is sent inside of the block visible together at its end, or never.

        Readers of committed records (`isolation.level=read_committed`), as the stream is, see none of it if the block
        raises, the program dies, or Kafka does not take all of it.  Dead letters are part of it.

        Raises:
            NotDelivered: it was rolled back, because Kafka did not take all of it.
            ServiceError: Kafka does not confirm the commit.
            ConfigurationError: the publisher has no `transactional_id`, or a transaction is running.
        """
        running = self._transactions
        if running is None:
            raise ConfigurationError(
                f"the publisher of {self.topic} has no transactional id",
                fix='give it one: Publisher.of(…, transactional_id="shop.orders")',
            )
        running.begin()
        before = self._tally.counts()
        try:
            yield
        except BaseException as error:
            running.abort()
            self._tally.restore(before)
            if isinstance(error, NotDelivered):
                raise running.rolled_back(error.reason) from None
            raise
        try:
            running.commit()
        except NotDelivered:
            self._tally.restore(before)
            raise

    def _headers(self, own: Mapping[str, bytes] | None) -> list[tuple[str, bytes]] | None:
        assert self._encoder is not None
        headers = self._encoder.headers
        return [*own.items(), *(headers or ())] if own else headers

    def _not_taken(self, error: KafkaException, value: bytes) -> ContractsError:
        reason = error.args[0]
        if reason.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return RejectedRecord("TOO_LARGE", f"it is too large for a message ({len(value)} bytes)")
        self._outbox.last_error = reason.str()
        return self._not_delivered()

    def _stop_on_failure(self) -> None:
        if self._outbox.failed:
            raise self._not_delivered()

    def _not_delivered(self) -> NotDelivered:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in self._outbox.failed.most_common())
        reasons = reasons or self._outbox.last_error or f"no acknowledgement within {self._outbox.patience_s:g} s"
        return NotDelivered(
            f"{self.produced + self.refused.total()} messages delivered, {self.undelivered} not: {reasons}",
            where=self._outbox.where,
            fix="check that it is up (`make status`), then run again: a record that arrives twice is one row",
            server="kafka",
            topic=self.topic,
            reason=reasons,
        )

    def _find_topics(self) -> None:
        found = self._outbox.topics()
        missing = [topic for topic in (self.topic, self.dead_letter_topic) if topic not in found]
        if missing:
            raise ConfigurationError(
                f"there is no topic {' and no topic '.join(missing)}",
                where=self._outbox.where,
                fix="have the topic's owner create it (`kafka: external`)"
                if self.contract.spec.kafka.external
                else "contracts register (in a clone: make register-schemas)",
            )


def named(contract: str | Contract, settings: Settings | None) -> tuple[Contract, Settings]:
    """Return the contract and the settings that `Publisher.of` was given, or means."""
    settings = settings or environment.load()
    if isinstance(contract, str):
        contract = loading.load_one(settings.contracts_dir, contract)
    return contract, settings
