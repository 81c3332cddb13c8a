"""What a replay is going to do, before it does anything.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.streaming.dead_letters.letters import Letter, record_of


@dataclass(frozen=True)
class Plan:
    """What `replay` is going to do.

    Attributes:
        waiting: letters to put back.
        never_sent: number of selected letters that never were a record of the topic.
        before: number of selected letters that were put back before.
    """

    contract: Contract
    waiting: tuple[Letter, ...]
    never_sent: int
    before: int

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
        return cls(contract, tuple(waiting), never_sent, 0 if again else before)
