"""Walks a body as the strict reader does (docs/adr/0016), to say where it breaks.

`java/StrictReader.java` judges every record, and says in words what is wrong.  This walk is for the few that somebody
looks at: it gives the same words, and the bytes.  A test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Record
from avro_data_contracts.streaming.decode.programs import Line

# As in StrictReader.java.
_MOST_EMPTY_ITEMS: Final = 10_000
_DEEPEST: Final = 200
_MOST_BYTES: Final = 64 * 1024 * 1024
#: Values that one walk looks at, which takes about a tenth of a second.
MOST_VALUES: Final = 100_000


@dataclass(frozen=True)
class Step:
    """A field of the root, with its writer's name.  `begin`, `end`: its bytes; None: the walk did not come so far."""

    name: str
    type: AnyType
    begin: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Broken:
    """Where a body breaks.

    Attributes:
        at: the byte at which the reader stopped, counted from 0 in the value.
        begin: the first byte of what it was reading.
        path: the field that it was reading; empty for the record itself.
        type: its type in the writer's schema.
        words: what is wrong, as a dead letter says it.
        fields: those of the root, as far as they were read.
    """

    at: int
    begin: int
    path: str
    type: AnyType
    words: str
    fields: tuple[Step, ...] = ()


class TooLong(Exception):
    """The body has more values than a walk looks at."""


def broken(value: bytes, start: int, lines: Sequence[Line]) -> Broken | None:
    """Return where the strict reader stops in a value whose body begins at `start`; None: it can be read.

    Args:
        lines: the nodes of its schema, see `programs.lines`.

    Raises:
        TooLong: it has too many values to look at.
    """
    walk = _Walk(value, start, lines)
    try:
        walk.node(0, 0)
    except _Malformed as found:
        about = f"{found.path or 'the record'} {found.words}"
        return Broken(found.at, walk.begin, found.line.path, found.line.type, about, walk.steps())
    if left := len(value) - walk.at:
        words = f"{left} {'byte is' if left == 1 else 'bytes are'} left after the record's end"
        return Broken(walk.at, walk.at, "", lines[0].type, words, walk.steps())
    return None


class _Malformed(Exception):
    def __init__(self, line: Line, words: str, at: int, path: str | None = None) -> None:
        super().__init__(words)
        self.line, self.words, self.at = line, words, at
        self.path = line.path if path is None else path


class _Walk:
    """One walk over one body.  `at`: the next byte.  `begin`: where the value that it reads begins."""

    def __init__(self, data: bytes, at: int, lines: Sequence[Line]) -> None:
        self._data = data
        self._lines = lines
        self._empty = 0
        self._values = 0
        self._bounds: list[tuple[int, int | None]] = []
        self.at = self.begin = at

    def steps(self) -> tuple[Step, ...]:
        root = self._lines[0].type
        if not isinstance(root, Record):
            return ()
        bounds = [*self._bounds, *[(None, None)] * (len(root.fields) - len(self._bounds))]
        return tuple(Step(field.name, field.type, *bound) for field, bound in zip(root.fields, bounds, strict=True))

    def node(self, number: int, depth: int) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise TooLong
        line, self.begin = self._lines[number], self.at
        kind = line.kind
        if kind == "r":
            inside = self._deeper(line, depth)
            for part in line.parts:
                if depth == 0:
                    self._bounds.append((self.at, None))
                self.node(part, inside)
                if depth == 0:
                    self._bounds[-1] = (self._bounds[-1][0], self.at)
        elif kind == "u":
            branch = self._varint(line)
            if not 0 <= branch < len(line.parts):
                raise self._malformed(line, "is not one of the union's types")
            self.node(line.parts[branch], self._deeper(line, depth))
        elif kind in "am":
            self._collection(line, self._deeper(line, depth))
        else:
            self._scalar(line)

    def _scalar(self, line: Line) -> None:
        kind = line.kind
        if kind == "b":
            if self._one(line) not in (0, 1):
                raise self._malformed(line, "is neither true nor false")
        elif kind in "il":
            value = self._varint(line) if kind == "i" else self._varlong(line)
            if not line.low <= value <= line.high:
                raise self._malformed(line, "is not between the years 1 and 9999")
        elif kind == "x":
            self._skip(line, line.high)
        elif kind == "y":
            self._skip(line, self._length(line))
        elif kind == "s":
            size = self._length(line)
            begin = self.at
            self._skip(line, size)
            if line.kept:
                self._text(line, begin, line.path)
        elif kind == "e" and not 0 <= self._varint(line) < line.high:
            raise self._malformed(line, "is not one of the enum's symbols")

    def _collection(self, line: Line, depth: int) -> None:
        keys: set[bytes] = set()
        is_map = line.kind == "m"
        while True:
            block = self.begin = self.at
            count = self._varlong(line)
            if count == 0:
                return
            sized, size = count < 0, 0
            if sized:
                size, count = self._varlong(line), -count
            first = self.at
            if count >= 2**63 or ((is_map or line.low > 0) and count > len(self._data) - first):
                raise self._malformed(line, "claims more items than the body has bytes left")
            for _ in range(count):
                if is_map:
                    self._key(line, keys)
                before = self.at
                self.node(line.parts[0], depth)
                if self.at == before and not is_map:
                    self._empty += 1
                    if self._empty > _MOST_EMPTY_ITEMS:
                        raise self._malformed(line, f"claims more than {_MOST_EMPTY_ITEMS} items that take no bytes")
            if sized and not line.kept and size != self.at - first:
                self.begin = block
                raise self._malformed(line, "has a block whose size is not the size of its items")

    def _key(self, line: Line, keys: set[bytes]) -> None:
        self.begin = self.at
        length = self._length(line)
        begin = self.at
        self._skip(line, length)
        if line.kept:
            self._text(line, begin, f"a key of {line.path}")
            key = self._data[begin : self.at]
            if key in keys:
                raise self._malformed(line, "has a key twice")
            keys.add(key)

    def _text(self, line: Line, begin: int, path: str) -> None:
        """Refuse U+0000 and what is not UTF-8, at its first byte."""
        text = self._data[begin : self.at]
        zero, odd = text.find(0), -1
        try:
            text.decode()
        except UnicodeDecodeError as error:
            odd = error.start
        found = min((one for one in (zero, odd) if one >= 0), default=None)
        if found is None:
            return
        is_zero = found == zero
        words = "holds the character U+0000, which PostgreSQL cannot store" if is_zero else "is not valid UTF-8"
        raise _Malformed(line, words, begin + found, path)

    def _deeper(self, line: Line, depth: int) -> int:
        if depth >= _DEEPEST:
            raise self._malformed(line, f"is nested more than {_DEEPEST} levels deep")
        return depth + 1

    def _length(self, line: Line) -> int:
        length = self._varlong(line)
        if length < 0:
            raise self._malformed(line, "has a negative length")
        if length > _MOST_BYTES:
            raise self._malformed(line, "claims more than 64 MiB")
        if length < line.low and line.kind == "y":
            raise self._malformed(line, "is a decimal without any digits")
        return length

    def _skip(self, line: Line, size: int) -> None:
        if size > len(self._data) - self.at:
            raise self._malformed(line, _TORN)
        self.at += size

    def _one(self, line: Line) -> int:
        if self.at >= len(self._data):
            raise self._malformed(line, _TORN)
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self, line: Line) -> int:
        """Read at most five bytes and 32 bits."""
        raw = 0
        for shift in range(0, 35, 7):
            byte = self._one(line)
            raw |= (byte & 0x7F) << shift
            if byte < 0x80:
                if raw >> 32:
                    break
                return (raw >> 1) ^ -(raw & 1)
        raise self._malformed(line, _beyond(line, 32))

    def _varlong(self, line: Line) -> int:
        """Read at most ten bytes and 64 bits."""
        raw = 0
        for shift in range(0, 70, 7):
            byte = self._one(line)
            if shift == 63 and byte & 0x7F > 1:
                break
            raw |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (raw >> 1) ^ -(raw & 1)
        raise self._malformed(line, _beyond(line, 64))

    def _malformed(self, line: Line, words: str) -> _Malformed:
        return _Malformed(line, words, self.at)


_TORN: Final = "is cut off: the body ends in it"


def _beyond(line: Line, bits: int) -> str:
    known = {
        "i": "is not an int: it has more than 32 bits",
        "l": "is not a long: it has more than 64 bits",
        "e": "has an index of more than 32 bits: it is not one of the enum's symbols",
        "u": "has a branch number of more than 32 bits: it is not one of the union's types",
    }
    return known.get(line.kind, f"has a length of more than {bits} bits")
