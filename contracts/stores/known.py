"""The known stores: one for each room in this folder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from avro_data_contracts.contracts.stores.rooms import ROOMS
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.store import Store


def _found() -> Mapping[str, Store]:
    found = [importlib.import_module(f"avro_data_contracts.contracts.stores.{room}.store").STORE for room in ROOMS]
    return MappingProxyType({store.kind: store for store in found})


#: Key under `sinks` -> the store, in the order of their rooms.
STORES: Final = _found()


def store_of(sink: SinkSpec) -> Store:
    """Return the store of a table."""
    return STORES[sink.kind]
