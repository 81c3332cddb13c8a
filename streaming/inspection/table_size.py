"""Rows of the stores' tables: counted where that is quick, else what the store itself estimates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from contracts.settings import Settings
from contracts.stores.spec import SinkSpec
from streaming.stores.known import STORES
from streaming.stores.store import Rows


class Counting:
    """Counts again and again.  A table that took longer than two seconds once is estimated from then on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slow: defaultdict[str, set[str]] = defaultdict(set)

    def of(self, kind: str, specs: Iterable[SinkSpec]) -> dict[str, Rows]:
        """Qualified name -> rows, of those tables of one store that there are.  Raises ServiceError."""
        return STORES[kind].count(self._settings, specs, self._slow[kind])
