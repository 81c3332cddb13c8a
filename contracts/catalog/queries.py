"""The queries of a contract's stream: one for each store, of the contract and of each of its views.

A query's name is that of its checkpoint, its consumer group, its metrics and its refusals.
"""

from __future__ import annotations

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.stores.spec import SinkSpec


def of(contract: Contract) -> tuple[tuple[str, SinkSpec], ...]:
    """Return the name of each query, and the table that it writes: those of the contract first."""
    own = ((sink.kind, sink) for sink in contract.sinks)
    of_views = ((of_view(view.name, sink.kind), sink) for view in contract.views for sink in view.sinks)
    return (*own, *of_views)


def of_view(view: str, kind: str) -> str:
    """Return the name of the query that writes a view into a store."""
    return f"{view}.{kind}"
