"""Counts rows of the stores' tables if that is quick, else takes the store's own estimate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.stores.store import Rows


class Counting:
    """Counts repeatedly.  After a count of a table took longer than two seconds, the table is only estimated."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slow: defaultdict[str, set[str]] = defaultdict(set)

    def of(self, kind: str, specs: Iterable[SinkSpec]) -> dict[str, Rows]:
        """Return qualified name -> rows, for the existing tables of one store.  Raises ServiceError."""
        return STORES[kind].count(self._settings, specs, self._slow[kind])
