"""A store as the stream uses it: its sink, and what is read back from its tables.

Each has a room beside this module (`streaming/stores/<kind>/`), whose `store.STORE` is found by the room's name
(`streaming.stores.known`).  What is decided without its server stands in `contracts/stores/<kind>/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from contracts.catalog.contract import Contract
from contracts.settings import Settings
from streaming.sinks.sink import Sink

Key = tuple[Any, ...]
#: How long counting a table's rows may take, seconds: a store reads a whole table for it.
COUNT_FOR_S = 2.0


@dataclass(frozen=True)
class Rows:
    """Of one table.  `exact` is False for the store's own estimate, which may be minutes old."""

    number: int
    exact: bool


class Store(ABC):
    """One kind of store.  `spec` is always its own part of a contract.yaml (`contracts.stores.<kind>.spec`).

    Attributes:
        java_options: system properties that its drivers need, of Spark's driver and executors.
    """

    java_options: ClassVar[str] = ""

    @abstractmethod
    def address(self, settings: Settings) -> str:
        """Where its server is, without credentials."""

    @abstractmethod
    def sink(self, settings: Settings, contract: Contract, spec: Any) -> Sink:
        """What writes the table of a contract."""

    @abstractmethod
    def rows(self, settings: Settings, spec: Any, names: Sequence[str], count: int) -> list[tuple[Any, ...]]:
        """Some rows to look at, the newest where the store has an order: values of these columns.

        Raises:
            ServiceError: the server does not answer.
        """

    @abstractmethod
    def positions(self, settings: Settings, spec: Any, keys: Sequence[Key]) -> Iterator[tuple[Any, ...]]:
        """Of the rows with these primary keys, and perhaps others: key, Kafka timestamp (ms), partition, offset.

        Raises:
            ServiceError: the server does not answer.
        """

    @abstractmethod
    def count(self, settings: Settings, specs: Iterable[Any], slow: set[str]) -> dict[str, Rows]:
        """Qualified name -> rows, of those tables that there are.

        Args:
            slow: names of tables to estimate; one that takes longer than `COUNT_FOR_S` is added.

        Raises:
            ServiceError: the server does not answer.
        """

    def spark_options(self, settings: Settings) -> Mapping[str, str]:
        """What the Spark session needs for it, from its start on."""
        return {}

    def spark_secrets(self, settings: Settings) -> Mapping[str, str]:
        """The same, but for no command line: set once Spark's JVM runs."""
        return {}
