"""What a page says of one contract now: numbers, or words where there is no number.  Pure.

None is unknown: it was not read, or its server does not answer.  Nothing unknown looks like 0, or like fine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from avro_data_contracts.contracts.stores.known import STORES

if TYPE_CHECKING:
    from avro_data_contracts.streaming.inspection.status import ContractStatus, SinkStatus, TopicStatus

UNKNOWN: Final = "unknown"
NOT_YET: Final = "not read yet"
NO_STREAM: Final = "no stream yet"
NO_STORES: Final = "no stores"
NO_TOPIC: Final = "no topic"


class Figures(NamedTuple):
    """The figures of a contract.

    Attributes:
        records: in the topic.
        lag: records that the slowest store does not have yet; unknown if that of one store is.
        dead: dead letters.
        late: how it is late; empty if it is not.
        incoming, outgoing: records a second.
    """

    records: int | str | None = None
    lag: int | str | None = None
    dead: int | str | None = None
    late: str | None = None
    incoming: float | None = None
    outgoing: float | None = None

    def document(self) -> dict[str, int | float | str | None]:
        """The figures as JSON."""
        return {
            "records": self.records, "lag": self.lag, "dead": self.dead, "late": self.late, "in": self.incoming,
            "out": self.outgoing,
        }  # fmt: skip

    def shown(self, figure: str) -> int | float | str:
        """One figure, as `document` calls it: a number, or words."""
        value = self.document()[figure]
        if value is None:
            return UNKNOWN
        return "no" if value == "" else value


class StoreRow(NamedTuple):
    """A table of a contract, and what is known of it in words."""

    sink: str
    told: str


def late(told: Mapping[str, str | None]) -> str:
    """Say in a sentence what is late.  `told`: contract -> how it is late, see `Figures`."""
    found = sum(1 for one in told.values() if one)
    unknown = sum(1 for one in told.values() if one is None)
    if told and unknown == len(told):
        return "Unknown: the lag of no contract is known yet; the table below says more."
    rest = f" Of {unknown:,} of {len(told):,} contracts it is unknown." if unknown else ""
    if found:
        return f"{found:,} of {len(told):,} contracts {'is' if found == 1 else 'are'} late.{rest}"
    return f"Nothing is known to be late.{rest}" if unknown else "Nothing is late."


def records(topic: TopicStatus, silent: Collection[str]) -> int | str | None:
    """The records of a topic.  `silent`: the servers that do not answer."""
    return topic.records if topic.records is not None or "kafka" in silent else NO_TOPIC


def lag(sinks: Collection[SinkStatus], silent: Collection[str]) -> int | str | None:
    """The lag of the slowest store; it is unknown if that of one store is.  Tables that are refreshed have none."""
    written = [sink for sink in sinks if sink.every_s is None]
    if not written:
        return NO_STORES
    known = [sink.lag for sink in written if sink.lag is not None]
    if len(known) == len(written):
        return max(known)
    return None if "kafka" in silent else NO_STREAM


def stores(status: ContractStatus, silent: Collection[str]) -> dict[str, StoreRow]:
    """Return title and name of each table -> its rows and lag, in words."""
    found = {}
    for sink in status.sinks:
        kind = sink.sink.rpartition(".")[2]
        if sink.rows is not None:
            rows = (
                f"{'' if sink.rows.exact else 'about '}{sink.rows.number:,} row{'' if sink.rows.number == 1 else 's'}"
            )
        else:
            rows = f"rows {UNKNOWN}: {kind} does not answer" if kind in silent else "no table yet"
        if sink.every_s is not None:
            words = f"{rows}, {_freshness(sink)}"
        else:
            of_sink = lag([sink], silent)
            told = f"lag {UNKNOWN}: kafka does not answer" if of_sink is None else of_sink
            words = f"{rows}, {f'lag {told:,}' if isinstance(told, int) else told}"
        found[f"{STORES[kind].title} {sink.table}"] = StoreRow(sink.sink, words)
    return found


def _freshness(sink: SinkStatus) -> str:
    """Whether a table that is refreshed has been, lately."""
    if sink.refreshed is None:
        return "never refreshed" if sink.never else "not refreshed by this machine"
    return "refreshed too long ago" if sink.overdue else "refreshed in time"
