"""Counts how many of a contract's records were rejected in a period, and whether it allows so many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import FindingsError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.dead_letters import letters


@dataclass(frozen=True)
class Review:
    """The rejected records of a period.

    Attributes:
        records: number of records in the topic, and of those that a producer could not send.
        rejected: number of dead letters that were not put back, by reason.
    """

    contract: Contract
    records: int
    rejected: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of records that were rejected, for any reason."""
        return sum(self.rejected.values())

    @property
    def rate(self) -> float:
        """The rejected share, 0 to 1.  It is 1 if there are letters and no records in the period."""
        return min(1.0, self.total / self.records) if self.records else float(self.total > 0)

    def check(self) -> None:
        """Raise FindingsError when the share is more than the contract allows."""
        limit = self.contract.spec.dead_letter.max_rate
        if self.rate <= limit:
            return
        reasons = ", ".join(f"{reason} {number}" for reason, number in self.rejected.items())
        raise FindingsError(
            f"{self.total} of {self.records} records were rejected ({self.rate:.2%}, allowed: "
            f"{limit:.2%}): {reasons}",
            where=f"contract {self.contract.name}",
            fix=f"`python -m avro_data_contracts.streaming --contract {self.contract.name} dlq show` shows them; "
            "after the fix `dlq replay`",
        )


def review(settings: Settings, contract: Contract, since: int | None, until: int | None) -> Review:
    """Count by the records' timestamps, ms since the epoch, without `until` itself; None is no limit.

    Kafka finds the first record that is not older than a time.  If timestamps are out of order, the number of records
    is the number of offsets between the two.

    Raises:
        ConfigurationError: the contract is not registered.
        ServiceError: Kafka does not answer.
    """
    rejected: Counter[str] = Counter()
    unsent = 0
    for letter in letters.read(settings, contract).letters:
        if (since is not None and letter.millis < since) or (until is not None and letter.millis >= until):
            continue
        unsent += letter.origin is None
        if letter.replayed_as is None:
            rejected[letter.reason] += 1
    records = topic.count(settings, contract.topic, since, until)
    return Review(contract, records + unsent, dict(sorted(rejected.items())))
