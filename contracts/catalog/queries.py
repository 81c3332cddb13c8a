"""The queries of a contract's stream: one for each store, of the contract and of each of its views.

A query's name is that of its checkpoint, its consumer group, its metrics and its refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.stores.spec import SinkSpec


def of(contract: Contract) -> tuple[tuple[str, SinkSpec], ...]:
    """Return the name of each query, and the table that it writes: those of the contract first."""
    own = ((sink.kind, sink) for sink in contract.sinks)
    return (*own, *_of_views(view for view in contract.views if not view.is_refreshed))


class Refreshed(NamedTuple):
    """A table that no query writes, because its view is refreshed.

    Attributes:
        name: of the same form as that of a query.
        every_s: how often, in seconds.
    """

    name: str
    sink: SinkSpec
    every_s: int


def refreshed(contract: Contract) -> tuple[Refreshed, ...]:
    """Return the tables of the views that are refreshed."""
    return tuple(
        Refreshed(name, sink, view.spec.refresh)
        for view in contract.views
        if view.spec.refresh is not None
        for name, sink in _of_views([view])
    )


def all_of(contract: Contract) -> tuple[tuple[str, SinkSpec], ...]:
    """Return all tables of a contract and of its views."""
    return (*of(contract), *((one.name, one.sink) for one in refreshed(contract)))


def _of_views(views: Iterable[View]) -> Iterator[tuple[str, SinkSpec]]:
    return ((of_view(view.name, sink.kind), sink) for view in views for sink in view.sinks)


def of_view(view: str, kind: str) -> str:
    """Return the name of the query that writes a view into a store."""
    return f"{view}.{kind}"
