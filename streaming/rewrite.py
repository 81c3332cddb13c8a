"""Brings the rows that are there to the masks of their contract: the tables are emptied, and the topic is read again.

A table whose columns have other types with the masks is made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, FindingsError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.run import afresh, job
from avro_data_contracts.streaming.run.checkpoints import Checkpoints
from avro_data_contracts.streaming.sinks.sink import Sink
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.topic import Ranges
from avro_data_contracts.streaming.views import freshness

if TYPE_CHECKING:
    from avro_data_contracts.streaming.views.refreshed import RefreshedView  # loads sqlglot

    _Table = Sink | RefreshedView


@dataclass
class Rewritten:
    """Tables that are written again.

    Attributes:
        records: number in the topic, which the query of each table will read.
        deleted: number that Kafka has deleted: rows that are made of several events will not have them.
        tables: those that are empty now.
        computed: those of them that are refreshed: computed from the contract's table, not from the topic.
        made_again: those of them that were dropped, because a column has another type.
        lost: table -> rows that are gone, because their events have left the topic.
    """

    records: int
    deleted: int
    tables: list[str] = field(default_factory=list)
    computed: list[str] = field(default_factory=list)
    made_again: list[str] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)


def rewrite(settings: Settings, contract: Contract, *, accept_loss: bool) -> Rewritten:
    """Empty the tables of a contract and of its views, and let the stream fill them from the topic.

    Args:
        accept_loss: also if rows are of events that have left the topic, which will not be there again.

    Raises:
        FindingsError: there are such rows, and the loss is not accepted; nothing was changed.
        ConfigurationError: a mask hashes, and there is no key, or a weak one.
        ServiceError: a server does not answer, or the stream of the contract is running.
    """
    (sinks, views), deleting = tables(settings, contract), _deleting(contract)
    ranges = topic.whole(settings, contract.topic)
    records = sum(last - first + 1 for first, last in ranges.values())
    done = Rewritten(records, sum(topic.begins(settings, contract.topic).values()))
    checkpoints = Checkpoints(settings, contract)
    with checkpoints.alone():
        done.lost = _lost(settings, [*sinks, *views], ranges)
        if done.lost and not accept_loss:
            raise _refusal(contract, done.lost)
        # First: if it is broken off here, the contract's rows and checkpoints are as before.
        for view in views:
            freshness.forget(checkpoints.folder.parent, view.name)
            _empty(settings, view, [view.spec], done)
            done.computed.append(_name(view))
        for sink in sinks:
            of_sink = sink.spec.tables(deletes=sink.spec in deleting)
            afresh.begin(checkpoints.folder / sink.name, partial(_empty, settings, sink, of_sink, done))
    return done


def tables(settings: Settings, contract: Contract) -> tuple[list[Sink], list[RefreshedView]]:
    """Return all tables of a contract and of its views: those that queries write, and those that are refreshed.

    Raises:
        ConfigurationError: a view is wrong.
    """
    return job.stores(settings, contract), job.refreshed(settings, contract)


def _lost(settings: Settings, sinks: Sequence[_Table], ranges: Ranges) -> dict[str, int]:
    """Count the rows of each table whose events are not in the topic.  A row of several events has no place there."""
    found: dict[str, int] = {}
    # It refuses a table that was not made for the contract, before anything is emptied.
    there = [sink for sink in sinks if sink.has_table()]
    for sink in there:
        number = 0 if sink.spec.groups else STORES[sink.spec.kind].outside(settings, sink.spec, ranges)
        if number:
            found[_name(sink)] = number
    return found


def _deleting(contract: Contract) -> list[SinkSpec]:
    """Return the sinks of the contract and of its views from which tombstones delete rows."""
    wholes = [contract]
    if contract.views:
        from avro_data_contracts.contracts.views.derived import derive  # loads sqlglot

        wholes += [derive(contract, view).whole() for view in contract.views]
    return [sink for whole in wholes if whole.deletes for sink in whole.sinks]


def _empty(settings: Settings, sink: _Table, tables: list[SinkSpec], done: Rewritten) -> None:
    store, name = STORES[sink.spec.kind], _name(sink)
    for spec in tables:
        store.empty(settings, spec)
    try:
        sink.prepare()
    except ConfigurationError:  # a column has another type, which no statement gives it
        for spec in tables:
            store.remove(settings, spec)
        sink.prepare()
        done.made_again.append(name)
    done.tables.append(name)


def _name(sink: _Table) -> str:
    return f"{sink.spec.kind} {sink.spec.qualified}"


def _refusal(contract: Contract, lost: dict[str, int]) -> FindingsError:
    told = ", ".join(f"{number:,} rows of {table}" for table, number in lost.items())
    return FindingsError(
        f"{told} are of events that have left the topic {contract.topic}, and cannot be written again",
        where=contract.file,
        fix="nothing was changed: mask or delete these rows yourself, and run it again; or add --accept-loss, which "
        "deletes them",
    )
