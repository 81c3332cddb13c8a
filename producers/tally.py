"""Counts what Kafka acknowledges, and tells senders what became of their records."""

from __future__ import annotations

import functools
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from confluent_kafka import KafkaError, Message

from avro_data_contracts.producers.delivery import Delivered, NotDelivered, OnDelivery
from avro_data_contracts.producers.encoding import Encoded
from avro_data_contracts.producers.settled import Settled, Stretch

Report = Callable[[KafkaError | None, Message], None]


@dataclass
class Counts:
    """As in `Publisher`; `failed` are messages that nobody but the publisher itself can report, by reason."""

    sent: int = 0
    produced: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    given_back: int = 0
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def undelivered(self) -> int:
        return self.sent - self.produced - self.refused.total() - self.given_back

    def copy(self) -> Counts:
        """Return them as they are now."""
        return replace(self, refused=Counter(self.refused), offsets=dict(self.offsets), failed=Counter(self.failed))


class Tally:
    """The counts of one publisher.  Delivery reports may come in several threads.

    A message counts as sent before the client gets it, because its report may come before the client returns.

    Args:
        topic, where: of the records, and of Kafka, for errors.

    Attributes:
        counts: of this moment.
        errors: what callbacks have raised.  They must not end a flush or a commit half-way, so they wait here.
    """

    def __init__(self, topic: str, where: str) -> None:
        self.counts = Counts()
        self.errors: deque[Exception] = deque()
        self._topic = topic
        self._where = where
        self._lock = threading.Lock()
        self._marks = Settled()
        self._before: Counts | None = None
        self._report = functools.partial(self._on_record, self._marks.now)

    @property
    def settled(self) -> Any:
        return self._marks.place

    def mark(self, place: Any) -> None:
        """As `Publisher.mark`."""
        with self._lock:
            self._marks.mark(place)
            self._open()

    def of_record(self, encoded: Encoded, on_delivery: OnDelivery | None) -> tuple[Stretch, Report]:
        """Count a record, and return its delivery report, and what `not_taken` needs if the client refuses it."""
        with self._lock:
            stretch = self._count()
            if on_delivery is None:
                return stretch, self._report
        return stretch, functools.partial(self._tell, stretch, encoded.key_fields, on_delivery)

    def of_letter(self, reason: str) -> tuple[Stretch, Report]:
        """The same for a dead letter."""
        with self._lock:
            stretch = self._count()
        return stretch, functools.partial(self._on_letter, stretch, reason)

    def not_taken(self, stretch: Stretch) -> None:
        """Count a message back that the client did not take."""
        with self._lock:
            if not stretch.dropped:
                self.counts.sent -= 1
                stretch.pending -= 1

    def failures(self) -> Counter[str]:
        """Return the reasons of failures that nobody was told yet, and take them for told."""
        with self._lock:
            found, self.counts.failed = self.counts.failed, Counter()
        return found

    def raise_errors(self) -> None:
        """Raise the first error that a callback has raised; a note has the number of further ones."""
        if not self.errors:
            return
        error = self.errors.popleft()
        if more := len(self.errors):
            error.add_note(f"{more} more callbacks raised an error")
            self.errors.clear()
        raise error

    def begin(self) -> None:
        """Begin a transaction: what is sent from now on counts once it is committed."""
        with self._lock:
            self._before = self.counts.copy()
            self._marks.begin()
            self._open()

    def commit(self) -> None:
        with self._lock:
            self._before = None
            self._marks.commit()

    def drop(self) -> None:
        """Count as before `begin`: what was sent since will never be visible, whatever is reported of it later."""
        with self._lock:
            assert self._before is not None
            self.counts, self._before = self._before, None
            self._marks.drop()
            self._open()

    def _open(self) -> None:
        # Made once for each stretch: most records have no callback.
        self._report = functools.partial(self._on_record, self._marks.now)

    def _count(self) -> Stretch:
        self.counts.sent += 1
        stretch = self._marks.now
        stretch.pending += 1
        return stretch

    def _on_record(self, stretch: Stretch, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            if stretch.dropped:
                return
            if error is not None:
                self.counts.failed[error.str()] += 1
                return
            self.counts.produced += 1
            stretch.pending -= 1
            partition, offset = message.partition(), message.offset()
            if partition is None or offset is None:  # the broker already had it from an earlier attempt
                return
            first, last = self.counts.offsets.get(partition, (offset, -1))
            if offset > last:  # as nearly always
                self.counts.offsets[partition] = (first, offset)
            elif offset < first:
                self.counts.offsets[partition] = (offset, last)

    def _on_letter(self, stretch: Stretch, reason: str, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            if stretch.dropped:
                return
            if error is not None:
                self.counts.failed[f"{error.str()} (dead letter)"] += 1
                return
            self.counts.refused[reason] += 1
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
            offset = message.offset()
            self._call(
                on_delivery, Delivered(self._topic, message.partition() or 0, offset, moment if kind else None)
            )
            return
        with self._lock:
            if not stretch.dropped:
                self.counts.given_back += 1
                stretch.pending -= 1
        reason = error.str()
        self._call(
            on_delivery,
            NotDelivered(
                f"a record for {self._topic} was not delivered: {reason}",
                where=self._where,
                fix="check that Kafka is up (`make status`), then send it again: a record that arrives twice is "
                "one row",
                server="kafka",
                topic=self._topic,
                key=key,
                reason=reason,
            ),
        )

    def _call(self, on_delivery: OnDelivery, outcome: Delivered | NotDelivered) -> None:
        try:
            on_delivery(outcome)
        except Exception as error:
            self.errors.append(error)
