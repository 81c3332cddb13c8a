"""Which reference data each batch of a view saw, beside the checkpoint of its query.

A batch that begins notes the rows that it joins, and each further attempt at it joins the same rows: after a crash,
or when a server was away, it writes the rows that it wrote before.  One file for each batch, the last two of them,
names the data by its hash; one file for each hash has the rows, as Avro.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from avro_data_contracts.contracts.errors import ConfigurationError

FOLDER: Final = "references"
_ENDING: Final = ".avro"


@dataclass(frozen=True)
class Snapshot:
    """The rows of reference data at one moment.

    Attributes:
        schema: of all rows, an array in Avro.
        raw: the rows.
    """

    schema: str
    raw: bytes

    @property
    def content(self) -> bytes:
        return self.schema.encode() + b"\n" + self.raw

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Snapshots:
    """The files of one query.

    Args:
        checkpoint: the folder of the query's checkpoint.
        view: for messages.
    """

    def __init__(self, checkpoint: Path, view: str) -> None:
        self._folder = checkpoint / FOLDER
        self._view = view

    def of(self, batch: int) -> dict[str, Snapshot] | None:
        """Return the data that a batch began with, by the names in the SQL; None if it has not begun.

        Raises:
            ConfigurationError: the files are damaged.
        """
        try:
            named: dict[str, str] = json.loads((self._folder / str(batch)).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise self._damaged(str(batch)) from None
        return {name: self._read(digest) for name, digest in named.items()}

    def keep(self, batch: int, data: Mapping[str, Snapshot]) -> dict[str, Snapshot]:
        """Note the data that a batch begins with, unless another attempt has; return what is noted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for one in data.values():
            file = self._folder / f"{one.digest}{_ENDING}"
            if not file.exists():
                self._draft(one.content).replace(file)
        draft = self._draft(json.dumps({name: one.digest for name, one in data.items()}).encode())
        try:
            os.link(draft, self._folder / str(batch))  # not over the one of another attempt, which may have written
            found: dict[str, Snapshot] | None = dict(data)
        except FileExistsError:
            found = self.of(batch)
        finally:
            draft.unlink()
        assert found is not None
        self._clean(batch)
        return found

    def _draft(self, content: bytes) -> Path:
        draft = self._folder / f".{os.getpid()}-{threading.get_ident()}"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return draft

    def _clean(self, batch: int) -> None:
        """Delete what no batch begins with any more."""
        needed: set[str] = set()
        for one in self._folder.glob("[0-9]*"):
            if one.suffix == _ENDING:
                continue
            if int(one.name) < batch - 1:
                one.unlink(missing_ok=True)
            else:
                needed |= set(json.loads(one.read_text()).values())
        for one in self._folder.glob(f"*{_ENDING}"):
            if one.stem not in needed:
                one.unlink(missing_ok=True)

    def _read(self, digest: str) -> Snapshot:
        try:
            content = (self._folder / f"{digest}{_ENDING}").read_bytes()
        except OSError:
            raise self._damaged(f"{digest}{_ENDING}") from None
        schema, _, raw = content.partition(b"\n")
        if hashlib.sha256(content).hexdigest() != digest:
            raise self._damaged(f"{digest}{_ENDING}")
        return Snapshot(schema.decode(), raw)

    def _damaged(self, name: str) -> ConfigurationError:
        return ConfigurationError(
            f"the reference data that a batch of view {self._view} began with cannot be read: {name} is missing or "
            "damaged",
            where=str(self._folder),
            fix="bring the folder back; or run `python -m avro_data_contracts.streaming --contract NAME views "
            f"rebuild {self._view}`: it empties the view's tables, and the stream reads the topic from its beginning",
        )
