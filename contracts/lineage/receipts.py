"""What the receivers of OpenLineage's client said of the events that it handed to them.

The client's `emit` returns before Kafka or an asynchronous transport has an answer, and only logs a bad one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Where a transport of the client has others inside: `composite`, `transform`, `datadog`.
_INSIDE = ("transports", "transport", "http", "async_http")


class Receipts:
    """Counts answers.  Made before the client's first event, and asked after its `close`."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._producers: list[_Producer] = []
        for one in _leaves(transport):
            if getattr(one, "producer", None) is not None:
                one.producer = _Producer(one.producer)
                self._producers.append(one.producer)

    def missing(self) -> tuple[int, str]:
        """Return how many events one of the receivers does not have, as far as transports tell, and why."""
        found = [(one.missing, one.why) for one in self._producers]
        for one in _leaves(self._transport):
            if hasattr(one, "get_stats"):
                stats = one.get_stats()
                why = "the receiver refused it or is away" if stats["failed"] else ""
                found.append((stats["failed"] + stats["pending"], why))
        return max(found, default=(0, ""))


class _Producer:
    """A Kafka producer of a transport, which remembers what the brokers said of each message."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self.missing = 0
        self.why = ""

    def produce(self, **message: Any) -> None:
        self.missing += 1
        self._producer.produce(**{**message, "on_delivery": self._answered})

    def flush(self, timeout: float = -1) -> int:
        return int(self._producer.flush(timeout))

    def _answered(self, error: Any, _: Any) -> None:
        if error is None:
            self.missing -= 1
        else:
            self.why = f"Kafka: {error.str()}"


def _leaves(transport: Any) -> Iterator[Any]:
    inside = [part for name in _INSIDE if (part := getattr(transport, name, None)) is not None]
    if not inside:
        yield transport
    for one in inside:
        for part in one if isinstance(one, list) else [one]:
            yield from _leaves(part)
