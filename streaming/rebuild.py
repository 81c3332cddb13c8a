"""Lets a view begin again: its tables are emptied, and the stream then reads the topic from its beginning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.run import afresh
from avro_data_contracts.streaming.run.checkpoints import Checkpoints
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.views import freshness


@dataclass(frozen=True)
class Rebuilt:
    """A view that begins again.

    Attributes:
        tables: those that are empty now.
        records: number in the topic, which each of its queries will read; 0 of a view that is refreshed.
        deleted: number that Kafka has deleted: the rows will not have them.
        refreshed: whether the rows are computed from the contract's own tables.
    """

    tables: tuple[str, ...]
    records: int
    deleted: int
    refreshed: bool = False


def rebuild(settings: Settings, contract: Contract, name: str, *, accept_loss: bool) -> Rebuilt:
    """Empty the tables of a view, and remove its checkpoints.

    Args:
        name: of the view.
        accept_loss: also if Kafka has deleted records, which the rows will not have.

    Raises:
        ConfigurationError: there is no such view, or records are gone and the loss is not accepted.
        ServiceError: a server does not answer, or the stream of the contract is running.
    """
    view = next((one for one in contract.views if one.name == name), None)
    if view is None:
        known = ", ".join(one.name for one in contract.views) or "none"
        raise ConfigurationError(
            f"{contract.name} has no view {name!r}", where=contract.file, fix=f"name one of its views: {known}"
        )
    if view.is_refreshed:
        return _refreshed(settings, contract, view)
    from avro_data_contracts.contracts.views.derived import derive  # loads sqlglot

    ranges = topic.whole(settings, contract.topic)
    records = sum(last - first + 1 for first, last in ranges.values())
    deleted = sum(topic.begins(settings, contract.topic).values())
    if deleted and not accept_loss:
        raise ConfigurationError(
            f"Kafka has deleted up to {deleted:,} records of {contract.topic}, and rows of them cannot be made again",
            where=f"view {name}",
            fix="add --accept-loss to rebuild it from what is left; or give the view another name and other tables",
        )
    whole = derive(contract, view).contract  # a view that is wrong can begin again once it is right
    deletes = whole is not None and whole.deletes
    checkpoints = Checkpoints(settings, contract)
    with checkpoints.alone():
        for sink in view.sinks:
            folder = checkpoints.folder / queries.of_view(name, sink.kind)
            afresh.begin(folder, partial(_empty, settings, sink.tables(deletes=deletes)))
    return Rebuilt(tuple(f"{sink.kind} {sink.qualified}" for sink in view.sinks), records, deleted)


def _refreshed(settings: Settings, contract: Contract, view: View) -> Rebuilt:
    checkpoints = Checkpoints(settings, contract)
    with checkpoints.alone():
        for sink in view.sinks:
            name = queries.of_view(view.name, sink.kind)
            freshness.forget(checkpoints.folder.parent, name)
            _empty(settings, [sink])
            afresh.forget(checkpoints.folder / name)
    return Rebuilt(tuple(f"{sink.kind} {sink.qualified}" for sink in view.sinks), 0, 0, refreshed=True)


def _empty(settings: Settings, tables: Iterable[SinkSpec]) -> None:
    for table in tables:
        STORES[table.kind].empty(settings, table)
