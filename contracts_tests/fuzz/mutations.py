"""Records for a fuzzed topic: valid ones, and ones damaged in every way.

This module does not know whether a record is valid: the oracle decides that from the bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from contracts_tests.fuzz.contracts import UNKNOWN_FROM, Fuzzed
from contracts_tests.fuzz.oracle import Known
from contracts_tests.fuzz.writing import Body, Piece, Values, joined, varint, write

VALUE_HEADER, KEY_HEADER = "__value_schema_id", "__key_schema_id"
_NUMBERS = ("int", "long", "branch", "enum", "length", "count", "size")
_EDGES = (0, 1, -1, 2, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32, 3_000_000_000, 2**53 + 1, 2**63 - 1, -(2**63))
_CLAIMS = (1_000, 10_001, 999_999, 1_000_001, 60_000_000, 2_000_000_000, 2**40, 2**63 - 1, -(2**63))
_NAMES = ("trace", "é", "", "contracts.reason", "__connect.errors.topic", "contracts.value.left.out", KEY_HEADER)
_FIRST_MS = 1_600_000_000_000
Mutation = Callable[[Body, random.Random], Body]


def framing(schema_id: int) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big")


# -- bodies, piece by piece ----------------------------------------------------------------------------------------


def _one(body: Body, rng: random.Random, *kinds: str) -> int | None:
    """Choose a random piece of these kinds; None if there is none."""
    places = [at for at, piece in enumerate(body) if not kinds or piece.what in kinds]
    return rng.choice(places) if places else None


def _replacing(*kinds: str) -> Callable[[Callable[[Piece, random.Random], bytes]], Mutation]:
    def made(change: Callable[[Piece, random.Random], bytes]) -> Mutation:
        def mutation(body: Body, rng: random.Random) -> Body:
            at = _one(body, rng, *kinds)
            if at is None:
                return body
            return [*body[:at], Piece(body[at].what, change(body[at], rng)), *body[at + 1 :]]

        return mutation

    return made


def _number(raw: bytes) -> int:
    value = sum((byte & 0x7F) << 7 * number for number, byte in enumerate(raw))
    return (value >> 1) ^ -(value & 1)


@_replacing("int", "branch", "enum")
def more_bits(piece: Piece, rng: random.Random) -> bytes:
    """Change an int to 33 bits or more: 2**31, as Python's serializers send it, or the same lower bits."""
    number = _number(piece.raw)
    return varint(rng.choice((number + 2**32, number - 2**32, 2**31, -(2**31) - 1, 3_000_000_000, 2**34 - 1, 2**40)))


@_replacing("long", "length", "count", "size")
def tenth_byte(piece: Piece, rng: random.Random) -> bytes:
    whole = bytearray(varint(_number(piece.raw), at_least=10))
    whole[9] = rng.choice((whole[9] | 0x7E, whole[9] | 2, 0x80, 0xFF))
    return bytes(whole) + rng.choice((b"", b"\0"))


@_replacing(*_NUMBERS)
def more_bytes(piece: Piece, rng: random.Random) -> bytes:
    """Write the same number in more bytes than it needs, which is unusual but valid."""
    most = 6 if piece.what in ("int", "branch", "enum") else 11
    return varint(_number(piece.raw), at_least=rng.randint(2, most))


@_replacing("boolean")
def neither_true_nor_false(piece: Piece, rng: random.Random) -> bytes:
    return bytes([rng.choice((2, 3, 128, 255))])


@_replacing("branch", "enum")
def another_index(piece: Piece, rng: random.Random) -> bytes:
    return varint(rng.choice((-1, 0, 1, 2, 3, 7, 100, -(2**31), 2**31 - 1)))


@_replacing("int", "long")
def another_number(piece: Piece, rng: random.Random) -> bytes:
    return varint(rng.choice(_EDGES))


@_replacing("length")
def another_length(piece: Piece, rng: random.Random) -> bytes:
    length = _number(piece.raw)
    return varint(rng.choice((length + 1, length - 1, -1, 0, -length, 64 * 1024 * 1024 + 1, 2**31, 2**40, 2**63 - 1)))


@_replacing("count")
def another_count(piece: Piece, rng: random.Random) -> bytes:
    count = _number(piece.raw)
    return varint(rng.choice((count + 1, count - 1, -count, *_CLAIMS, *(-one for one in _CLAIMS[:-1]))))


@_replacing("size")
def another_size(piece: Piece, rng: random.Random) -> bytes:
    size = _number(piece.raw)
    return varint(rng.choice((0, size + 1, size - 1, -1, -size, 2 * size, 2**31, 2**63 - 1, -(2**63))))


@_replacing("count")
def count_and_size(piece: Piece, rng: random.Random) -> bytes:
    """Write a negative count with a size that is probably wrong."""
    count = abs(_number(piece.raw))
    return varint(-count) + varint(rng.choice((0, 1, count, 2 * count, -1, 2**40)))


@_replacing("text", "bytes")
def no_text(piece: Piece, rng: random.Random) -> bytes:
    """Keep the length, but put in invalid UTF-8 or U+0000."""
    if not piece.raw:
        return piece.raw
    at = rng.randrange(len(piece.raw))
    return piece.raw[:at] + rng.choice((b"\0", b"\xff", b"\xc0", b"\xed", b"\x80")) + piece.raw[at + 1 :]


def large(body: Body, rng: random.Random) -> Body:
    """Replace a text or bytes with one of up to a megabyte."""
    at = _one(body, rng, "text", "bytes")
    if at is None or body[at - 1].what != "length":
        return body
    size = rng.choice((1_000, 70_000, 300_000, rng.randrange(900_000)))
    raw = rng.choice((b"x" * size, "é".encode() * (size // 2), rng.randbytes(size)))
    return [*body[: at - 1], Piece("length", varint(len(raw))), Piece(body[at].what, raw), *body[at + 1 :]]


def claim_after_claim(body: Body, rng: random.Random) -> Body:
    """Insert many blocks with modest counts that add up."""
    at = _one(body, rng, "count")
    if at is None:
        return body
    claim = varint(rng.choice((1, 1_000, 200_000)))
    return [*body[:at], Piece("count", claim * rng.choice((3, 100, 20_000))), *body[at:]]


def deeper(body: Body, rng: random.Random) -> Body:
    """Repeat some pieces: deep nesting in a recursive type, garbage in any other."""
    at = _one(body, rng, "branch", "count")
    if at is None:
        return body
    few = body[at : at + rng.randint(1, 4)]
    return [*body[:at], *(few * rng.choice((3, 30, 400, 20_000))), *body[at:]]


def without_a_piece(body: Body, rng: random.Random) -> Body:
    at = _one(body, rng)
    return body if at is None else body[:at] + body[at + 1 :]


def twice_a_piece(body: Body, rng: random.Random) -> Body:
    at = _one(body, rng)
    return body if at is None else body[: at + 1] + body[at:]


def exchanged(body: Body, rng: random.Random) -> Body:
    body = list(body)
    one, other = _one(body, rng), _one(body, rng)
    if one is not None and other is not None:
        body[one], body[other] = body[other], body[one]
    return body


# -- bodies, byte by byte ------------------------------------------------------------------------------------------


def truncated(raw: bytes, rng: random.Random) -> bytes:
    return raw[: rng.randint(0, len(raw))]


def flipped(raw: bytes, rng: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 8)) if found else 0):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def another_byte(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(raw))
    return (
        raw[:at] + bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))]) + raw[at + rng.randint(0, 1) :]
    )


def extended(raw: bytes, rng: random.Random) -> bytes:
    return raw + rng.randbytes(rng.choice((1, 1, 5, 100)))


PIECEWISE: Sequence[Mutation] = (
    more_bits, tenth_byte, more_bytes, neither_true_nor_false, another_index, another_number, another_length,
    another_count, another_size, count_and_size, no_text, claim_after_claim, deeper, without_a_piece, twice_a_piece,
    exchanged,
)  # fmt: skip
BYTEWISE: Sequence[Callable[[bytes, random.Random], bytes]] = (truncated, flipped, another_byte, extended)


# -- records -------------------------------------------------------------------------------------------------------


class Records:
    """Generates records of one topic, as keyword arguments of `Producer.produce`.

    Args:
        seed: the same seed and the same schema ids give the same records.
    """

    def __init__(self, fuzzed: Fuzzed, seed: int, *, large: float = 0.001) -> None:
        self._fuzzed, self._rng, self._large = fuzzed, random.Random(seed), large
        self._last = b""
        self._unknown = UNKNOWN_FROM

    def next(self) -> dict[str, Any]:
        rng, named = self._rng, []
        key, value = self._key(), rng.choice((None, b"", rng.randbytes(9)))
        if self._fuzzed.keys is not None and rng.random() < 0.08:
            (key, named), value = self._framed(self._fuzzed.keys, KEY_HEADER), None
        elif rng.random() < 0.99:
            value, named = self._framed(self._fuzzed.values, VALUE_HEADER)
        headers = self._headers()
        at = rng.randint(0, len(headers))
        millis = _FIRST_MS + rng.randrange(2_000) if rng.random() < 0.99 else rng.randint(1, 999)
        return {"key": key, "value": value, "headers": headers[:at] + named + headers[at:], "timestamp": millis}

    def _framed(self, known: Known, header: str) -> tuple[bytes | None, list[tuple[str, bytes | None]]]:
        """Return a value, or the key of a tombstone, with its schema id headers."""
        rng = self._rng
        schema_id = rng.choice(sorted(known.readable))
        body = self._body(known, schema_id)
        if rng.random() < 0.08:
            return self._badly_framed(known, header, schema_id, body)
        if rng.random() < 0.025:
            return framing(self._new_id()) + body, []
        if rng.random() < 0.15:
            return body, [(header, framing(schema_id))]
        return framing(schema_id) + body, []

    def _body(self, known: Known, schema_id: int) -> bytes:
        rng, writer = self._rng, known.readable[schema_id]
        values = Values(rng, odd=rng.choice((0, 0, 0, 0, 0.05)))
        body = write(writer, self._fuzzed.identify(writer, values.of(writer), rng), rng)
        if rng.random() < self._large:
            body = large(body, rng)
        kind = rng.random()
        if kind < 0.72:
            raw = joined(body)
        elif kind < 0.9:
            for _ in range(rng.choice((1, 1, 1, 2, 4))):
                body = rng.choice(PIECEWISE)(body, rng)
            raw = joined(body)
        elif kind < 0.98:
            raw = joined(body)
            for _ in range(rng.choice((1, 1, 2))):
                raw = rng.choice(BYTEWISE)(raw, rng)
        else:  # spliced with the previous body
            raw = joined(body)
            raw = raw[: rng.randint(0, len(raw))] + self._last[rng.randint(0, len(self._last)) :]
        self._last = raw[:10_000]
        return raw[:1_000_000]

    def _badly_framed(
        self, known: Known, header: str, schema_id: int, body: bytes
    ) -> tuple[bytes | None, list[tuple[str, bytes | None]]]:
        rng, good = self._rng, framing(schema_id)
        wrong = framing(rng.choice((self._new_id(), *known.foreign, *known.incompatible, 0, 2**31 - 1)))
        negative = b"\0" + rng.choice((b"\x80\0\0\0", b"\xff\xff\xff\xff", bytes([rng.randint(128, 255)]) + good[2:]))
        malformed = rng.choice(
            (None, b"", b"\0", good[:4], good + b"\0", b"\2" + good[1:], b"\1" + good[1:], b"\1" * 18)
        )
        guid = b"\1" + rng.randbytes(16)
        choices: list[tuple[bytes | None, list[tuple[str, bytes | None]]]] = [
            (wrong + body, []),
            (wrong + body, []),
            (negative + body, []),
            (bytes([rng.randint(1, 255)]) + good[1:] + body, []),
            (rng.randbytes(5) + body, []),
            (good[: rng.randint(0, 4)], []),
            (b'{"json": 1}', []),
            (flipped(good, rng) + body, []),
            (good, []),
            (None, []),
            (body, [(header, wrong)]),
            (body, [(header, negative)]),
            (body, [(header, malformed)]),
            (good + body, [(header, malformed)]),
            (body, [(header, guid)]),
            (body, [(header, malformed), (header, good)]),
            (body, [(header, good), (header, malformed)]),
            (body, [(header, wrong), (header, good)]),
            (good + body, [(header, good)]),
            (b"", [(header, good)]),
            (None, [(header, good)]),
            (None, [(header, malformed)]),
        ]
        return rng.choice(choices)

    def _new_id(self) -> int:
        self._unknown += 1
        return self._unknown

    def _key(self) -> bytes | None:
        rng = self._rng
        return rng.choice(
            (None, b"", rng.randbytes(8), b"k%d" % rng.randrange(50), rng.randbytes(rng.randint(1, 300)))
        )

    def _headers(self) -> list[tuple[str, bytes | None]]:
        rng = self._rng
        if rng.random() < 0.7:
            return []
        many = rng.randint(1, 4)
        return [(rng.choice(_NAMES), rng.choice((None, b"", b"text", rng.randbytes(6)))) for _ in range(many)]
