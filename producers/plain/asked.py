"""What a user asks to be read more generously than the table of conversions does: `--coerce`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from avro_data_contracts.contracts.errors import ConfigurationError

#: Name -> what it allows.  `zone` also takes the name of a time zone.
NAMES: Final = {
    "numbers": "a number may be written as text",
    "booleans": "true and false may be yes and no, t and f, y and n, 1 and 0, in any case",
    "epoch": "a date, time or timestamp may be the number that Avro stores, in the unit of its type",
    "extra-fields": "a field that the contract does not have is left out",
    "first-type": "where several types of a union take a value, the first of them wins",
    "zone": "zone=Europe/Vienna: a timestamp without an offset is a time of that zone",
}


@dataclass(frozen=True)
class Asked:
    """One flag for each of `NAMES`; nothing by default."""

    numbers: bool = False
    booleans: bool = False
    epoch: bool = False
    extra_fields: bool = False
    first_type: bool = False
    zone: ZoneInfo | None = None

    @classmethod
    def of(cls, words: Iterable[str]) -> Asked:
        """Read the values of `--coerce`.  Raises ConfigurationError for an unknown one."""
        flags: dict[str, Any] = {}
        for word in words:
            name, given, zone = word.partition("=")
            if name not in NAMES or (name == "zone") is not bool(given):
                raise ConfigurationError(
                    f"--coerce {word!r} is not known", fix=f"valid: {', '.join(NAMES)} (zone=Europe/Vienna)"
                )
            flags[name.replace("-", "_")] = _zone(zone) if name == "zone" else True
        return cls(**flags)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(
            f"--coerce zone={name}: this machine does not know that time zone",
            fix="give its name in the IANA database, e.g. Europe/Vienna; `pip install tzdata` if the system has none",
        ) from None
