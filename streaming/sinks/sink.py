"""Where decoded records go.  Every sink is idempotent: the same batch written twice changes nothing."""

from __future__ import annotations

from typing import Protocol

from pyspark.sql import DataFrame

from contracts.stores.spec import SinkSpec
from streaming.sinks.counts import Counts


class Sink(Protocol):
    """One destination, with a query and a checkpoint of its own.

    Attributes:
        name: short, stable; names the query, its checkpoint folder and its lines in the log.
    """

    name: str

    @property
    def spec(self) -> SinkSpec:
        """What the contract says of it."""

    def has_table(self) -> bool:
        """Whether its table is there.  Raises ServiceError."""

    def prepare(self) -> None:
        """Connects once and creates what is not there.  Raises ServiceError."""

    def write(self, decoded: DataFrame) -> Counts:
        """Writes its part of a decoded batch (see `decode.decoder.Decoder.decode`), and says what there was.

        Raises:
            ServiceError: the destination fails; the batch is then written again, from its start.
            RowsRefused: it refuses some of the rows (`sinks.refusals`); the batch is written again without them.
        """
