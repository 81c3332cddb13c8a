"""What lint says against registering a new schema.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.listing import few


def against(subject: Subject, contract: Contract | None, errors: Sequence[Finding]) -> tuple[str, str] | None:
    """Return what is wrong, and how to fix it; None for nothing.

    Args:
        contract: that of the subject; None for a shared type.
        errors: of lint; those about the contract itself belong to its value.
    """
    own = contract.name if contract else ""
    names = {subject.name} | ({""} if contract is not None and subject.name == contract.value.name else set())
    found = [one for one in errors if one.contract == own and one.subject in names]
    if not found:
        return None
    number = "an error" if len(found) == 1 else f"{len(found)} errors"
    told = few([f"{one.rule} {one.path}".strip() for one in found], 5)
    command = f"contracts lint {own}".strip()
    return (
        f"lint reports {number} in the new schema of {subject.name}: {told}",
        f"`{command}` says how to fix each; `contracts register --no-lint` registers it all the same",
    )
