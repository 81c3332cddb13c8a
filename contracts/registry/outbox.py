"""Sends messages to Kafka: waits while the client's queue is full, and knows what was not acknowledged, and why."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.settings import Settings

LINGER_MS = 20
_SLICE_S = 0.2  # a wait inside librdkafka keeps signals waiting, so it is cut into slices


class Outbox:
    """A producer client of Kafka, and what became of the messages that it took.

    A message that Kafka does not acknowledge within KAFKA_MAX_BLOCK_MS is given up.

    Args:
        name: the client's name in Kafka.
        configuration: of librdkafka, beyond what every sender needs.
        poll_every: serve delivery reports each time that so many messages were taken.
        polled: called each time after that; what it raises ends the call that waited.

    Attributes:
        where: Kafka and its address, for errors.
        patience_s: how long a message may wait for its acknowledgement, seconds.
        sent: messages that the client took.
        failed: messages that were given up, by reason; `count_failure` counts, or a sender's own delivery report.
        last_error: what the client last reported about its connections; empty when it reported nothing.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        configuration: dict[str, Any],
        *,
        poll_every: int = 1,
        polled: Callable[[], None] = lambda: None,
    ) -> None:
        self.where = f"Kafka {settings.kafka_bootstrap_servers}"
        self.patience_s = settings.kafka_max_block_ms / 1000
        self.sent = 0
        self.failed: Counter[str] = Counter()
        self.last_error = ""
        self._poll_every = self._next_poll = poll_every
        self._polled = polled
        try:
            self._producer = Producer(
                {
                    **kafka.client(settings),
                    "client.id": name,
                    "enable.idempotence": True,
                    "compression.type": "lz4",
                    "linger.ms": LINGER_MS,
                    "message.timeout.ms": max(settings.kafka_max_block_ms, 2 * LINGER_MS),
                    "log_level": 0,  # it reports through error_cb and the delivery reports
                    "error_cb": self._on_error,
                    **configuration,
                }
            )
        except KafkaException as error:
            raise ConfigurationError(
                error.args[0].str(), where=self.where, fix="correct KAFKA_BOOTSTRAP_SERVERS or KAFKA_MAX_BLOCK_MS"
            ) from None

    def topics(self) -> set[str]:
        """Return the names of all topics.  Raises ServiceError when Kafka does not answer in `patience_s`."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return set(self._producer.list_topics(timeout=min(1.0, self.patience_s)).topics)
            except KafkaException as error:
                self._producer.poll(0)  # calls error_cb, which gets the cause
                if time.monotonic() >= deadline:
                    raise ServiceError(
                        f"did not answer within {self.patience_s:g} s: {self.last_error or error.args[0].str()}",
                        where=self.where,
                        fix="start it (`make up`), or set KAFKA_BOOTSTRAP_SERVERS",
                        server="kafka",
                    ) from None

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Any,
        on_delivery: Callable[[KafkaError | None, Message], None],
        *,
        partition: int = -1,
        timestamp: int = 0,
    ) -> None:
        """Hand a message to the client.  Waits while the client's queue is full.

        Args:
            on_delivery: called when Kafka has acknowledged the message, or it was given up.
            partition: -1: the partitioner decides.
            timestamp: ms since the epoch, 0: now.

        Raises:
            KafkaException: the client does not take it; one that is too large for it, for example.
        """
        while True:
            try:
                self._producer.produce(
                    topic,
                    value=value,
                    key=key,
                    headers=headers,
                    on_delivery=on_delivery,
                    partition=partition,
                    timestamp=timestamp,
                )
                break
            except BufferError:
                self.poll(_SLICE_S)
        self.sent += 1
        if self.sent >= self._next_poll:
            self._next_poll = self.sent + self._poll_every
            self.poll(0)

    def poll(self, seconds: float) -> None:
        """Serve delivery reports; wait so long for the first of them."""
        self._producer.poll(seconds)
        self._polled()

    def flush(self, seconds: float) -> str | None:
        """Wait until Kafka has acknowledged everything, but no longer than `seconds`.

        Returns:
            Why a message was not acknowledged, the first reason of several; None: all were.
        """
        deadline = time.monotonic() + seconds
        while (left := self._producer.flush(_SLICE_S)) and time.monotonic() < deadline:
            pass
        if self.failed:
            return next(iter(self.failed))
        return f"{left} messages were not acknowledged in time" if left else None

    def count_failure(self, error: KafkaError | None, _: Message) -> None:
        """A delivery report for a message of which nothing else is to be known."""
        if error is not None:
            self.failed[error.str()] += 1

    def _on_error(self, error: KafkaError) -> None:
        self.last_error = error.str()
