"""The strict reader: checks a record's bytes before `from_avro` sees them.

`java/StrictReader.java` reads the framing and walks the body with its writer schema, record by record, in the JVM.
docs/adr/0016 says why it exists and why it is Java: Avro's own reader alters what it should refuse, and no expression
of Spark can see the bytes of an enum's index or a union's branch number.

`streaming.decode.compiled` installs the class.  This module makes `program`, the list of a writer schema's nodes for
the class to walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from py4j.java_gateway import JavaObject
from pyspark.sql import Column, SparkSession

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

#: Class of the exception with which an unknown schema id fails a job; its message is the id.
UNSEEN = "datacontracts.UnseenSchema"
#: Class of the exception with which a timestamp that Spark's Kafka source alters fails a job.
UNREADABLE_TIMESTAMP = "datacontracts.UnreadableTimestamp"

SOURCE = Path(__file__).with_name("java") / "StrictReader.java"
_READ = "struct<writer: int, start: int, reason: string, detail: string>"
_INT, _LONG = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
# Milliseconds from the year 1 to the end of 9999: Spark converts them to microseconds, which may overflow.
_MILLIS = (-62_135_596_800_000, 253_402_300_799_999)
_IN_MILLIS = ("timestamp-millis", "local-timestamp-millis")
_KINDS = {"null": "n", "boolean": "b", "int": "i", "long": "l", "bytes": "y", "string": "s"}


class StrictReader:
    """Reads records whose schema id is in the prefix or in a header.

    Args:
        header: `VALUE_HEADER` or `KEY_HEADER`.
        programs: schema id or GUID -> number of the writer and its `program`.
        refused: schema id or GUID -> reason and detail.
        unknown: detail for every other id, with `{}` for the id itself; None: such an id fails the job (`UNSEEN`).
    """

    def __init__(
        self,
        spark: SparkSession,
        header: str,
        programs: Mapping[int | str, tuple[int, str]],
        refused: Mapping[int | str, tuple[str, str]],
        unknown: str | None,
    ) -> None:
        self._spark = spark
        self._reader = _made(spark, header)
        for key, (number, text) in programs.items():
            self._reader.add(str(key), number, text)
        for key, (reason, detail) in refused.items():
            self._reader.refuse(str(key), reason, detail)
        if unknown is not None:
            self._reader.close(unknown)

    def read(self) -> Column:
        """Return a struct from `value` and `headers`: writer (number), start (of the body), reason and detail.

        It counts as non-deterministic, so that Spark neither copies nor moves it: each record is read once.
        """
        return _call(self._spark, self._reader, "read", _READ, ("value", "headers"))

    def key(self) -> Column:
        """Return the schema id (digits) or GUID that a record names; null when it names none."""
        return _call(self._spark, self._reader, "key", "string", ("value", "headers"))


def timestamp(spark: SparkSession) -> Column:
    """Return `timestamp`.  One that Spark's Kafka source altered fails the job (`UNREADABLE_TIMESTAMP`)."""
    return _call(spark, _made(spark, ""), "timestamp", "timestamp", ("timestamp",))


def _made(spark: SparkSession, header: str) -> Any:
    jvm: Any = spark._jvm
    return jvm.datacontracts.StrictReader(header)


def _call(spark: SparkSession, reader: JavaObject, method: str, returned: str, names: Sequence[str]) -> Column:
    jvm: Any = spark._jvm
    catalyst = jvm.org.apache.spark.sql.catalyst.expressions
    types = jvm.org.apache.spark.sql.types
    this = catalyst.Literal.create(reader, types.ObjectType(reader.getClass()))
    columns = [jvm.org.apache.spark.sql.functions.col(name).expr() for name in names]
    # target, method, type, arguments, their types, null for null, may be null, deterministic
    call = catalyst.objects.Invoke(
        this, method, types.DataType.fromDDL(returned), _seq(jvm, columns), _seq(jvm, []), False, True, False
    )
    return Column(jvm.org.apache.spark.sql.Column(call))


def _seq(jvm: Any, items: Iterable[object]) -> object:
    return jvm.PythonUtils.toSeq(list(items))


def program(writer: Schema, reader: Schema) -> str:
    """Return `writer` as the reader in Java walks it: one line for each node, the root first.

    A line has, separated by tabs: kind, path, least and largest number, whether it is kept, numbers of its parts
    (see `Node` in StrictReader.java).  `reader` decides what is kept, and how a number is read.
    """
    return _Program(writer, reader).text


class _Program:
    def __init__(self, writer: Schema, reader: Schema) -> None:
        self._writer, self._reader = writer, reader
        self._lines: list[str] = []
        # A type, and the type that it is read as (None: dropped) -> its line.  A record may be kept, and
        # dropped inside itself.
        self._made: dict[tuple[int, int | None], int] = {}
        self._add(writer.root, reader.root, "")

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def _add(self, node: AnyType, read_as: AnyType | None, path: str) -> int:
        """Return the number of the line of a type that is read as `read_as`; None: it is dropped."""
        node = self._writer.resolve(node)
        read_as = None if read_as is None else self._match(node, self._reader.resolve(read_as))
        key = (id(node), None if read_as is None else id(read_as))
        if key in self._made:
            return self._made[key]
        number = self._made[key] = len(self._lines)
        self._lines.append("")
        kind, low, high, kept, parts = self._of(node, read_as, path)
        self._lines[number] = "\t".join(map(str, (kind, path, low, high, kept, ",".join(map(str, parts)))))
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
