"""Writes down, while a run goes on, how far it has come: only what Kafka and the disk have."""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.producers.reject_file import RejectFile
from avro_data_contracts.producers.resuming import Progress

EVERY_S: Final = 1.0
_MARK_EVERY_S: Final = 0.1


class Resumable(Protocol):
    """A source that can go on in the middle.

    Attributes:
        place: where the latest item ends.
    """

    @property
    def place(self) -> Any: ...

    def state(self, place: Any) -> Any:
        """Return that place as JSON, for a later run."""
        ...


class Keeper:
    """See the module.

    Args:
        rejects: the file of refused records, None for the dead-letter topic.
    """

    def __init__(
        self, source: Resumable, publisher: Publisher, progress: Progress, rejects: RejectFile | None = None
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._progress = progress
        self._rejects = rejects
        self._place: Any = None
        self._next_mark = time.monotonic()
        self._next = self._next_mark + EVERY_S

    def taken(self) -> None:
        """The latest item was sent or refused."""
        self._place = self._source.place
        now = time.monotonic()
        if now < self._next_mark:
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
        if self._publisher.settled is None:
            return
        if self._rejects is not None:
            self._rejects.flush()
        self._progress.save(self._source.state(self._publisher.settled))
