"""Finds the stores: one for each room in this folder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts.stores.known import STORES as CONTRACTED
from streaming.stores.store import Store

#: Key under `sinks` of a contract -> the store.
STORES: Final[Mapping[str, Store]] = MappingProxyType(
    {kind: importlib.import_module(f"streaming.stores.{kind}.store").STORE for kind in CONTRACTED}
)
