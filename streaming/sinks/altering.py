"""A table as it exists in its store, and the statements that make it what the contract wants."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.position import EVENT_TOPIC
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Column, Table
from avro_data_contracts.contracts.tables import layout

log = structlog.get_logger("streaming")


def as_found(spec: SinkSpec, columns: list[Column]) -> Table | None:
    """Return the table that a store has; None when there is none.

    Args:
        spec: with the key of the table as it is, and whatever else the contract could say.

    Raises:
        ConfigurationError: it was not made for a contract.
    """
    if not columns:
        return None
    names = {column.name for column in columns}
    if missing := [name for name in spec.bookkeeping if name != EVENT_TOPIC and name not in names]:
        raise ConfigurationError(
            f"it has no column {', '.join(missing)}: it was not made for this contract",
            where=f"{spec.kind} table {spec.qualified}",
            fix="name another table in contract.yaml, or rename this one",
        )
    return Table(spec, tuple(column for column in columns if column.name not in spec.bookkeeping))


def statements(existing: Table | None, wanted: Table) -> tuple[str, ...]:
    """Return the statements that make the existing table the wanted one.  Raises ConfigurationError if none can."""
    needed = layout.migrate(existing, wanted)
    if needed.refusals:
        first = needed.refusals[0]
        raise ConfigurationError(first.why, where=f"{wanted.sink.kind} table {wanted.sink.qualified}", fix=first.fix)
    return needed.statements


def tell(table: Table, altered: Iterable[str]) -> None:
    """Log the statements that have altered the table."""
    for statement in altered:
        log.info("table altered", sink=table.sink.kind, statement=statement)
