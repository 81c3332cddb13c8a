"""The findings of `lint` and `check`, and how approvals change them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from avro_data_contracts.contracts.errors import ConfigurationError, place

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.contract import Contract
    from avro_data_contracts.contracts.catalog.places import Texts


class Severity(StrEnum):
    """`error` breaks something or somebody; `warning` is worth knowing."""

    error = "error"
    warning = "warning"


class FailOn(StrEnum):
    """The lowest severity of a finding that makes the exit code 1."""

    error = "error"
    warning = "warning"
    never = "never"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem.

    Args:
        rule: its id.
        message: what is wrong and why it matters, in one sentence.
        fix: how to fix it.
        file, line, column: where; line and column are 1-based, 0 when there is no such place.
        path: where in the schema (`user.address.street`) or in contract.yaml (`kafka.partitions`).
        contract, subject: names; `subject` is empty for a finding that is not about a schema.
        approved: the reason of the approval that covers it; empty when none does.
        until: the last day of that approval, ISO.
        directions: of a rule of the compatibility levels: BACKWARD where the new schema cannot read old records,
            FORWARD where the old schema cannot read new ones.
    """

    rule: str
    severity: Severity
    message: str
    fix: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    contract: str = ""
    subject: str = ""
    approved: str = ""
    until: str = ""
    directions: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What stays the same when lines move."""
        return self.rule, self.contract, self.subject or ("" if self.contract else self.file), self.path

    @property
    def place(self) -> str:
        """`file:line:column`, as far as it is known."""
        return place(self.file, self.line, self.column)

    def fails(self, limit: FailOn) -> bool:
        """Whether the finding makes the exit code 1."""
        if self.approved or limit is FailOn.never:
            return False
        return self.severity is Severity.error or limit is FailOn.warning


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by contract, errors first, then by file and place; each appears once."""
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda one: (one.contract, one.severity is not Severity.error, one.file, one.line, one.column),
        )
    )


#: The rule about files that cannot be read.
UNREADABLE = "UNREADABLE"


def unreadable(error: ConfigurationError, contract: str = "") -> Finding:
    """The finding about a file that cannot be read.  `contract`: its name, if the file belongs to one."""
    return Finding(
        UNREADABLE, Severity.error, error.what, error.fix, error.file, error.line, error.column, error.path, contract
    )


#: The rules about approvals themselves: id -> severity.
APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
APPROVAL_UNUSED = "APPROVAL_UNUSED"


def approve(
    contract: Contract,
    findings: Sequence[Finding],
    *,
    today: date,
    known: Iterable[str],
    texts: Texts,
    still_needed: Iterable[tuple[str, str, str]] = (),
) -> list[Finding]:
    """Mark those `findings` of one contract that an approval in its contract.yaml covers.

    An approval that has expired, or that covers nothing, is itself a finding.

    Args:
        today: an approval applies up to and including its last day.
        known: ids of the rules that an approval may name.
        texts: the contract files, for the line.
        still_needed: (rule, path, role) of findings that the next change would have: approvals of these are in use.

    An approval of a rule that does not exist is a finding too.
    """
    result = list(findings)
    rules = sorted(known)
    for number, approval in enumerate(contract.spec.approvals):
        line, column = texts.position(contract.file, "approvals", number)
        if approval.rule not in rules:
            what = f"approvals.{number}.rule: there is no rule {approval.rule!r}"
            fix = f"rules of check: {', '.join(rules)}"
            path = f"approvals.{number}"
            error = ConfigurationError(what, file=contract.file, line=line, column=column, path=path, fix=fix)
            result.append(unreadable(error, contract.name))
            continue
        about = [i for i, one in enumerate(result) if (one.rule, one.path) == (approval.rule, approval.path)]
        covered = [i for i in about if approval.covers(approval.rule, approval.path, role(contract, result[i]))]
        at = f"of {approval.rule}" + (f" at {approval.path}" if approval.path else "") + f" in the {approval.subject}"
        found = None
        if not approval.holds(today):
            found = Finding(
                APPROVAL_EXPIRED,
                Severity.error,
                f"the approval {at} ended on {approval.until}",
                "finish the migration and remove the approval, or agree on a new date",
            )
        elif covered:
            for index in covered:
                result[index] = replace(result[index], approved=approval.reason, until=str(approval.until))
        elif not any(approval.covers(*one) for one in still_needed):
            other = next((role(contract, result[i]) for i in about), "")
            found = Finding(
                APPROVAL_UNUSED,
                Severity.warning,
                f"the approval {at} covers no finding of this change",
                f"the {other} has such a finding: write `subject: {other}` if you mean it, or remove the approval"
                if other
                else "remove the approval, or correct its rule, path or subject",
            )
        if found is not None:
            found = replace(found, file=contract.file, line=line, column=column, contract=contract.name)
            result.append(replace(found, path=f"approvals.{number}"))
    return result


def role(contract: Contract, one: Finding) -> str:
    """`key` or `value`, for the schema with the finding; empty for a finding that is not about a schema."""
    return next((subject.role for subject in contract.subjects if subject.name == one.subject), "")
