"""`--reject FILE`: refused records in a file, instead of in the dead-letter topic."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any, BinaryIO

from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.producers.dead_letter import as_json
from avro_data_contracts.producers.rejection import Rejection


class RejectFile:
    """A file of JSON lines, which only its owner may read, because refused records have personal data.

    Args:
        append: to an existing file, for a run that goes on; otherwise the file must not exist.

    Attributes:
        refused: number of records in it from this run, by reason.

    Raises:
        ConfigurationError: the file exists already, or its folder cannot be written to.
    """

    def __init__(self, path: str, *, append: bool) -> None:
        self.where = path
        self.refused: Counter[str] = Counter()
        self._file: BinaryIO | None = None
        self._append = append
        if not append and os.path.lexists(path):
            raise ConfigurationError(
                "the file exists already",
                where=f"--reject {path}",
                fix="name another one, move it away, or add --resume to go on with it",
            )
        if os.path.isdir(path) or not os.access(os.path.dirname(path) or ".", os.W_OK):
            raise ConfigurationError("cannot write there", where=f"--reject {path}", fix="name a file in your folder")

    def refuse(self, given: Any, refusal: Rejection, *, position: str = "") -> None:
        """Write one record down.  Raises ServiceError when the disk does not take it."""
        told = {
            "position": position,
            "field": refusal.field,
            "reason": refusal.reason,
            "message": refusal.what,
        }
        line = json.dumps(told, ensure_ascii=False).encode()[:-1] + b', "record": ' + _json(given) + b"}\n"
        try:
            self._open().write(line)
        except OSError as error:
            raise self._failed(error) from None
        self.refused[refusal.reason] += 1

    def _open(self) -> BinaryIO:
        """Create the file with the first record: without one there is no file."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if self._append else os.O_EXCL)
            self._file = os.fdopen(os.open(self.where, flags, 0o600), "wb")
        return self._file

    def flush(self) -> None:
        """Bring everything onto the disk.  Raises as `refuse`."""
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> ServiceError:
        return ServiceError(
            f"cannot write: {error.strerror}",
            where=self.where,
            fix="make room, then run again with --resume",
            server="",  # a disk
        )


def _json(given: Any) -> bytes:
    """A line of a file as text, or as base64 if it is not UTF-8; anything else as JSON."""
    if not isinstance(given, bytes):
        return as_json(given)
    try:
        return as_json(given.decode())
    except UnicodeDecodeError:
        return as_json({"base64": given})
