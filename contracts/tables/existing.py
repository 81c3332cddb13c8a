"""A table as the earlier versions of its contract left it."""

from __future__ import annotations

from collections.abc import Sequence

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Refusal, Table
from avro_data_contracts.contracts.tables import layout


def existing(old: Contract, history: Sequence[Earlier], sink: SinkSpec) -> Table | None:
    """Return the table of `sink` as these versions of the contract left it; None if they wrote no such table."""
    versions = (
        layout.Written(one.label, old.rows_of(one.schema), was, old.spec.masks)
        for one in reversed(history)
        for was in (old.sinks if one.sinks is None else one.sinks)
        if (was.kind, was.qualified) == (sink.kind, sink.qualified)
    )
    return layout.as_written(versions)


def other_rows(old: Contract, new: Contract, sink: SinkSpec) -> Refusal | None:
    """Return why a table cannot have the new contract's rows, because an envelope came or went; None if it can."""
    before, after = old.spec.envelope, new.spec.envelope
    if before is after or (sink.kind, sink.qualified) not in {(one.kind, one.qualified) for one in old.sinks}:
        return None
    was, now = "the whole value", f"what is inside of the {after or before} envelope"
    if after is None:
        was, now = now, was
    why = f"its rows were {was}, and are now {now}: no row that is there would be one of the new ones"
    return Refusal("", why, "name another table, and read the topic from its beginning", ("table",))
