"""Random values of a type, and their bytes in pieces that a mutation can change."""

from __future__ import annotations

import random
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts_tests.fuzz.nodes import Node
from contracts_tests.fuzz.oracle import Branch

Body = list["Piece"]

_INT, _LONG = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_TEXTS = ("", "plain", "é", "日本語 \U0001f600", "'\"\\,{}[]\n\t ", "\x01\x7f\u200c\u2028", "\ufffd\uffff", "NULL")
_DAY_S = 86_400
_YEARS = (-62_135_596_800, 253_402_300_799)


@dataclass
class Piece:
    """A unit of bytes in a body.

    Attributes:
        what: int, long, branch, enum, boolean, length, count, size, text, bytes, fixed or float.
        raw: the bytes.
    """

    what: str
    raw: bytes


def joined(body: Body) -> bytes:
    return b"".join(piece.raw for piece in body)


def varint(value: int, *, at_least: int = 0) -> bytes:
    """Encode a number as Avro does, in at least that many bytes."""
    raw = value << 1 if value >= 0 else (-value << 1) - 1
    found = bytearray()
    while raw > 0x7F or len(found) + 1 < at_least:
        found.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*found, raw])


def write(node: Node, value: Any, rng: random.Random) -> Body:
    """Return the pieces of a value.  Arrays and maps sometimes have several blocks, and blocks with sizes."""
    match node.kind:
        case "null":
            return []
        case "boolean":
            return [Piece("boolean", bytes([value]))]
        case "int" | "long":
            return [Piece(node.kind, varint(value))]
        case "float":
            return [Piece("float", struct.pack("<f", value))]
        case "double":
            return [Piece("float", struct.pack("<d", value))]
        case "string" | "bytes":
            raw = value.encode() if isinstance(value, str) else value
            return [Piece("length", varint(len(raw))), Piece("text" if node.kind == "string" else "bytes", raw)]
        case "fixed":
            return [Piece("fixed", value)]
        case "enum":
            return [Piece("enum", varint(node.symbols.index(value)))]
        case "union":
            branch = [Piece("branch", varint(value.number))]
            return branch + write(node.inner[value.number], value.value, rng)
        case "record":
            return [piece for one in node.fields for piece in write(one.type, value[one.name], rng)]
    items = [
        (write(Node("string"), key, rng) if node.kind == "map" else []) + write(node.inner[0], one, rng)
        for key, one in (value.items() if isinstance(value, Mapping) else enumerate(value))
    ]
    return _blocks(items, rng)


def _blocks(items: list[Body], rng: random.Random) -> Body:
    found: Body = []
    while items:
        many = len(items) if rng.random() < 0.8 else rng.randint(1, len(items))
        block = [piece for item in items[:many] for piece in item]
        if rng.random() < 0.3:
            found += [Piece("count", varint(-many)), Piece("size", varint(len(joined(block))))]
        else:
            found.append(Piece("count", varint(many)))
        found += block
        items = items[many:]
    return [*found, Piece("count", b"\0")]


class Values:
    """Generates values of any type, most of which both stores can hold.

    Args:
        odd: share of scalars at an edge of their type or beyond what a store can hold.
        items: maximum number of items of an array or a map.
    """

    def __init__(self, rng: random.Random, *, odd: float = 0.02, items: int = 3) -> None:
        self._rng, self._odd, self._items = rng, odd, items

    def of(self, node: Node, depth: int = 0) -> Any:
        """Return a value.  `depth` is its nesting level, which limits recursive types."""
        rng = self._rng
        match node.kind:
            case "union":
                ends = [number for number, one in enumerate(node.inner) if one.kind == "null"]
                number = ends[0] if ends and depth > 12 else rng.randrange(len(node.inner))
                return Branch(number, self.of(node.inner[number], depth + 1))
            case "record":
                return {one.name: self.of(one.type, depth + 1) for one in node.fields}
            case "array":
                return [self.of(node.inner[0], depth + 1) for _ in range(self._count(depth))]
            case "map":
                keys = ["", "é", *(f"k{number}" for number in range(self._items))]
                return {key: self.of(node.inner[0], depth + 1) for key in rng.sample(keys, self._count(depth))}
        return self._scalar(node)

    def _count(self, depth: int) -> int:
        return 0 if depth > 12 else self._rng.randint(0, self._items)

    def _scalar(self, node: Node) -> Any:
        rng = self._rng
        odd = rng.random() < self._odd
        match node.type_name:
            case "null":
                return None
            case "boolean":
                return rng.random() < 0.5
            case "date":
                return rng.choice((-719_163, 2_932_897, *_INT)) if odd else rng.randint(-719_162, 2_932_896)
            case "time-millis" | "time-micros":
                last = _DAY_S * (1_000 if node.kind == "int" else 1_000_000)
                return rng.choice((-1, last, 2**31 - 1)) if odd else rng.choice((0, last - 1, rng.randrange(last)))
            case "timestamp-millis" | "local-timestamp-millis":
                return self._moment(1_000, odd=odd)
            case "timestamp-micros" | "local-timestamp-micros":
                return self._moment(1_000_000, odd=odd)
            case "decimal":
                return self._decimal(node, odd=odd)
            case "duration":
                most = 2**32 - 1 if odd else 2**31 - 1
                months, days = (rng.choice((0, most, rng.randint(0, 400))) for _ in range(2))
                return struct.pack("<III", months, days, rng.choice((0, 2**32 - 1, rng.getrandbits(32))))
            case "uuid":
                made = uuid.UUID(int=rng.getrandbits(128))
                if node.kind == "fixed":
                    return made.bytes
                text = rng.choice((str(made), str(made).upper()))
                return rng.choice((text + "\n", text[1:], text.replace("-", ""), f"{{{text}}}", "")) if odd else text
            case "int" | "timestamp-nanos" | "local-timestamp-nanos" | "long":
                low, high = _INT if node.kind == "int" else _LONG
                if rng.random() < 0.6:
                    return rng.randint(-(2**20), 2**20)
                return rng.choice((low, high, 0, -1, 2**24, 2**24 + 1, 2**30, rng.randint(low, high)))
            case "float":
                return struct.unpack("<f", rng.randbytes(4) if odd else struct.pack("<f", rng.uniform(-9, 9)))[0]
            case "double":
                special = (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308)
                return rng.choice(special) if odd else rng.uniform(-1e9, 1e9)
            case "string":
                return rng.choice(("a\0b", "\0")) if odd else rng.choice((*_TEXTS, f"{rng.random()}"))
            case "bytes":
                return rng.choice((*_TEXTS, "x")).encode() if not odd else rng.randbytes(rng.choice((1, 2, 9, 40)))
            case "fixed":
                return rng.randbytes(node.size)
            case "enum":
                return rng.choice(node.symbols)
        raise AssertionError(node.type_name)

    def _moment(self, unit: int, *, odd: bool) -> int:
        first, last = _YEARS
        if odd:
            beyond = (first * unit - 1, (last + 1) * unit, 2**63 - 1, -(2**63), 9_223_372_036_854_776)
            return self._rng.choice(beyond)
        edges = (first * unit, (last + 1) * unit - 1, 0, -1)
        return self._rng.choice((*edges, self._rng.randrange(first * unit, last * unit)))

    def _decimal(self, node: Node, *, odd: bool) -> bytes:
        size = node.size or 17
        most = 10**node.precision - 1
        if node.kind == "bytes" and odd and self._rng.random() < 0.3:
            return b""
        number = most + 1 if odd else self._rng.choice((0, most, -most, self._rng.randint(-most, most)))
        if node.kind == "bytes" and self._rng.random() < 0.5:
            size = max(1, (number.bit_length() + 8) // 8)
        return number.to_bytes(size, "big", signed=True)
