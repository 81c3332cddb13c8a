"""Whether a reader with one schema can read what a writer with another one wrote, and if not, why.

The algorithm is Avro Java's `SchemaCompatibility` (1.12.1), which Confluent Schema Registry uses.  It does some
things that a reader of the Avro specification might not expect:

- Records, enums and fixed match by their short name, or by an alias of the reader that is the writer's full name. - A
pair of types that is being compared counts as compatible where it appears again inside itself.  Results that rest on
  that assumption stay, even where the assumption turns out wrong.
- A reader's field whose name and aliases together name several of the writer's fields ends the whole comparison.
- Logical types, orders, docs and the values of defaults do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    NamedType,
    Primitive,
    Record,
    Schema,
    Union,
)
from avro_data_contracts.contracts.avro.paths import branch_segment
from avro_data_contracts.contracts.avro.trampoline import Step, run

#: The types that a reader of this type can read besides its own.
PROMOTIONS = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}

#: The names of Avro's SchemaIncompatibilityType, and one for a comparison that Avro gives up.
NAME_MISMATCH = "NAME_MISMATCH"
FIXED_SIZE_MISMATCH = "FIXED_SIZE_MISMATCH"
MISSING_ENUM_SYMBOLS = "MISSING_ENUM_SYMBOLS"
READER_FIELD_MISSING_DEFAULT_VALUE = "READER_FIELD_MISSING_DEFAULT_VALUE"
TYPE_MISMATCH = "TYPE_MISMATCH"
MISSING_UNION_BRANCH = "MISSING_UNION_BRANCH"
READER_FIELD_MATCHES_SEVERAL = "READER_FIELD_MATCHES_SEVERAL"


class Side(NamedTuple):
    """One schema's half of a step: what the step adds to the path, and the node that it leads to."""

    segment: str
    node: AnyType | Field


class Place(NamedTuple):
    """Where the two schemas are being compared: a linked list from the inside out, None outside the root."""

    outer: Place | None
    reader: Side
    writer: Side


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """One reason why the reader cannot read.

    Args:
        rule: one of the names above.
        place: where; its nodes are those of the text, including References.
        reader, writer: the two types that do not match.
        names: of the fields or symbols concerned, if any.
        in_union: whether the registry reports it as a missing branch of the union around it.
    """

    rule: str
    place: Place
    reader: AnyType
    writer: AnyType
    names: tuple[str, ...] = ()
    in_union: bool = False


Differences = tuple[Difference, ...]


def differences(reader: Schema, writer: Schema) -> Differences:
    """List why `reader` cannot read all that `writer` writes; empty when it can.  Outermost first, in text order."""
    root = Place(None, Side("", reader.root), Side("", writer.root))
    try:
        found: Differences = run(_Comparison(reader, writer).pair(root))
    except _SeveralError as several:
        return (several.difference,)
    return found


class _SeveralError(Exception):
    """A reader's field matches several fields of the writer, so Avro gives up the whole comparison."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.rule)
        self.difference = difference


class _Comparison:
    """One comparison of two whole schemas.  `found` remembers each pair of types, by identity as Avro does."""

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self.schemas = (reader, writer)
        self.found: dict[tuple[int, int], Differences] = {}

    def pair(self, place: Place) -> Step:
        reader, writer = self._types(place)
        key = (id(reader), id(writer))
        known = self.found.get(key)
        if known is not None:
            return known
        # Compatible until proved otherwise: this ends the recursion.
        self.found[key] = ()
        result = self.found[key] = yield self._compare(place, reader, writer)
        return result

    def _types(self, place: Place) -> tuple[AnyType, AnyType]:
        reader, writer = self.schemas
        return reader.resolve(type_of(place.reader.node)), writer.resolve(type_of(place.writer.node))

    def _compare(self, place: Place, reader: AnyType, writer: AnyType) -> Step:
        if isinstance(writer, Union):
            return (yield self._every_branch(place, writer))
        if isinstance(reader, Union):
            return (yield self._any_branch(place, reader, writer))
        if reader.type != writer.type:
            if writer.type in PROMOTIONS.get(reader.type, ()):
                return ()
            return (Difference(TYPE_MISMATCH, place, reader, writer),)
        if isinstance(reader, Record) and isinstance(writer, Record):
            return self._names(place, reader, writer) + (yield self._fields(place, reader, writer))
        if isinstance(reader, Array) and isinstance(writer, Array):
            return (yield self.pair(Place(place, Side("[]", reader.items), Side("[]", writer.items))))
        if isinstance(reader, Map) and isinstance(writer, Map):
            return (yield self.pair(Place(place, Side("{}", reader.values), Side("{}", writer.values))))
        if isinstance(reader, Enum) and isinstance(writer, Enum):
            return self._names(place, reader, writer) + self._symbols(place, reader, writer)
        if isinstance(reader, Fixed) and isinstance(writer, Fixed):
            sizes = () if reader.size == writer.size else (Difference(FIXED_SIZE_MISMATCH, place, reader, writer),)
            return self._names(place, reader, writer) + sizes
        return ()

    # -- unions --------------------------------------------------------------------------------------------------

    def _every_branch(self, place: Place, writer: Union) -> Step:
        """Every branch that the writer may write must be readable, whether the reader is a union or not."""
        result: list[Difference] = []
        for branch in writer.branches:
            inner = Place(place, Side("", type_of(place.reader.node)), Side(branch_segment(writer, branch), branch))
            result += yield self.pair(inner)
        return _once(result)

    def _any_branch(self, place: Place, reader: Union, writer: AnyType) -> Step:
        """One branch that can read it is enough.  When none can, the branch that was meant says why."""
        meant: Differences = ()
        for branch in reader.branches:
            inner = Place(place, Side(branch_segment(reader, branch), branch), Side("", type_of(place.writer.node)))
            found = yield self.pair(inner)
            if not found:
                return ()
            if self._is_meant(self.schemas[0].resolve(branch), writer):
                meant = found
        if meant:
            return tuple(_inside_union(one) for one in meant)
        return (Difference(MISSING_UNION_BRANCH, place, reader, writer),)

    @staticmethod
    def _is_meant(branch: AnyType, writer: AnyType) -> bool:
        if isinstance(branch, Named) and isinstance(writer, Named):
            return branch.type == writer.type and _names_match(branch, writer)
        return branch.type == writer.type

    # -- named types ---------------------------------------------------------------------------------------------

    @staticmethod
    def _names(place: Place, reader: NamedType, writer: NamedType) -> Differences:
        return () if _names_match(reader, writer) else (Difference(NAME_MISMATCH, place, reader, writer),)

    @staticmethod
    def _symbols(place: Place, reader: Enum, writer: Enum) -> Differences:
        missing = sorted(set(writer.symbols) - set(reader.symbols))
        if not missing or reader.default is not None:
            return ()
        return (Difference(MISSING_ENUM_SYMBOLS, place, reader, writer, tuple(missing)),)

    def _fields(self, place: Place, reader: Record, writer: Record) -> Step:
        result: list[Difference] = []
        for field in reader.fields:
            written = self._written(place, field, reader, writer)
            if written is None:
                # The default of an enum stands for unknown symbols, not for a missing field.
                if not field.has_default:
                    missing = (field.name,)
                    result.append(Difference(READER_FIELD_MISSING_DEFAULT_VALUE, place, reader, writer, missing))
            elif not _plainly_readable(field.type, written.type):
                inner = Place(place, Side(f".{field.name}", field), Side(f".{written.name}", written))
                result += yield self.pair(inner)
        return _once(result)

    @staticmethod
    def _written(place: Place, field: Field, reader: Record, writer: Record) -> Field | None:
        """The writer's field that `field` is read from.  A name counts twice where an alias repeats it."""
        if not field.aliases:
            return writer.by_name.get(field.name)
        names = [name for name in (field.name, *field.aliases) if name in writer.by_name]
        if len(names) > 1:
            several = (field.name, *names)
            raise _SeveralError(Difference(READER_FIELD_MATCHES_SEVERAL, place, reader, writer, several))
        return writer.by_name[names[0]] if names else None


def type_of(node: AnyType | Field) -> AnyType:
    """The type of a field; the node itself if it is a type."""
    return node.type if isinstance(node, Field) else node


def _plainly_readable(reader: AnyType, writer: AnyType) -> bool:
    """Whether both are primitives, or unions of them, that fit without a closer look.  False says nothing."""
    reads = reader.branches if isinstance(reader, Union) else (reader,)
    for branch in writer.branches if isinstance(writer, Union) else (writer,):
        if not isinstance(branch, Primitive):
            return False
        for one in reads:
            if one.type == branch.type or (branch.type in PROMOTIONS.get(one.type, ())):
                break
        else:
            return False
    return all(isinstance(one, Primitive) for one in reads)


def _names_match(reader: Named, writer: Named) -> bool:
    return reader.name == writer.name or writer.fullname in reader.aliases


def _once(found: list[Difference]) -> Differences:
    """Each difference once: a type that is used in many places would repeat its differences."""
    return tuple(dict.fromkeys(found))


def _inside_union(one: Difference) -> Difference:
    return Difference(one.rule, one.place, one.reader, one.writer, one.names, in_union=True)


def reader_path(place: Place) -> str:
    """The path in the reader's names."""
    return _path([step.reader.segment for step in _outwards(place)])


def writer_path(place: Place) -> str:
    """The path in the writer's names."""
    return _path([step.writer.segment for step in _outwards(place)])


def _path(segments: list[str]) -> str:
    return "".join(reversed(segments)).removeprefix(".")


def _outwards(place: Place) -> list[Place]:
    found: list[Place] = []
    step: Place | None = place
    while step is not None:
        found.append(step)
        step = step.outer
    return found


def nodes_outwards(place: Place, side: str) -> list[Any]:
    """The nodes that lead to `place` in the text of one side (`reader` or `writer`), innermost first."""
    return [getattr(step, side).node for step in _outwards(place)]
