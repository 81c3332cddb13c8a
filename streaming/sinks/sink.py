"""Where decoded records go.  Every sink is idempotent: writing a batch twice changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from pyspark.sql import DataFrame, Row

from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.sinks.counts import Counts


@runtime_checkable
class Numbered(Protocol):
    """A sink that keeps something of each batch beside the checkpoint, so it has to know which batch it writes."""

    def of_batch(self, checkpoint: Path, number: int) -> Sink:
        """Return the sink for one whole batch of the query with this checkpoint."""


class Sink(Protocol):
    """One destination, with its own query and checkpoint.

    Attributes:
        name: short, stable; names the query, its checkpoint folder and its lines in the log.
    """

    name: str

    @property
    def spec(self) -> SinkSpec:
        """Its part of the contract."""

    def has_table(self) -> bool:
        """Return whether its table exists.  Raises ServiceError."""

    def prepare(self) -> None:
        """Connect once and create what is missing.  Raises ServiceError."""

    def write(self, decoded: DataFrame) -> Counts:
        """Write its part of a decoded batch (see `decode.decoder.Decoder.decode`), and return the counts.

        Raises:
            ServiceError: the destination fails; the whole batch is then written again.
            RowsRefused: it refuses some of the rows (`sinks.refusals`); the batch is written again without them.
        """


@runtime_checkable
class Direct(Protocol):
    """A sink that also writes small batches with the store's own driver, without Spark."""

    @property
    def direct(self) -> bool:
        """Whether it does so for its contract."""

    def cells(self, decoded: DataFrame) -> DataFrame:
        """Return the rows that `send` takes, of a decoded batch in one partition."""

    def send(self, rows: Sequence[Row]) -> bool:
        """Write the rows.  False: only `write` can, and the batch may be written in part.

        Raises ServiceError: the destination fails.
        """


@runtime_checkable
class Replacing(Sink, Protocol):
    """A sink that also makes its table equal to rows that were computed as a whole."""

    def replace(self, groups: DataFrame) -> Counts:
        """Write all rows, in the form of a decoded batch, and delete those that are not among them.

        Raises:
            ServiceError: the destination fails, or refuses a row; a part of the rows may be written.
        """
