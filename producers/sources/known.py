"""All sources: one for each room in this folder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts.sources.known import SOURCES as CONTRACTED
from producers.sources.source import Opens

#: `source.api` of a contract -> what makes the source.
SOURCES: Final[Mapping[str, Opens]] = MappingProxyType(
    {api: importlib.import_module(f"producers.sources.{api}.source").SOURCE for api in CONTRACTED}
)
