"""Reads the newest dead letters, for somebody who waits: no more than so many, and no longer than so long."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.dead_letters import letters
from avro_data_contracts.streaming.dead_letters.letters import Entry, Letters

#: Offsets of a partition that are read at once; twice as many after each time.
_FEWEST: Final = 500


@dataclass(frozen=True)
class Recent:
    """The newest dead letters.

    Attributes:
        read: how many messages were read.
        left: offsets of older messages that were not read.  A letter may then look open that was put back, because
            the partitions are not cut at the same time.
    """

    found: Letters
    read: int
    left: int


def read(
    settings: Settings, contract: Contract, most: int, seconds: float, now: Callable[[], float] = time.monotonic
) -> Recent:
    """Read the newest `most` messages or fewer, until `seconds` are over.

    Raises:
        ConfigurationError: the contract is not registered.
        ServiceError: Kafka does not answer.
    """
    until = now() + seconds
    name = letters.topic_of(settings, contract)
    left = topic.whole(settings, name)
    parts: list[list[Entry]] = []
    size, read_ = _FEWEST, 0
    while left and read_ < most and (not parts or now() < until):
        size = min(size, max(1, (most - read_) // len(left)))
        chunk = {one: (max(first, last - size + 1), last) for one, (first, last) in left.items()}
        parts.append([letters.entry(message, contract.topic) for message in topic.read(settings, name, chunk)])
        read_ += len(parts[-1])
        begun = {one: (first, chunk[one][0] - 1) for one, (first, _) in left.items()}
        left = {one: (first, last) for one, (first, last) in begun.items() if first <= last}
        size *= 2
    found = letters.gathered((one for part in reversed(parts) for one in part), contract)
    return Recent(found, read_, sum(last - first + 1 for first, last in left.values()))
