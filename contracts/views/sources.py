"""What a view reads: its contract's events.  It finds circles and other sources.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts.contracts.catalog.choices import Tombstones
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.views import statement
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.statement import Statement

#: Behind the name of a contract: its rows, and not its events.
LATEST: Final = "latest"


def name_of(contract: Contract) -> str:
    """Return the name that a view calls its contract's events: that of its folder."""
    return contract.name.rpartition("/")[2]


def is_latest(contract: Contract, found: Statement) -> bool:
    """Return whether a view reads one row for each key, that of the newest event, instead of all events."""
    return found.source == (name_of(contract), LATEST)


def key_of(contract: Contract) -> tuple[str, ...]:
    """Return the key of the contract's rows: that of its first table with one row for each; empty if it has none."""
    return next((tuple(sink.primary_key) for sink in contract.sinks if not sink.appends), ())


def problems(contract: Contract, view: View, found: Statement) -> Iterator[Problem]:
    """Yield what is wrong with the source of a view."""
    if not found.source:
        return
    own, named = name_of(contract), ".".join(found.source)
    at = found.place(found.select.args["from_"])
    fix = f"write FROM {own if own.isidentifier() else f'`{own}`'}"
    latest = is_latest(contract, found)
    if latest and not key_of(contract):
        what = f"{own}.latest has one row for each key, and the contract has no table with such rows"
        yield Problem(Rule.kind, what, f"{fix}, whose rows are events", *at)
    elif latest:
        pass
    elif named.lower() != own.lower():
        views = {one.name: one for one in contract.views}
        if named == view.name:
            yield Problem(Rule.sql, "the view reads itself", fix, *at)
        elif circle := _circle(views, view.name):
            yield Problem(Rule.sql, f"the views read each other in a circle: {' → '.join(circle)}", fix, *at)
        elif named in views:
            yield Problem(Rule.kind, f"the stream does not run a view of a view ({named}) yet", fix, *at)
        else:
            yield Problem(Rule.column, f"there is no {named} here; a view reads its own contract", fix, *at)
    if contract.spec.envelope is not None:
        what = f"with `envelope: {contract.spec.envelope}` in the contract, a deleted row would stay in the view"
        fix = "remove the view, and query the table of the contract"
        yield Problem(Rule.kind, f"{what}; the stream does not run views of an envelope yet", fix, *at)
    elif contract.spec.tombstones is Tombstones.delete and not latest:
        what = "with `tombstones: delete` in the contract, a deleted row would stay in a view of its events"
        yield Problem(Rule.kind, what, f"{fix}.{LATEST}, from which tombstones delete", *at)


def _circle(views: dict[str, View], start: str) -> list[str]:
    """The views from one back to itself; empty if it does not come back."""
    path = [start]
    while path[-1] in views:
        found = statement.parse(views[path[-1]].sql)
        following = ".".join(found.source) if isinstance(found, Statement) else ""
        if following == start:
            return [*path, start]
        if following in path:
            return []
        path.append(following)
    return []
