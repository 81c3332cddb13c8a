"""The protocol of a store: its sink, and what is read back from its tables.

Each store has a room beside this module (`streaming/stores/<kind>/`); `streaming.stores.known` finds its
`store.STORE` by the room's name.  Decisions that need no server are in `contracts/stores/<kind>/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.sinks.sink import Sink

Key = tuple[Any, ...]
#: A row: column -> its value as text, alike for equal values of one store.  `EVENT_TIMESTAMP` is ms since the epoch.
Cells = Mapping[str, str | None]
#: How long counting a table's rows may take, seconds: a store reads the whole table to count.
COUNT_FOR_S = 2.0


@dataclass(frozen=True)
class Rows:
    """Number of rows in a table.  `exact` is False for the store's own estimate, which may be minutes old."""

    number: int
    exact: bool


@dataclass(frozen=True)
class Comparison:
    """The rows that a table should have, beside those that it has.

    Attributes:
        rows: number of those that it should have.
        unlike: the rows that differ, each as it should be and as it is; None where there is none.
    """

    rows: int
    unlike: Iterator[tuple[Cells | None, Cells | None]]


def cannot_refresh(kind: str) -> ConfigurationError:
    """Return the error of a view that is refreshed, in a store that cannot do it."""
    return ConfigurationError(
        f"the stream cannot refresh tables of {kind}",
        where=f"sinks.{kind}",
        fix="name another store in the header of the view",
    )


class Store(ABC):
    """One kind of store.  `spec` is always its own part of a contract.yaml (`contracts.stores.<kind>.spec`).

    Attributes:
        java_options: system properties that its drivers need in Spark's driver and executors.
        java: class of its driver -> our Java source that needs it, compiled where Spark has the driver.
    """

    java_options: ClassVar[str] = ""
    java: ClassVar[Mapping[str, Path]] = {}

    @abstractmethod
    def address(self, settings: Settings) -> str:
        """Return the address of its server, without credentials."""

    @abstractmethod
    def sink(self, settings: Settings, contract: Contract, spec: Any) -> Sink:
        """Return the sink that writes the table of a contract."""

    @abstractmethod
    def rows(self, settings: Settings, spec: Any, names: Sequence[str], count: int) -> list[tuple[Any, ...]]:
        """Return the values of these columns in some rows, the newest if the store has an order.

        Raises:
            ServiceError: the server does not answer.
        """

    @abstractmethod
    def positions(
        self, settings: Settings, spec: Any, keys: Sequence[Key], columns: Sequence[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Yield key, Kafka timestamp (ms), partition and offset of the rows with these keys, and perhaps of others.

        Args:
            keys: in the form of `inspection.stored.comparable`.
            columns: further columns, whose values follow.

        Raises:
            ServiceError: the server does not answer.
        """

    @abstractmethod
    def count(self, settings: Settings, specs: Iterable[Any], slow: set[str]) -> dict[str, Rows]:
        """Return qualified name -> rows, for the tables that exist.

        Args:
            slow: names of tables to estimate; a table that takes longer than `COUNT_FOR_S` is added.

        Raises:
            ServiceError: the server does not answer.
        """

    @abstractmethod
    def outside(self, settings: Settings, spec: Any, ranges: Mapping[int, tuple[int, int]]) -> int:
        """Count the rows of a table that exists whose events are not in these ranges; reads the whole table.

        Args:
            ranges: partition -> first and last offset.

        Raises:
            ServiceError: the server does not answer.
        """

    @abstractmethod
    def compared(
        self, settings: Settings, contract: Contract, spec: Any, decoded: DataFrame
    ) -> AbstractContextManager[Comparison]:
        """Compare the rows of a decoded batch, the newest of each key, with a whole table; one that is not there is
        empty.  Neither is held in memory.

        Raises:
            ServiceError: the server does not answer.
            Py4JJavaError: Spark cannot compute the batch.
        """

    def stored(self, spark: SparkSession, settings: Settings, spec: Any, types: Mapping[str, str]) -> DataFrame:
        """Return the rows of a table that exists, in raw form (`sinks.readback`), when Spark reads the frame.

        Args:
            types: the wanted columns -> the Avro type of each, a key of `readback.RAW`.

        Raises:
            ServiceError: the server does not answer.
            Py4JJavaError: the same, in Spark's words.
            ConfigurationError: the store cannot do it.
        """
        raise cannot_refresh(spec.kind)

    def told(self, settings: Settings, error: Py4JJavaError | CapturedException) -> ServiceError:
        """Return the error for one of Java's, of a frame of `stored`."""
        raise NotImplementedError("a store that reads its tables back says what their errors mean")

    def reconnect(self, settings: Settings) -> None:  # noqa: B027 - most stores keep no connection
        """Let further frames of `stored` have another connection, because one hangs."""

    @abstractmethod
    def empty(self, settings: Settings, spec: Any) -> None:
        """Delete all rows of a table, if there is one, and the note which key has hashed them.

        Raises:
            ServiceError: the server does not answer, or refuses it.
        """

    @abstractmethod
    def remove(self, settings: Settings, spec: Any) -> None:
        """Drop a table, if there is one.

        Raises:
            ServiceError: the server does not answer, or refuses it.
        """

    def spark_options(self, settings: Settings) -> Mapping[str, str]:
        """Return the settings that the Spark session needs from its start."""
        return {}

    def spark_secrets(self, settings: Settings) -> Mapping[str, str]:
        """Return the settings that must not be on a command line; they are set once Spark's JVM runs."""
        return {}
