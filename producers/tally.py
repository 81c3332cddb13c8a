"""Counts what Kafka acknowledges, and tells senders what became of their records."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, Message

from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.producers.delivery import Delivered, NotDelivered, OnDelivery
from avro_data_contracts.producers.encoding import Encoded
from avro_data_contracts.producers.settled import Settled, Stretch

Report = Callable[[KafkaError | None, Message], None]


class Tally:
    """The counts of one publisher.  Delivery reports may come in several threads.

    Attributes:
        produced, refused, given_back, offsets: as in `Publisher`.
    """

    def __init__(self, topic: str, outbox: Outbox) -> None:
        self.produced = 0
        self.refused: Counter[str] = Counter()
        self.given_back = 0
        self.offsets: dict[int, tuple[int, int]] = {}
        self._topic = topic
        self._outbox = outbox
        self._lock = threading.Lock()
        self._marks = Settled()
        self._report = functools.partial(self._on_record, self._marks.now)

    @property
    def undelivered(self) -> int:
        return self._outbox.sent - self.produced - self.refused.total() - self.given_back

    @property
    def settled(self) -> Any:
        return self._marks.place

    def mark(self, place: Any) -> None:
        """As `Publisher.mark`."""
        with self._lock:
            self._marks.mark(place)
            self._report = functools.partial(self._on_record, self._marks.now)

    def of_record(self, encoded: Encoded, on_delivery: OnDelivery | None) -> tuple[Stretch, Report]:
        """Return the delivery report of a record, and what to give to `taken` once the client has the record."""
        stretch = self._marks.now
        if on_delivery is None:
            return stretch, self._report
        return stretch, functools.partial(self._tell, stretch, encoded.key_fields, on_delivery)

    def of_letter(self, reason: str) -> tuple[Stretch, Report]:
        """The same for a dead letter."""
        stretch = self._marks.now
        return stretch, functools.partial(self._on_letter, stretch, reason)

    def taken(self, stretch: Stretch) -> None:
        with self._lock:
            stretch.pending += 1

    def counts(self) -> tuple[int, int, Counter[str], int, dict[int, tuple[int, int]]]:
        """Return the counts of this moment, for `restore`."""
        with self._lock:
            return self._outbox.sent, self.produced, Counter(self.refused), self.given_back, dict(self.offsets)

    def restore(self, counts: tuple[int, int, Counter[str], int, dict[int, tuple[int, int]]]) -> None:
        """Count as at an earlier moment: what was sent since will never be visible."""
        with self._lock:
            self._outbox.sent, self.produced, self.refused, self.given_back, self.offsets = counts
            self._outbox.failed.clear()

    def _on_record(self, stretch: Stretch, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._outbox.count_failure(error, message)
            return
        with self._lock:
            self.produced += 1
            stretch.pending -= 1
            partition, offset = message.partition(), message.offset()
            if partition is None or offset is None:  # the broker already had it from an earlier attempt
                return
            first, last = self.offsets.get(partition, (offset, offset))
            self.offsets[partition] = (min(first, offset), max(last, offset))

    def _on_letter(self, stretch: Stretch, reason: str, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._outbox.fail(f"{error.str()} (dead letter)")
            return
        with self._lock:
            self.refused[reason] += 1
            stretch.pending -= 1

    def _tell(
        self,
        stretch: Stretch,
        key: Mapping[str, Any] | None,
        on_delivery: OnDelivery,
        error: KafkaError | None,
        message: Message,
    ) -> None:
        if error is None:
            self._on_record(stretch, error, message)
            kind, moment = message.timestamp()
            on_delivery(Delivered(self._topic, message.partition() or 0, message.offset(), moment if kind else None))
            return
        with self._lock:
            self.given_back += 1
            stretch.pending -= 1
        reason = error.str()
        on_delivery(
            NotDelivered(
                f"a record for {self._topic} was not delivered: {reason}",
                where=self._outbox.where,
                fix="check that Kafka is up (`make status`), then send it again: a record that arrives twice is "
                "one row",
                server="kafka",
                topic=self._topic,
                key=key,
                reason=reason,
            )
        )
