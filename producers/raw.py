"""A message as it is, whatever it is: for what only bytes can show (`contracts.sample.messages`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Raw:
    """A message without a key, which nothing checks.

    Attributes:
        value: None for a tombstone.
        timestamp: in milliseconds; 0: that of the moment when it is sent.
    """

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0
