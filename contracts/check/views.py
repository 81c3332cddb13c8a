"""What a change does to the views of a contract: which break, and which compute something else.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.check.effects import TableEffect
from avro_data_contracts.contracts.check.masks import removed
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Refusal
from avro_data_contracts.contracts.tables import views as tables
from avro_data_contracts.contracts.views import masked
from avro_data_contracts.contracts.views.derived import Derived, derive, line_of, path_of
from avro_data_contracts.contracts.views.references import line_of as reference_line


@dataclass(frozen=True)
class ViewFact:
    """A fact about a view, for a finding.

    Attributes:
        rule: of `check.rules`.
        line, column: in `file`; 1-based.
    """

    rule: str
    message: str
    fix: str
    file: str
    line: int
    column: int
    path: str


def effects(old: Contract, new: Contract) -> Iterator[TableEffect]:
    """Yield what happens to the table of each view."""
    for one in tables.between(old, new) if old.views or new.views else ():
        yield TableEffect(one.sink.kind, one.sink.qualified, one.migration, one.view)


def facts(old: Contract, new: Contract) -> Iterator[ViewFact]:
    """Yield what one should know before the change: broken views, impossible tables, another meaning."""
    if not (old.views or new.views):
        return
    changed = list(tables.between(old, new))
    # A view has a table at least.
    for derived in {one.view: one.derived for one in changed if one.derived is not None}.values():
        view = derived.view
        for problem in derived.problems:
            file = problem.file or view.file
            at = (file, problem.line, problem.column, path_of(view, problem.column_name))
            yield ViewFact("VIEW_BROKEN", f"view {view.name}: {problem.what}", problem.fix, *at)
        yield from _released(old, new, derived)
        yield from _unmasked(old, new, derived)
        line = derived.analysis.outputs[0].line if derived.analysis.outputs else 1
        if words := tables.rebuilt(old, derived):
            yield ViewFact(
                "VIEW_REBUILD",
                f"the state of view {view.name} no longer fits ({'; '.join(words)}): the stream would not start",
                f"after the merge, run `python -m avro_data_contracts.streaming --contract {new.name} views rebuild "
                f"{view.name}`: it empties its tables, and the stream reads the topic from its "
                "beginning; or give the view another name and other tables",
                *(view.file, line, 1, path_of(view)),
            )
        elif words := tables.changed(old, derived):
            yield ViewFact(
                "VIEW_CHANGED",
                f"view {view.name} computes something else ({'; '.join(words)}): rows of earlier events stay as "
                "they are",
                "for all rows alike, name another table in the header, and read the topic from its beginning",
                *(view.file, line, 1, path_of(view)),
            )
        for other in tables.joined(old, derived):
            file, line = other.now.file or view.file, 1 if other.now.file else reference_line(view, other.name)
            yield ViewFact(
                "REFERENCE_CHANGED",
                f"view {view.name} joins {other.name}, which changed: {other.words}; rows of earlier events keep the "
                "old values",
                "for all rows alike, run `python -m avro_data_contracts.streaming --contract "
                f"{new.name} views rebuild {view.name}` after the merge",
                *(file, line, 1, f"{path_of(view)}.reference.{other.name}"),
            )
    for one in changed:
        if one.derived is None:
            view = next(each for each in old.views if each.name == one.view)
            at = (new.file, 0, 0, f"{path_of(view)}.sinks.{one.sink.kind}")
            message = f"{one.sink.kind} {one.sink.qualified}, of view {one.view}, stays, but nothing writes to it"
            yield ViewFact("TABLE_ABANDONED", message, "move its readers, then drop it", *at)
        elif one.derived.contract is not None:
            for refusal in one.migration.refusals:
                yield _impossible(one.derived, one.sink, refusal)


def _released(old: Contract, new: Contract, derived: Derived) -> Iterator[ViewFact]:
    """Yield the columns that a view did not have, or had masked, and that its header releases now."""
    view = derived.view
    was = next((one for one in old.views if one.name == view.name), None)
    before = masked.released(old, derive(old, was).analysis) if was is not None else []
    for name in masked.released(new, derived.analysis):
        if name not in before:
            output = derived.analysis.by_name[name]
            what = f"view {view.name} releases {name}, whose values come from masked fields ({output.sql})"
            fix = "approve it when everybody who reads the table may see them"
            yield ViewFact("MASK_REMOVED", what, fix, view.file, output.line, output.column, path_of(view, name))


def _unmasked(old: Contract, new: Contract, derived: Derived) -> Iterator[ViewFact]:
    """Yield the columns, and parts of columns, that a mask of the header held back in a store, and none does now."""
    view, before = derived.view, tables.earlier(old, derived)
    if before is None:
        return
    own = {masked.column_of(one.field or "") for one in before.view.spec.masks}
    for one in removed(before.whole(), derived.whole()):
        name = masked.column_of(one.path)
        if name in own:
            output = derived.analysis.by_name[name]
            what = f"view {view.name} no longer masks {one.path} in {one.store} ({one.how})"
            fix = "approve it when everybody who reads the table may see the true values"
            yield ViewFact("MASK_REMOVED", what, fix, view.file, output.line, output.column, path_of(view, name))


def _impossible(derived: Derived, sink: SinkSpec, refusal: Refusal) -> ViewFact:
    view = derived.view
    message = f"{sink.kind} {sink.qualified}: {refusal.why}"
    output = derived.analysis.by_name.get(refusal.column)
    if output is not None and not refusal.at:
        place = (view.file, output.line, output.column, path_of(view, refusal.column))
        return ViewFact("COLUMN_CANNOT_CHANGE", message, refusal.fix, *place)
    path = ".".join([path_of(view), "sinks", sink.kind, *map(str, refusal.at)])
    place = (view.file, line_of(view, sink.kind, *refusal.at), 1, path)
    return ViewFact("TABLE_CANNOT_CHANGE", message, refusal.fix, *place)
