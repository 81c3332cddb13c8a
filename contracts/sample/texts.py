"""Texts, symbols of enums, and UUIDs as texts."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Final

from avro_data_contracts.contracts.avro.nodes import Enum, Field, Fixed, Primitive
from avro_data_contracts.contracts.quality.patterns import Pattern
from avro_data_contracts.contracts.sample import matching, meaning
from avro_data_contracts.contracts.sample.asked import Asked
from avro_data_contracts.contracts.sample.chance import Chance, NotFound

Write = Callable[[Chance], str]

_TRIES: Final = 60
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Texts that somebody has not thought of.
_EDGES: Final = (
    "",
    " ",
    "NULL",
    "0",
    "-1",
    "true",
    " \t\n'\"\\,{}[]",
    "\x01\x7f\u200c\u2028",
    "日本語 \U0001f600 e\u0301 \ufffd\uffff",
    "\u202eright to left\u202c",
    "ﬁ ß İ",
    "x" * 1_000,
)
_FILLING: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


def text(node: Primitive | Enum | Fixed, asked: Asked, field: Field | None, *, is_key: bool) -> Write:
    """Return what writes a text.  Raises as `scalars.scalar`."""
    least, most = asked.span()
    least = max(least, 1) if is_key else least
    if most is not None and least > most:
        raise NotFound
    allowed = None if asked.one_of is None else sorted(one for one in asked.one_of if isinstance(one, str))
    is_uuid = isinstance(node, Primitive) and node.logical is not None
    if isinstance(node, Enum):
        allowed = [one for one in node.symbols if allowed is None or one in allowed]

    def fits(one: str) -> bool:
        if len(one) < least or (most is not None and len(one) > most):
            return False
        if one in asked.excluded or (is_uuid and not _UUID.fullmatch(one)):
            return False
        if not all(pattern.compiled.fullmatch(one) for pattern in asked.patterns):
            return False
        return not any(pattern.compiled.fullmatch(one) for pattern in asked.unlike)

    if allowed is not None:
        listed = [one for one in allowed if fits(one)]
        if not listed:
            raise NotFound
        return lambda chance: chance.choice(listed)
    is_free = not (asked.patterns or asked.unlike or asked.excluded)
    writers = _writers(asked, field, least, most, is_uuid=is_uuid, is_key=is_key)

    def written(chance: Chance) -> str:
        for attempt in range(_TRIES):
            one = _fitted(writers[min(attempt * len(writers) // _TRIES, len(writers) - 1)](chance), least, most)
            if fits(one):
                return one
        raise NotFound

    return _uuid if is_uuid and is_free else written


def _writers(
    asked: Asked, field: Field | None, least: int, most: int | None, *, is_uuid: bool, is_key: bool
) -> list[Write]:
    """What may write a fitting text: what the field means first, then what the rules ask."""
    means: Write | None = meaning.of(field, meaning.TEXTS) if field else None
    writers: list[Write] = [_uuid] if is_uuid else [means] if means else []
    for pattern in asked.patterns:
        writers += [_like(pattern, stretch) for stretch in (6, max(least, 12), 1)]
    if not writers:
        writers.append(_token if is_key else _any)
    if asked.unlike or asked.excluded or is_uuid:
        writers += [lambda chance: _uuid(chance).upper()] if is_uuid else [_any, _random(least, most)]
    return writers


def _like(pattern: Pattern, stretch: int) -> Write:
    return lambda chance: matching.text_of(pattern, chance, stretch)


def _random(least: int, most: int | None) -> Write:
    def random(chance: Chance) -> str:
        length = chance.random.randint(least, least + 8 if most is None else min(most, least + 8))
        return "".join(chance.choice("ab1 \n\t?\\é\U0001f600") for _ in range(length))

    return random


def _any(chance: Chance) -> str:
    if chance.edge():
        return chance.choice(_EDGES)
    return chance.fake(lambda faker: " ".join(faker.words(chance.random.randint(1, 4))))


def _token(chance: Chance) -> str:
    return "".join(chance.choice(_FILLING) for _ in range(12))


def _uuid(chance: Chance) -> str:
    return str(uuid.UUID(int=chance.random.getrandbits(128), version=4))


def _fitted(one: str, least: int, most: int | None) -> str:
    """Cut or lengthen a text to the length that is asked for."""
    if most is not None and len(one) > most:
        return one[:most]
    return one + (_FILLING * (least // len(_FILLING) + 1))[: least - len(one)] if len(one) < least else one
