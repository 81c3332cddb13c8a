"""Finds the stores: one for each room in this folder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from avro_data_contracts.contracts.stores.known import STORES as CONTRACTED
from avro_data_contracts.streaming.stores.store import Store

#: Key under `sinks` of a contract -> the store.
STORES: Final[Mapping[str, Store]] = MappingProxyType(
    {kind: importlib.import_module(f"avro_data_contracts.streaming.stores.{kind}.store").STORE for kind in CONTRACTED}
)
