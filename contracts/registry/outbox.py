"""Sends messages to Kafka: waits while the client's queue is full, and knows what was not acknowledged, and why."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.settings import Settings

LINGER_MS = 20
_SERVE_EVERY_S = 0.5
_SLICE_S = 0.2  # a wait inside librdkafka keeps signals waiting, so it is cut into slices


class Outbox:
    """A producer client of Kafka, and what became of the messages that it took.

    A message that Kafka does not acknowledge within KAFKA_MAX_BLOCK_MS is given up.  Several threads may share one
    outbox.

    Args:
        name: the client's name in Kafka.
        configuration: of librdkafka, beyond what every sender needs.
        poll_every: `send` serves delivery reports each time that so many messages were taken, and twice a second.

    Attributes:
        client: confluent-kafka's producer, for what is not sending.
        where: Kafka and its address, for errors.
        patience_s: how long a message may wait for its acknowledgement, seconds.
        sent: messages that the client took.
        failed: messages that were given up, by reason; `count_failure` counts, or a sender's own delivery report.
        fatal: the error after which this client takes no further message; None for none.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        configuration: dict[str, Any],
        *,
        poll_every: int = 1,
    ) -> None:
        self.where = f"Kafka {settings.kafka_bootstrap_servers}"
        self.patience_s = settings.kafka_max_block_ms / 1000
        self.sent = 0
        self.failed: Counter[str] = Counter()
        self.fatal: KafkaError | None = None
        # Not a method: the client would hold on to this object and this object to the client, and its threads would
        # stay until Python looks for such circles.
        self._errors: deque[KafkaError] = deque(maxlen=1)
        self._poll_every = poll_every
        self._since_served = 0
        self._serve_at = time.monotonic() + _SERVE_EVERY_S
        self._counting = threading.Lock()
        try:
            self.client = Producer(
                {
                    **kafka.client(settings),
                    "client.id": name,
                    "enable.idempotence": True,
                    "compression.type": "lz4",
                    "linger.ms": LINGER_MS,
                    "message.timeout.ms": max(settings.kafka_max_block_ms, 2 * LINGER_MS),
                    "log_level": 0,  # it reports through error_cb and the delivery reports
                    "error_cb": self._errors.append,
                    **configuration,
                }
            )
        except KafkaException as error:
            raise ConfigurationError(
                error.args[0].str(), where=self.where, fix="correct KAFKA_BOOTSTRAP_SERVERS or KAFKA_MAX_BLOCK_MS"
            ) from None

    @property
    def last_error(self) -> str:
        """What the client last reported about its connections; empty when it reported nothing."""
        return self._errors[-1].str() if self._errors else ""

    def told(self, error: KafkaError) -> None:
        """Note what a call of the client has raised, for `last_error`."""
        self._errors.append(error)

    def topics(self) -> set[str]:
        """Return the names of all topics.  Raises ServiceError when Kafka does not answer in `patience_s`."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return set(self.client.list_topics(timeout=min(1.0, self.patience_s)).topics)
            except KafkaException as error:
                self.client.poll(0)  # calls error_cb, which gets the cause
                if time.monotonic() >= deadline:
                    raise ServiceError(
                        f"did not answer within {self.patience_s:g} s: {self.last_error or error.args[0].str()}",
                        where=self.where,
                        fix="start it (`make up`), or set KAFKA_BOOTSTRAP_SERVERS; in a new terminal, "
                        '`eval "$(python -m avro_data_contracts.stack env)"` sets it for a stack that is up',
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
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Hand a message to the client.  Waits while the client's queue is full.

        Whatever this raises, the client does not have the message: other messages' delivery reports are served first.

        Args:
            on_delivery: called when Kafka has acknowledged the message, or it was given up.
            partition: -1: the partitioner decides.
            timestamp: ms since the epoch, 0: now.
            before: called before each try; what it raises ends the call.

        Raises:
            KafkaException: the client does not take it; one that is too large for it, for example.
        """
        if self._since_served >= self._poll_every or time.monotonic() >= self._serve_at:
            self.serve(0)
        before()
        while not self.offer(topic, value, key, headers, on_delivery, partition=partition, timestamp=timestamp):
            self.serve(_SLICE_S)
            before()

    def offer(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Any,
        on_delivery: Callable[[KafkaError | None, Message], None],
        *,
        partition: int = -1,
        timestamp: int = 0,
    ) -> bool:
        """As `send`, but never wait, and serve no delivery reports.  Return False when the queue is full."""
        try:
            self.client.produce(
                topic,
                value=value,
                key=key,
                headers=headers,
                on_delivery=on_delivery,
                partition=partition,
                timestamp=timestamp,
            )
        except BufferError:
            return False
        with self._counting:
            self.sent += 1
            self._since_served += 1
        return True

    def serve(self, seconds: float) -> None:
        """Serve delivery reports; wait so long for the first of them."""
        self._since_served, self._serve_at = 0, time.monotonic() + seconds + _SERVE_EVERY_S
        try:
            self.client.poll(seconds)
        except KafkaException as error:
            self._on_fatal(error)

    def flush(self, seconds: float) -> str | None:
        """Wait until Kafka has acknowledged everything, but no longer than `seconds`.

        Returns:
            Why a message was not acknowledged, the first reason of several; None: all were.
        """
        deadline = time.monotonic() + seconds
        while (left := self._flushed()) and time.monotonic() < deadline:
            pass
        if self.failed:
            return next(iter(self.failed))
        return f"{left} messages were not acknowledged in time" if left else None

    def drop(self) -> None:
        """Give up every message that is not acknowledged, and serve the reports that say so."""
        self.client.purge()
        self.flush(_SLICE_S)

    def _flushed(self) -> int:
        """Wait a little.  Return the number of messages that are still under way."""
        try:
            return self.client.flush(_SLICE_S)
        except KafkaException as error:
            self._on_fatal(error)
            return len(self.client)

    def _on_fatal(self, error: KafkaException) -> None:
        """The client raises a fatal error once, in whatever call serves it; `send` raises it again."""
        self.fatal = error.args[0]
        self.told(self.fatal)

    def count_failure(self, error: KafkaError | None, _: Message) -> None:
        """A delivery report for a message of which nothing else is to be known."""
        if error is not None:
            self.fail(error.str())

    def fail(self, reason: str) -> None:
        """Count a message that was given up."""
        with self._counting:
            self.failed[reason] += 1
