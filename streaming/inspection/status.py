"""Collects what `python -m streaming status` shows: servers, topics, versions, lag, rows and dead letters.

For a server that does not answer the status has its error, and what only that server knows is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.inspection.offsets import Watched
from avro_data_contracts.streaming.inspection.table_size import Counting
from avro_data_contracts.streaming.run import checkpoints, groups
from avro_data_contracts.streaming.run.groups import Groups
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.stores.store import Rows
from avro_data_contracts.streaming.views import freshness, state
from avro_data_contracts.streaming.views.freshness import Freshness

_TIMEOUT_S = 5.0
#: Not a server: the checkpoints on this machine.
_FILES = "files"
#: Which topics and subjects there are, and where topics begin, may be told again for so long, seconds.
_SELDOM_S = 10.0
#: Subjects whose versions an observer of many groups asks for at once.
_SUBJECTS_AT_ONCE = 20


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
    """One topic.

    `records`: number between its first and last offset; `end`: the sum of its end offsets.  None: unknown, or there
    is no such topic.
    """

    name: str
    partitions: int | None
    records: int | None
    end: int | None = None


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
        never: whether it never was refreshed, although the stream has written from this machine what it is made of.
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
    never: bool = False


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
        slowly_s: for how long what the registry, the stores and the checkpoints said may be said again, seconds.
        at_once: how many groups one look asks for their offsets; of the others it says those of an earlier look.  It
            is for an observer that looks often: with `slowly_s` only.  Of many subjects, such an observer asks only
            for the versions of some at a time.
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
        self._views = [_Views(settings, one) for one in self._contracts if one.views]
        self._looked = [_Looked(one) for one in self._contracts]
        self._specs = {kind: [spec for one in self._looked for spec in one.of_kind(kind)] for kind in STORES}
        self._topic_status: dict[str, tuple[object, TopicStatus]] = {}
        self._slowly_s = slowly_s
        self._at_once = at_once
        self._subject_versions: dict[str, tuple[int, ...]] = {}
        #: Server -> when it was asked, what it said, and why it did not answer.
        self._said: dict[str, tuple[float, Mapping[Any, Any], str]] = {}
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
        for kind, specs in self._specs.items():
            if specs:
                ask[kind] = partial(self._counting.of, kind, specs)
        if self._views:
            ask[_FILES] = self._kept
        began = time.monotonic()
        known = {
            name: (said, why) for name, (at, said, why) in self._said.items() if began - at < self._said_for_s(name)
        }
        asked = {name: one for name, one in ask.items() if name not in known}
        if len(asked) == 1:  # a look that follows another soon
            heard = {name: _tried(one) for name, one in asked.items()}
        else:
            with ThreadPoolExecutor(len(asked)) as pool:
                heard = dict(zip(asked, pool.map(_tried, asked.values()), strict=True))
        self._said |= {name: (began, *said) for name, said in heard.items() if name != "kafka"}
        answers = {name: heard.get(name) or known[name] for name in ask}
        servers = tuple(
            Server(name, self._address(name), why) for name, (_, why) in answers.items() if name != _FILES
        )
        found = {name: said for name, (said, _) in answers.items()}
        return Status(servers, tuple(one.status(found) for one in self._looked))

    def _kept(self) -> dict[Any, Any]:
        """Return what checkpoints say: the group of a view -> events that it left out, late ones and those without a
        time; and the contract and name of a table that is refreshed -> its freshness (see `_Views.refreshed`)."""
        left_out = {group: counts for one in self._views for group, counts in one.left_out()}
        return {**left_out, **{key: fresh for one in self._views for key, fresh in one.refreshed()}}

    def close(self) -> None:
        """Close the connections to Kafka."""
        self._groups.close()

    def _said_for_s(self, server: str) -> float:
        is_soon = server == "registry" or self._said[server][2]
        return min(self._slowly_s, _SELDOM_S) if is_soon else self._slowly_s

    def _versions(self) -> dict[str, tuple[int, ...]]:
        """Return subject -> versions.  Raises ServiceError."""
        registry = Registry.from_settings(self._settings)
        subjects = sorted({subject.name for contract in self._contracts for subject in contract.subjects})
        if self._at_once is None or len(subjects) <= _SUBJECTS_AT_ONCE:
            return {name: tuple(registry.versions(name)) for name in subjects}
        return self._some_versions(registry, subjects)

    def _some_versions(self, registry: Registry, subjects: list[str]) -> dict[str, tuple[int, ...]]:
        """Ask which subjects there are, and for the versions of new ones, and of those that were asked first."""
        there = set(registry.subjects())
        known = self._subject_versions
        for name in subjects:
            if name not in there:
                known[name] = ()
        new = [name for name in subjects if name in there and not known.get(name)]
        # Those that were asked last are at the end.
        oldest = [name for name in known if known[name]][: max(0, _SUBJECTS_AT_ONCE - len(new))]
        for name in (*new, *oldest):
            versions = tuple(registry.versions(name))
            known.pop(name, None)
            known[name] = versions
        return dict(known)

    def _topics(self) -> dict[str, TopicStatus | int]:
        """Return topic -> status, and group -> lag."""
        ends, lags = self._watched.look()
        found: dict[str, TopicStatus | int] = {f"topic {topic}": self._topic(topic, at) for topic, at in ends.items()}
        found.update((f"group {group}", lag) for group, lag in lags.items())
        return found

    def _topic(self, name: str, at: tuple[groups.Offsets, groups.Offsets]) -> TopicStatus:
        """The status of a topic: the same object while its offsets are (see `Watched.look`)."""
        known = self._topic_status.get(name)
        if known is None or known[0] is not at:
            first, last = at
            known = at, TopicStatus(name, len(last), sum(last.values()) - sum(first.values()), sum(last.values()))
            self._topic_status[name] = known
        return known[1]

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


class _Looked:
    """One contract that is looked at again and again: its status is made anew only if something has changed."""

    def __init__(self, contract: Contract) -> None:
        self._name = contract.name
        self._topics = (contract.topic, contract.dead_letter_topic)
        self._subjects = [one.name for one in contract.subjects]
        self._queries = [(name, spec, groups.name(contract, name)) for name, spec in queries.of(contract)]
        self._refreshed = queries.refreshed(contract)
        self._last: tuple[object, ContractStatus] | None = None

    def of_kind(self, kind: str) -> Iterator[SinkSpec]:
        """The tables in one kind of store."""
        return (spec for _, spec, _ in (*self._queries, *self._refreshed) if spec.kind == kind)

    def status(self, found: Mapping[str, Mapping[Any, Any]]) -> ContractStatus:
        """Return the status.  `found`: server -> what it said."""
        kafka, registry, files = found["kafka"], found["registry"], found.get(_FILES, {})
        topics = tuple(kafka.get(f"topic {name}") for name in self._topics)
        versions = tuple(registry.get(name) for name in self._subjects)
        sinks = tuple(
            (kafka.get(f"group {group}"), found[spec.kind].get(spec.qualified), files.get(group))
            for _, spec, group in self._queries
        )
        refreshed = tuple(self._one_refreshed(found, *one) for one in self._refreshed)
        seen = topics, versions, sinks, refreshed
        if self._last is None or self._last[0] != seen:
            self._last = seen, self._of(*seen)
        return self._last[1]

    def _of(
        self,
        topics: tuple[TopicStatus | None, ...],
        versions: tuple[tuple[int, ...] | None, ...],
        sinks: tuple[tuple[int | None, Rows | None, tuple[int, int] | None], ...],
        refreshed: tuple[SinkStatus, ...],
    ) -> ContractStatus:
        topic, dead_letters = (
            one or TopicStatus(name, None, None) for name, one in zip(self._topics, topics, strict=True)
        )
        subjects = tuple(map(SubjectStatus, self._subjects, versions))
        told = []
        for (name, spec, group), (lag, rows, left_out) in zip(self._queries, sinks, strict=True):
            late, timeless = left_out or (None, None)
            told.append(SinkStatus(name, spec.qualified, group, lag, rows, late, timeless))
        return ContractStatus(self._name, topic, subjects, (*told, *refreshed), dead_letters)

    def _one_refreshed(
        self, found: Mapping[str, Mapping[Any, Any]], name: str, spec: SinkSpec, every_s: int
    ) -> SinkStatus:
        fresh: Freshness | None
        fresh, never = found.get(_FILES, {}).get((self._name, name), (None, False))
        is_late = fresh is not None and time.time() - fresh.as_of > freshness.LATE_AFTER * every_s
        as_of = fresh.as_of if fresh is not None else None
        rows = found[spec.kind].get(spec.qualified)
        return SinkStatus(
            name, spec.qualified, "", None, rows, every_s=every_s, refreshed=as_of, overdue=is_late, never=never
        )


class _Views:
    """The views of a contract, whose checkpoints on this machine say what they left out."""

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._folder = settings.checkpoint_dir / contract.name
        self._queries = {name: groups.name(contract, name) for name, _ in queries.of(contract)}
        self._contract = contract.name
        self._tables = [(name, spec.kind) for name, spec, _ in queries.refreshed(contract)]

    def refreshed(self) -> Iterator[tuple[tuple[str, str], tuple[Freshness | None, bool]]]:
        """Yield contract and name of each table that is refreshed, how fresh it is, and whether it never was.

        That is unknown unless the stream writes from this machine: without a batch, or on another one.
        """
        for name, source in self._tables:
            found = freshness.newest(self._folder, name)
            never = found is None and any(checkpoints.newest(one) is not None for one in self._begun(source))
            yield (self._contract, name), (found, never)

    def _begun(self, source: str) -> Iterator[Path]:
        """Yield the checkpoints of a query, one for each topic that the contract had."""
        return self._folder.glob(f"topic-*/{source}")

    def left_out(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield group and counts of the aggregations that have some."""
        for name, group in self._queries.items():
            if (counts := state.left_out(self._folder, name)) is not None:
                yield group, counts
