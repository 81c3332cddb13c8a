"""`contracts.toml`: what a repository of contracts decides for all of them.

[contracts]
schemas = "services/shop/schemas"       # relative to this file
owner = "shop-team"                     # of contracts that name none; the same for the next two
compatibility = "BACKWARD"
subject_strategy = "TopicRecordName"
baseline = "contracts-baseline.json"
ignore = ["services/shop/old.avsc"]     # files and folders that are not read, relative to this file

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


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Contracts(_Table):
    schemas: Path | None = None
    subject_strategy: Literal["TopicName", "TopicRecordName", "RecordName"] | None = None
    owner: str | None = Field(None, min_length=1)
    compatibility: str | None = Field(None, min_length=1)
    baseline: Path | None = None
    ignore: tuple[str, ...] = ()


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
        defaults: owner, compatibility and subject_strategy of contracts that do not have them.
        baseline: the file of recorded findings of lint, from the working folder; None if it says nothing.
        ignored: absolute paths of files and folders that are not read.
    """

    file: str = ""
    schemas: Path | None = None
    lint: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    baseline: Path | None = None
    ignored: frozenset[str] = frozenset()

    def ignores(self, path: Path) -> bool:
        """Whether a file or folder is one that is not read."""
        whole = Path(os.path.abspath(path))
        return bool(self.ignored) and any(str(one) in self.ignored for one in (whole, *whole.parents))


def find(start: Path) -> Project:
    """Read the file in `start`, or in the nearest folder around it.

    The search ends at the top of the git repository or, outside of one, at the working folder.

    Raises:
        ConfigurationError: the file is not valid.
    """
    whole = Path(os.path.abspath(start))
    around = [whole, *whole.parents]
    here = around.index(Path.cwd()) if Path.cwd() in around else 0
    top = next((number for number, folder in enumerate(around) if (folder / ".git").exists()), here)
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
    said = content.contracts
    defaults = {key: getattr(said, key) for key in ("owner", "compatibility", "subject_strategy")}
    return Project(
        str(path),
        said.schemas and Path(os.path.relpath(path.parent / said.schemas)),
        content.lint,
        {key: value for key, value in defaults.items() if value is not None},
        said.baseline and Path(os.path.relpath(path.parent / said.baseline)),
        frozenset(os.path.abspath(path.parent / one) for one in said.ignore),
    )


def _refusal(error: ValidationError, where: str) -> ConfigurationError:
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        names = ", ".join((_Content if len(first["loc"]) == 1 else _Contracts).model_fields)
        return ConfigurationError(f"unknown key {path!r}", where=where, fix=f"valid names here: {names}")
    message = first["msg"][:1].lower() + first["msg"][1:]
    return ConfigurationError(f"{path}: {message}", where=where, fix="see docs/reference/contract.md#contractstoml")
