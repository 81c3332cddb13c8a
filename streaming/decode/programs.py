"""What the strict reader walks: a list of the nodes of a writer schema, with how the contract's schema reads each.

`java/StrictReader.java` walks it for each record, and `streaming.decode.walk` to show where a record breaks.
"""

from __future__ import annotations

from typing import NamedTuple

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    NamedType,
    Record,
    Schema,
    Union,
    children,
    join,
)
from avro_data_contracts.contracts.compat.resolution import PROMOTIONS

_INT, _LONG = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
# Milliseconds from the year 1 to the end of 9999: Spark converts them to microseconds, which may overflow.
_MILLIS = (-62_135_596_800_000, 253_402_300_799_999)
_IN_MILLIS = ("timestamp-millis", "local-timestamp-millis")
_KINDS = {"null": "n", "boolean": "b", "int": "i", "long": "l", "bytes": "y", "string": "s"}


class Line(NamedTuple):
    """A node, as `Node` in StrictReader.java; `type`: the writer's type."""

    kind: str
    path: str
    low: int
    high: int
    kept: int
    parts: tuple[int, ...]
    type: AnyType

    @property
    def text(self) -> str:
        words = (self.kind, self.path, self.low, self.high, self.kept, ",".join(map(str, self.parts)))
        return "\t".join(map(str, words))


def program(writer: Schema, reader: Schema) -> str:
    """Return `writer` as the reader in Java walks it: one line for each node, the root first.

    A line has, separated by tabs: kind, path, least and largest number, whether it is kept, numbers of its parts
    (see `Node` in StrictReader.java).  `reader` decides what is kept, and how a number is read.
    """
    return "\n".join(one.text for one in lines(writer, reader))


def lines(writer: Schema, reader: Schema) -> list[Line]:
    """Return the nodes of `program`."""
    return _Program(writer, reader).lines


class _Program:
    def __init__(self, writer: Schema, reader: Schema) -> None:
        self._writer, self._reader = writer, reader
        self.lines: list[Line] = []
        # A type, and the type that it is read as (None: dropped) -> its line.  A record may be kept, and
        # dropped inside itself.
        self._made: dict[tuple[int, int | None], int] = {}
        self._add(writer.root, reader.root, "")

    def _add(self, node: AnyType, read_as: AnyType | None, path: str) -> int:
        """Return the number of the line of a type that is read as `read_as`; None: it is dropped."""
        node = self._writer.resolve(node)
        read_as = None if read_as is None else self._match(node, self._reader.resolve(read_as))
        key = (id(node), None if read_as is None else id(read_as))
        if key in self._made:
            return self._made[key]
        number = self._made[key] = len(self.lines)
        self.lines.append(Line("", path, 0, 0, 0, (), node))
        kind, low, high, kept, parts = self._of(node, read_as, path)
        self.lines[number] = Line(kind, path, low, high, kept, tuple(parts), node)
        if read_as is not None:  # it has another path elsewhere
            del self._made[key]
        return number

    def _of(self, node: AnyType, read_as: AnyType | None, path: str) -> tuple[str, int, int, int, list[int]]:
        kept = int(read_as is not None)
        if isinstance(node, Record):
            return "r", 0, 0, kept, [self._field(one, read_as, path) for one in node.fields]
        if isinstance(node, Union):
            return "u", 0, 0, kept, [self._branch(node, one, read_as, path) for one in node.branches]
        if isinstance(node, Array):
            items = read_as.items if isinstance(read_as, Array) else None
            return "a", least_bytes(self._writer, node.items), 0, kept, [self._add(node.items, items, f"{path}[]")]
        if isinstance(node, Map):
            values = read_as.values if isinstance(read_as, Map) else None
            return "m", 0, 0, kept, [self._add(node.values, values, f"{path}{{}}")]
        if isinstance(node, Enum):
            return "e", 0, len(node.symbols), kept, []
        if isinstance(node, Fixed):
            return "x", 0, node.size, kept, []
        return self._of_primitive(node.type, read_as)

    def _of_primitive(self, name: str, read_as: AnyType | None) -> tuple[str, int, int, int, list[int]]:
        base = "" if read_as is None else read_as.type
        logical = getattr(read_as, "logical", None)
        if name in ("float", "double"):
            return "x", 0, 4 if name == "float" else 8, 0, []
        if name in ("int", "long"):
            low, high = _INT if name == "int" else _LONG
            if logical is not None and logical.name in _IN_MILLIS:
                low, high = max(low, _MILLIS[0]), min(high, _MILLIS[1])
            return _KINDS[name], low, high, 0, []
        if name in ("bytes", "string"):
            text = base == "string"
            least = int(base == "bytes" and logical is not None and logical.name == "decimal")
            return "s" if text else "y", least, 0, int(text), []
        return _KINDS[name], 0, 0, 0, []

    def _field(self, field: Field, read_as: AnyType | None, path: str) -> int:
        found = None
        if isinstance(read_as, Record):
            found = read_as.by_name.get(field.name) or next(
                (one for one in read_as.fields if field.name in one.aliases), None
            )
        name = field.name if found is None else found.name
        return self._add(field.type, None if found is None else found.type, join(path, name))

    def _branch(self, union: Union, branch: AnyType, read_as: AnyType | None, path: str) -> int:
        """Add a branch.  The only type beside null is named by its field alone."""
        several = sum(one.type != "null" for one in union.branches) > 1
        branch = self._writer.resolve(branch)
        name = getattr(branch, "name", branch.type)
        return self._add(branch, read_as, f"{path}({name})" if several else path)

    def _match(self, node: AnyType, read_as: AnyType) -> AnyType | None:
        """Return the branch of the reader's union that reads a type, as Avro chooses it."""
        if isinstance(node, Union) or not isinstance(read_as, Union):
            return read_as
        branches = [self._reader.resolve(one) for one in read_as.branches]
        same = [one for one in branches if one.type == node.type]
        if isinstance(node, Named):
            named = [one for one in same if isinstance(one, NamedType)]
            names = [one for one in named if one.fullname == node.fullname or node.fullname in one.aliases]
            same = [*(names or [one for one in named if one.name == node.name])] or same
        promoted = [one for one in branches if node.type in PROMOTIONS.get(one.type, ())]
        return next(iter([*same, *promoted]), None)


def least_bytes(schema: Schema, node: AnyType) -> int:
    """Return 1 when every value of the type takes at least a byte, else 0."""
    waiting, seen = [node], set()
    while waiting:
        one = schema.resolve(waiting.pop())
        if isinstance(one, Record):
            if one.fullname not in seen:
                seen.add(one.fullname)
                waiting.extend(field.type for field in one.fields)
        elif one.type != "null" and not (isinstance(one, Fixed) and one.size == 0):
            return 1
    return 0


def nesting(schema: Schema) -> int:
    """Count the levels of records, arrays, maps and unions in a type.  Recursion counts once."""
    levels: dict[int, int] = {}  # by id of a node; 0 while the nodes inside it are counted
    waiting: list[tuple[AnyType, bool]] = [(schema.root, False)]
    while waiting:
        node, inside_done = waiting.pop()
        node = schema.resolve(node)
        inside = [schema.resolve(one.type if isinstance(one, Field) else one) for one in children(node)]
        if inside_done:
            levels[id(node)] = 1 + max((levels[id(one)] for one in inside), default=0)
        elif id(node) not in levels:
            levels[id(node)] = 0
            waiting.append((node, True))
            waiting.extend((one, False) for one in inside)
    return levels[id(schema.resolve(schema.root))]
