"""What the servers say now, asked once for all browsers, and kept for an hour.

It is what `python -m streaming status` asks.  A look takes time, most of all with many contracts; so the next one
waits until the process has taken at most three hundredths of a core.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from avro_data_contracts import extras
from avro_data_contracts.console.kept import Kept
from avro_data_contracts.console.pages import figures as page
from avro_data_contracts.console.pages.series import Point, Series
from avro_data_contracts.contracts.errors import ContractsError
from avro_data_contracts.contracts.settings import Settings

if TYPE_CHECKING:
    from avro_data_contracts.streaming.inspection.status import ContractStatus, Observer, Status

#: The least time between two looks, while a page shows figures and while none does, seconds.
WATCHED_S: Final = 1.0
ALONE_S: Final = 10.0
#: What the registry and the stores say is asked again after so long, seconds: at least, and for each contract.
SLOWLY_S, SLOWLY_EACH_S = 10.0, 0.3
#: With more groups, not all are asked at each look (`streaming.inspection.offsets`).
GROUPS_AT_ONCE: Final = 50
#: The console may take this share of a core, Kafka's clients included, while it looks this often at least, seconds.
SHARE: Final = 0.03
RAREST_S: Final = 10.0
#: A page that has not asked for so long is closed, seconds.
_GONE_S: Final = 15.0

log = structlog.get_logger("console")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Figures:
    """One look.

    Attributes:
        at: seconds since the epoch; 0: there was none yet.
        status: what was seen; None if nothing could be asked.
        fault: why.
        text: the JSON document of all contracts.
        tag: of the text; it is the same if nothing has changed.
        told: contract -> its figures.
    """

    at: float = 0.0
    status: Status | None = None
    fault: str = ""
    text: str = field(default="", repr=False)
    told: Mapping[str, page.Figures] = field(default_factory=dict)

    def shown(self, name: str, figure: str) -> int | float | str:
        """One figure of a contract, as `Figures.document` calls it: a number, or words."""
        told = self.told.get(name)
        if told is None:
            return page.UNKNOWN if self.at else page.NOT_YET
        return told.shown(figure)

    @property
    def freshness(self) -> str:
        """What the figures are, in words; empty if all servers answer."""
        if not self.at:
            return "The first figures are on their way."
        if self.fault:
            return "The servers could not be asked: the figures are unknown."
        if silent := sorted(self.silent):
            verb, them = ("does", "it knows") if len(silent) == 1 else ("do", "they know")
            return f"{', '.join(silent)} {verb} not answer: what only {them} is unknown."
        return ""

    @property
    def late(self) -> str:
        """What is late, in a sentence."""
        return page.late({name: one.late for name, one in self.told.items()}) if self.at else "Not read yet."

    @property
    def silent(self) -> frozenset[str]:
        """The servers that do not answer."""
        return frozenset(one.name for one in self.status.servers if one.why) if self.status else frozenset()

    @property
    def moment(self) -> str:
        """When it was, in UTC; empty: there was none yet."""
        return _moment(self.at) if self.at else ""

    @cached_property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.text.encode()).hexdigest()[:20]}"'


class Live:
    """Looks at the servers in a thread.

    Args:
        kept: the contracts to look at.
        clock: seconds since the epoch.
    """

    def __init__(self, settings: Settings, kept: Kept, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._kept = kept
        self._clock = clock
        self._series: dict[str, Series] = {}
        #: Contract -> its topic, and that of its dead letters, which the series are of.
        self._topics: dict[str, tuple[str, str]] = {}
        #: Contract -> its figures, and their JSON.
        self._written: dict[str, tuple[page.Figures, str]] = {}
        self._figures = Figures(text=_empty("loading", Figures()))
        self._observer: tuple[object, Observer] | None = None
        self._asked = 0.0
        self._awake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """End the thread.  It waits for a look that is under way, for a few seconds."""
        self._closed = True
        self._awake.set()
        self._thread.join(10)

    @property
    def figures(self) -> Figures:
        """The newest figures; whoever asks gets new ones every second from now on."""
        was_alone = time.monotonic() - self._asked > _GONE_S
        self._asked = time.monotonic()
        if was_alone:
            self._awake.set()
        return self._figures

    def points(self, name: str) -> list[list[float | None]]:
        """Return the last hour of a contract (see `Series.points`)."""
        found = self._series.get(name)
        return found.points() if found is not None else []

    def status_of(self, name: str) -> ContractStatus | None:
        """Return what was last seen of a contract."""
        status = self._figures.status
        return next((one for one in status.contracts if one.name == name), None) if status else None

    def _run(self) -> None:
        used = time.process_time()
        while not self._closed:
            began = time.monotonic()
            self._figures = self._look()
            # Of all threads: a look has several, and Kafka's clients take a little even while nobody asks them.
            spent, used = time.process_time() - used, time.process_time()
            watched = time.monotonic() - self._asked <= _GONE_S
            every = min(max(WATCHED_S if watched else ALONE_S, spent / SHARE), RAREST_S)
            self._awake.clear()
            self._awake.wait(max(0.0, every - (time.monotonic() - began)))

    def _look(self) -> Figures:
        if lacking := extras.lacking("stream"):
            fix = "pip install 'avro-data-contracts[stream]'"
            return self._failed(
                f"Live figures need packages that are not installed: {', '.join(lacking)}. Fix: {fix}"
            )
        try:
            status = self._observing().look()
        except ContractsError as error:
            return self._failed(str(error))
        except Exception as error:
            # A look must not end all others.
            log.error("a look at the servers failed", why=type(error).__name__)
            return self._failed(f"The look at the servers failed: {type(error).__name__}")
        at = self._clock()
        silent = frozenset(one.name for one in status.servers if one.why)
        told = {one.name: self._told(one, at, silent) for one in status.contracts}
        found = Figures(at, status, "", "", told)
        return replace(found, text=self._document(found, status))

    def _document(self, found: Figures, status: Status) -> str:
        """The JSON of all contracts.  It has no time, so it is the same text while nothing changes."""
        told = found.told
        for name, figures in told.items():
            if name not in self._written or self._written[name][0] != figures:
                self._written[name] = figures, f"{_text(name)}:{_text(figures.document())}"
        contracts = ",".join(self._written[name][1] for name in told)
        servers = [{"name": one.name, "address": one.address, "why": one.why} for one in status.servers]
        state = "ok" if status.in_order else "partly"
        head = {"state": state, "told": found.freshness, "late": found.late, "servers": servers}
        return f'{_text(head)[:-1]},"contracts":{{{contracts}}}}}'

    def _failed(self, why: str) -> Figures:
        found = Figures(self._clock(), None, why)
        return replace(found, text=_empty("failed", found))

    def _observing(self) -> Observer:
        from avro_data_contracts.streaming.inspection.status import Observer  # loads the stores' drivers

        catalogue = self._kept.snapshot.catalogue
        assert catalogue is not None
        if self._observer is None or self._observer[0] is not catalogue:
            if self._observer is not None:
                self._observer[1].close()
            catalog = catalogue.loaded.catalog
            slowly_s = max(SLOWLY_S, SLOWLY_EACH_S * len(catalog.contracts))
            observer = Observer(self._settings, catalog, slowly_s=slowly_s, at_once=GROUPS_AT_ONCE)
            self._observer = catalogue, observer
            topics = {name: (one.topic, one.dead_letter_topic) for name, one in catalog.contracts.items()}
            self._series = still(self._series, self._topics, topics)
            self._written = still(self._written, self._topics, topics)
            self._topics = topics
        return self._observer[1]

    def _told(self, one: ContractStatus, at: float, silent: frozenset[str]) -> page.Figures:
        lag = page.lag(one.sinks, silent)
        counted = lag if isinstance(lag, int) else None
        series = self._series.setdefault(one.name, Series())
        rate = series.add(Point(at, one.topic.end, counted, one.dead_letters.records))
        records, dead = page.records(one.topic, silent), page.records(one.dead_letters, silent)
        late = "" if lag == page.NO_STORES else series.late()
        return page.Figures(records, lag, dead, late, rate.incoming, rate.outgoing)


def still(kept: Mapping[str, _T], before: Mapping[str, object], now: Mapping[str, object]) -> dict[str, _T]:
    """Return what was kept of the contracts that are still there, with the same topics."""
    return {name: one for name, one in kept.items() if name in now and before.get(name) == now[name]}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _empty(state: str, found: Figures) -> str:
    told = {"told": found.freshness, "late": found.late, "why": found.fault}
    return _text({"state": state, **told, "servers": [], "contracts": {}})


def _text(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))
