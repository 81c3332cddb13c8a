"""Values of the types without parts, as `producers.publish` takes them."""

from __future__ import annotations

import math
import struct
import uuid
from collections.abc import Callable
from datetime import time
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Enum, Field, Fixed, Primitive
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.sample import grids, meaning, texts
from avro_data_contracts.contracts.sample.asked import Asked
from avro_data_contracts.contracts.sample.chance import Chance, NotFound

Draw = Callable[[Chance], Any]

_TRIES: Final = 50
_FLOAT: Final = struct.Struct("<f")
_DAY_US: Final = 86_400_000_000
_LONGS: Final = (-(2**63), 2**63 - 1)
#: 2020 to 2025, in nanoseconds.
_USUAL_NANOS: Final = (1_577_836_800 * 10**9, 1_767_225_599 * 10**9)


def scalar(node: Primitive | Enum | Fixed, asked: Asked, field: Field | None, *, is_key: bool = False) -> Draw:
    """Return what draws a value that is asked for; `null` and `required` are the caller's.

    Args:
        field: its name and tags may say what the value means.
        is_key: the value is part of a key, where the empty one is not allowed, and rare ones should be rare.

    Raises:
        NotFound: there is no such value, or no rule can ask this of the type.
    """
    name = type_name(node)
    if grid := grids.grid_of(node, field):
        return grids.draw(grid, asked)
    if name in ("string", "enum") or (name == "uuid" and node.type == "string"):
        return texts.text(node, asked, field, is_key=is_key)
    if name in ("float", "double"):
        return _floating(asked, field, single=name == "float")
    if name == "boolean":
        return _boolean(asked)
    if name in ("bytes", "fixed"):
        return _bytes(node.size if isinstance(node, Fixed) else None, asked, is_key=is_key)
    return _OTHERS[name]


def _boolean(asked: Asked) -> Draw:
    values = [one for one in (True, False) if asked.one_of is None or one in asked.one_of]
    values = [one for one in values if one not in asked.excluded]
    if not values:
        raise NotFound
    return lambda chance: chance.choice(values)


def _floating(asked: Asked, field: Field | None, *, single: bool) -> Draw:
    found: tuple[float, float] | None = meaning.of(field, meaning.NUMBERS) if field else None
    wanted = found or (0.0, 1_000.0)
    low, high = -math.inf, math.inf
    strict = set()
    for operator, value in asked.bounds:
        if operator in (">", ">="):
            low = max(low, float(value))
        else:
            high = min(high, float(value))
        if operator in "<>":
            strict.add(float(value))
    if low > high:
        raise NotFound
    free = not asked.bounds and asked.one_of is None
    usual = max(low, wanted[0]), min(high, wanted[1])
    if usual[0] > usual[1]:
        width = max(wanted[1] - wanted[0], abs(low if math.isfinite(low) else high))
        usual = (low, min(high, low + width)) if low > wanted[1] else (max(low, high - width), high)
    edges = [0.0, -0.0, 1.5, -1.0, 1e-30, 3e38, low, high, *((math.nan,) if free else ())]
    listed = sorted(asked.one_of) if asked.one_of is not None else None

    def fits(one: float) -> bool:
        if one in asked.excluded or (listed is not None and one not in listed):
            return False
        return free or (low <= one <= high and one not in strict)

    def drawn(chance: Chance) -> float:
        for _ in range(_TRIES):
            if listed:
                one = float(chance.choice(listed))
            elif chance.edge():
                one = chance.choice(edges)
            else:
                one = chance.random.uniform(*usual)
                if math.isinf(one):  # both ends are, so that there is nothing in between
                    one = chance.random.uniform(*wanted)
                one = round(one, 2) if fits(round(one, 2)) else one
            if single:
                one = rounded(one)
            if fits(one):
                return one
        raise NotFound

    return drawn


def rounded(one: float) -> float:
    """The nearest number of 32 bits; infinite beyond them."""
    if not math.isfinite(one):
        return one
    try:
        (kept,) = _FLOAT.unpack(_FLOAT.pack(one))
    except OverflowError:
        return math.copysign(math.inf, one)
    return float(kept)


def _bytes(size: int | None, asked: Asked, *, is_key: bool) -> Draw:
    least, most = asked.span()
    if size is not None:
        if not least <= size or (most is not None and size > most):
            raise NotFound
        least = most = size
    least = max(least, 1) if is_key and size is None else least
    highest = least + 12 if most is None else most
    if least > highest:
        raise NotFound

    def drawn(chance: Chance) -> bytes:
        length = least if chance.edge() else chance.random.randint(least, min(highest, least + 12))
        if chance.edge():
            return chance.choice((b"\x00", b"\xff")) * length
        return chance.random.randbytes(length)

    return drawn


def _time(step: int) -> Draw:
    def drawn(chance: Chance) -> time:
        last = _DAY_US // step - 1
        number = chance.choice((0, last)) if chance.edge() else chance.random.randint(0, last)
        seconds, micros = divmod(number * step, 1_000_000)
        return time(seconds // 3600, seconds // 60 % 60, seconds % 60, micros)

    return drawn


def _nanos(chance: Chance) -> int:
    return chance.choice(_LONGS) if chance.edge() else chance.random.randint(*_USUAL_NANOS)


def _uuid(chance: Chance) -> bytes:
    return uuid.UUID(int=chance.random.getrandbits(128), version=4).bytes


def _duration(chance: Chance) -> bytes:
    """Months, days and milliseconds; the stream refuses more than 2^31 - 1 of the first two."""
    largest = (2**31 - 1, 2**31 - 1, 2**32 - 1)
    if chance.edge():
        return struct.pack("<III", *chance.choice(((0, 0, 0), largest)))
    usual = (24, 31, 86_400_000)
    return struct.pack("<III", *(chance.random.randint(0, one) for one in usual))


def _big_decimal(chance: Chance) -> bytes:
    """As Avro writes it: the digits as bytes with their length, then the scale."""
    number, scale = chance.random.randint(-(10**8), 10**8), chance.random.randint(0, 6)
    digits = number.to_bytes((number.bit_length() + 8) // 8, "big", signed=True)
    return bytes([2 * len(digits)]) + digits + bytes([2 * scale])


_OTHERS: Final[dict[str, Draw]] = {
    "null": lambda chance: None,
    "time-millis": _time(1_000),
    "time-micros": _time(1),
    "timestamp-nanos": _nanos,
    "local-timestamp-nanos": _nanos,
    "uuid": _uuid,
    "duration": _duration,
    "big-decimal": _big_decimal,
}
