"""A source: where the records of a contract come from.

Each source has a room beside this module, `producers/sources/<api>/`, whose `source.SOURCE` is found by the room's
name (`producers.sources.known`).  Its keys in contract.yaml are in `contracts/sources/<api>/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.raw import Raw
from avro_data_contracts.producers.rejection import Rejection

#: Field names and values of a record.
Record = dict[str, Any]
#: What an item becomes.
Outcome = Record | Checked | Raw | Rejection
#: Makes a record of a value; raises Rejection.
Convert = Callable[[object], Record | Checked]


@dataclass(frozen=True)
class Request:
    """What a run wants from a source.

    Attributes:
        seed: a source that makes records up makes the same ones for the same seed; other sources ignore it.
        count: number of items that the run will take, None for all.  A source may give more.
        page_size: number of items to fetch at once, for a source that fetches pages.
    """

    seed: str
    count: int | None = None
    page_size: int = 500


class Item(NamedTuple):
    """One item of a source.

    Attributes:
        given: the item as the source has it; a dead letter contains it as JSON.
        outcome: the record that it becomes, or why it becomes none.  A `Checked` one is not checked again.
    """

    given: Any
    outcome: Outcome


class Source(Protocol):
    """One way in.

    Attributes:
        where: its address or file, without any password: the log, the report and messages name it.
        position: the latest item's place in it, e.g. `page 3, user 17`; empty before the first item.
    """

    @property
    def where(self) -> str: ...

    @property
    def position(self) -> str: ...

    def items(self, request: Request) -> Iterator[Item]:
        """Yield items until the source has no more.

        The run may stop between two items, and a signal may stop the wait for one, at any point of this function.

        Raises:
            ContractsError: the source failed.  What it gave before counts.
        """
        ...


@runtime_checkable
class Resumable(Protocol):
    """A source that goes on where an earlier run ended.

    Attributes:
        place: where a later run goes on if all items so far have arrived; None if this run has not come further.
    """

    @property
    def place(self) -> Any: ...

    def keep(self, place: Any) -> None:
        """Write down a place before which everything has arrived."""
        ...


@runtime_checkable
class Noticing(Protocol):
    """A source that looks at all of its records, and says at the end what is probably a mistake."""

    def notices(self) -> list[str]:
        """Return sentences without any value of a record; empty for nothing."""
        ...


#: Makes the source of a contract, which names it; raises ConfigurationError.  It connects to nothing yet.
Opens = Callable[[Contract, Settings], Source]
