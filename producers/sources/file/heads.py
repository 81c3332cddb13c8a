"""Tells whether a file is the one that an earlier run read, although more may have been appended to it."""

from __future__ import annotations

import hashlib
from typing import Final

from avro_data_contracts.contracts.errors import ConfigurationError

#: How many bytes at the beginning count.
BYTES: Final = 64 << 10


class Head:
    """The first bytes of a file, as they are read."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; those after the first `BYTES` do not matter."""
        if len(self._bytes) < BYTES:
            self._bytes += chunk[: BYTES - len(self._bytes)]

    def text(self, end: int) -> str:
        """The number and the digest of those before `end`."""
        begun = bytes(self._bytes[:end])
        return f"{len(begun)}:{hashlib.sha256(begun).hexdigest()}"

    def check(self, text: str, where: str) -> None:
        """Raise ConfigurationError unless `text` is of the same file."""
        count, _, digest = text.partition(":")
        begun = bytes(self._bytes[: int(count)])
        if len(begun) < int(count) or hashlib.sha256(begun).hexdigest() != digest:
            raise ConfigurationError(
                "this is not the file that the earlier run read",
                where=where,
                fix="run without --resume; a record that arrives twice is one row",
            )
