"""What became of a record that a program has sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from avro_data_contracts.contracts.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Delivered:
    """Kafka has acknowledged a record: every replica in sync has it.

    Attributes:
        topic: its topic.
        partition: its partition, from 0.
        offset: its offset; None if an earlier attempt had delivered it, and only the acknowledgement was lost.
        timestamp: milliseconds since 1970, as the topic keeps it; None as for `offset`.
    """

    topic: str
    partition: int
    offset: int | None
    timestamp: int | None


class NotDelivered(ServiceError):
    """Kafka did not acknowledge one record, or some of several; `what` has the numbers and the reasons.

    Attributes:
        topic: where the records were meant to go.
        key: the fields of the record's key; None without one, or for several records.  Messages and logs do not have
            it, because it may be personal.
        reason: Kafka's own words.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        server: str = "",
        topic: str = "",
        key: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(what, where=where, fix=fix, server=server)
        self.topic = topic
        self.key = key
        self.reason = reason


#: Called once for a record: with what became of it.
OnDelivery = Callable[[Delivered | NotDelivered], None]
