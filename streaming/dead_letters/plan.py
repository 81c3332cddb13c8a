"""What a replay is going to do, before it does anything.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.streaming.dead_letters.letters import Letter, record_of
from avro_data_contracts.streaming.sinks import refusals


@dataclass(frozen=True)
class Plan:
    """What `replay` is going to do.

    Attributes:
        waiting: letters to put back.
        never_sent: number of selected letters that never were a record of the topic.
        before: number of selected letters that were put back before.
        counted: number of the records to put back that an aggregation has counted, and would count again.
        counting: the queries of these aggregations.
    """

    contract: Contract
    waiting: tuple[Letter, ...]
    never_sent: int
    before: int
    counted: int
    counting: tuple[str, ...]

    @classmethod
    def of(cls, contract: Contract, chosen: Iterable[Letter], *, again: bool = False) -> Plan:
        """Plan to put back the chosen letters.

        Args:
            again: also those that were put back before.
        """
        chosen = list(chosen)
        # A record that both stores refused has two letters.
        records = {record_of(one): one for one in chosen}
        waiting = [one for one in records.values() if one.origin is not None and (again or one.replayed_as is None)]
        before = sum(one.origin is not None and one.replayed_as is not None for one in chosen)
        never_sent = sum(one.origin is None for one in chosen)
        refusing: dict[object, set[str]] = {}
        for one in chosen:
            if (query := refusals.store_of(one.reason)) is not None:
                refusing.setdefault(record_of(one), set()).add(query)
        twice = [left for one in waiting if (left := _counting(contract, refusing.get(record_of(one))))]
        counting = tuple(sorted({query for some in twice for query in some}))
        return cls(contract, tuple(waiting), never_sent, 0 if again else before, len(twice), counting)

    def check(self) -> None:
        """Raise ConfigurationError if an aggregation would count records again."""
        if self.counted:
            raise ConfigurationError(
                f"{self.counted:,} of the records were refused by one table, and are in the rows of "
                f"{', '.join(self.counting)}, which would count each of them again",
                where=self.contract.file,
                fix="leave them out with --reason; or add --count-twice, and they are in these rows twice",
            )


def _counting(contract: Contract, refusing: set[str] | None) -> set[str]:
    """Return the queries of aggregations that have an event which only others have refused; None: nobody has it."""
    if refusing is None:
        return set()
    aggregations = (view for view in contract.views if view.spec.lateness is not None)
    return {queries.of_view(view.name, sink.kind) for view in aggregations for sink in view.sinks} - refusing
