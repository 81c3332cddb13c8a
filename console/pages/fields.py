"""The fields of a contract, one row each: type, doc, tags, rules, where it is stored and who reads it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from avro_data_contracts.console.pages.names import anchor
from avro_data_contracts.contracts.avro.jsonpos import dump
from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Field, Named, Node, Record, Schema, Union
from avro_data_contracts.contracts.avro.paths import follow, inside, is_within
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.avro.type_words import words
from avro_data_contracts.contracts.catalog.contract import Contract, Subject

#: Rows of one schema; the page says how many more fields there are.
MOST_ROWS: Final = 3_000


@dataclass(frozen=True)
class FieldRow:
    """A field.

    Attributes:
        path: with all marks, such as `items[].price`.
        depth: 0 for a field of the root.
        type: in words, without null.
        default: as JSON; empty if there is none.
        doc: of the field or, where it has none, of its type.
        symbols: of an enum.
        rules: names of the quality rules about it.
        stored: the columns that it fills, each with its store and type; a contract has one table in each store.
        readers: the consumers that declare it, or something inside or around it; those without fields read all.
        of: `field` of the value, or `key-field`.
    """

    path: str
    name: str
    depth: int
    type: str
    nullable: bool
    default: str
    doc: str
    tags: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    stored: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    of: str = "field"

    @property
    def anchor(self) -> str:
        return anchor(self.path, self.of)


@dataclass(frozen=True)
class FieldTable:
    """The fields of a schema.  `more`: how many rows were left out.  `type`: of a schema that is not a record."""

    rows: tuple[FieldRow, ...]
    more: int = 0
    type: str = ""
    doc: str = ""
    fullname: str = ""
    tags: tuple[str, ...] = ()


@dataclass
class Uses:
    """What is known about the fields from elsewhere.

    Args:
        stored: path -> the columns that it fills.
        readers: consumer -> the paths that it reads; none: all.
        rules: path -> names of rules.
        of: see `FieldRow`.
    """

    stored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    readers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of: str = "field"


def uses(contract: Contract, stored: Mapping[str, tuple[str, ...]]) -> Uses:
    """Return who uses the fields of a contract's value.  `stored`: see `Uses`."""
    schema = contract.value.schema
    readers: dict[str, tuple[str, ...]] = {}
    for one in contract.spec.consumers:
        named = tuple(path for each in one.fields for path in follow(schema, each).places)
        if named or not one.fields:
            readers[one.name] = named
    rules: dict[str, tuple[str, ...]] = {}
    for rule in contract.rules:
        for path in follow(schema, rule.field).places if rule.field else ():
            rules[path] = (*rules.get(path, ()), rule.name)
    return Uses(stored, readers, rules)


def table(subject: Subject, used: Uses | None = None) -> FieldTable:
    """Return the fields of a subject's schema, in their order, those inside a field after it."""
    schema, used = subject.schema, used or Uses()
    root = schema.resolve(schema.root)
    rows: list[FieldRow] = []
    more = 0
    for row in _rows(schema, root, used):
        if len(rows) < MOST_ROWS:
            rows.append(row)
        else:
            more += 1
        if more >= MOST_ROWS:  # a schema can have more fields than anybody counts
            break
    named = root if isinstance(root, Named) else None
    kind = "" if isinstance(root, Record) else words(root, schema)
    doc = (named.doc or "") if named else ""
    return FieldTable(tuple(rows), more, kind, doc, named.fullname if named else "", tags_of(root))


def tags_of(*nodes: Node) -> tuple[str, ...]:
    """Return the tags of a field and of its type, each once."""
    return tuple(dict.fromkeys(tag for node in nodes for tag in node.tags))


def _rows(schema: Schema, root: AnyType, used: Uses) -> Iterator[FieldRow]:
    # Each entry: path, node, depth, the records around it.
    waiting: list[tuple[str, Field | AnyType, int, frozenset[str]]] = [("", root, 0, frozenset())]
    while waiting:
        path, node, depth, around = waiting.pop()
        if isinstance(node, Record):
            if node.fullname in around:
                continue
            around |= {node.fullname}
        inner = depth
        if isinstance(node, Field):
            yield _row(schema, path, node, depth, used)
            inner = depth + 1
        waiting.extend((at, one, inner, around) for at, one in reversed([*inside(schema, path, node)]))


def _row(schema: Schema, path: str, node: Field, depth: int, used: Uses) -> FieldRow:
    bare, nullable = nullability(schema, node.type)
    doc = node.doc or (bare.doc if isinstance(bare, Named) and bare.doc else "")
    return FieldRow(
        path,
        node.name,
        depth,
        type_of(schema, bare),
        nullable,
        dump(node.default) if node.has_default else "",
        doc,
        tags_of(node, bare),
        bare.symbols if isinstance(bare, Enum) else (),
        node.aliases,
        _about(used.rules, path),
        used.stored.get(path, ()),
        tuple(name for name, paths in used.readers.items() if _reads(paths, path)),
        used.of,
    )


def type_of(schema: Schema, node: AnyType) -> str:
    """Return a type in words: `string (uuid)`, `record com.example.Item`."""
    node = schema.resolve(node)
    if isinstance(node, Union):
        return " or ".join(type_of(schema, one) for one in node.branches if one.type != "null")
    return f"{node.type} {node.fullname}" if isinstance(node, Named) else words(node, schema)


def _about(rules: Mapping[str, tuple[str, ...]], path: str) -> tuple[str, ...]:
    return rules.get(path, ())


def _reads(paths: tuple[str, ...], path: str) -> bool:
    return not paths or any(is_within(path, one) or is_within(one, path) for one in paths)
