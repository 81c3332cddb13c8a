"""The effects of a change in words: one line for each fact of `contracts.check.effects`.  Pure.

A reason is given once.  Where a finding gives it, or a line above does, further lines point there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from avro_data_contracts.contracts.avro.jsonpos import dump
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.check.effects import (
    Cause,
    ConsumerEffect,
    Deployment,
    Impact,
    Obstacle,
    Reason,
    SparkEffect,
    TableEffect,
    Trouble,
    Unread,
    Unsolved,
    explaining_change,
    explaining_obstacle,
)
from avro_data_contracts.contracts.compat.changes import Change
from avro_data_contracts.contracts.compat.levels import BACKWARD
from avro_data_contracts.contracts.compat.wording import describe
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.tables.wording import told as note_told

_RESTART = "until you restart it with the new contract, the stream"
_STOP = "stop the producers, let the consumers read to the end, then deploy both; or"


class ImpactWording:
    """The words for one impact.

    Args:
        findings: those printed above these words, whose reasons are not repeated; empty where each line has to be
            understood alone.
        once: whether a line may point to the one above that gives the reason.
    """

    def __init__(self, impact: Impact, findings: Sequence[Finding] = (), *, once: bool = True) -> None:
        self.impact = impact
        self.findings = findings
        self.once = once
        self._given: set[tuple[str, str, str]] = set()

    def deployment(self, one: Deployment) -> str:
        """Why that side deploys first, and what no order solves."""
        return "; ".join([self._reason(one), *map(_unsolved, one.unsolved)])

    def spark(self, one: SparkEffect) -> list[str]:
        """What the stream does with old and new records, and why."""
        return [*self._with_new_contract(one), *self._until_restart(one)]

    def blocked(self, one: SparkEffect) -> str:
        """Why the stream does not start with the new contract; empty where it does."""
        if not one.blocked_by:
            return ""
        table = one.blocked_by[0]
        findings = table.explanations(self.findings)
        why = _pointer(*findings) or f": {table.migration.refusals[0].why}"
        what = f"view {table.view} is broken" if _broken(findings) else f"{table.kind} {table.table} cannot change"
        return f"the stream does not start with the new contract: {what}{why}"

    def refusals(self, one: TableEffect) -> list[str]:
        """Why no statement brings the table here; a pointer where findings say so."""
        if one.migration.refusals and (findings := one.explanations(self.findings)):
            what = f"its view {one.view} is broken" if _broken(findings) else "no ALTER can do it"
            return [f"{what}{_pointer(*findings)}"]
        return [f"no ALTER can do it: {no.why}" for no in one.migration.refusals]

    def notes(self, one: TableEffect) -> list[str]:
        """What to know of a table's migration."""
        if one.abandoned and (findings := one.explanations(self.findings)):
            return [f"nothing writes to {one.table}{_pointer(*findings)}"]
        return [note_told(note) for note in one.migration.notes]

    def consumer(self, one: ConsumerEffect) -> str:
        """Why a consumer reads on, loses data or breaks."""
        match one.cause:
            case Cause.cannot_read:
                assert one.obstacle is not None
                return f"cannot read new records{self._why(one.obstacle)}"
            case Cause.meaning_changed:
                assert one.change is not None
                return f"misreads {_at(one.change)}{self._change(one.change)}"
            case Cause.more_digits:
                assert one.change is not None
                return f"cannot hold all digits of {_at(one.change)}{self._change(one.change)}"
            case Cause.field_gone:
                return f"no longer gets {', '.join(one.lost)}; its schema fills in the default"
            case Cause.other_fields:
                return "none of its fields changes, but it breaks if it decodes with the whole old schema"
            case Cause.untouched:
                return "its fields do not change"
            case Cause.readable:
                return "reads new records"

    # -- the order ---------------------------------------------------------------------------------------------------

    def _reason(self, one: Deployment) -> str:
        field = f"{_at(one.change)}{self._change(one.change)}" if one.change else ""
        why = self._why(one.obstacle) if one.obstacle else ""
        match one.reason:
            case Reason.schema_unchanged:
                return "the value's schema does not change"
            case Reason.both_read:
                return "the old and the new schema read each other's records"
            case Reason.old_cannot_read_new:
                return f"the old schema cannot read new records{why}"
            case Reason.new_cannot_read_old:
                return f"deploy the consumers once they have read the old records{why}"
            case Reason.neither_reads:
                return f"neither schema reads the other's records: {_STOP} use a new topic"
            case Reason.more_digits:
                return f"widen readers and columns before producers send more digits in {field}"
            case Reason.fewer_digits:
                return f"deploy the consumers once they have read the old records with more digits in {field}"
            case Reason.meaning_changed:
                return f"{field} means something else from now on; {_STOP} add a new field instead"

    # -- Spark -------------------------------------------------------------------------------------------------------

    def _with_new_contract(self, one: SparkEffect) -> Iterator[str]:
        alike: dict[tuple[str, str], list[Unread]] = {}
        for unread in one.unread:
            alike.setdefault((unread.obstacle.rule, unread.obstacle.path), []).append(unread)
        for several in alike.values():
            why = self._why(several[0].obstacle)
            yield f"records of {few([each.label for each in several])} are dead-lettered as INCOMPATIBLE_SCHEMA{why}"
        for change in one.filled:
            yield f"old records get {change.path} = {dump(change.after.default)}, its default"
        for change in one.reinterpreted:
            yield f"old records are misread in {_at(change)}{self._change(change)}"
        for change in one.narrowed:
            yield f"old records with more digits in {_at(change)} than {change.new} are dead-lettered as DECODE_ERROR"

    def _until_restart(self, one: SparkEffect) -> Iterator[str]:
        if one.rejects:
            yield f"{_RESTART} dead-letters new records{self._why(one.rejects)}"
        if one.ignores:
            yield f"{_RESTART} ignores {', '.join(one.ignores)}"
        for change in one.widened:
            yield (
                f"{_RESTART} dead-letters new records with more digits in {_at(change)} than {change.old} "
                "as DECODE_ERROR"
            )

    # -- reasons, once -----------------------------------------------------------------------------------------------

    def _why(self, one: Obstacle) -> str:
        """The reason, or where it stands already."""
        if finding := explaining_obstacle(one, self.impact.subject, self.findings):
            return _pointer(finding)
        key = (one.rule, one.path, one.direction)
        if self.once and key in self._given:
            return f" (see {one.path or 'value'} above)"
        self._given.add(key)
        message = describe(one.difference, one.new, new_reads=one.direction == BACKWARD).message
        return f": {one.path or 'value'}: {message}"

    def _change(self, one: Change) -> str:
        """What the field was and is now; or, for a line that names the field, that this stands already."""
        key = (one.kind.value, one.path, "")
        has_finding = explaining_change(one, self.impact.subject, self.findings) is not None
        if has_finding or (self.once and key in self._given):
            return " (see above)"
        self._given.add(key)
        return f" (it was {one.old}, and is now {one.new})"


def _broken(findings: Sequence[Finding]) -> bool:
    """Whether a view no longer fits the schema: then nobody can say what becomes of its tables."""
    return any(one.rule == "VIEW_BROKEN" for one in findings)


def _pointer(*findings: Finding) -> str:
    """Where to look for a reason; empty if no finding gives it."""
    places = dict.fromkeys(one.path or one.rule for one in findings)
    return f" (see {', '.join(places)} above)" if places else ""


def _unsolved(one: Unsolved) -> str:
    labels = few(one.labels[::-1], most=1)
    match one.trouble:
        case Trouble.unreadable_records:
            return f"whatever the order, the new schema cannot read records of {labels}"
        case Trouble.unable_readers:
            return f"readers that still use {labels} cannot read new records, and must move first"
        case Trouble.other_meaning:
            return f"the same bytes mean something else in records of {labels}"


def _at(change: Change) -> str:
    return change.path or "the value"
