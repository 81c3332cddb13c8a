"""Where a source goes on: a file for each contract and topic, beside the stream's checkpoints (ADR 25)."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings

LAYOUT: Final = 1
FILE: Final = "source.json"


@dataclass(frozen=True)
class Origin:
    """What a position belongs to.

    Attributes:
        url: address of the source, without secrets.
        param: parameter that the position is sent in.
        cursor: expression that gives a record's place.
    """

    url: str
    param: str
    cursor: str


class Positions:
    """The position of a contract's source in its topic as it is now.

    A topic that was deleted and created again has lost what was before the position, so it has none.

    Attributes:
        file: where it is.
    """

    def __init__(self, settings: Settings, contract: Contract, origin: Origin) -> None:
        topic_id = Topics(settings).id_of(contract.topic)
        self.file = settings.checkpoint_dir / contract.name / f"topic-{topic_id}" / FILE
        self._known = {"layout": LAYOUT, "contract": contract.name, "topic": contract.topic, **asdict(origin)}
        self._lock: IO[str] | None = None
        self._kept: str | None = None

    def claim(self) -> str | None:
        """Keep every other producer of this source out until the process ends, and return the position.

        Returns:
            None before the first run.

        Raises:
            ServiceError: another producer is running.
            ConfigurationError: the file belongs to another source, is not readable, or has no place on the disk.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = self.file.with_name("source.lock").open("w")
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                "another producer of this contract reads from its source",
                where=str(self.file),
                fix="wait until it ends, or stop it (kill -TERM); two would send everything twice",
                server="",
            ) from None
        return self._read()

    def keep(self, position: str) -> None:
        """Write it, if it is another: all of it or nothing, even when the power fails.

        Raises:
            ConfigurationError: the disk does not take it.
        """
        if position == self._kept:
            return
        try:
            self._write(position)
        except OSError as error:
            raise self._unwritable(error) from None
        self._kept = position

    def _write(self, position: str) -> None:
        document = {**self._known, "position": position, "kept": datetime.now(UTC).isoformat(timespec="seconds")}
        draft = self.file.with_name(f".{FILE}")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.file)
        _sync(self.file.parent)

    def _read(self) -> str | None:
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._refusal(f"it cannot be read ({error})") from None
        try:
            document: Any = json.loads(text)
            position = document["position"]
            known = {name: document[name] for name in self._known}
        except (ValueError, KeyError, TypeError) as error:
            raise self._refusal(f"this program did not write it ({type(error).__name__})") from None
        if not isinstance(position, str):
            raise self._refusal("its position is not text")
        for name, wanted in self._known.items():
            if known[name] != wanted:
                raise self._refusal(f"its {name} is {known[name]!r}, and the contract's is {wanted!r}")
        return position

    def _unwritable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"how far the source was read cannot be written down: {error.strerror or error}",
            where=str(self.file),
            fix="make room, correct the permissions, or set CHECKPOINT_DIR; then run again: a record that arrives "
            "twice is one row",
        )

    def _refusal(self, why: str) -> ConfigurationError:
        away = _free(self.file)
        return ConfigurationError(
            f"the position is not that of this source: {why}",
            where=str(self.file),
            fix=f"move it away: mv '{self.file}' '{away}'. The source is then read from its start; a record that "
            "arrives twice is one row",
        )


def _free(file: Path) -> Path:
    number, away = 0, file.with_name(f"{file.name}.away")
    while away.exists():
        number += 1
        away = file.with_name(f"{file.name}.away{number}")
    return away


def _sync(folder: Path) -> None:
    """Have the disk keep the new name of a file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
