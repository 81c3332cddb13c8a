"""What a user asks to be read more generously than the table of conversions does: `--coerce`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.producers.plain.epochs import UNITS, Epochs

#: Name -> what it allows.  `zone` takes the name of a time zone, and `epoch` may take a unit.
NAMES: Final = {
    "numbers": "a number may be written as text",
    "booleans": "true and false may be yes and no, t and f, y and n, 1 and 0, in any case",
    "epoch": "a date, time or timestamp may be the number that Avro stores, in the unit of its type; epoch=s, ms, us "
    "or ns: a timestamp may be a number in that unit",
    "extra-fields": "a field that the contract does not have is left out",
    "first-type": "where several types of a union take a value, the first of them wins",
    "zone": "zone=Europe/Vienna: a timestamp without an offset is a time of that zone",
}


@dataclass(frozen=True)
class Asked:
    """One flag for each of `NAMES`; nothing by default.

    Attributes:
        unit: that of `epoch=s`; empty for none.
        epochs: looks at the numbers that `epoch` without a unit lets pass.
    """

    numbers: bool = False
    booleans: bool = False
    epoch: bool = False
    extra_fields: bool = False
    first_type: bool = False
    zone: ZoneInfo | None = None
    unit: str = ""
    epochs: Epochs = field(default_factory=Epochs, compare=False, repr=False)

    @classmethod
    def of(cls, words: Iterable[str]) -> Asked:
        """Read the values of `--coerce`.  Raises ConfigurationError for an unknown one."""
        flags: dict[str, Any] = {}
        for word in words:
            name, given, value = word.partition("=")
            if name == "epoch" and given and value in UNITS:
                if flags.setdefault("unit", value) != value:
                    raise ConfigurationError(
                        f"--coerce epoch={flags['unit']} and --coerce {word} exclude each other",
                        fix="send the fields with different units as texts with dates, or convert the data before",
                    )
                continue
            if name not in NAMES or (name == "zone") is not bool(given):
                raise ConfigurationError(
                    f"--coerce {word!r} is not known",
                    fix=f"valid: {', '.join(NAMES)} (zone=Europe/Vienna; epoch={'|'.join(UNITS)})",
                )
            flags[name.replace("-", "_")] = _zone(value) if name == "zone" else True
        return cls(**flags)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(
            f"--coerce zone={name}: this machine does not know that time zone",
            fix="give its name in the IANA database, e.g. Europe/Vienna; `pip install tzdata` if the system has none",
        ) from None
