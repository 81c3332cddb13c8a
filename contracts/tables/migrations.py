"""`contracts tables`: the statements that create each table of the contracts, or change it from an earlier state.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.catalog.predecessors import predecessors
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.existing import existing, other_rows
from avro_data_contracts.contracts.tables.layout import Migration, Note, NoteKind
from avro_data_contracts.contracts.tables.wording import told
from avro_data_contracts.contracts.terminal import clean

if TYPE_CHECKING:
    from avro_data_contracts.contracts.tables.views import OfView


@dataclass(frozen=True)
class Needed:
    """The migration of one table.  `contract` is the name of the folder, `table` the qualified name."""

    contract: str
    kind: str
    table: str
    migration: Migration


def create(contracts: Iterable[Contract]) -> tuple[Needed, ...]:
    """Return the statements that create the tables where there are none yet.

    Raises:
        ConfigurationError: a field has a type that the store has no column for.
    """
    found: list[Needed] = []
    for one in contracts:
        for sink in one.sinks:
            found.append(Needed(one.name, sink.kind, sink.qualified, layout.migrate(None, layout.of(one, sink))))
            found += _deletions(one, sink)
        if one.views:
            from avro_data_contracts.contracts.tables import views  # loads sqlglot

            found += _of_views(one, views.create(one))
    return tuple(found)


def _of_views(contract: Contract, found: Iterable[OfView]) -> list[Needed]:
    return [Needed(contract.name, one.sink.kind, one.sink.qualified, one.migration) for one in found]


def _deletions(contract: Contract, sink: SinkSpec) -> list[Needed]:
    """The table that records deletions, if tombstones delete rows."""
    wanted = layout.wanted(contract, sink)
    if not contract.deletes or not isinstance(wanted, Table):
        return []
    kept = layout.deletions(wanted)
    return [Needed(contract.name, sink.kind, kept.sink.qualified, layout.migrate(None, kept))]


def stored(base: Mapping[str, Contract], contracts: Iterable[Contract]) -> dict[str, tuple[Contract, Subject]]:
    """The subjects of `base` whose earlier versions determine the tables of `contracts`."""
    wanted = list(contracts)
    names = {(sink.kind, sink.qualified) for one in wanted for sink in one.sinks}
    topics = {one.topic for one in wanted if one.sinks}
    return {
        one.value.name: (one, one.value)
        for one in base.values()
        if one.topic in topics or any((sink.kind, sink.qualified) in names for sink in one.sinks)
    }


def between(
    base: Mapping[str, Contract], contracts: Iterable[Contract], histories: Mapping[str, Sequence[Earlier]]
) -> tuple[Needed, ...]:
    """Return the migrations from the tables of `base` to those of `contracts`; abandoned tables come last.

    Two tables are the same if store and name are, even in different contracts, because a store knows no contracts.

    Args:
        histories: of the subjects of `stored`; without one, the version of `base` is the only one.
    """
    contracts = list(contracts)
    predecessor = predecessors(base.values(), contracts)
    before = {(sink.kind, sink.qualified): (one, sink) for one in base.values() for sink in one.sinks}
    left = dict(before)
    found = []
    for contract in contracts:
        for sink in contract.sinks:
            key = sink.kind, sink.qualified
            left.pop(key, None)
            owner = before.get(key)
            own = predecessor.get(contract.name)
            was = _table(owner[0] if owner else None, own, sink, histories)
            refusal = other_rows(owner[0], contract, sink) if owner else None
            migration = Migration(refusals=(refusal,)) if refusal else _migration(was, contract, sink)
            found.append(Needed(contract.name, *key, migration))
            if own is None or not own.deletes or owner is None:
                found += _deletions(contract, sink)
        own = predecessor.get(contract.name)
        if contract.views or (own is not None and own.views):
            from avro_data_contracts.contracts.tables import views  # loads sqlglot

            found += _of_views(contract, views.between(own, contract))
    gone = (
        Needed(one.name, kind, table, Migration(notes=(Note(NoteKind.abandoned, table),)))
        for (kind, table), (one, _) in left.items()
    )
    return (*found, *gone)


def _table(
    owner: Contract | None, own: Contract | None, sink: SinkSpec, histories: Mapping[str, Sequence[Earlier]]
) -> Table | None:
    """The table of that name as it is, whichever contract wrote it; or else the table that the contract had in this
    store under another name."""
    others = [(own, was) for was in own.sinks if was.kind == sink.kind] if own else []
    for old, one in [(owner, sink), (own, sink), *others]:
        if old is not None:
            history = histories.get(old.value.name) or (Earlier("the version before", old.value.schema),)
            if found := existing(old, history, one):
                return found
    return None


def _migration(was: Table | None, contract: Contract, sink: SinkSpec) -> Migration:
    wanted = layout.wanted(contract, sink)
    if isinstance(wanted, Table):
        return layout.migrate(was, wanted)
    return Migration(refusals=tuple(replace(no, why=f"{layout.where(contract, no)}: {no.why}") for no in wanted))


def as_script(needed: Sequence[Needed], against: str = "") -> str:
    """CQL and SQL that can be run; everything else is a comment.

    So are the statements for a table that also needs an impossible change, because the stream would run none of them.
    """
    return "\n".join("".join(f"{line}\n" for line in _lines(one, against)) for one in needed) or "-- no tables\n"


def _lines(one: Needed, against: str) -> Iterator[str]:
    since = f", since {against}" if against else ""
    yield _comment(f"{one.contract}: {one.kind} {one.table}{since}")
    migration = one.migration
    for no in migration.refusals:
        yield _comment(f"NOT POSSIBLE: {no.why}")
        yield _comment(f"fix: {no.fix}")
    for statement in migration.statements:
        yield _comment(f"not enough: {statement};") if migration.refusals else f"{statement};"
    for note in migration.notes:
        yield _comment(told(note))
    if migration == Migration():
        yield _comment("stays as it is")


def _comment(text: str) -> str:
    return f"-- {clean(' '.join(text.split()))}"


def as_document(needed: Sequence[Needed], against: str = "") -> dict[str, Any]:
    """The content of the JSON document; a table has the same form as in that of `check`."""
    return {
        "command": "tables",
        "failed": failed(needed),
        "against": against or None,
        "tables": [
            {
                "contract": one.contract,
                "kind": one.kind,
                "table": one.table,
                **migration_document(one.migration),
            }
            for one in needed
        ],
    }


def migration_document(one: Migration) -> dict[str, Any]:
    """The migration in a table's JSON; `mend` is the old name of `fix`, kept for one release."""
    return {
        "statements": list(one.statements),
        "impossible": [{"column": no.column, "why": no.why, "fix": no.fix, "mend": no.fix} for no in one.refusals],
        "notes": [told(note) for note in one.notes],
    }


def failed(needed: Iterable[Needed]) -> bool:
    """Whether some table cannot be changed as the contract wants."""
    return any(one.migration.refusals for one in needed)
