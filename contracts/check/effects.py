"""The effects of a change, as facts: on Spark, on each table, consumer and topic, and on the order of deployment.

`contracts.check.impact` works them out; `contracts.impact_wording` says them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.check.topic_changes import TopicChange
from avro_data_contracts.contracts.compat import resolution
from avro_data_contracts.contracts.compat.changes import Change
from avro_data_contracts.contracts.compat.levels import BACKWARD, FORWARD
from avro_data_contracts.contracts.compat.resolution import Difference
from avro_data_contracts.contracts.compat.wording import describe
from avro_data_contracts.contracts.tables.layout import Migration, NoteKind


@dataclass(frozen=True)
class Obstacle:
    """Why one of the two schemas cannot read what the other writes.

    Args:
        direction: BACKWARD, the new schema cannot read old records; FORWARD, the old schema cannot read new ones.
        new: the newer schema.
    """

    direction: str
    difference: Difference = field(repr=False)
    new: Schema = field(repr=False)

    @property
    def rule(self) -> str:
        return self.difference.rule

    @cached_property
    def path(self) -> str:
        """In the names of the newer schema; empty for the whole value."""
        return describe(self.difference, self.new, new_reads=self.direction == BACKWARD).path


#: Rules about the meaning of bytes: each explains the change of a logical type at its path.
_ABOUT_MEANING = frozenset({"DECIMAL_CHANGED", "DECIMAL_WIDENED", "LOGICAL_TYPE_CHANGED"})
#: Rules about tables.
_ABOUT_TABLES = frozenset({"COLUMN_CANNOT_CHANGE", "TABLE_CANNOT_CHANGE"})


def explaining_obstacle(one: Obstacle, subject: str, findings: Iterable[Finding]) -> Finding | None:
    """The finding that gives the reason for `one`, in the schema of `subject`; None where no finding does."""
    for finding in findings:
        if (finding.subject, finding.path) != (subject, one.path):
            continue
        if finding.rule == one.rule and one.direction in finding.directions:
            return finding
        # At a level that promises nothing to old readers, another rule finds the new symbols.
        if (finding.rule, one.rule, one.direction) == (
            "ENUM_WITHOUT_DEFAULT",
            resolution.MISSING_ENUM_SYMBOLS,
            FORWARD,
        ):
            return finding
    return None


def explaining_change(one: Change, subject: str, findings: Iterable[Finding]) -> Finding | None:
    """The finding that says what the bytes of a field meant and mean now; None where no finding does."""
    about = (each for each in findings if each.rule in _ABOUT_MEANING)
    return next((each for each in about if (each.subject, each.path) == (subject, one.path)), None)


class First(StrEnum):
    """Who deploys first."""

    consumers = "consumers first"
    producers = "producers first"
    any = "any order"
    together = "together"


class Reason(StrEnum):
    """Why they deploy in that order."""

    schema_unchanged = "schema_unchanged"
    both_read = "both_read"
    old_cannot_read_new = "old_cannot_read_new"
    new_cannot_read_old = "new_cannot_read_old"
    neither_reads = "neither_reads"
    more_digits = "more_digits"
    fewer_digits = "fewer_digits"
    meaning_changed = "meaning_changed"


_FIRST = {
    Reason.schema_unchanged: First.any,
    Reason.both_read: First.any,
    Reason.old_cannot_read_new: First.consumers,
    Reason.more_digits: First.consumers,
    Reason.new_cannot_read_old: First.producers,
    Reason.fewer_digits: First.producers,
    Reason.neither_reads: First.together,
    Reason.meaning_changed: First.together,
}


class Trouble(StrEnum):
    """What no order of deployment solves."""

    unreadable_records = "unreadable_records"
    unable_readers = "unable_readers"
    other_meaning = "other_meaning"


@dataclass(frozen=True)
class Unsolved:
    """Trouble with versions before the last one.  `labels`: those versions, oldest first, never empty."""

    trouble: Trouble
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Deployment:
    """Who deploys first, and why.

    Args:
        obstacle: with `old_cannot_read_new` and `new_cannot_read_old`, the first reason.
        change: the logical type that decides it; None where something else does.
        unsolved: what remains, in whichever order they deploy.
    """

    reason: Reason
    obstacle: Obstacle | None = None
    change: Change | None = None
    unsolved: tuple[Unsolved, ...] = ()

    @property
    def first(self) -> First:
        return _FIRST[self.reason]


@dataclass(frozen=True)
class Unread:
    """An earlier version whose records the new contract cannot read, and the first reason."""

    label: str
    obstacle: Obstacle


@dataclass(frozen=True)
class SparkEffect:
    """What the stream does with records, before and after it restarts with the new contract.

    Args:
        blocked_by: tables that cannot become what the new contract says: with it, the stream does not start.
        unread: with the new contract: versions whose records go to the dead-letter topic (INCOMPATIBLE_SCHEMA),
            the newest first.
        filled: with the new contract: fields that old records lack, and that get their default.
        rejects: until the restart: why new records go to the dead-letter topic.
        ignores: until the restart: paths that the stream leaves out.
        reinterpreted: fields whose old bytes are read as something else with the new contract.
        widened: decimals: until the restart, records with more digits go to the dead-letter topic (DECODE_ERROR).
        narrowed: decimals: with the new contract, old records with more digits go there.
    """

    blocked_by: tuple[TableEffect, ...] = ()
    unread: tuple[Unread, ...] = ()
    filled: tuple[Change, ...] = ()
    rejects: Obstacle | None = None
    ignores: tuple[str, ...] = ()
    reinterpreted: tuple[Change, ...] = ()
    widened: tuple[Change, ...] = ()
    narrowed: tuple[Change, ...] = ()

    @property
    def starts(self) -> bool:
        """With the new contract the stream starts: every table can become what that says."""
        return not self.blocked_by

    @property
    def reads_old(self) -> bool:
        """The new contract reads everything that was ever written."""
        return not (self.unread or self.narrowed)

    @property
    def reads_new(self) -> bool:
        """The running stream, with the old contract, reads what new producers write."""
        return not (self.rejects or self.widened)


@dataclass(frozen=True)
class TableEffect:
    """What happens to one table.

    Args:
        kind: of its store.
        table: its qualified name.
        view: the name of the view that it belongs to; empty for the contract's own.
    """

    kind: str
    table: str
    migration: Migration
    view: str = ""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do, or to know."""
        return bool(self.migration.statements or self.migration.refusals or self.migration.notes)

    @property
    def abandoned(self) -> bool:
        """The new contract has no table in this store: this one stays, and nothing writes to it."""
        return any(note.kind is NoteKind.abandoned for note in self.migration.notes)

    def explanations(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings that say why the table cannot change, or that it is abandoned."""
        at = f"sinks.{self.kind}"
        if self.view:
            around = f"views.{self.view}"
            if self.abandoned:
                return tuple(one for one in findings if (one.rule, one.path) == ("TABLE_ABANDONED", f"{around}.{at}"))
            about = (one for one in findings if one.rule in (*_ABOUT_TABLES, "VIEW_BROKEN"))
            return tuple(one for one in about if f"{one.path}.".startswith(f"{around}."))
        if self.abandoned:
            return tuple(one for one in findings if (one.rule, one.path) == ("TABLE_ABANDONED", at))
        paths = {one.column for one in self.migration.refusals if not one.at} | {f"{at}.primary_key"}
        paths |= {".".join([at, *map(str, one.at)]) for one in self.migration.refusals if one.at}
        return tuple(one for one in findings if one.rule in _ABOUT_TABLES and one.path in paths)


class Reads(StrEnum):
    """What happens to a consumer that still has the old schema."""

    on = "reads on"
    without = "loses data"
    breaks = "breaks"


class Cause(StrEnum):
    """Why that happens to a consumer."""

    cannot_read = "cannot_read"
    meaning_changed = "meaning_changed"
    more_digits = "more_digits"
    field_gone = "field_gone"
    other_fields = "other_fields"
    untouched = "untouched"
    readable = "readable"


_READS = {
    Cause.cannot_read: Reads.breaks,
    Cause.meaning_changed: Reads.breaks,
    Cause.more_digits: Reads.breaks,
    Cause.field_gone: Reads.without,
}


@dataclass(frozen=True)
class ConsumerEffect:
    """What happens to a consumer that still has the old schema.

    Args:
        touched: paths that it reads and that change.
        cause: `other_fields`: new records cannot be read with the whole old schema, but its fields do not change.
        obstacle: with `cannot_read`, why.
        change: with `meaning_changed` and `more_digits`, of which logical type.
        lost: paths that it reads and that are removed or renamed: no deployment of its own brings them back.
    """

    name: str
    owner: str
    touched: tuple[str, ...]
    cause: Cause
    obstacle: Obstacle | None = None
    change: Change | None = None
    lost: tuple[str, ...] = ()

    @property
    def reads(self) -> Reads:
        """`breaks` when it cannot read new records, or misreads them; `without` when its schema fills in defaults for
        what is no longer sent."""
        return _READS.get(self.cause, Reads.on)


@dataclass(frozen=True)
class Impact:
    """Everything that a change does.

    Args:
        subject: the name of the value's subject, whose schema changes.
        spark: None where no stream reads the topic.
        topic: settings of the topic and of its dead-letter topic.
        former: consumers of the old contract that the new one leaves out, in whole or with the fields that they
            read, and that do not read on.
        changes: those of the value's schema.
    """

    subject: str
    deployment: Deployment
    spark: SparkEffect | None = None
    tables: tuple[TableEffect, ...] = ()
    consumers: tuple[ConsumerEffect, ...] = ()
    former: tuple[ConsumerEffect, ...] = ()
    topic: tuple[TopicChange, ...] = ()
    changes: tuple[Change, ...] = field(default=(), repr=False)

    @property
    def first(self) -> First:
        """Who deploys first."""
        return self.deployment.first
