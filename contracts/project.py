"""`contracts.toml`: what a repository of contracts decides for all of them.

[contracts]
schemas = "services/shop/schemas"       # relative to this file
owner = "shop-team"                     # of contracts that name none; the same for the next two
compatibility = "BACKWARD"
subject_strategy = "TopicRecordName"
baseline = "contracts-baseline.json"
ignore = ["services/shop/old.avsc"]     # files and folders that are not read, relative to this file
site = "https://example.com/contracts/" # where the pages of `contracts site` are

[lint]
FIELD_NAME = "off"                      # or "warning", or "error"
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from avro_data_contracts.contracts import environment
from avro_data_contracts.contracts.errors import ConfigurationError

FILE: Final = "contracts.toml"
#: The folder of the contracts where nothing names another one.
SCHEMAS: Final = Path("schemas")

_DEFAULTS: Final = ("owner", "compatibility", "subject_strategy")
_COMPATIBILITIES: Final = tuple(
    f"{level}{reach}" for level in ("BACKWARD", "FORWARD", "FULL") for reach in ("", "_TRANSITIVE")
)
_STRATEGIES: Final = ("TopicName", "TopicRecordName", "RecordName")
_LEVELS: Final = ("off", "warning", "error")
#: What can stand in a link of Markdown as it is.
_SITE: Final = re.compile(r"https?://[^\s()<>\[\]\\?#]+")


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
        site: where the pages of `contracts site` are, with a slash at the end; empty: nowhere.
    """

    file: str = ""
    schemas: Path | None = None
    lint: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    baseline: Path | None = None
    ignored: frozenset[str] = frozenset()
    site: str = ""

    def ignores(self, path: Path) -> bool:
        """Whether a file or folder is one that is not read."""
        if not self.ignored:
            return False
        whole = Path(os.path.abspath(path))
        return any(str(one) in self.ignored for one in (whole, *whole.parents))


def contracts_dir(flag: Path | None = None) -> Path:
    """Return the folder of the contracts: of the flag, or of CONTRACTS_DIR, or of the file, or `schemas`.

    Raises:
        ConfigurationError: `.env` or the file cannot be read.
    """
    if flag is not None:
        return flag
    told = environment.told().get("contracts_dir")
    return Path(told) if told is not None else find(Path.cwd()).schemas or SCHEMAS


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


def site_of(folder: Path, flag: str | None = None) -> str:
    """Return where the pages of the contracts in a folder are, of the flag or of the file; empty: nowhere.

    Raises:
        ConfigurationError: it is not the address of a site, or the file is not valid.
    """
    return find(folder).site if flag is None else _site(flag, "--site")


def _site(text: str, where: str) -> str:
    if not _SITE.fullmatch(text):
        fix = "write the address at which the pages of `contracts site` are, such as https://example.com/contracts/"
        raise ConfigurationError(f"{text!r} is not the address of a site", where=where, fix=fix)
    return f"{text.rstrip('/')}/"


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
    return _Reading(path).project(document)


class _Reading:
    """Checks what the file says.

    By hand, because every command reads it, and pydantic takes longer to load than most commands.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def project(self, document: dict[str, Any]) -> Project:
        self._refuse_others("", document, ("contracts", "lint"))
        said = self._table(document, "contracts")
        self._refuse_others("contracts.", said, ("schemas", *_DEFAULTS, "baseline", "ignore", "site"))
        defaults: dict[str, str] = {key: self._text(said, key) for key in _DEFAULTS if key in said}
        for key, values in (("subject_strategy", _STRATEGIES), ("compatibility", ("NONE", *_COMPATIBILITIES))):
            if defaults.get(key, values[0]) not in values:
                raise self._refusal(f"contracts.{key}", f"{defaults[key]!r} is not {_one_of(values)}")
        ignored = said.get("ignore", [])
        if not isinstance(ignored, list) or not all(isinstance(one, str) for one in ignored):
            raise self._refusal("contracts.ignore", "is not a list of texts")
        return Project(
            str(self.path),
            self._place(said, "schemas"),
            {rule: self._level(rule, level) for rule, level in self._table(document, "lint").items()},
            defaults,
            self._place(said, "baseline"),
            frozenset(os.path.abspath(self.path.parent / one) for one in ignored),
            self._site(said),
        )

    def _table(self, document: dict[str, Any], key: str) -> dict[str, Any]:
        found = document.get(key, {})
        if not isinstance(found, dict):
            raise self._refusal(key, f"is not a table: write [{key}]")
        return found

    def _text(self, table: dict[str, Any], key: str) -> str:
        found = table[key]
        if not isinstance(found, str) or not found:
            raise self._refusal(f"contracts.{key}", "is not a text, or is empty")
        return found

    def _site(self, table: dict[str, Any]) -> str:
        return _site(self._text(table, "site"), f"{self.path}: contracts.site") if "site" in table else ""

    def _place(self, table: dict[str, Any], key: str) -> Path | None:
        return Path(os.path.relpath(self.path.parent / self._text(table, key))) if key in table else None

    def _level(self, rule: str, level: Any) -> str:
        if level not in _LEVELS:
            raise self._refusal(f"lint.{rule}", f"{level!r} is not {_one_of(_LEVELS)}")
        return str(level)

    def _refuse_others(self, around: str, table: dict[str, Any], valid: Sequence[str]) -> None:
        for key in table:
            if key not in valid:
                fix = f"valid names here: {', '.join(valid)}"
                raise ConfigurationError(f"unknown key '{around}{key}'", where=str(self.path), fix=fix)

    def _refusal(self, key: str, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"{key}: {what}", where=str(self.path), fix="see docs/reference/contract.md#contractstoml"
        )


def _one_of(values: Sequence[str]) -> str:
    return " or ".join([", ".join(map(repr, values[:-1])), repr(values[-1])])
