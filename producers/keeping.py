"""Writes down, while a run goes on, how far it has come: only what Kafka and the disk have."""

from __future__ import annotations

import time
from typing import Any, Final

from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.producers.sources.source import Resumable

EVERY_S: Final = 1.0
_MARK_EVERY_S: Final = 0.1


class Keeper:
    """See the module."""

    def __init__(self, source: Resumable, publisher: Publisher) -> None:
        self._source = source
        self._publisher = publisher
        self._place: Any = None
        self._next_mark = time.monotonic()
        self._next = self._next_mark + EVERY_S

    def taken(self, now: float) -> None:
        """All items that the source gave were sent or refused.  `now` is of time.monotonic, seconds."""
        self._place = self._source.place
        if now < self._next_mark or self._place is None:
            return
        self._publisher.mark(self._place)
        self._next_mark = now + _MARK_EVERY_S
        if now >= self._next:
            self._save()
            self._next = now + EVERY_S

    def save(self) -> None:
        """Write down what is certain by now; at the end of a run, after the last acknowledgement, that is all."""
        if self._place is None:
            return
        self._publisher.mark(self._place)
        self._save()

    def _save(self) -> None:
        if self._publisher.settled is not None:
            self._source.keep(self._publisher.settled)
