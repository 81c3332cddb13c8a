"""A table as the earlier versions of its contract left it."""

from __future__ import annotations

from collections.abc import Sequence

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout


def existing(old: Contract, history: Sequence[Earlier], sink: SinkSpec) -> Table | None:
    """Return the table of `sink` as these versions of the contract left it; None if they wrote no such table."""
    versions = (
        layout.Written(one.label, one.schema, was)
        for one in reversed(history)
        for was in (old.sinks if one.sinks is None else one.sinks)
        if (was.kind, was.qualified) == (sink.kind, sink.qualified)
    )
    return layout.as_written(versions)
