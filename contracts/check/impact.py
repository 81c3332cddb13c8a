"""What a change does to Spark, to each table, to each consumer; and who deploys first.  Pure.

All of it is worked out from the two schemas, in both directions, and not from the level: a level says what is
asked for, not what a change does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.avro.jsonpos import dump
from contracts.avro.nodes import Field, Schema
from contracts.avro.paths import overlap, plain
from contracts.catalog.contract import ConsumerSpec, Contract
from contracts.catalog.earlier import Earlier
from contracts.compat import meanings
from contracts.compat.blind_spots import narrowed, widened
from contracts.compat.cache import Compared
from contracts.compat.changes import Change, Kind
from contracts.compat.levels import BACKWARD, FORWARD, LEVELS
from contracts.compat.wording import Told, describe
from contracts.stores.table import Table
from contracts.tables import layout
from contracts.tables.existing import existing
from contracts.tables.layout import Migration


class First(StrEnum):
    """Who deploys first."""

    consumers = "consumers first"
    producers = "producers first"
    any = "any order"
    together = "together"


@dataclass(frozen=True)
class SparkEffect:
    """What the stream does with records.

    Args:
        starts: with the new contract it starts: every table can be made as that says.
        reads_old: the new contract reads all that was ever written.
        reads_new: the stream that runs now, with the old contract, reads what new producers write.
        notes: which default fills in, what is left out, and why something cannot be read.
    """

    starts: bool
    reads_old: bool
    reads_new: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TableEffect:
    """What happens to one table."""

    kind: str
    table: str
    migration: Migration


class Reads(StrEnum):
    """What becomes of a consumer that still has the old schema."""

    on = "reads on"
    without = "loses data"
    breaks = "breaks"


@dataclass(frozen=True)
class ConsumerEffect:
    """What a consumer sees that still has the old schema.

    Args:
        touched: paths that it reads and that change.
        reads: `breaks` when it cannot read new records, or takes values for something else; `without` when its
            schema fills in defaults for what is no longer sent.
        lost: paths that it reads and that are gone or renamed: no deployment of its brings them back.
    """

    name: str
    owner: str
    touched: tuple[str, ...]
    reads: Reads
    why: str
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Impact:
    """Everything that a change does.

    Args:
        why: where `first` comes from.
        former: consumers of the old contract that the new one leaves out, in whole or with the fields that they read,
            and that do not read on.
    """

    first: First
    why: str
    spark: SparkEffect | None = None
    tables: tuple[TableEffect, ...] = ()
    consumers: tuple[ConsumerEffect, ...] = ()
    former: tuple[ConsumerEffect, ...] = ()
    changes: tuple[Change, ...] = field(default=(), repr=False)


def of(
    old: Contract,
    new: Contract,
    history: Sequence[Earlier],
    changes: Sequence[Change],
    compared: Compared | None = None,
) -> Impact:
    """The impact of `new` coming after `old`.

    Args:
        history: every earlier version of the value whose records may still be in the topic, oldest first, the
            newest last.
        changes: those of the value's schema.
        compared: what others have found out about these schemas.
    """
    compared = compared or Compared()
    schema = new.value.schema
    backward = bool(compared.differences(schema, old.value.schema))
    forward = tuple(_told(schema, old.value.schema, compared, new_reads=False))
    meaning = [one for one in changes if one.kind in meanings.OTHERWISE]
    longer = next((one for one in changes if widened(one)), None)
    shorter = next((one for one in changes if narrowed(one)), None)
    first, why = _first(_reason(backward, shorter), _reason(bool(forward), longer), meaning, bool(changes))
    if first is not First.together:
        why += _older(new, history[:-1], compared, read=not backward, readers=not forward)
    effects = tuple(_tables(old, new, history))
    spark = None
    if new.sinks or old.sinks:
        spark = _spark(schema, history, forward, changes, compared, effects)
    consumers = tuple(_consumers(new.spec.consumers, forward, changes))
    former = tuple(_former(old, consumers, forward, changes))
    return Impact(first, why, spark, effects, consumers, former, tuple(changes))


def _told(new: Schema, old: Schema, compared: Compared, *, new_reads: bool) -> Iterator[Told]:
    pair = (new, old) if new_reads else (old, new)
    for one in compared.differences(*pair):
        yield describe(one, new, new_reads=new_reads)


def _older(new: Contract, older: Sequence[Earlier], compared: Compared, *, read: bool, readers: bool) -> str:
    """What the order does not solve, at the levels that promise something for the whole history.

    Args:
        read, readers: whether to look for records that the new schema cannot read, and for old readers that cannot
            read new ones; those of the newest version are what the order is about.
    """
    level = LEVELS[new.compatibility.value]
    if not level.transitive:
        return ""
    schema, told = new.value.schema, ""
    if read and BACKWARD in level.directions:
        unread = [one.label for one in older if compared.differences(schema, one.schema)]
        told += _named("; the new schema cannot read records of {}, in whichever order", unread)
    if readers and FORWARD in level.directions:
        unable = [one.label for one in older if compared.differences(one.schema, schema)]
        told += _named("; readers that still have {} cannot read new records, and have to move first", unable)
    other = [
        one.label
        for one in older
        if any(change.kind in meanings.OTHERWISE for change in compared.meanings(one.schema, schema))
    ]
    return told + _named("; values of {} mean something else, and nothing in the bytes tells", other)


def _named(told: str, labels: Sequence[str]) -> str:
    """`told` of the newest of `labels`; nothing where there is none."""
    if not labels:
        return ""
    return told.format(labels[-1] + (f" and {len(labels) - 1} more" if len(labels) > 1 else ""))


def _reason(unread: bool, decimal: Change | None) -> str:
    """Why one side cannot read the other: in general, or because of one decimal's digits; empty when it can."""
    if unread:
        return "cannot read"
    return f"{decimal.path or 'the value'} was {decimal.old}, and is now {decimal.new}" if decimal else ""


def _first(backward: str, forward: str, other: Sequence[Change], changed: bool) -> tuple[First, str]:
    """`backward`, `forward`: why new readers do not read all old records, and old readers not all new ones."""
    if other:
        return First.together, (
            f"{other[0].path or 'the value'} means something else from now on, and nothing in the bytes tells: stop "
            "producers, let consumers read to the end, deploy both; or use a new field"
        )
    if backward and forward:
        return First.together, (
            "neither side reads the other's records: stop producers, let consumers read to the end, deploy both; or "
            "use a new topic"
        )
    if forward == "cannot read":
        return First.consumers, "the new schema reads old records, and the old one cannot read new ones"
    if forward:
        return First.consumers, f"{forward}: readers and columns hold more digits before producers send them"
    if backward == "cannot read":
        return First.producers, (
            "the old schema reads new records, and the new one cannot read old ones: "
            "consumers follow when those are read"
        )
    if backward:
        return First.producers, f"{backward}: consumers follow when the longer numbers of old records are read"
    if not changed:
        return First.any, "the value's schema stays the same"
    return First.any, "each side reads the other's records"


def _spark(
    new: Schema,
    history: Sequence[Earlier],
    forward: Sequence[Told],
    changes: Sequence[Change],
    compared: Compared,
    effects: Sequence[TableEffect],
) -> SparkEffect:
    refused = [(one, no) for one in effects for no in one.migration.refusals]
    notes = [f"with the new contract it does not start: {one.kind} {one.table}: {no.why}" for one, no in refused[:1]]
    unreadable = False
    for earlier in reversed(history):
        for one in _told(new, earlier.schema, compared, new_reads=True):
            unreadable = True
            notes.append(
                f"records of {earlier.label} go to the dead-letter topic (INCOMPATIBLE_SCHEMA): "
                f"{one.path or 'value'}: {one.message}"
            )
            break
    if not unreadable:
        for change in changes:
            if change.kind is Kind.added and isinstance(change.after, Field) and change.after.has_default:
                notes.append(f"old records get {change.path} = {dump(change.after.default)}, its default")
    if forward:
        one = forward[0]
        notes.append(
            "until it restarts with the new contract, new records go to the dead-letter topic: "
            f"{one.path or 'value'}: {one.message}"
        )
    else:
        new_paths = [change.path for change in changes if change.kind is Kind.added]
        if new_paths:
            notes.append(f"until it restarts with the new contract, it leaves out {', '.join(new_paths)}")
    for change in changes:
        at = change.path or "the value"
        if change.kind in meanings.OTHERWISE:
            notes.append(f"{at} of old records is read as {change.new}, and was {change.old}")
        elif widened(change):
            notes.append(
                "until it restarts with the new contract, new records go to the dead-letter topic (DECODE_ERROR) in "
                f"which {at} has more digits than {change.old}"
            )
        elif narrowed(change):
            notes.append(
                f"old records go to the dead-letter topic (DECODE_ERROR) in which {at} has more digits than "
                f"{change.new}"
            )
    longer = any(widened(one) for one in changes)
    shorter = any(narrowed(one) for one in changes)
    return SparkEffect(not refused, not (unreadable or shorter), not (forward or longer), tuple(notes))


def _tables(old: Contract, new: Contract, history: Sequence[Earlier]) -> Iterator[TableEffect]:
    before = {sink.kind: sink for sink in old.sinks}
    for sink in new.sinks:
        was = before.pop(sink.kind, None)
        wanted = layout.wanted(new, sink)
        if isinstance(wanted, Table):
            table_before = existing(old, history, sink) or (existing(old, history, was) if was else None)
            migration = layout.migrate(table_before, wanted)
        else:
            migration = Migration(refusals=wanted)
        yield TableEffect(sink.kind, sink.qualified, migration)
    for sink in before.values():
        note = f"{sink.qualified} stays as it is, and is no longer written"
        yield TableEffect(sink.kind, sink.qualified, Migration(notes=(note,)))


#: What a consumer does not notice.
_SILENT = frozenset(
    {Kind.doc, Kind.alias, Kind.order, Kind.tags, Kind.attribute, Kind.moved, Kind.added, Kind.namespace}
)


def _former(
    old: Contract, now: Sequence[ConsumerEffect], forward: Sequence[Told], changes: Sequence[Change]
) -> Iterator[ConsumerEffect]:
    """Consumers as they were, where that was worse for them than it is for them as they are now."""
    left = {one.name: one for one in now}
    for was in _consumers(old.spec.consumers, forward, changes):
        still = left.get(was.name)
        if was.reads is not Reads.on and (still is None or set(was.touched) - set(still.touched)):
            yield was


def _consumers(
    consumers: Iterable[ConsumerSpec], forward: Sequence[Told], changes: Sequence[Change]
) -> Iterator[ConsumerEffect]:
    for consumer in consumers:
        fields = consumer.fields or [""]
        touched: dict[str, Change] = {}
        for change in changes:
            if change.kind not in _SILENT:
                # A renamed field is gone for those who read it by its old name.
                known = [change.path] if change.kind not in (Kind.renamed, Kind.looks_renamed) else []
                known += [_old_path(change)] if change.kind in (Kind.renamed, Kind.looks_renamed) else []
                for path in known:
                    if any(overlap(plain(path), name) for name in fields):
                        touched.setdefault(path, change)
        unreadable = [one for one in forward if any(overlap(plain(one.path), name) for name in fields)]
        meaning = [one for one in touched.values() if one.kind in meanings.OTHERWISE]
        longer = next((one for one in touched.values() if widened(one)), None)
        lost = [path for path, one in touched.items() if one.kind in (Kind.removed, Kind.renamed, Kind.looks_renamed)]
        if unreadable:
            reads = Reads.breaks
            why = f"cannot read new records: {unreadable[0].path or 'value'}: {unreadable[0].message}"
        elif meaning:
            reads = Reads.breaks
            why = f"takes {meaning[0].path or 'the value'} for {meaning[0].old}, and it is {meaning[0].new}"
        elif longer is not None:
            reads = Reads.breaks
            why = f"reads {longer.path or 'the value'} as {longer.old}, and {longer.new} may be longer"
        elif lost:
            reads = Reads.without
            why = f"no longer gets {', '.join(lost)}: its schema fills in the default"
        elif forward:
            reads = Reads.on
            why = "none of its fields changes; it breaks if it decodes with the whole old schema"
        else:
            reads, why = Reads.on, "its fields stay as they are" if not touched else "reads new records"
        yield ConsumerEffect(consumer.name, consumer.owner, tuple(touched), reads, why, tuple(lost))


def _old_path(change: Change) -> str:
    parent = change.path.rpartition(".")[0]
    return f"{parent}.{change.old}" if parent else change.old
