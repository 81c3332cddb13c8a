"""The logical type of a node.  Avro ignores one that it does not know, or whose base or parameters are wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Logical

#: The base type of each logical type that has only one.  Source: Avro 1.12, "Logical Types".
BASES: Final[Mapping[str, str]] = {
    "date": "int",
    "time-millis": "int",
    "time-micros": "long",
    "timestamp-millis": "long",
    "timestamp-micros": "long",
    "timestamp-nanos": "long",
    "local-timestamp-millis": "long",
    "local-timestamp-micros": "long",
    "local-timestamp-nanos": "long",
    "big-decimal": "bytes",
    "duration": "fixed",
    "uuid": "string",
    "decimal": "bytes",
}
DURATION_BYTES: Final = 12
UUID_BYTES: Final = 16
_INT_MAX: Final = 2**31 - 1


def logical_of(base: str, props: Mapping[str, Any], size: int = 0) -> Logical | None:
    """The logical type of a `base` with these attributes; None where there is none that Avro recognises.

    Args:
        base: a primitive's name, or `fixed`.
        size: bytes of a `fixed`.
    """
    name = props.get("logicalType")
    if not isinstance(name, str):
        return None
    if name == "decimal":
        return _decimal(base, props, size)
    if base == "fixed":
        fits = (name, size) in (("duration", DURATION_BYTES), ("uuid", UUID_BYTES))
    else:
        fits = BASES.get(name) == base
    return Logical(name) if fits else None


def meant(base: str, props: Mapping[str, Any], wanted: Logical, size: int = 0) -> bool:
    """Whether attributes that Avro ignored where they stood are meant as the logical type `wanted` of `base`."""
    name = props.get("logicalType")
    if not isinstance(name, str):
        return False
    read = logical_of(base, props, size)
    return read == wanted if read else nearest(name) == wanted.name


def nearest(name: str) -> str:
    """The logical type of that name, or the one whose name is most like it; empty for none."""
    return name if name in BASES else next(iter(get_close_matches(name.lower(), BASES, 1)), "")


def max_precision(size: int) -> int:
    """The number of decimal digits that every two's complement number of `size` bytes can hold."""
    return math.floor(math.log10(2) * (8 * size - 1)) if size > 0 else 0


def _decimal(base: str, props: Mapping[str, Any], size: int) -> Logical | None:
    precision: Any = props.get("precision")
    scale: Any = props.get("scale", 0)
    if base not in ("bytes", "fixed") or not _is_int(precision) or not _is_int(scale):
        return None
    limit = _INT_MAX if base == "bytes" else max_precision(size)
    if 0 < precision <= limit and 0 <= scale <= precision:
        return Logical(name="decimal", precision=precision, scale=scale)
    return None


def _is_int(value: Any) -> bool:
    return type(value) is int and -_INT_MAX - 1 <= value <= _INT_MAX
