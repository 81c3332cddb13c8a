"""JSON text as the registry's parser (Jackson, comments allowed) reads it, with the place of every value.

The fast path is the standard library's scanner.  Only messages need places, so a second scan, which is slower and
never recurses, finds them when somebody first asks.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isfinite, isnan
from typing import Any, NamedTuple

#: The limits of Jackson's StreamReadConstraints, which the registry does not change.
MAX_DEPTH = 1000
MAX_NUMBER_LENGTH = 1000

#: What Java's `String.trim` removes: the registry allows all of it after the schema, control characters too.
JAVA_BLANKS = "".join(map(chr, range(0x21)))

#: Where a value is inside its document: `()` is the whole, `((), "fields")` its member, and so on.  It is a linked
#: list, so that a step costs the same at any depth.
Pointer = tuple[Any, ...]

_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
      (?P<mark>[\[\]{},:])
    | (?P<string>"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")
    | (?P<integer>-?(?:0|[1-9][0-9]*)(?![0-9A-Za-z_.]))
    | (?P<float>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9A-Za-z_.]))
    | (?P<word>(?:true|false|null)(?![0-9A-Za-z_]))
    | (?P<comment>/\*[\s\S]*?\*/|//[^\n\r]*)
    )""",
    re.VERBOSE,
)
_BLANKS = re.compile(r"[ \t\n\r]*")
_WORDS = {"true": True, "false": False, "null": None}


class JsonError(ValueError):
    """The text is not JSON.  `line` and `column` are 1-based and show where reading stopped."""

    def __init__(self, what: str, line: int, column: int) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.column = column


class Duplicate(NamedTuple):
    """A key that an object has more than once; the registry silently keeps the last value."""

    key: str
    line: int
    column: int


@dataclass(slots=True)
class _Spot:
    """The offsets of a value and of its key (-1 for none), and the spots inside the value."""

    offset: int
    key: int = -1
    inner: dict[str | int, _Spot] | None = None  # None for a value that contains no others


class _Scan(NamedTuple):
    value: Any
    spot: _Spot
    duplicates: list[tuple[str, int]]  # key and its offset


@dataclass(frozen=True, eq=False)
class Document:
    """A JSON text and its value; of two equal keys the last one wins.

    `load` makes it.  With `item`, it is only that item of a list in the text.

    Args:
        around: where that list is; empty: the text itself.
    """

    text: str
    value: Any
    has_duplicates: bool
    item: int | None = None
    around: tuple[str, ...] = ()

    def part(self, item: int, around: tuple[str, ...] = ()) -> Document:
        """Only this item of the list at `around`, with its places in the whole text."""
        listed = self.value
        for key in around:
            listed = listed[key]
        return Document(self.text, listed[item], self.has_duplicates, item, around)

    @cached_property
    def duplicates(self) -> tuple[Duplicate, ...]:
        """Every repeated key, in the order of the text."""
        if not self.has_duplicates:
            return ()
        start, end = self._extent
        found = ((key, offset) for key, offset in self._scan.duplicates if start <= offset < end)
        return tuple(Duplicate(key, *self._at(offset)) for key, offset in found)

    def position(self, pointer: Pointer) -> tuple[int, int]:
        """1-based line and column of the value at `pointer`, or of the nearest enclosing value if there is none."""
        return self._at(self._spot(pointer).offset)

    def key_position(self, pointer: Pointer) -> tuple[int, int]:
        """1-based line and column of the key whose value is at `pointer`, or of the value if it has no key."""
        spot = self._spot(pointer)
        return self._at(spot.offset if spot.key < 0 else spot.key)

    @property
    def _extent(self) -> tuple[int, int]:
        """Where the part begins, and where the next one does."""
        items = self._list.inner
        if self.item is None or items is None:
            return 0, len(self.text)
        after = items.get(self.item + 1)
        return items[self.item].offset, after.offset if after else len(self.text)

    @property
    def _list(self) -> _Spot:
        spot = self._scan.spot
        for key in self.around:
            assert spot.inner is not None  # `part` has read the list there
            spot = spot.inner[key]
        return spot

    def _spot(self, pointer: Pointer) -> _Spot:
        spot = self._list
        if self.item is not None and spot.inner is not None:
            spot = spot.inner[self.item]
        for step in steps(pointer):
            inner = spot.inner.get(step) if spot.inner is not None else None
            if inner is None:
                break
            spot = inner
        return spot

    def _at(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    @cached_property
    def _scan(self) -> _Scan:
        return _scan(self.text)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer(r"\r\n|\n|\r", self.text))]


def steps(pointer: Pointer) -> list[str | int]:
    """The keys and indexes from the whole document down to `pointer`."""
    found = []
    while pointer:
        pointer, step = pointer
        found.append(step)
    return found[::-1]


def load(text: str) -> Document:
    """Read one JSON value.

    Raises:
        JsonError: the text is not JSON, is nested deeper than 1,000 levels, has a number of more than 1,000
            characters, or has something after the value.  A comment counts, because the registry refuses one there
            and allows it elsewhere.  In a text over 32 KiB the registry does not check all that follows; this
            function does.
    """
    repeated = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        result = dict(pairs)
        repeated = repeated or len(result) != len(pairs)
        return result

    try:
        value = json.loads(
            text, object_pairs_hook=members, parse_constant=_refuse, parse_int=_integer, parse_float=_float
        )
    except (ValueError, RecursionError):
        # Comments, nesting too deep for the C stack, or broken JSON: the slow scan finds out which, and where.
        scan = _scan(text)
        return Document(text, scan.value, bool(scan.duplicates))
    if _too_deep(text, value):
        _scan(text)
    return Document(text, value, repeated)


#: As `load`, for a text of which many parts are read one after the other.
load_once = lru_cache(maxsize=8)(load)


def dump(value: Any) -> str:
    """Write `value` as compact JSON, at any depth; a number too large to hold stands for infinity."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (RecursionError, ValueError):
        text = "".join(_pieces(value))
    # JSON allows half a surrogate pair, but no encoding that could carry the text does.
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _pieces(value: Any) -> Iterator[str]:
    """Yield the text of `value` in parts; `waiting` holds what is still to be written, the next thing last."""
    waiting: list[tuple[bool, Any]] = [(False, value)]
    while waiting:
        ready, one = waiting.pop()
        if ready:
            yield one
        elif isinstance(one, dict):
            parts: list[tuple[bool, Any]] = [(True, "{")]
            for index, (key, inner) in enumerate(one.items()):
                parts += [(True, ("," if index else "") + json.dumps(key, ensure_ascii=False) + ":"), (False, inner)]
            waiting += reversed([*parts, (True, "}")])
        elif isinstance(one, (list, tuple)):
            parts = [(True, "[")]
            for index, inner in enumerate(one):
                parts += [(True, ","), (False, inner)] if index else [(False, inner)]
            waiting += reversed([*parts, (True, "]")])
        elif isinstance(one, float) and not isfinite(one):
            yield '"NaN"' if isnan(one) else "1e999" if one > 0 else "-1e999"
        else:
            yield json.dumps(one, ensure_ascii=False)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _too_deep(text: str, value: Any) -> bool:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    level, depth = [value], 0
    while True:
        level = [node for node in level if isinstance(node, (dict, list))]
        if not level:
            return depth > MAX_DEPTH
        depth += 1
        level = [inner for node in level for inner in (node.values() if isinstance(node, dict) else node)]


def _integer(digits: str) -> int:
    return int(_not_too_long(digits))


def _float(digits: str) -> float:
    return float(_not_too_long(digits))


def _not_too_long(digits: str) -> str:
    if len(digits) > MAX_NUMBER_LENGTH:
        raise ValueError(digits)
    return digits


def _scan(text: str) -> _Scan:
    """Read `text` token by token, without recursion, and note where each value begins."""
    return _Scanner(text).run()


def _unquoted(lexeme: str) -> str:
    return json.loads(lexeme) if "\\" in lexeme else lexeme[1:-1]


class _Scanner:
    """Reads one text, once.  `open` holds the containers that are not closed yet, innermost last."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.duplicates: list[tuple[str, int]] = []
        self.open: list[tuple[Any, _Spot]] = []
        self.key = ""
        self.key_offset = -1
        self.root: tuple[Any, _Spot] | None = None

    def run(self) -> _Scan:
        tokens = self._tokens()
        # What may come next: a value, a key, a colon, or whatever follows a value.
        expect = "value"
        for kind, start, lexeme in tokens:
            if self.root is not None and not self.open:
                raise self._broken("there is something after the end of the schema", start)
            if expect == "value" or (expect == "value or end" and lexeme != "]"):
                expect = self._value(kind, start, lexeme)
            elif expect == "key" or (expect == "key or end" and lexeme != "}"):
                if kind != "string":
                    raise self._broken("a key in double quotes was expected", start)
                self.key, self.key_offset = _unquoted(lexeme), start
                expect = "colon"
            elif expect == "colon":
                if lexeme != ":":
                    raise self._broken("':' was expected after the key", start)
                expect = "value"
            elif lexeme == ",":
                expect = "key" if isinstance(self.open[-1][0], dict) else "value"
            elif lexeme == ("}" if isinstance(self.open[-1][0], dict) else "]"):
                self.open.pop()
                expect = "comma or end"
            else:
                closing = "}" if isinstance(self.open[-1][0], dict) else "]"
                raise self._broken(f"',' or '{closing}' was expected", start)
        if self.root is None:
            raise self._broken("the text is empty", len(self.text))
        if self.open:
            kind = "object" if isinstance(self.open[-1][0], dict) else "array"
            line, _ = self._at(self.open[-1][1].offset)
            raise self._broken(f"the text ends inside the {kind} that begins in line {line}", len(self.text))
        return _Scan(self.root[0], self.root[1], self.duplicates)

    def _value(self, kind: str, start: int, lexeme: str) -> str:
        spot = _Spot(start)
        value: Any
        if kind == "string":
            value = _unquoted(lexeme)
        elif kind in ("integer", "float"):
            if len(lexeme) > MAX_NUMBER_LENGTH:
                raise self._broken(f"a number of more than {MAX_NUMBER_LENGTH} characters", start)
            value = int(lexeme) if kind == "integer" else float(lexeme)
        elif kind == "word":
            value = _WORDS[lexeme]
        elif lexeme in "[{":
            if len(self.open) >= MAX_DEPTH:
                raise self._broken(f"nested deeper than {MAX_DEPTH} levels", start)
            value = {} if lexeme == "{" else []
            spot.inner = {}
        else:
            raise self._broken(f"a value was expected, not {lexeme!r}", start)
        self._place(value, spot)
        if spot.inner is None:
            return "comma or end"
        self.open.append((value, spot))
        return "key or end" if lexeme == "{" else "value or end"

    def _place(self, value: Any, spot: _Spot) -> None:
        if not self.open:
            self.root = (value, spot)
            return
        container, around = self.open[-1]
        assert around.inner is not None  # only an object or a list can be open
        if isinstance(container, dict):
            spot.key = self.key_offset
            if self.key in container:
                self.duplicates.append((self.key, self.key_offset))
            container[self.key] = value
            around.inner[self.key] = spot
        else:
            around.inner[len(container)] = spot
            container.append(value)

    def _tokens(self) -> Iterator[tuple[str, int, str]]:
        text, offset, end, match = self.text, 0, len(self.text), _TOKEN.match
        while offset < end:
            if self.root is not None and not self.open and not text[offset:].strip(JAVA_BLANKS):
                return
            found = match(text, offset)
            kind = found.lastgroup if found is not None else None
            if found is None or kind is None:
                offset = self._after_blanks(offset)
                if offset < end:
                    raise self._broken(self._unreadable(offset), offset)
                return
            if kind != "comment":
                yield kind, found.start(kind), found[kind]
            elif self.root is not None and not self.open:
                raise self._broken("there is something after the end of the schema", found.start(kind))
            offset = found.end()

    def _after_blanks(self, offset: int) -> int:
        blanks = _BLANKS.match(self.text, offset)
        return blanks.end() if blanks else offset

    def _unreadable(self, offset: int) -> str:
        character = self.text[offset]
        if character == '"':
            return "a string that does not end, or has a control character or a bad escape in it"
        if character == "'":
            return "strings need double quotes"
        if character == "\ufeff":
            where = "the text begins with" if not offset else "there is"
            return f"{where} a byte order mark; save it as UTF-8 without one"
        word = re.compile(r"[^\s\[\]{},:\"]+").match(self.text, offset)
        return f"{(word[0] if word else character)[:40]!r} is not JSON"

    def _broken(self, what: str, offset: int) -> JsonError:
        return JsonError(what, *self._at(offset))

    def _at(self, offset: int) -> tuple[int, int]:
        before = self.text[:offset].replace("\r\n", "\n").replace("\r", "\n")
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
