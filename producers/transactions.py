"""Kafka's transactions: everything that was sent in one becomes visible together, or never."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, ServiceError
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.producers.delivery import NotDelivered
from avro_data_contracts.producers.tally import Tally

_SLICE_S = 1.0
_AFTER_MESSAGES_S = 5.0
_FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


class Transactions:
    """The transactions of one outbox, one after the other.

    Args:
        outbox: its client has a `transactional.id`.
        tally: counts what is committed, and nothing else.
        timeout_s: after which Kafka ends a transaction, and the client with it.

    Attributes:
        running: a transaction has begun.
    """

    def __init__(self, outbox: Outbox, tally: Tally, timeout_s: float) -> None:
        self.running = False
        self._outbox = outbox
        self._tally = tally
        self._timeout_s = timeout_s
        self._began = 0.0
        self._prepared = False
        # A call that Kafka did not answer in time: the client takes no other before it was repeated.
        self._unanswered: Callable[[float], Any] | None = None
        self._client = outbox.client

    def prepare(self) -> None:
        """End what an earlier process with the same id left open, and keep that process from going on.  Once.

        Raises:
            ServiceError: Kafka does not answer, or refuses.
        """
        if self._prepared:
            return
        try:
            self._repeated(self._client.init_transactions)
        except KafkaException as error:
            raise self._failed("cannot begin", error.args[0]) from None
        self._prepared = True

    @contextmanager
    def block(self) -> Iterator[None]:
        """As `Publisher.transaction`.  Unless Kafka confirms the commit, the tally drops what was sent."""
        self._begin()
        self._tally.begin()
        confirmed = False
        try:
            yield
            self._commit()
            confirmed = True
        except BaseException as error:
            if self.running:  # it is the block that failed, not the commit
                self._abort()
                if isinstance(error, NotDelivered):
                    raise self._rolled_back(error.reason) from None
            raise
        finally:
            if confirmed:
                self._tally.commit()
            else:
                self._tally.drop()
        self._tally.raise_errors()

    def _begin(self) -> None:
        """Raises ConfigurationError when one is running, and ServiceError as `prepare`."""
        if self.running:
            raise ConfigurationError(
                "a transaction is running already",
                where=self._outbox.where,
                fix="end it first: a publisher has one at a time",
            )
        try:
            if self._unanswered is not None:
                self._repeated(self._unanswered)
            self._client.begin_transaction()
        except KafkaException as error:
            raise self._failed("cannot begin", error.args[0]) from None
        self.running = True
        self._began = time.monotonic()

    def _commit(self) -> None:
        """Make everything visible that was sent since `begin`.

        Raises:
            NotDelivered: it was rolled back, because Kafka did not take all of it.
            ServiceError: Kafka does not confirm it.
        """
        self.running = False
        try:
            # Longer than a message waits for its acknowledgement: one that is given up rolls all of it back.
            self._repeated(self._client.commit_transaction, _AFTER_MESSAGES_S)
        except KafkaException as error:
            reason = error.args[0]
            if not reason.txn_requires_abort():
                raise self._failed("it is unknown whether it is visible: Kafka did not confirm", reason) from None
            self._abort()
            raise self._rolled_back(reason.str()) from None

    def _abort(self) -> None:
        """Drop everything that was sent since `begin`.  If Kafka does not answer, it does so itself after a while."""
        self.running = False
        try:
            self._repeated(self._client.abort_transaction)
        except KafkaException as error:
            # Readers of committed records never see it either way; the next call of this client says what is wrong.
            self._outbox.fatal = error.args[0] if error.args[0].fatal() else self._outbox.fatal
            self._outbox.told(error.args[0])
            self._outbox.drop()

    def _rolled_back(self, reason: str) -> ContractsError:
        """The error for a transaction whose records will never be visible."""
        if self._outbox.fatal is not None and self._outbox.fatal.code() in _FENCED:
            return self._fenced()
        return NotDelivered(
            f"the transaction was rolled back, nothing of it is visible: {reason}",
            where=self._outbox.where,
            fix="check that Kafka is up (`make status`), then send all of it again",
            server="kafka",
            reason=reason,
        )

    def _repeated(self, call: Callable[[float], Any], longer_s: float = 0) -> None:
        """Call until it succeeds, or fails for good, or `patience_s` is over."""
        deadline = time.monotonic() + self._outbox.patience_s + longer_s
        self._unanswered = call
        while True:
            try:
                call(_SLICE_S)  # in slices: a signal has to wait for each of them
                break
            except KafkaException as error:
                if not error.args[0].retriable():
                    self._unanswered = None
                    raise
                if time.monotonic() >= deadline:
                    raise
        self._unanswered = None

    def _failed(self, what: str, reason: KafkaError) -> ContractsError:
        if reason.code() in _FENCED:
            return self._fenced()
        if reason.code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
            return ConfigurationError(
                f"Kafka allows no transaction of {self._timeout_s:g} s",
                where=self._outbox.where,
                fix="lower transaction_timeout_s, or raise the broker's transaction.max.timeout.ms (15 minutes by "
                "default)",
            )
        return ServiceError(
            f"{what} the transaction: {reason.str()}",
            where=self._outbox.where,
            fix="check that Kafka is up (`make status`), then make a new publisher and send again: a record that "
            "arrives twice is one row",
            server="kafka",
        )

    def _fenced(self) -> ConfigurationError:
        if self._began and time.monotonic() - self._began >= self._timeout_s:
            return ConfigurationError(
                "the transaction was rolled back, nothing of it is visible: it took longer than "
                f"{self._timeout_s:g} s, and Kafka ended it",
                where=self._outbox.where,
                fix="make a new publisher, and send less in one transaction or raise transaction_timeout_s",
            )
        return ConfigurationError(
            "another publisher with the same transactional id has started, so this one has to stop",
            where=self._outbox.where,
            fix="give each publisher that runs at the same time an id of its own",
        )
