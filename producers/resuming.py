"""How far a run came, on disk, for a later run with `--resume`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from avro_data_contracts.contracts.errors import ConfigurationError

log = structlog.get_logger()

_VERSION: Final = 1


class Progress:
    """The file that says how far the runs of one source into one topic have come.

    Args:
        facts: what makes it this source and this topic; another value of one of them is another file.
    """

    def __init__(self, folder: Path, facts: Mapping[str, str]) -> None:
        self._facts = dict(facts)
        name = hashlib.sha256(json.dumps(self._facts, sort_keys=True).encode()).hexdigest()[:16]
        self.file = folder / f"{name}.json"
        self._saved: Any = None
        self._told = False

    def read(self) -> Any:
        """Return what was saved last; None if nothing was.  Raises ConfigurationError if it cannot be read."""
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._broken(str(error)) from None
        if not isinstance(found, dict) or found.get("version") != _VERSION or found.get("of") != self._facts:
            raise self._broken("it has another layout")
        return found["at"]

    def save(self, at: Any) -> None:
        """Replace what was saved, unless it is the same.  A failure is a warning: the run itself is fine."""
        if at == self._saved:
            return
        text = json.dumps({"version": _VERSION, "of": self._facts, "at": at}, indent=1)
        beside = self.file.with_suffix(f".{os.getpid()}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.file)
        except OSError as error:
            if not self._told:
                log.warning("--resume will not work", file=str(self.file), why=error.strerror)
            self._told = True
            return
        self._saved = at

    def forget(self) -> None:
        """Begin again: a run without `--resume`."""
        try:
            self.file.unlink(missing_ok=True)
        except OSError as error:
            raise self._broken(error.strerror or "cannot be removed") from None

    def _broken(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"cannot use what an earlier run wrote down: {why}",
            where=str(self.file),
            fix="remove the file, and run without --resume",
        )


def folder(environment: Mapping[str, str]) -> Path:
    """Where such files are: XDG_STATE_HOME, by default ~/.local/state."""
    home = environment.get("XDG_STATE_HOME") or os.path.join(environment.get("HOME") or ".", ".local", "state")
    return Path(home) / "avro-data-contracts" / "producers"
