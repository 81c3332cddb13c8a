"""The publisher for programs with threads, or with none: a record is handed over, and Kafka acknowledges it later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from avro_data_contracts.contracts import settings as environment
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers import letters
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.delivery import Delivered, NotDelivered, OnDelivery
from avro_data_contracts.producers.encoding import FromJson, Record
from avro_data_contracts.producers.raw import Raw
from avro_data_contracts.producers.rejection import RejectedRecord as RejectedRecord
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sender import TRANSACTION_TIMEOUT_S, Sender

_SLICE_S = 0.05


class Publisher:
    """Sends records of one contract to its topic, and refused ones to its dead-letter topic.

    Use it in a `with` block, which calls `open`, and at the end `flush`.  Several threads may share one, except for
    `transaction`.

    Args:
        name: of the producer: the client's name in Kafka, and in the headers of dead letters.
        transactional_id: for `transaction`; the same in each run of a program, and different for programs that run
            at the same time.
        transaction_timeout_s: Kafka ends a transaction that takes longer, and this publisher with it; at most the
            broker's `transaction.max.timeout.ms`, 15 minutes by default, and not less than KAFKA_MAX_BLOCK_MS.

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
        self,
        contract: Contract,
        settings: Settings,
        *,
        name: str = "producers",
        transactional_id: str = "",
        transaction_timeout_s: int = TRANSACTION_TIMEOUT_S,
    ) -> None:
        self.topic = contract.topic
        self.dead_letter_topic = contract.dead_letter_topic
        self.name = name
        self.contract = contract
        self.settings = settings
        self._from_json = FromJson(contract)
        self._sender = Sender(
            contract,
            settings,
            name,
            transactional_id=transactional_id,
            transaction_timeout_s=transaction_timeout_s,
        )

    @classmethod
    def of(
        cls,
        contract: str | Contract,
        settings: Settings | None = None,
        *,
        name: str = "producers",
        transactional_id: str = "",
        transaction_timeout_s: int = TRANSACTION_TIMEOUT_S,
    ) -> Self:
        """Return the publisher of a contract, by its name or as it is.

        Args:
            contract: the name is looked up in `settings.contracts_dir`.
            settings: those of the environment by default.

        Raises:
            ConfigurationError: there is no such contract, or a setting is wrong.
        """
        return cls(
            *named(contract, settings),
            name=name,
            transactional_id=transactional_id,
            transaction_timeout_s=transaction_timeout_s,
        )

    @property
    def sent(self) -> int:
        return self._sender.tally.counts.sent

    @property
    def produced(self) -> int:
        return self._sender.tally.counts.produced

    @property
    def refused(self) -> Counter[str]:
        return self._sender.tally.counts.refused

    @property
    def given_back(self) -> int:
        return self._sender.tally.counts.given_back

    @property
    def offsets(self) -> dict[int, tuple[int, int]]:
        return self._sender.tally.counts.offsets

    @property
    def undelivered(self) -> int:
        return self._sender.tally.counts.undelivered

    @property
    def settled(self) -> Any:
        return self._sender.tally.settled

    def mark(self, place: Any) -> None:
        """Say where in its source the caller is: everything before that place was handed over."""
        self._sender.tally.mark(place)

    def open(self) -> None:
        """Check that the topics and schemas exist, before the first record.

        Raises:
            ServiceError: Kafka or the registry does not answer.
            ConfigurationError: a topic or a schema is missing.
        """
        self._sender.open()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush.  After an exception, too: what was sent is not lost, and the exception says if it was."""
        try:
            self.flush()
        except KeyboardInterrupt as other:
            other.add_note(f"{self.undelivered} messages for {self.topic} were not acknowledged yet")
            raise
        except Exception as other:  # also what a callback raises
            if error is None:
                raise
            error.add_note(str(other) if isinstance(other, ContractsError) else f"a callback raised {other!r}")
        finally:
            self.close()

    def close(self) -> None:
        """Take no further record.  `flush` first."""
        self._sender.close()

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
                it, the next call that has none raises a failure, once.

        Raises:
            RejectedRecord: it does not fit the schema, breaks a rule, or is too large.
            NotDelivered: Kafka did not take an earlier record or dead letter, or the client can send no more.  This
                record was not sent.
            ConfigurationError: the publisher is not open, or a transaction has to begin first.
        """
        self._sender.send(self._sender.encode(record), headers, on_delivery)

    def send_checked(self, record: Checked) -> None:
        """As `send`, for a record of a source that has checked it."""
        self._sender.send(self._sender.ready().of_checked(record), None, None)

    def send_raw(self, raw: Raw) -> None:
        """Send a message as it is, to see what becomes of it.  Raises as `send`."""
        self._sender.send_raw(raw)

    def send_and_wait(self, record: Record, *, headers: Mapping[str, bytes] | None = None) -> Delivered:
        """Send a record, wait until Kafka has acknowledged it, and return where it is.

        Raises:
            RejectedRecord, ConfigurationError: as `send`.
            NotDelivered: Kafka did not acknowledge it within KAFKA_MAX_BLOCK_MS.
        """
        outcomes: list[Delivered | NotDelivered] = []
        self.send(record, headers=headers, on_delivery=outcomes.append)
        while not outcomes:
            self._sender.outbox.serve(_SLICE_S)
        if isinstance(outcomes[0], NotDelivered):
            raise outcomes[0]
        return outcomes[0]

    def refuse(self, given: Any, refusal: Rejection, *, position: str = "") -> None:
        """Hand a refused record to the client, for the dead-letter topic.

        Args:
            given: the record, or what the source gave for it; it need not be valid in any way.
            position: its place in the source, for messages and a header of the letter.

        Raises:
            NotDelivered, ConfigurationError: as `send`.  The record was not sent.
            ServiceError: it is too large for the dead-letter topic.
        """
        letters.send(self._sender, given, refusal, producer=self.name, position=position)

    def wait(self, seconds: float) -> None:
        """Wait, and take delivery reports meanwhile.  Raises NotDelivered as `send`."""
        self._sender.outbox.serve(seconds)
        self._sender.raise_failures()

    def flush(self) -> None:
        """Wait until Kafka has acknowledged every message, or the client has given it up (KAFKA_MAX_BLOCK_MS).

        Raises:
            NotDelivered: a message was not acknowledged, and no callback and no earlier call has said so.
        """
        self._sender.flush()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is sent inside of the block visible together at its end, or never.

        Readers of committed records (`isolation.level=read_committed`), as the stream is, see none of it if the block
        raises, the program dies, or Kafka does not take all of it.  Dead letters are part of it.

        Raises:
            NotDelivered: it was rolled back, because Kafka did not take all of it.
            ServiceError: Kafka does not confirm the commit.
            ConfigurationError: the publisher has no `transactional_id`, or a transaction is running; or Kafka has
                ended this one, because it took too long or another publisher has the same id.
        """
        transactions = self._sender.transactions
        if transactions is None:
            raise ConfigurationError(
                f"the publisher of {self.topic} has no transactional id",
                fix='give it one: Publisher.of(…, transactional_id="shop.orders")',
            )
        with transactions.block():
            yield


def named(contract: str | Contract, settings: Settings | None) -> tuple[Contract, Settings]:
    """Return the contract and the settings that `Publisher.of` was given, or means."""
    settings = settings or environment.load()
    if isinstance(contract, str):
        contract = loading.load_one(settings.contracts_dir, contract)
    return contract, settings
