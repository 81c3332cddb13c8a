"""Finds a source: each has a room in this folder."""

from __future__ import annotations

import importlib
from typing import Final

from avro_data_contracts.producers.sources.source import Opens

#: What `--from` names for records that are made from the contract.
SAMPLE: Final = "sample:"


def opener(api: str) -> Opens:
    """Return what makes the source `api`, a key of `contracts.sources.known.SOURCES`.  Loads this source only."""
    made: Opens = importlib.import_module(f"avro_data_contracts.producers.sources.{api}.source").SOURCE
    return made
