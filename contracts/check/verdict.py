"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avro_data_contracts.contracts.catalog.findings import Finding, in_order

if TYPE_CHECKING:
    from avro_data_contracts.contracts.check.effects import Impact


@dataclass(frozen=True)
class Verdict:
    """The result for one contract.

    Args:
        status: `new`, `changed`, `removed`, `back` (it was removed, is there again, and differs from what it was), or
            `unchanged` (only its approvals were checked).
        findings: including approved ones.
        impact: None if there is nothing to compare.
    """

    contract: str
    topic: str
    status: str
    findings: tuple[Finding, ...]
    impact: Impact | None = None


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Args:
        against: the label of the baseline.
        unchanged: how many contracts did not change.
        general: findings that are not about one contract.
    """

    against: str
    verdicts: tuple[Verdict, ...]
    unchanged: int
    general: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return in_order([*self.general, *(one for verdict in self.verdicts for one in verdict.findings)])
