"""What every sink of a view has of the store's own sink, in which its rows end."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from pyspark.sql import DataFrame

from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.sinks.sink import Sink


class Outer:
    """A sink whose table is that of another one.

    Args:
        name: see `Sink`.
        inner: the other one.
    """

    def __init__(self, name: str, inner: Sink) -> None:
        self.name = name
        self._inner = inner

    @property
    def spec(self) -> SinkSpec:
        return self._inner.spec

    def has_table(self) -> bool:
        return self._inner.has_table()

    def prepare(self) -> None:
        self._inner.prepare()


class NumberedSink(Outer):
    """A sink whose batches need what is kept beside the checkpoint of their query."""

    def write(self, decoded: DataFrame) -> Counts:
        raise RuntimeError("each batch has a sink of its own: see of_batch")

    def of_batch(self, checkpoint: Path, number: int) -> Sink:
        """Return the sink for one batch of the query with this checkpoint."""
        return _OfBatch(self, checkpoint, number)

    @abstractmethod
    def write_batch(self, decoded: DataFrame, checkpoint: Path, number: int) -> Counts:
        """Write a batch; the same batch may be written again."""


class _OfBatch(Outer):
    def __init__(self, sink: NumberedSink, checkpoint: Path, number: int) -> None:
        super().__init__(sink.name, sink)
        self._sink = sink
        self._checkpoint = checkpoint
        self._number = number

    def write(self, decoded: DataFrame) -> Counts:
        return self._sink.write_batch(decoded, self._checkpoint, self._number)
