"""`contracts.toml`: what a repository of contracts decides for all of them.

[contracts]
schemas = "services/shop/schemas"       # relative to this file
subject_strategy = "TopicRecordName"    # of the contracts that name none

[lint]
FIELD_NAME = "off"                      # or "warning", or "error"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avro_data_contracts.contracts.errors import ConfigurationError

FILE: Final = "contracts.toml"
Strategy = Literal["TopicName", "TopicRecordName", "RecordName"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Contracts(_Table):
    schemas: Path | None = None
    subject_strategy: Strategy | None = None


class _Content(_Table):
    contracts: _Contracts = _Contracts()
    lint: dict[str, Literal["off", "warning", "error"]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """What the file says.

    Attributes:
        file: where it is, as messages show it; empty if there is none.
        schemas: the folder of the contracts, from the working folder; None if it says nothing.
        lint: severities of rules, by their ids.
        strategy: how the subjects of values are named where a contract does not say it; None if it says nothing.
    """

    file: str = ""
    schemas: Path | None = None
    lint: Mapping[str, str] = field(default_factory=dict)
    strategy: Strategy | None = None


def find(start: Path) -> Project:
    """Read the file in `start`, or in the nearest folder around it inside the git repository.

    Raises:
        ConfigurationError: the file is not valid.
    """
    whole = Path(os.path.abspath(start))
    around = [whole, *whole.parents]
    top = next((number for number, folder in enumerate(around) if (folder / ".git").exists()), 0)
    file = next((folder / FILE for folder in around[: top + 1] if (folder / FILE).is_file()), None)
    return _read(Path(os.path.relpath(file))) if file else Project()


def _read(path: Path) -> Project:
    return parse(path.read_bytes(), path)


def parse(data: bytes, path: Path) -> Project:
    """Read the content of the file.

    Args:
        path: from the working folder; also for messages.

    Raises:
        ConfigurationError: it is not valid.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"not TOML: {error}", where=str(path), fix="correct the file") from None
    try:
        content = _Content.model_validate(document)
    except ValidationError as error:
        raise _refusal(error, str(path)) from None
    schemas = content.contracts.schemas
    return Project(
        str(path),
        schemas and Path(os.path.relpath(path.parent / schemas)),
        content.lint,
        content.contracts.subject_strategy,
    )


def _refusal(error: ValidationError, where: str) -> ConfigurationError:
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        names = ", ".join((_Content if len(first["loc"]) == 1 else _Contracts).model_fields)
        return ConfigurationError(f"unknown key {path!r}", where=where, fix=f"valid names here: {names}")
    message = first["msg"][:1].lower() + first["msg"][1:]
    return ConfigurationError(f"{path}: {message}", where=where, fix="see docs/reference/contract.md#contractstoml")
