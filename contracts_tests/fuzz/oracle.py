"""A second opinion on Kafka records, from their bytes alone and without any code of `streaming`.

It follows Avro's specification, docs/reference/types.md and docs/how-to/dead-letters.md in plain Python.  It is slow,
and enforces only the limits that those pages promise.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from contracts_tests.fuzz.nodes import NOTHING, Member, Node, takes_bytes

MOST_EMPTY_ITEMS = 10_000
DEEPEST = 200
MOST_BYTES = 64 * 1024 * 1024
_ROOM = 1_000_000
_INT, _LONG = 32, 64
_UUID = re.compile("-".join(f"[0-9a-fA-F]{{{digits}}}" for digits in (8, 4, 4, 4, 12)))
_DAYS = (-719_162, 2_932_896)
_SECONDS = (-62_135_596_800, 253_402_300_800)
_DAY_S = 86_400
_PER_SECOND = {"millis": 1_000, "micros": 1_000_000}
_MOST_IN_A_KEY = {"postgres": 2_500, "cassandra": 65_535}


class Branch(NamedTuple):
    """A value of a union: the number of the reader's branch, and the value."""

    number: int
    value: Any


class Malformed(Exception):
    """The body is not a record of its writer schema.

    Args:
        why: the reason in words.
        java_too: Avro's own Java reader refuses it too; otherwise it may accept it and alter its content.
    """

    def __init__(self, why: str, *, java_too: bool = True) -> None:
        super().__init__(why)
        self.java_too = java_too


def decode(body: bytes, writer: Node, reader: Node) -> Any:
    """Return the body's record as the reader schema sees it.  Raises Malformed."""
    walk = _Walk(body)
    record = walk.read(writer, reader, 0)
    if walk.at != len(body):
        raise Malformed(f"{len(body) - walk.at} bytes are left")
    return record


class _Walk:
    def __init__(self, body: bytes) -> None:
        self.body, self.at = body, 0
        self._empty = 0
        # Depth of blocks that Java skips by their size, without seeing their content.
        self._unseen = 0

    def read(self, writer: Node, reader: Node | None, depth: int) -> Any:
        """Read the next value; without a `reader` it is checked and dropped."""
        kind = writer.kind
        if kind == "union":
            branch = writer.inner[self._index(len(writer.inner), "union")]
            return self.read(branch, reader, self._deeper(depth))
        if reader is not None and reader.kind == "union":
            number = choose(writer, reader)
            return Branch(number, self.read(writer, reader.inner[number], depth))
        return getattr(self, f"_{kind}")(writer, reader, depth)

    # -- types -----------------------------------------------------------------------------------------------------

    def _null(self, writer: Node, reader: Node | None, depth: int) -> None:
        pass

    def _boolean(self, writer: Node, reader: Node | None, depth: int) -> bool:
        byte = self._take(1)[0]
        if byte > 1:
            raise Malformed("a boolean is 0 or 1", java_too=False)
        return byte == 1

    def _int(self, writer: Node, reader: Node | None, depth: int) -> int | float:
        return _promoted(self._varint(_INT), reader)

    def _long(self, writer: Node, reader: Node | None, depth: int) -> int | float:
        return _promoted(self._varint(_LONG), reader)

    def _float(self, writer: Node, reader: Node | None, depth: int) -> float:
        return struct.unpack("<f", self._take(4))[0]

    def _double(self, writer: Node, reader: Node | None, depth: int) -> float:
        return struct.unpack("<d", self._take(8))[0]

    def _bytes(self, writer: Node, reader: Node | None, depth: int) -> str | bytes:
        # Java skips a negative length as if it were zero.
        raw = self._take(self._length(java_too=reader is not None))
        return text_of(raw) if reader is not None and reader.kind == "string" else raw

    _string = _bytes

    def _fixed(self, writer: Node, reader: Node | None, depth: int) -> bytes:
        return self._take(writer.size)

    def _enum(self, writer: Node, reader: Node | None, depth: int) -> str:
        symbol = writer.symbols[self._index(len(writer.symbols), "enum", java_too=reader is not None)]
        if reader is None or symbol in reader.symbols:
            return symbol
        assert reader.default is not NOTHING, "the schemas are compatible"
        return reader.default

    def _record(self, writer: Node, reader: Node | None, depth: int) -> dict[str, Any]:
        inside, found = self._deeper(depth), {}
        for one in writer.fields:
            target = None if reader is None else field_of(reader, one)
            value = self.read(one.type, target and target.type, inside)
            if target is not None:
                found[target.name] = value
        for one in () if reader is None else reader.fields:
            if one.name not in found:
                found[one.name] = from_default(one.type, one.default)
        return found

    def _array(self, writer: Node, reader: Node | None, depth: int) -> list[Any]:
        inside, found = self._deeper(depth), []
        item, read_as = writer.inner[0], reader and reader.inner[0]

        def one() -> None:
            before = self.at
            found.append(self.read(item, read_as, inside))
            if self.at == before:
                self._empty += 1
                if self._empty > MOST_EMPTY_ITEMS:
                    raise Malformed("too many items that take no bytes", java_too=False)

        self._blocks(one, least=int(takes_bytes(item)), kept=reader is not None)
        return found

    def _map(self, writer: Node, reader: Node | None, depth: int) -> dict[str, Any]:
        inside, found = self._deeper(depth), {}
        item, read_as = writer.inner[0], reader and reader.inner[0]

        def one() -> None:
            raw = self._take(self._length(java_too=reader is not None))
            key = raw if reader is None else text_of(raw)
            if reader is not None and key in found:
                raise Malformed("a map has one key twice", java_too=False)
            found[key] = self.read(item, read_as, inside)

        self._blocks(one, least=1, kept=reader is not None)
        return found

    # -- parts -----------------------------------------------------------------------------------------------------

    def _blocks(self, one: Any, *, least: int, kept: bool) -> None:
        while (count := self._varint(_LONG)) != 0:
            size, sized = None, count < 0
            if sized:
                size = self._varint(_LONG)
            jumped = sized and not kept
            begin, self._unseen = self.at, self._unseen + jumped
            if abs(count) * least > len(self.body) - self.at:
                # Java skips dropped items one by one, and backwards at a negative length, so it may never end.
                # It turns the lowest possible count into 0; for some millions it allocates memory, maybe too much.
                told = kept and (abs(count) <= _ROOM or MOST_BYTES < abs(count) < 2**63)
                self._fail("more items than the body has bytes", java_too=told)
            for _ in range(abs(count)):
                one()
            self._unseen -= jumped
            if jumped and size != self.at - begin:
                self._fail("a block has another size than it says", java_too=False)

    def _deeper(self, depth: int) -> int:
        if depth >= DEEPEST:
            raise Malformed("nested too deep", java_too=False)
        return depth + 1

    def _fail(self, why: str, *, java_too: bool = True) -> None:
        raise Malformed(why, java_too=java_too and not self._unseen)

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.body):
            self._fail("the body ends too early")
        raw = self.body[self.at : end]
        self.at = end
        return raw

    def _length(self, *, java_too: bool) -> int:
        length = self._varint(_LONG)
        if length < 0:
            self._fail("a negative length", java_too=java_too)
        if length > MOST_BYTES:
            self._fail("longer than anything")
        return length

    def _index(self, count: int, what: str, *, java_too: bool = True) -> int:
        index = self._varint(_INT)
        if not 0 <= index < count:
            self._fail(f"none of the {what}'s", java_too=java_too)
        return index

    def _varint(self, bits: int) -> int:
        raw, most = 0, 5 if bits == _INT else 10
        for number in range(most):
            byte = self._take(1)[0]
            raw |= (byte & 0x7F) << 7 * number
            if byte < 0x80:
                if raw >> bits:
                    raise Malformed(f"a number of more than {bits} bits", java_too=False)
                return (raw >> 1) ^ -(raw & 1)
        self._fail(f"a number of more than {most} bytes")
        raise AssertionError


# -- resolution ----------------------------------------------------------------------------------------------------

_PROMOTIONS = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}


def choose(writer: Node, union: Node) -> int:
    """Return the union branch that reads a type: the same type, else the first that it promotes to."""
    same = [number for number, one in enumerate(union.inner) if one.kind == writer.kind]
    named = [number for number in same if union.inner[number].fullname == writer.fullname]
    if writer.name and named:
        return named[0]
    promoted = [number for number, one in enumerate(union.inner) if one.kind in _PROMOTIONS.get(writer.kind, ())]
    return (same or promoted)[0]


def field_of(reader: Node, written: Member) -> Member | None:
    """Return the reader's field for a written one; None if it is dropped."""
    for one in reader.fields:
        if one.name == written.name:
            return one
    return next((one for one in reader.fields if written.name in one.aliases), None)


def from_default(node: Node, default: Any) -> Any:
    """Convert a default from JSON to the value that a body would give."""
    match node.kind:
        case "union":
            return Branch(0, from_default(node.inner[0], default))
        case "bytes" | "fixed":
            return default.encode("latin-1")
        case "float" | "double":
            return float(default)
        case "array":
            return [from_default(node.inner[0], one) for one in default]
        case "map":
            return {key: from_default(node.inner[0], one) for key, one in default.items()}
        case "record":
            return {one.name: from_default(one.type, default.get(one.name, one.default)) for one in node.fields}
    return default


def text_of(raw: bytes) -> str:
    """Decode text that every store can hold.  Raises Malformed."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Malformed("no UTF-8", java_too=False) from None
    if "\0" in text:
        raise Malformed("U+0000", java_too=False)
    return text


def _promoted(value: int, reader: Node | None) -> int | float:
    """Promote a number as specified: round to the nearest number of the type, ties to even."""
    if reader is None or reader.kind not in ("float", "double"):
        return value
    more = max(0, value.bit_length() - (24 if reader.kind == "float" else 53))
    return float(round(Fraction(value, 1 << more)) << more)


# -- what no store can hold ----------------------------------------------------------------------------------------


def flaw(node: Node, value: Any) -> str:
    """Return why a store cannot hold the value; empty if both can."""
    match node.kind:
        case "union":
            return flaw(node.inner[value.number], value.value)
        case "record":
            return _first(flaw(one.type, value[one.name]) for one in node.fields)
        case "array":
            return _first(flaw(node.inner[0], one) for one in value)
        case "map":
            return _first(flaw(node.inner[0], one) for one in value.values())
    return _flaw_of_scalar(node, value)


def _flaw_of_scalar(node: Node, value: Any) -> str:
    logical, unit = node.logical, _PER_SECOND.get(node.logical.rpartition("-")[2], 0)
    if logical == "uuid" and node.kind == "string":
        return "" if _UUID.fullmatch(value) else "no UUID"
    if logical == "date":
        return "" if _DAYS[0] <= value <= _DAYS[1] else "no day"
    if logical.startswith("time-"):
        return "" if 0 <= value < _DAY_S * unit else "no time of a day"
    if unit:
        return "" if _SECONDS[0] * unit <= value < _SECONDS[1] * unit else "no time"
    if logical == "decimal":
        if not value:
            return "no digits"
        number = int.from_bytes(value, "big", signed=True)
        return "" if abs(number) < 10**node.precision else "too many digits"
    if logical == "duration":
        return "too long" if value[3] & 0x80 or value[7] & 0x80 else ""
    return ""


def flaw_of_key(record: Mapping[str, Any], reader: Node, keys: Mapping[str, Sequence[str]]) -> str:
    """Return why a store cannot hold the primary key; empty if all can.

    Args:
        keys: store -> the fields of its primary key.
    """
    types = {one.name: one.type for one in reader.fields}
    for store, key in keys.items():
        sizes = {
            name: len(record[name].encode() if isinstance(record[name], str) else record[name])
            for name in key
            if types[name].type_name in ("string", "bytes")
        }
        if store == "cassandra" and sizes.get(key[0]) == 0:
            return "the partition key is empty"
        if sum(sizes.values()) > _MOST_IN_A_KEY[store]:
            return f"a key too long for {store}"
    return ""


def _first(found: Iterable[str]) -> str:
    return next(filter(None, found), "")


# -- framing -------------------------------------------------------------------------------------------------------


@dataclass
class Known:
    """What the registry knows, from the view of one subject.

    Attributes:
        readable: schema id -> writer schema.
        incompatible: ids of this subject that the contract cannot read.
        foreign: ids that only other subjects have.
        reader: the contract's schema.
    """

    reader: Node
    readable: dict[int, Node] = field(default_factory=dict)
    incompatible: set[int] = field(default_factory=set)
    foreign: set[int] = field(default_factory=set)


@dataclass
class Verdict:
    """What should become of a record.

    Attributes:
        reason: reason of its dead letter, empty for a good record.
        why: the oracle's explanation.
        record: the decoded record.
        body, schema_id: the body and its schema id, if the schema is readable.
        java_too: whether Avro's Java reader must refuse the body; None if either is fine.
    """

    reason: str = ""
    why: str = ""
    record: Any = None
    body: bytes | None = None
    schema_id: int | None = None
    java_too: bool | None = None


def judge(value: bytes | None, headers: Iterable[tuple[str, bytes | None]], header: str, known: Known) -> Verdict:
    """Judge framing, schema, body, and what stores can hold; the caller checks keys and rules."""
    if value is None:
        return Verdict("NULL_VALUE")
    named = [content for name, content in headers if name == header]
    if named:
        framing, body = named[-1] or b"", value
        if len(framing) == 17 and framing[0] == 1:
            # The embedded registry has no endpoint for GUIDs.
            return Verdict("NO_GUID_ENDPOINT")
        if len(framing) != 5 or framing[0] != 0:
            return Verdict("BAD_SCHEMA_ID_HEADER")
    else:
        framing, body = value[:5], value[5:]
        if len(value) < 5:
            return Verdict("TOO_SHORT")
        if value[0] != 0:
            return Verdict("BAD_MAGIC")
    schema_id = int.from_bytes(framing[1:], "big", signed=True)
    if schema_id in known.incompatible:
        return Verdict("INCOMPATIBLE_SCHEMA", schema_id=schema_id)
    if schema_id in known.foreign:
        return Verdict("WRONG_SUBJECT", schema_id=schema_id)
    if schema_id not in known.readable:
        return Verdict("UNKNOWN_SCHEMA_ID", schema_id=schema_id)
    found = Verdict(body=body, schema_id=schema_id)
    try:
        found.record = decode(body, known.readable[schema_id], known.reader)
    except Malformed as error:
        found.reason, found.why, found.java_too = "DECODE_ERROR", str(error), error.java_too or None
        return found
    found.java_too = False
    if why := flaw(known.reader, found.record):
        found.reason, found.why = "DECODE_ERROR", why
    return found
