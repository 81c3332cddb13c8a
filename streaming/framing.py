"""The wire format of Confluent's serializers: a zero byte, four bytes of schema id, the body."""

from __future__ import annotations

MAGIC = b"\x00"
BYTES = 5


def of(schema_id: int) -> bytes:
    """What stands before the body of a value that was written with that schema."""
    return MAGIC + schema_id.to_bytes(BYTES - len(MAGIC), "big")


def schema_id(value: bytes | None) -> int | None:
    """The schema id of a value; None where it is not framed so."""
    if value is None or len(value) < BYTES or not value.startswith(MAGIC):
        return None
    return int.from_bytes(value[len(MAGIC) : BYTES], "big")
