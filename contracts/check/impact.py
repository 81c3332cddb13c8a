"""Work out what a change does to Spark, to each table and to each consumer, and who deploys first.  Pure.

All of it follows from the two schemas, in both directions, and not from the level: a level says what is asked for,
not what a change does.  `contracts.check.effects` has the facts that come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from avro_data_contracts.contracts.avro.nodes import Field, Schema
from avro_data_contracts.contracts.avro.paths import most_exact
from avro_data_contracts.contracts.catalog.contract import ConsumerSpec, Contract
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.check import topic_changes
from avro_data_contracts.contracts.check.effects import (
    Cause,
    ConsumerEffect,
    Deployment,
    Impact,
    Obstacle,
    Reads,
    Reason,
    SparkEffect,
    TableEffect,
    Trouble,
    Unread,
    Unsolved,
)
from avro_data_contracts.contracts.check.reach import Reading
from avro_data_contracts.contracts.compat import meanings
from avro_data_contracts.contracts.compat.blind_spots import narrowed, widened
from avro_data_contracts.contracts.compat.cache import Compared
from avro_data_contracts.contracts.compat.changes import Change, Kind
from avro_data_contracts.contracts.compat.levels import BACKWARD, FORWARD, LEVELS
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.existing import existing, other_rows
from avro_data_contracts.contracts.tables.layout import Migration, Note, NoteKind


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
    backward = _obstacles(schema, old.value.schema, BACKWARD, compared)
    forward = _obstacles(schema, old.value.schema, FORWARD, compared)
    tables = (*_tables(old, new, history), *_of_views(old, new))
    spark = None
    if new.sinks or old.sinks:
        spark = _spark(schema, history, forward, changes, compared, tables)
    consumers = tuple(_consumers(new.spec.consumers, old.value.schema, schema, forward, changes))
    return Impact(
        new.value.name,
        _deployment(new, history, backward, forward, changes, compared),
        spark,
        tables,
        consumers,
        tuple(_former(old, schema, consumers, forward, changes)),
        tuple(topic_changes.between(old, new)),
        tuple(changes),
    )


def _obstacles(new: Schema, old: Schema, direction: str, compared: Compared) -> tuple[Obstacle, ...]:
    pair = (new, old) if direction == BACKWARD else (old, new)
    return tuple(Obstacle(direction, one, new) for one in compared.differences(*pair))


# -- the order -------------------------------------------------------------------------------------------------------


def _deployment(
    new: Contract,
    history: Sequence[Earlier],
    backward: Sequence[Obstacle],
    forward: Sequence[Obstacle],
    changes: Sequence[Change],
    compared: Compared,
) -> Deployment:
    meaning = next((one for one in changes if one.kind in meanings.OTHERWISE), None)
    longer = next((one for one in changes if widened(one)), None)
    shorter = next((one for one in changes if narrowed(one)), None)
    if meaning:
        return Deployment(Reason.meaning_changed, change=meaning)
    if (backward or shorter) and (forward or longer):
        return Deployment(Reason.neither_reads)
    unsolved = tuple(_unsolved(new, history[:-1], compared, read=not backward, readers=not forward))
    if forward:
        return Deployment(Reason.old_cannot_read_new, forward[0], unsolved=unsolved)
    if longer:
        return Deployment(Reason.more_digits, change=longer, unsolved=unsolved)
    if backward:
        return Deployment(Reason.new_cannot_read_old, backward[0], unsolved=unsolved)
    if shorter:
        return Deployment(Reason.fewer_digits, change=shorter, unsolved=unsolved)
    return Deployment(Reason.both_read if changes else Reason.schema_unchanged, unsolved=unsolved)


def _unsolved(
    new: Contract, older: Sequence[Earlier], compared: Compared, *, read: bool, readers: bool
) -> Iterator[Unsolved]:
    """What the order does not solve, at the levels that promise something for the whole history.

    Args:
        read, readers: whether to look for records that the new schema cannot read, and for old readers that cannot
            read new ones; those of the newest version are what the order is about.
    """
    level = LEVELS[new.compatibility.value]
    if not level.transitive:
        return
    schema = new.value.schema
    found: dict[Trouble, list[str]] = {}
    for one in older:
        if read and BACKWARD in level.directions and compared.differences(schema, one.schema):
            found.setdefault(Trouble.unreadable_records, []).append(one.label)
        if readers and FORWARD in level.directions and compared.differences(one.schema, schema):
            found.setdefault(Trouble.unable_readers, []).append(one.label)
        if any(change.kind in meanings.OTHERWISE for change in compared.meanings(one.schema, schema)):
            found.setdefault(Trouble.other_meaning, []).append(one.label)
    for trouble in Trouble:
        if trouble in found:
            yield Unsolved(trouble, tuple(found[trouble]))


# -- Spark and the tables --------------------------------------------------------------------------------------------


def _spark(
    new: Schema,
    history: Sequence[Earlier],
    forward: Sequence[Obstacle],
    changes: Sequence[Change],
    compared: Compared,
    tables: Sequence[TableEffect],
) -> SparkEffect:
    unread = tuple(
        Unread(earlier.label, obstacles[0])
        for earlier in reversed(history)
        if (obstacles := _obstacles(new, earlier.schema, BACKWARD, compared))
    )
    added = [one for one in changes if one.kind is Kind.added]
    return SparkEffect(
        blocked_by=tuple(one for one in tables if one.migration.refusals),
        unread=unread,
        filled=() if unread else tuple(one for one in added if _has_default(one)),
        rejects=forward[0] if forward else None,
        ignores=() if forward else tuple(one.path for one in added),
        reinterpreted=tuple(one for one in changes if one.kind in meanings.OTHERWISE),
        widened=tuple(one for one in changes if widened(one)),
        narrowed=tuple(one for one in changes if narrowed(one)),
    )


def _has_default(added: Change) -> bool:
    return isinstance(added.after, Field) and added.after.has_default


def _tables(old: Contract, new: Contract, history: Sequence[Earlier]) -> Iterator[TableEffect]:
    before = {sink.kind: sink for sink in old.sinks}
    for sink in new.sinks:
        was = before.pop(sink.kind, None)
        wanted = layout.wanted(new, sink)
        if refusal := other_rows(old, new, sink):
            migration = Migration(refusals=(refusal,))
        elif isinstance(wanted, Table):
            table_before = existing(old, history, sink) or (existing(old, history, was) if was else None)
            migration = layout.migrate(table_before, wanted)
        else:
            migration = Migration(refusals=wanted)
        yield TableEffect(sink.kind, sink.qualified, migration)
    for sink in before.values():
        yield TableEffect(sink.kind, sink.qualified, Migration(notes=(Note(NoteKind.abandoned, sink.qualified),)))


def _of_views(old: Contract, new: Contract) -> Iterator[TableEffect]:
    if old.views or new.views:
        from avro_data_contracts.contracts.check import views  # loads sqlglot

        yield from views.effects(old, new)


# -- consumers -------------------------------------------------------------------------------------------------------

#: What a consumer does not notice.
_SILENT = frozenset(
    {Kind.doc, Kind.alias, Kind.order, Kind.tags, Kind.attribute, Kind.moved, Kind.added, Kind.namespace}
)


def _former(
    old: Contract, new: Schema, now: Sequence[ConsumerEffect], forward: Sequence[Obstacle], changes: Sequence[Change]
) -> Iterator[ConsumerEffect]:
    """Consumers as they were, where that was worse for them than it is for them as they are now."""
    left = {one.name: one for one in now}
    for was in _consumers(old.spec.consumers, old.value.schema, new, forward, changes):
        still = left.get(was.name)
        mine = {*was.touched, *was.lost}
        if was.reads is not Reads.on and (still is None or mine - {*still.touched, *still.lost}):
            yield was


def _consumers(
    consumers: Iterable[ConsumerSpec],
    old: Schema,
    new: Schema,
    forward: Sequence[Obstacle],
    changes: Sequence[Change],
) -> Iterator[ConsumerEffect]:
    noticed = [change for change in changes if change.kind not in _SILENT]
    for consumer in consumers:
        readings = [Reading(path, old, new) for path in consumer.fields or [""]]
        touched: dict[str, None] = {}
        found: list[Change] = []
        lost: list[str] = []
        for reading in readings:
            mine = [(path, one) for one in noticed if (path := reading.touched_by(one)) is not None]
            touched |= dict.fromkeys(path for path, _ in mine)
            found += [one for _, one in mine]
            lost += reading.lost(one for _, one in mine)
        unreadable = next((one for one in forward if any(read.hits(one.difference) for read in readings)), None)
        meaning = next((one for one in found if one.kind in meanings.OTHERWISE), None)
        longer = next((one for one in found if widened(one)), None)
        if unreadable:
            cause = Cause.cannot_read
        elif meaning:
            cause = Cause.meaning_changed
        elif longer:
            cause = Cause.more_digits
        elif lost:
            cause = Cause.field_gone
        elif forward:
            cause = Cause.other_fields
        else:
            cause = Cause.readable if touched else Cause.untouched
        yield ConsumerEffect(
            consumer.name,
            consumer.owner,
            tuple(touched),
            cause,
            unreadable,
            meaning or longer,
            most_exact(lost),
        )
