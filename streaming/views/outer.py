"""What every sink of a view has of the store's own sink, in which its rows end."""

from __future__ import annotations

from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.sinks.sink import Sink


class Outer:
    """A sink whose table is that of another one.

    Args:
        name: see `Sink`.
        inner: the other one.
    """

    def __init__(self, name: str, inner: Sink | Outer) -> None:
        self.name = name
        self._of_table = inner

    @property
    def spec(self) -> SinkSpec:
        return self._of_table.spec

    def has_table(self) -> bool:
        return self._of_table.has_table()

    def prepare(self) -> None:
        self._of_table.prepare()
