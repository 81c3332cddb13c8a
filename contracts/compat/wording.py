"""A difference between two schemas, in words for whoever changed the newer one."""

from __future__ import annotations

from typing import NamedTuple

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Field, Fixed, Named, Node, Record, Schema, Union
from avro_data_contracts.contracts.compat import resolution
from avro_data_contracts.contracts.compat.resolution import (
    Difference,
    nodes_outwards,
    reader_path,
    type_of,
    writer_path,
)
from avro_data_contracts.contracts.listing import few


class Told(NamedTuple):
    """See `contracts.compat.levels.Violation`."""

    path: str
    message: str
    fix: str
    line: int
    column: int
    node: Node
    attribute: str


def describe(one: Difference, new: Schema, *, new_reads: bool) -> Told:
    """Describe `one` in words.

    Args:
        new: the newer schema; places are those of its text.
        new_reads: whether the newer schema is the reader and the earlier one the writer; else the other way round.
    """
    message, fix = (_backward if new_reads else _forward)(one)
    if one.in_union and one.rule != resolution.MISSING_UNION_BRANCH:
        message += "; the registry calls this MISSING_UNION_BRANCH"
    places = _places(one, new_reads=new_reads)
    line, column = next((_position(*each) for each in places if each[0].document is new.document), (0, 0))
    return Told(_path(one, new_reads=new_reads), message, fix, line, column, *places[0])


def _path(one: Difference, *, new_reads: bool) -> str:
    path = reader_path(one.place) if new_reads else writer_path(one.place)
    if one.rule in (resolution.READER_FIELD_MISSING_DEFAULT_VALUE, resolution.READER_FIELD_MATCHES_SEVERAL):
        return f"{path}.{one.names[0]}".removeprefix(".")
    return path


def _backward(one: Difference) -> tuple[str, str]:
    """The new schema reads what the earlier one has written."""
    new, old = one.reader, one.writer
    if one.rule == resolution.READER_FIELD_MISSING_DEFAULT_VALUE:
        assert isinstance(new, Record)
        return (
            f"the field {one.names[0]!r} is new and has no default: old records lack it",
            _fix_missing_default(new.by_name[one.names[0]]),
        )
    if one.rule == resolution.NAME_MISMATCH:
        return f"{_was(old)}, and is now {new.label}", _fix_name(old, new)
    if one.rule == resolution.MISSING_ENUM_SYMBOLS:
        return (
            f"the {_symbols(one.names, 'was', 'were')} removed, and old records may hold {_them(one.names)}",
            'keep the old symbols, or give the enum itself a "default" (the default of the field does not count)',
        )
    if one.rule == resolution.MISSING_UNION_BRANCH:
        return f"old records may hold {old.label}, but {_branches(new)}", f"keep {old.label} in the union"
    if one.rule == resolution.TYPE_MISMATCH:
        return (
            f"old records {_hold(one)} {old.label}, which cannot be read as {new.label}",
            _fix_type(old, new),
        )
    return _both(one, old, new)


def _forward(one: Difference) -> tuple[str, str]:
    """The earlier schema reads what the new one has written."""
    new, old = one.writer, one.reader
    if one.rule == resolution.READER_FIELD_MISSING_DEFAULT_VALUE:
        return (
            f"the field {one.names[0]!r} is gone, and old readers have no default for it",
            "keep the field; to remove it later, first give it a default and upgrade the readers",
        )
    if one.rule == resolution.NAME_MISMATCH:
        return (
            f"{_was(old)}, and is now {new.label}, which old readers do not know",
            f"keep the name {_full(old)}",
        )
    if one.rule == resolution.MISSING_ENUM_SYMBOLS:
        return (
            f"the {_symbols(one.names, 'is', 'are')} new, and old readers have no symbol to use instead",
            'first give the enum itself a "default" and upgrade the readers, then add symbols',
        )
    if one.rule == resolution.MISSING_UNION_BRANCH:
        return (
            f"records may now hold {new.label}, but for old readers {_branches(old)}",
            f"leave {new.label} out, or upgrade the readers first (a BACKWARD level)",
        )
    if one.rule == resolution.TYPE_MISMATCH:
        return (
            f"records {_hold(one, now=True)} {new.label}, which old readers cannot read as {old.label}",
            f"keep {old.label}, or add another field with the new type",
        )
    return _both(one, old, new)


def _both(one: Difference, old: AnyType, new: AnyType) -> tuple[str, str]:
    """The words that are the same in both directions."""
    if isinstance(old, Fixed) and isinstance(new, Fixed):
        return (
            f"the size of {new.fullname} was {old.size} bytes, and is now {new.size}",
            "keep the size, or add a field of a new fixed type",
        )
    field, *matches = one.names
    listed = " and ".join(repr(name) for name in dict.fromkeys(matches))
    if len(set(matches)) == 1:
        return f"the field {field!r} has its own name as an alias", "remove that alias"
    return (
        f"the name and the aliases of the field {field!r} match several fields of the other schema: {listed}",
        "an alias must name a field that no longer exists: remove the alias, or the old field",
    )


def _fix_missing_default(field: Field) -> str:
    if isinstance(field.type, Enum) and field.type.default is not None:
        return "give the field a default; the default of its enum only stands for unknown symbols"
    if isinstance(field.type, Union):
        return "give it a default (null, if null is one of its types)"
    return 'give it a default, or make it ["null", ...] with the default null; if it was renamed, add an alias'


def _fix_name(old: AnyType, new: AnyType) -> str:
    if isinstance(old, Named) and isinstance(new, Named) and new.namespace and not old.namespace:
        return "keep the name; inside a namespace, no alias can name a type without one"
    return f'keep the name, or add "aliases": ["{_full(old)}"]'


def _fix_type(old: AnyType, new: AnyType) -> str:
    readers = sorted(wide for wide, narrow in resolution.PROMOTIONS.items() if old.type in narrow)
    if old.type == "null":
        return "keep null among its types"
    if readers and new.type not in readers:
        return f"keep {old.label} (only {' or '.join(readers)} could read it), or add another field with the new type"
    return f"keep {old.label}, or add another field with the new type"


def _hold(one: Difference, *, now: bool = False) -> str:
    """Records may hold a branch of a union, and always hold a plain type."""
    may = isinstance(one.place.outer and type_of(one.place.outer.writer.node), Union)
    return f"{'may ' if may else ''}{'now ' if now else ''}hold"


def _was(old: AnyType) -> str:
    return f"it was {old.label}"


def _full(node: AnyType) -> str:
    return getattr(node, "fullname", node.type)


def _symbols(names: tuple[str, ...], one: str, several: str) -> str:
    listed = few(names, 5)
    return f"symbol {listed} {one}" if len(names) == 1 else f"symbols {listed} {several}"


def _them(names: tuple[str, ...]) -> str:
    return "it" if len(names) == 1 else "them"


def _branches(node: AnyType) -> str:
    if not isinstance(node, Union) or not node.branches:
        return "the union is empty"
    return f"the union has only {', '.join(branch.label for branch in node.branches)}"


#: The attribute of a node that a rule is about.
_ATTRIBUTES = {
    resolution.NAME_MISMATCH: "name",
    resolution.MISSING_ENUM_SYMBOLS: "symbols",
    resolution.FIXED_SIZE_MISMATCH: "size",
    resolution.READER_FIELD_MISSING_DEFAULT_VALUE: "fields",
}


def _places(one: Difference, *, new_reads: bool) -> list[tuple[Node, str]]:
    """Nodes of the newer schema with the attribute that matters, the nearest first; they may be in several texts."""
    node = one.reader if new_reads else one.writer
    found: list[tuple[Node, str]] = []
    if new_reads and isinstance(node, Record) and one.names and one.names[0] in node.by_name:
        found = [(node.by_name[one.names[0]], "name")]
    elif one.rule in _ATTRIBUTES:
        found = [(node, _ATTRIBUTES[one.rule])]
    outwards = nodes_outwards(one.place, "reader" if new_reads else "writer")
    return [*found, *((outer, "name" if isinstance(outer, Field) else "") for outer in outwards)]


def _position(node: Node, attribute: str) -> tuple[int, int]:
    return node.document.position((node.pointer, attribute) if attribute else node.pointer)
