"""Contract -> table definition and additive migration; `contracts.stores` has each store's statements.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import Field, Record, Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.places import position_of
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.masks.masked import field as masked_field
from avro_data_contracts.contracts.masks.spec import MaskSpec
from avro_data_contracts.contracts.stores import fields, types
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.store import FIX_TYPE
from avro_data_contracts.contracts.stores.table import Column, Leftover, Refusal, Table

_FIX_MASK: Final = (
    "run `python -m streaming rewrite` for the contract, which makes the table again from the topic; or keep the mask"
)
_FIX_PATH: Final = "choose another name for the column; or name another table, and read the topic from its beginning"


@dataclass(frozen=True)
class Written:
    """A version of a contract's value that was stored in a table.  `label`: its name in messages."""

    label: str
    schema: Schema
    sink: SinkSpec
    masks: Sequence[MaskSpec] = ()


def of(contract: Contract, sink: SinkSpec) -> Table:
    """Return the table that `sink` declares.

    Raises:
        ConfigurationError: the store cannot have such a table (see `wanted`).
    """
    found = wanted(contract, sink)
    if isinstance(found, Table):
        return found
    raise ConfigurationError(found[0].why, where=where(contract, found[0]), fix=found[0].fix)


def wanted(contract: Contract, sink: SinkSpec) -> Table | tuple[Refusal, ...]:
    """Return the table that `sink` declares, or every reason why it cannot be created, or why the stream cannot write
    to it.  The stream, `check` and `tables` use this; `lint` uses each kind of refusal by itself."""
    return _wanted(contract.rows.value.record, contract.rows.value.schema, sink, contract.spec.masks)


def _wanted(
    record: Record, schema: Schema, sink: SinkSpec, masks: Sequence[MaskSpec], *, is_earlier: bool = False
) -> Table | tuple[Refusal, ...]:
    """As `wanted`.

    Args:
        is_earlier: whether the schema is an earlier one, which may lack what the sink says today.
    """
    found: list[Column] = []
    refused: list[Refusal] = []
    dropped: list[str] = []
    masked = plan.of(masks, schema, sink.kind)
    for field in record.fields:
        if refusal := fields.refusal(schema, field, sink):
            refused.append(refusal)
        elif (column := _column(schema, field, sink, field.name, masked)) is not None:
            found.append(column)
        else:
            dropped.append(field.name)
    for name, path in sink.columns.items():
        field_or_refusal = fields.further(record, schema, sink, name)
        if not isinstance(field_or_refusal, Field):
            refused += [] if is_earlier else [field_or_refusal]
        elif (column := _column(schema, field_or_refusal, sink, path, masked)) is not None:
            found.append(column)
        else:
            dropped.append(name)
    store = store_of(sink)
    whole = with_nested(record, schema, sink, masked)
    refused += [*store.size_refusals(sink, whole, schema), *store.target_refusals(sink)]
    if not refused and not is_earlier:
        refused += store.table_refusals(Table(sink, tuple(found)))
    for node in types.recursions(schema):
        why = f"{node.fullname} contains itself, and Spark has no recursive types"
        refused.append(Refusal("", why, "replace the inner record with its id"))
    return tuple(refused) or Table(sink, tuple(found), dropped=tuple(dropped))


def _column(schema: Schema, field: Field, sink: SinkSpec, path: str, masked: plan.Plan | None) -> Column | None:
    """Return the column of a field; None if a mask drops it."""
    mask = plan.at(masked, path.split("."))
    shown = masked_field(schema, field, mask)
    if shown is None:
        return None
    found = store_of(sink).column_type(schema, shown.type)
    _, nullable = shapes.nullability(schema, shown.type)
    return Column(field.name, found.name, nullable, found.is_json, path, plan.words(mask))


def with_nested(record: Record, schema: Schema, sink: SinkSpec, masked: plan.Plan | None = None) -> Record:
    """Return the record with the further columns of the sink as fields, as far as there can be such columns.

    Args:
        masked: what is masked in it; the fields are as the store has them.
    """
    found = [(one, one.name) for one in record.fields]
    for name, path in sink.columns.items():
        if isinstance(one := fields.further(record, schema, sink, name), Field):
            found.append((one, path))
    shown = (masked_field(schema, one, plan.at(masked, path.split("."))) for one, path in found)
    return replace(record, fields=tuple(one for one in shown if one is not None))


def where(contract: Contract, refusal: Refusal) -> str:
    """The file that a refusal is about, with the line if a field is meant."""
    if refusal.at or not refusal.column:
        return contract.file
    rows = contract.rows.value
    file, line, _ = position_of(rows, rows.record.by_name[refusal.column])
    return f"{file}:{line}"


def type_refusals(record: Record, schema: Schema) -> Iterator[Refusal]:
    """Fields with a type that no store can hold."""
    found = (fields.type_refusal(schema, field) for field in record.fields)
    return (one for one in found if one is not None)


def name_refusals(record: Record, sink: SinkSpec) -> Iterator[Refusal]:
    """Fields with a name that a column cannot have."""
    found = (fields.name_refusal(field.name, sink) for field in record.fields)
    return (one for one in found if one is not None)


def deletions(table: Table) -> Table:
    """The table that keeps, for each deleted row, its primary key and the position of the event that deleted it."""
    sink = table.sink.of_deletions()
    by_name = {column.name: column for column in table.columns}
    return Table(sink, tuple(by_name[name] for name in table.sink.primary_key))


class NoteKind(StrEnum):
    """What a reader of a table should know of its migration; `contracts.tables.wording` says it."""

    new_table = "new_table"
    written_again = "written_again"
    rewritten = "rewritten"
    null_in_old_rows = "null_in_old_rows"
    other_source = "other_source"
    mask_changed = "mask_changed"
    no_longer_written = "no_longer_written"
    abandoned = "abandoned"
    of_store = "of_store"


@dataclass(frozen=True)
class Note:
    """One thing to know of a migration.

    Attributes:
        columns: those that it is about; empty where it is about the whole table.
        table: the qualified name of the table.
        label: of a column that is written again: the newest version that wrote it; of one with another source: the
            path inside the value that filled it before; of one with another mask: what was masked before.
        words: of a store, about what only it has; of a column with another source: the path that fills it now; of one
            with another mask: what is masked now.
    """

    kind: NoteKind
    table: str
    columns: tuple[str, ...] = ()
    label: str = ""
    words: str = ""


@dataclass(frozen=True)
class Migration:
    """The change of an existing table to the one that the contract wants.

    Attributes:
        statements: without semicolons; rows keep their values, and a second run changes nothing.
        refusals: what cannot be done; if there is one, the statements are not enough.
        notes: what readers of the table should know.
    """

    statements: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()


def _cannot_change(old: SinkSpec, new: SinkSpec) -> Iterator[Refusal]:
    """Yield what differs of what cannot change on an existing table."""
    before = {one.name: one for one in old.fixed}
    for now in new.fixed:
        was = before[now.name]
        if was.value != now.value:
            why = (
                f"the {now.name} was {was.value}, and is now {now.value}, but that of an existing table cannot change"
            )
            fix = f"keep the {now.name}; or name another table, and read the topic from its beginning"
            yield Refusal("", why, fix, (now.key,) if now.key else ())
            if now.decides:
                return


def as_written(versions: Iterable[Written]) -> Table | None:
    """Return the table as it is: every column that a version gave it, with its newest type.

    Args:
        versions: the versions that were stored in it, newest first.

    Returns:
        None if there is no table, because the stream would not have started with any of the versions.
    """
    table: Table | None = None
    known: set[str] = set()
    left: list[Leftover] = []
    for one in versions:
        record = one.schema.resolve(one.schema.root)
        if not isinstance(record, Record):
            continue
        names = record.by_name.keys() | one.sink.columns.keys()
        if table is not None and names <= known:
            continue
        written = _wanted(record, one.schema, one.sink, one.masks, is_earlier=True)
        if not isinstance(written, Table):
            continue  # the stream did not start with it
        if table is None:
            table = Table(one.sink, written.columns, dropped=written.dropped)
        else:
            # When the field went, the column became nullable: rows written since then have no value for it.
            gone = (replace(column, nullable=True) for column in written.columns if column.name not in known)
            left += [Leftover(column, one.label) for column in gone]
        known |= {column.name for column in written.columns}
    return replace(table, left=tuple(left)) if table is not None else None


def _of_mask(table: str, column: str, before: str | None, now: str | None) -> Note:
    return Note(NoteKind.mask_changed, table, (column,), label=before or "", words=now or "")


def migrate(old: Table | None, new: Table) -> Migration:
    """Return the additive statements from `old`, the table as it is (None if there is none), to `new`."""
    store = store_of(new.sink)
    table = new.sink.qualified
    told = tuple(Note(NoteKind.of_store, table, words=words) for words in store.told_of_new(new))
    if old is None:
        return Migration(tuple(store.create(new)), notes=told)
    if old.sink.qualified != table:
        return Migration(tuple(store.create(new)), notes=(Note(NoteKind.new_table, table), *told))
    if fixed := tuple(_cannot_change(old.sink, new.sink)):
        return Migration(refusals=fixed)
    statements: list[str] = []
    refusals: list[Refusal] = []
    notes: list[Note] = []
    added: list[str] = []
    before_by_name = {column.name: column for column in old.columns}
    left = {one.column.name: one for one in old.left}
    for column in new.columns:
        before = before_by_name.pop(column.name, None)
        since = ""
        if before is None and column.name in left:
            before, label = left[column.name].column, left[column.name].label
            since = f" in {label}, whose column is still there"
            if before.type == column.type:
                notes.append(Note(NoteKind.written_again, table, (column.name,), label=label))
        if before is None:
            statements += store.add(new, column)
            added.append(column.name)
            continue
        at = ("columns", column.name) if column.name in new.sink.columns else ()
        if before.type == column.type and {before.is_json, column.is_json} == {True, False}:
            was, now = ("JSON", "plain text") if before.is_json else ("plain text", "JSON")
            refusals.append(
                Refusal(column.name, f"{column.name} was {was}, and is now {now}", _FIX_PATH if at else FIX_TYPE, at)
            )
        if before.type != column.type:
            change = store.retype(new, before, column, since)
            if isinstance(change, Refusal):
                fix = _FIX_MASK if column.mask or before.mask else _FIX_PATH if at else change.fix
                refusals.append(replace(change, at=at, fix=fix))
            else:
                statements += change
                if store.rewrites(before, column):
                    notes.append(Note(NoteKind.rewritten, table, (column.name,)))
        refused = bool(refusals) and refusals[-1].column == column.name
        if not refused and before.path and column.path and before.path != column.path:
            changed = (column.name,)
            notes.append(Note(NoteKind.other_source, table, changed, label=before.path, words=column.path))
        if not refused and None not in (before.mask, column.mask) and before.mask != column.mask:
            notes.append(_of_mask(table, column.name, before.mask, column.mask))
        if column.nullable and not before.nullable:
            statements += store.drop_not_null(new, column)
    if added:
        notes.append(Note(NoteKind.null_in_old_rows, table, tuple(added)))
    for name in new.dropped:
        if name in before_by_name:
            notes.append(_of_mask(table, name, before_by_name[name].mask, "drop"))
    if before_by_name:
        notes.append(Note(NoteKind.no_longer_written, table, tuple(before_by_name)))
    for column in before_by_name.values():
        if not column.nullable:
            statements += store.drop_not_null(new, column)
    for setting in store.settings_changed(old, new):
        statements += setting.statements
        notes += [Note(NoteKind.of_store, table, words=words) for words in setting.notes]
    return Migration(tuple(statements), tuple(refusals), tuple(notes))
