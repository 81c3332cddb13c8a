"""All sources: one for each room in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import ConfigDict, field_validator

from avro_data_contracts.contracts import sources
from avro_data_contracts.contracts.sources.spec import SourceSpec


def _found() -> Mapping[str, type[SourceSpec]]:
    rooms = sorted(one.name for one in pkgutil.iter_modules(sources.__path__) if one.ispkg)
    return MappingProxyType(
        {room: importlib.import_module(f"avro_data_contracts.contracts.sources.{room}.spec").SPEC for room in rooms}
    )


#: `source.api` of a contract.yaml -> the model of `source`, in the order of their rooms.
SOURCES: Final = _found()


class _Unknown(SourceSpec):
    """Refuses a source that has no room.  It ignores the other keys, because nobody knows which are valid."""

    model_config = ConfigDict(extra="ignore")

    @field_validator("api")
    @classmethod
    def _refuse(cls, value: str) -> str:
        raise ValueError(f"{value!r} is not a source; valid names here: {', '.join(SOURCES)}")


def model_of(source: Mapping[str, Any]) -> type[SourceSpec]:
    """The model that validates a `source` as written: that of its `api`."""
    if "api" not in source:
        return SourceSpec
    api = source["api"]
    return SOURCES.get(api, _Unknown) if isinstance(api, str) else _Unknown
