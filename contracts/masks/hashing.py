"""The hash that stands for a value: HMAC-SHA-256 with a key from the environment.  Same value, same hash.

A value has one form in bytes, whichever type of Avro carries it: text and bytes as they are, numbers and booleans
as text, a decimal with all digits of its scale, a UUID in lower case, a date as 2026-06-30, a time of day in
microseconds since midnight, a moment in microseconds since 1970 (nanoseconds as they are).
"""

from __future__ import annotations

import datetime as dt
import hmac
import uuid
from decimal import Decimal
from typing import Any, Final

from avro_data_contracts.contracts.errors import ConfigurationError

#: A key that is shorter could be guessed.
LEAST_BYTES: Final = 16
_OF_THE_KEY: Final = b"avro-data-contracts: the id of this key"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


class Key:
    """A key for hashes.  Neither `repr` nor an error tells it.

    Args:
        text: of MASK_KEY.
        where: what needs it, for messages.

    Raises:
        ConfigurationError: it is missing, or too short to keep a secret.
    """

    def __init__(self, text: str, where: str) -> None:
        make = "set MASK_KEY to a key (make one: `openssl rand -hex 32`), and keep it: another key changes every hash"
        if not text:
            raise ConfigurationError("MASK_KEY is not set, and a mask hashes with it", where=where, fix=make)
        self.secret: Final = text.encode("utf-8", "surrogateescape")
        if len(self.secret) < LEAST_BYTES:
            what = f"MASK_KEY has fewer than {LEAST_BYTES} bytes, and could be guessed"
            raise ConfigurationError(what, where=where, fix=make)

    def __repr__(self) -> str:
        return f"<Key {self.id}>"

    @property
    def id(self) -> str:
        """Eight hex digits that tell keys apart, and do not tell the key."""
        return self._hex(_OF_THE_KEY)[:8]

    def of(self, value: Any, scale: int = 0) -> str | None:
        """Return the hash of a decoded value; null has none.

        Args:
            value: as fastavro decodes it.
            scale: of a decimal.
        """
        return None if value is None else self._hex(canonical(value, scale))

    def _hex(self, data: bytes) -> str:
        return hmac.new(self.secret, data, "sha256").hexdigest()


def canonical(value: Any, scale: int = 0) -> bytes:
    """Return the one form of a value in bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return _text(value, scale).encode("utf-8")


def _text(value: Any, scale: int) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return f"{value:.{scale}f}"
        case uuid.UUID():
            return str(value)
        case dt.datetime():
            return str(((value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - _EPOCH) // _MICROSECOND)
        case dt.date():
            return value.isoformat()
        case dt.time():
            return str((dt.datetime.combine(_EPOCH, value, dt.UTC) - _EPOCH) // _MICROSECOND)
    raise TypeError(f"a {type(value).__name__} has no form for a hash")
