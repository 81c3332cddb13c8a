"""The tables of views, and how they change with a view or with the schema that it reads.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.errors import place
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Refusal, Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.layout import Migration, Note, NoteKind
from avro_data_contracts.contracts.views import continuity, references
from avro_data_contracts.contracts.views.derived import Derived, derive
from avro_data_contracts.contracts.views.references import Data


@dataclass(frozen=True)
class OfView:
    """The migration of a view's table.  `derived`: None if the view is gone."""

    view: str
    sink: SinkSpec
    migration: Migration
    derived: Derived | None


def wanted(derived: Derived, sink: SinkSpec) -> Table | tuple[Refusal, ...]:
    """Return the table of a view, or every reason why there can be none.

    The path of a column is the expression that fills it.
    """
    if derived.contract is None:
        view = derived.view
        found = ((one, place(one.file or view.file, one.line, one.column)) for one in derived.problems)
        return tuple(Refusal(one.column_name, f"{at}: {one.what}", one.fix) for one, at in found)
    table = layout.wanted(derived.contract, sink)
    if not isinstance(table, Table):
        return table
    outputs = derived.analysis.by_name
    columns = (replace(one, path=outputs[one.name].sql if one.name in outputs else one.path) for one in table.columns)
    return replace(table, columns=tuple(columns))


def create(contract: Contract) -> Iterator[OfView]:
    """Yield the migrations that create the tables of a contract's views.

    Raises:
        ConfigurationError: a view is wrong, or a store cannot have its table.
    """
    for view in contract.views:
        derived = derive(contract, view)
        for sink in derived.whole().sinks:
            table = layout.of(derived.whole(), sink)
            yield OfView(view.name, sink, layout.migrate(None, table), derived)
            yield from _deletions(derived, table)


def between(old: Contract | None, new: Contract) -> Iterator[OfView]:
    """Yield what happens to the table of each view, those that nothing writes now last.  None: a new contract."""
    before = {view.name: derive(old, view) for view in old.views} if old else {}
    left = {(sink.kind, sink.qualified): (view, sink) for view in (old.views if old else ()) for sink in view.sinks}
    for view in new.views:
        derived = derive(new, view)
        for sink in derived.sinks:
            left.pop((sink.kind, sink.qualified), None)
            table = wanted(derived, sink)
            was = _before(before, view, sink)
            migration = layout.migrate(was, table) if isinstance(table, Table) else Migration(refusals=table)
            yield OfView(view.name, sink, migration, derived)
            own = before.get(view.name)
            had = own is not None and own.contract is not None and own.contract.deletes and sink in own.sinks
            if isinstance(table, Table) and not had:
                yield from _deletions(derived, table)
    for view, sink in left.values():
        note = Note(NoteKind.abandoned, sink.qualified)
        yield OfView(view.name, sink, Migration(notes=(note,)), None)


def _deletions(derived: Derived, table: Table) -> Iterator[OfView]:
    """The table that records which keys of a view were deleted, if any can be."""
    if derived.whole().deletes:
        deletions = layout.deletions(table)
        yield OfView(derived.view.name, deletions.sink, layout.migrate(None, deletions), derived)


def _before(before: Mapping[str, Derived], view: View, sink: SinkSpec) -> Table | None:
    """The table of that name, whichever view wrote it; or else the one that the view had in this store."""
    own = before.get(view.name)
    named = [(one, was) for one in before.values() for was in one.sinks]
    same = [(one, was) for one, was in named if (was.kind, was.qualified) == (sink.kind, sink.qualified)]
    other = [(one, was) for one, was in named if one is own and was.kind == sink.kind]
    for one, was in (*same, *other):
        table = wanted(one, was)
        if isinstance(table, Table):
            return table
    return None


def rebuilt(old: Contract, derived: Derived) -> list[str]:
    """Return why the state of an aggregation does not go on, each in words; none if it does, or if there is none.

    A view that is refreshed has none: its table is computed again as a whole.
    """
    before = earlier(old, derived)
    if before is None or derived.analysis.refreshed is not None:
        return []
    if before.analysis.refreshed is not None:
        return ["its rows were computed from the table of the contract"]
    return continuity.broken(before.analysis, derived.analysis)


def earlier(old: Contract, derived: Derived) -> Derived | None:
    """The view as it was, if it was in order then and is now."""
    was = next((one for one in old.views if one.name == derived.view.name), None)
    if was is None or derived.contract is None:
        return None
    before = derive(old, was)
    return before if before.contract is not None else None


@dataclass(frozen=True)
class OtherData:
    """Reference data that is not as it was.

    Attributes:
        name: in the SQL.
        words: what is new.
    """

    name: str
    words: str
    now: Data


def joined(old: Contract, derived: Derived) -> Iterator[OtherData]:
    """Yield the reference data of a view that changed in the repository; rows that exist keep the old values.

    Those of a view that is refreshed do not.
    """
    before = earlier(old, derived) if derived.analysis.refreshed is None else None
    for name, now in derived.analysis.data.items() if before is not None else ():
        assert before is not None
        was = before.analysis.data.get(name)
        if was is None:
            continue
        if (was.file, was.table) != (now.file, now.table):
            yield OtherData(name, f"it was {was.table or was.file}, and is {now.table or now.file}", now)
        elif any(changes := references.changes(was, now)):
            counts = zip(("new", "gone", "with other values"), changes, strict=True)
            words = ", ".join(f"{count:,} {what}" for what, count in counts if count)
            yield OtherData(name, f"of its {now.count:,} rows: {words}", now)


def changed(old: Contract, derived: Derived) -> list[str]:
    """Return what the SQL of a view computes otherwise than before, each in words; rows that exist keep it.

    Of a view that is refreshed, none do.
    """
    before = earlier(old, derived)
    if before is None or derived.analysis.refreshed is not None:
        return []
    found = [
        f"{name} was {before.analysis.by_name[name].sql}"
        for name, now in derived.analysis.by_name.items()
        if name in before.analysis.by_name and before.analysis.by_name[name].sql != now.sql
    ]
    was, now = (" ".join(one.analysis.joins) for one in (before, derived))
    if was != now:
        found.append(f"it was {was}" if was else "there was no JOIN")
    if before.analysis.is_latest != derived.analysis.is_latest:
        found.append(f"it read {'the newest event of each key' if before.analysis.is_latest else 'all events'}")
    if before.analysis.where != derived.analysis.where:
        found.append(f"WHERE was {before.analysis.where}" if before.analysis.where else "there was no WHERE")
    return found
