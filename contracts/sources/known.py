"""All sources: one for each room in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from avro_data_contracts.contracts import sources
from avro_data_contracts.contracts.sources.http import pagination
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


class _Untold(SourceSpec):
    """Refuses a source that does not say which it is."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: object) -> object:
        raise ValueError(f"nothing says which source it is: {ways_to_tell()}")


def ways_to_tell() -> str:
    """What a `source` may begin with, for messages."""
    ways = [f"{model.told_by}: …" if model.told_by else f"api: {name}" for name, model in SOURCES.items()]
    return f"write {' or '.join(f'`{way}`' for way in ways)}"


def model_of(source: Mapping[str, Any]) -> type[SourceSpec]:
    """The model that validates a `source` as written: that of its `api`, or of the key that tells which it is."""
    if "api" in source:
        api = source["api"]
        return SOURCES.get(api, _Unknown) if isinstance(api, str) else _Unknown
    return next((model for model in SOURCES.values() if model.told_by and model.told_by in source), _Untold)


def chosen(model: type[BaseModel], written: Any) -> type[BaseModel]:
    """The model that validates a part of `source` as written, where the written decides; otherwise `model` itself."""
    if not isinstance(written, Mapping):
        return model
    if model is SourceSpec:
        return model_of(written)
    return pagination.model_of(written) if model is pagination.PaginationSpec else model
