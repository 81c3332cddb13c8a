"""The records and dead letters of a topic, asked when somebody looks; and what is shown of them.

The code is that of `python -m streaming tail` and `dlq`.  The servers are asked with a short patience, because a
browser waits.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from avro_data_contracts import extras
from avro_data_contracts.console.pages.values import laid_out
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.sources.documents import written

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.contract import Contract
    from avro_data_contracts.streaming.dead_letters.recent import Recent
    from avro_data_contracts.streaming.decode.breaks import Break
    from avro_data_contracts.streaming.inspection.newest import Wanted
    from avro_data_contracts.streaming.inspection.seen import Seen

#: How long a page waits for Kafka, ms.
PATIENCE_MS: Final = 8_000
#: Messages of a dead-letter topic that a page reads, and for how long, seconds.
MOST_LETTERS: Final = 100_000
LETTERS_S: Final = 15.0
LIMITS: Final = (20, 50, 100)
#: Characters of a record on a page.
_MOST_SHOWN: Final = 20_000
_CURSOR: Final = re.compile(r"\d{1,6}:\d{1,19}(,\d{1,6}:\d{1,19})*")


@dataclass(frozen=True)
class Filters:
    """What somebody asked for, as typed."""

    key: str = ""
    where: str = ""
    version: str = ""
    since: str = ""
    until: str = ""
    reason: str = ""
    limit: int = LIMITS[0]
    before: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Filters:
        """Take the values of a form or an address."""
        texts = {name: given.get(name, "").strip()[:1_000] for name in ("key", "where", "version", "since", "until")}
        limit = given.get("limit", "")
        return cls(
            **texts,
            reason=given.get("reason", "").strip()[:200],
            limit=int(limit) if limit in map(str, LIMITS) else LIMITS[0],
            before=given.get("before", "")[:20_000],
        )

    def wanted(self, *, reveal: bool) -> Wanted:
        """Read them.

        Raises:
            ConfigurationError: one is not valid.
        """
        from avro_data_contracts.streaming.dead_letters.command import millis
        from avro_data_contracts.streaming.inspection.newest import Wanted

        if self.version and not re.fullmatch(r"[1-9][0-9]{0,8}", self.version):
            raise ConfigurationError(
                f"{self.version!r} is not the number of a version", fix="write a number, such as 3"
            )
        if self.before and not _CURSOR.fullmatch(self.before):
            raise ConfigurationError(
                "the place to go on from is not valid", fix="begin again with the newest records"
            )
        pairs = [one.split(":") for one in self.before.split(",")] if self.before else []
        return Wanted(
            limit=self.limit,
            key=self.key,
            where=self.where,
            version=int(self.version) if self.version else None,
            reason=self.reason,
            since=millis("From", self.since or None),
            until=millis("Until", self.until or None),
            before={int(partition): int(offset) for partition, offset in pairs},
            reveal=reveal,
        )


@dataclass(frozen=True)
class Shown:
    """A record on a page.

    Attributes:
        place: topic, partition and offset.
        key, value: as JSON; empty for null.
        faults: what cannot be decoded, and why.
        cut: characters of the value that are not shown.
        size: bytes of the value, None for null.
        rejected: of a dead letter: reason, message, who wrote it, and where its record was.
        broken: where the value breaks, if it is no record of its schema.
    """

    place: str
    time: str
    contract: str
    version: str
    key: str
    value: str
    faults: tuple[str, ...] = ()
    cut: int = 0
    size: int | None = None
    rejected: dict[str, Any] | None = None
    broken: Break | None = None


@dataclass(frozen=True)
class Records:
    """The records of a page.  `older`: where the next page goes on; empty: there are no older ones."""

    rows: tuple[Shown, ...] = ()
    read: int = 0
    uncompared: int = 0
    older: str = ""


@dataclass(frozen=True)
class Reason:
    """The dead letters of one reason.

    Attributes:
        means, fix: what it means, and what to do.
        never_sent: letters of a producer, whose records were never in the topic and cannot be put back.
    """

    code: str
    by: str
    means: str
    fix: str
    letters: int
    open: int
    put_back: int
    again: int
    never_sent: int
    first: str
    last: str
    example: str


@dataclass(frozen=True)
class Reasons:
    """The newest dead letters by reason.  `read`: messages that were read.  `left`: older ones that were not."""

    rows: tuple[Reason, ...]
    read: int = 0
    left: int = 0


@dataclass(frozen=True)
class Replay:
    """What a replay would do, or has done.  `lost`: records that could not be put back, and why."""

    reason: str
    records: int
    done: bool
    before: int = 0
    never_sent: int = 0
    lost: tuple[tuple[str, str], ...] = field(default=())


class Reader:
    """Asks Kafka and the registry."""

    def __init__(self, settings: Settings) -> None:
        patience = min(settings.kafka_max_block_ms, PATIENCE_MS)
        timeout = min(settings.schema_registry_timeout_s, PATIENCE_MS / 1000)
        self._settings = settings.model_copy(
            update={"kafka_max_block_ms": patience, "schema_registry_timeout_s": timeout}
        )
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._replaying: dict[str, threading.Lock] = {}

    def records(self, catalog: Catalog, topic: str, filters: Filters, *, reveal: bool) -> Records:
        """Return the newest records of a contract, a topic or a dead-letter topic.

        Raises:
            ConfigurationError: a filter is not valid, or there is no such topic.
            ServiceError: a server does not answer.
        """
        _require_stream()
        from avro_data_contracts.streaming.inspection.newest import newest
        from avro_data_contracts.streaming.inspection.tail import Tailed

        found = newest(self._settings, Tailed.of(catalog, topic), filters.wanted(reveal=reveal))
        older = ",".join(f"{partition}:{offset}" for partition, offset in sorted((found.older or {}).items()))
        return Records(tuple(map(_shown, found.seen)), found.read, found.uncompared, older)

    def reasons(self, contract: Contract) -> Reasons:
        """Return the newest dead letters of a contract by reason, with the most open ones first.

        Raises:
            ConfigurationError: the contract is not registered.
            ServiceError: Kafka does not answer, or the dead letters are being read for somebody else.
        """
        _require_stream()
        from avro_data_contracts.streaming.dead_letters import advice, report

        recent = self._recent(contract)
        found = recent.found
        examples = {(one.reason, one.by): one.message for one in found.letters}
        rows = []
        for row in report.by_reason(found):
            code, by = row["reason"], row["by"]
            is_of_source = row["never_a_record"] == row["records"]
            means, fix = advice.of_source(code) if is_of_source else advice.of(code)
            first, last = (row[name].replace("+00:00", "Z") for name in ("first", "last"))
            counts = (row["records"], row["open"], row["put_back"], row["again"], row["never_a_record"])
            rows.append(Reason(code, by, means, fix, *counts, first, last, examples[code, by]))
        return Reasons(tuple(sorted(rows, key=lambda one: (-one.open, one.code))), recent.read, recent.left)

    def replay(self, contract: Contract, reason: str, *, expected: int | None = None) -> Replay:
        """Put the open dead letters of a reason back into their topic, or say what that would do.

        Args:
            expected: how many records somebody wants to put back; None: none, this only says how many there are.

        Raises:
            ConfigurationError: no letter has the reason, there are more or fewer than expected, somebody else is
                putting them back, the topic cannot take records back, or an aggregation would count them twice.
            ServiceError: Kafka does not answer, or the dead letters are being read for somebody else.
        """
        _require_stream()
        with self._lock:
            alone = self._replaying.setdefault(contract.dead_letter_topic, threading.Lock())
        if not alone.acquire(blocking=False):
            raise ConfigurationError(
                f"somebody else is putting dead letters of {contract.dead_letter_topic} back now",
                fix="wait until that is done, and look what is left",
            )
        try:
            return self._replayed(contract, reason, expected)
        finally:
            alone.release()

    def _replayed(self, contract: Contract, reason: str, expected: int | None) -> Replay:
        from avro_data_contracts.streaming.dead_letters import replay as replaying
        from avro_data_contracts.streaming.dead_letters.command import Wanted
        from avro_data_contracts.streaming.dead_letters.plan import Plan

        recent = self._recent(contract)
        if recent.left:
            raise ConfigurationError(
                f"{contract.dead_letter_topic} has {recent.left:,} more messages than a page reads, so it cannot say "
                "which records were put back before",
                fix=f"python -m avro_data_contracts.streaming --contract {contract.name} "
                f"dlq replay --reason {reason}",
            )
        plan = Plan.of(contract, Wanted.of([reason], None, None, None).choose(contract, recent.found.letters))
        plan.check()
        if expected is None:
            return Replay(reason, len(plan.waiting), False, plan.before, plan.never_sent)
        if len(plan.waiting) != expected:
            raise ConfigurationError(
                f"{len(plan.waiting):,} records of {reason} would be put back now, not the {expected:,} of the page",
                fix="look again what a replay would do",
            )
        done = replaying.replay(self._settings, contract, plan.waiting, lambda _: None)
        lost = tuple((str(letter.origin), why) for letter, why in done.lost)
        return Replay(reason, len(done.put_back), True, plan.before, plan.never_sent, lost)

    def _recent(self, contract: Contract) -> Recent:
        """Read the newest dead letters, one reading at a time: each may be long."""
        from avro_data_contracts.streaming.dead_letters import recent

        if not self._reading.acquire(timeout=LETTERS_S):
            raise ServiceError(
                "the dead letters are being read for somebody else", where="the console", fix="try again in a moment"
            )
        try:
            return recent.read(self._settings, contract, MOST_LETTERS, LETTERS_S)
        finally:
            self._reading.release()


def _require_stream() -> None:
    if missing := extras.lacking("stream"):
        raise ConfigurationError(
            f"records need packages that are not installed: {', '.join(missing)}",
            fix="pip install 'avro-data-contracts[stream]'",
        )


def _shown(one: Seen) -> Shown:
    from avro_data_contracts.streaming.inspection.seen import moment

    value = "" if one.value.value is None else laid_out(one.value.value)
    parts = (("key", one.key), ("value", one.value))
    faults = tuple(
        f"The {name} cannot be decoded, {part.size:,} bytes: {part.reason}, {part.message}"
        for name, part in parts
        if part.reason
    )
    version = f"version {one.value.version}" if one.value.version else ""
    if not version and one.value.schema is not None:
        version = f"schema {one.value.schema}"
    return Shown(
        f"{one.topic}-{one.partition}-{one.offset}",
        moment(one.millis) or "no time",
        one.contract,
        version,
        "" if one.key.value is None else written(one.key.value),
        value[:_MOST_SHOWN],
        faults,
        max(0, len(value) - _MOST_SHOWN),
        one.value.size,
        one.rejected,
        one.broken,
    )
