"""Collects what `python -m streaming status` shows: servers, topics, versions, lag, rows and dead letters.

For a server that does not answer the status has its error, and what only that server knows is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from typing import Any

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.inspection.offsets import Watched
from avro_data_contracts.streaming.inspection.table_size import Counting
from avro_data_contracts.streaming.run import groups
from avro_data_contracts.streaming.run.groups import Groups
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.stores.store import Rows
from avro_data_contracts.streaming.views import freshness, state
from avro_data_contracts.streaming.views.freshness import Freshness

_TIMEOUT_S = 5.0
#: Which topics there are, and where they begin, may be told again for so long, seconds.
_SELDOM_S = 10.0


@dataclass(frozen=True)
class Server:
    """One server that the contracts need.  `why`: the error when it does not answer, else empty."""

    name: str
    address: str
    why: str


@dataclass(frozen=True)
class SubjectStatus:
    """One subject.  `versions`: its version numbers, empty when it is not registered; None: unknown."""

    name: str
    versions: tuple[int, ...] | None


@dataclass(frozen=True)
class TopicStatus:
    """One topic.  `records`: number between its first and last offset; None: unknown, or there is no such topic."""

    name: str
    partitions: int | None
    records: int | None


@dataclass(frozen=True)
class SinkStatus:
    """One store of a contract.

    Attributes:
        sink: the name of the query: the kind of store, with that of the view in front if it is one's.
        table: qualified name of its table.
        group: the consumer group that shows its progress.
        lag: records in the topic that it does not hold yet; None: unknown, or no stream has started yet.
        rows: number of rows in its table; None: unknown, or there is no table yet.
        late, timeless: events of an aggregation that it left out, because their window was closed, or because they
            have no time; None: no aggregation, or its checkpoint is on another machine.
        every_s: how often the table is refreshed, in seconds; None if a query writes it.
        refreshed: the time that the rows of such a table are of, seconds since the epoch; None: not yet, or not on
            this machine.
        overdue: whether that is longer ago than a few intervals (`freshness.LATE_AFTER`).
    """

    sink: str
    table: str
    group: str
    lag: int | None
    rows: Rows | None
    late: int | None = None
    timeless: int | None = None
    every_s: int | None = None
    refreshed: float | None = None
    overdue: bool = False


@dataclass(frozen=True)
class ContractStatus:
    """One contract of schemas/."""

    name: str
    topic: TopicStatus
    subjects: tuple[SubjectStatus, ...]
    sinks: tuple[SinkStatus, ...]
    dead_letters: TopicStatus


@dataclass(frozen=True)
class Status:
    """The state of everything at one moment."""

    servers: tuple[Server, ...]
    contracts: tuple[ContractStatus, ...]

    @property
    def in_order(self) -> bool:
        """Whether every server answers."""
        return not any(server.why for server in self.servers)


class Observer:
    """Looks at the servers of some contracts, as often as it is asked.

    Args:
        settings: where the servers are.
        catalog: the contracts.
        only: name of the only contract to look at; None for all.
        slowly_s: for how long what the registry and the stores said may be said again, seconds.
        at_once: how many groups one look asks for their offsets; of the others it says those of an earlier look.  It
            is for an observer that looks often: with `slowly_s` only.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        only: str | None = None,
        *,
        slowly_s: float = 0.0,
        at_once: int | None = None,
    ) -> None:
        timeout_s = min(settings.schema_registry_timeout_s, _TIMEOUT_S)
        self._settings = settings.model_copy(update={"schema_registry_timeout_s": timeout_s})
        self._contracts = [catalog.get(only)] if only else list(catalog.contracts.values())
        self._groups = Groups(settings, timeout_s=_TIMEOUT_S)
        self._counting = Counting(settings)
        self._slowly_s = slowly_s
        self._said: dict[str, tuple[float, Mapping[Any, Any]]] = {}
        topics = sorted({name for one in self._contracts for name in (one.topic, one.dead_letter_topic)})
        of_groups = {
            groups.name(contract, name): contract.topic
            for contract in self._contracts
            for name, _ in queries.of(contract)
        }
        seldom_s = min(slowly_s, _SELDOM_S)
        self._watched = Watched(self._groups, topics, of_groups, seldom_s=seldom_s, at_once=at_once)

    def look(self) -> Status:
        """Return the current state.  It asks the servers in parallel, so those that are down cost one time-out."""
        ask: dict[str, Callable[[], Mapping[Any, Any]]] = {"kafka": self._topics, "registry": self._versions}
        for kind in STORES:
            if specs := self._sinks(kind):
                ask[kind] = partial(self._counting.of, kind, specs)
        began = time.monotonic()
        known = {name: said for name, (at, said) in self._said.items() if began - at < self._slowly_s}
        asked = {name: one for name, one in ask.items() if name not in known}
        if len(asked) == 1:  # a look that follows another soon
            heard = {name: _tried(one) for name, one in asked.items()}
        else:
            with ThreadPoolExecutor(len(asked)) as pool:
                heard = dict(zip(asked, pool.map(_tried, asked.values()), strict=True))
        self._said |= {name: (began, said) for name, (said, why) in heard.items() if name != "kafka" and not why}
        answers = {name: heard.get(name) or (known[name], "") for name in ask}
        servers = tuple(Server(name, self._address(name), why) for name, (_, why) in answers.items())
        found = {name: known for name, (known, _) in answers.items()}
        return Status(servers, tuple(self._of(contract, found) for contract in self._contracts))

    def _of(self, contract: Contract, found: Mapping[str, Mapping[Any, Any]]) -> ContractStatus:
        left_out = {}
        known: dict[str, Freshness | None] = {}
        if contract.views:
            folder = self._settings.checkpoint_dir / contract.name
            left_out = {name: state.left_out(folder, name) for name, _ in queries.of(contract)}
            known = {name: freshness.newest(folder, name) for name, _ in queries.refreshed(contract)}
        return _of(contract, found, left_out, known)

    def close(self) -> None:
        """Close the connections to Kafka."""
        self._groups.close()

    def _sinks(self, kind: str) -> list[SinkSpec]:
        tables = (one for contract in self._contracts for one in queries.all_of(contract))
        return [sink for _, sink in tables if sink.kind == kind]

    def _versions(self) -> dict[str, tuple[int, ...]]:
        """Return subject -> versions."""
        registry = Registry.from_settings(self._settings)
        subjects = {subject.name for contract in self._contracts for subject in contract.subjects}
        return {name: tuple(registry.versions(name)) for name in sorted(subjects)}

    def _topics(self) -> dict[str, TopicStatus | int]:
        """Return topic -> status, and group -> lag."""
        ends, lags = self._watched.look()
        found: dict[str, TopicStatus | int] = {
            f"topic {topic}": TopicStatus(topic, len(last), sum(last.values()) - sum(first.values()))
            for topic, (first, last) in ends.items()
        }
        return found | {f"group {group}": lag for group, lag in lags.items()}

    def _address(self, server: str) -> str:
        if server in STORES:
            return STORES[server].address(self._settings)
        return {
            "kafka": self._settings.kafka_bootstrap_servers,
            "registry": self._settings.schema_registry_url,
        }[server]


def _tried(ask: Callable[[], Mapping[Any, Any]]) -> tuple[Mapping[Any, Any], str]:
    """Return the answers, or no answers and the error."""
    try:
        return ask(), ""
    except ServiceError as error:
        return {}, error.what


def _of(
    contract: Contract,
    found: Mapping[str, Mapping[Any, Any]],
    left_out: Mapping[str, tuple[int, int] | None],
    known: Mapping[str, Freshness | None],
) -> ContractStatus:
    kafka = found["kafka"]

    def topic(name: str) -> TopicStatus:
        found: TopicStatus = kafka.get(f"topic {name}", TopicStatus(name, None, None))
        return found

    def sink(name: str, one: SinkSpec) -> SinkStatus:
        group = groups.name(contract, name)
        rows = found[one.kind].get(one.qualified)
        late, timeless = left_out.get(name) or (None, None)
        return SinkStatus(name, one.qualified, group, kafka.get(f"group {group}"), rows, late, timeless)

    def refreshed(view: View, one: SinkSpec) -> SinkStatus:
        name, every = queries.of_view(view.name, one.kind), view.spec.refresh or 0
        fresh = known.get(name)
        is_late = fresh is not None and time.time() - fresh.as_of > freshness.LATE_AFTER * every
        return SinkStatus(
            name, one.qualified, "", None, found[one.kind].get(one.qualified),
            every_s=every, refreshed=fresh.as_of if fresh is not None else None, overdue=is_late,
        )  # fmt: skip

    return ContractStatus(
        contract.name,
        topic(contract.topic),
        tuple(SubjectStatus(one.name, found["registry"].get(one.name)) for one in contract.subjects),
        (
            *starmap(sink, queries.of(contract)),
            *(refreshed(view, one) for view in contract.views if view.is_refreshed for one in view.sinks),
        ),
        topic(contract.dead_letter_topic),
    )
