"""The parts of an Avro schema.  Every node is frozen, and knows its place in the text that it came from.

A schema is a tree: a named type stands where it is defined, and wherever else it is used there is a `Reference`
with its full name.  So a walk always ends, even in a recursive type; `Schema.resolve` follows a reference.

Nodes are equal when they are the same object; `contracts.avro.parsing.normalise` compares texts by what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from avro_data_contracts.contracts.avro.jsonpos import Document, Pointer, steps

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

#: The props of a node that has none: one shared object, because there are many such nodes.
NO_PROPS: Final[Mapping[str, Any]] = MappingProxyType({})


class _Missing:
    """The type of `MISSING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


#: The default of a field that has none (None is the default `null`).
MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Logical:
    """A logical type that Avro recognises on its base type; an invalid one is ignored, as Avro does.

    Args:
        name: as in the schema, e.g. `timestamp-millis`.
        precision, scale: digits of a `decimal`; None for every other type.
    """

    name: str
    precision: int | None = None
    scale: int | None = None


#: The attribute in which a registry keeps the tags of a record or a field.
TAGS: Final = "confluent:tags"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """The base class of everything in a schema.

    Args:
        document: the text it came from.
        pointer: its place in that text (see `contracts.avro.jsonpos.Pointer`).
        props: the attributes that Avro does not know, e.g. `confluent:tags`, and those of its logical type.
    """

    document: Document
    pointer: Pointer
    props: Mapping[str, Any]

    @property
    def line(self) -> int:
        """1-based line in its own text."""
        return self.document.position(self.pointer)[0]

    @property
    def column(self) -> int:
        """1-based column in its own text."""
        return self.document.position(self.pointer)[1]

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags for data catalogs, as the text says them: a list, or one without."""
        tags = self.props.get(TAGS, [])
        return tuple(map(str, tags if isinstance(tags, list) else [tags]))

    @property
    def path(self) -> str:
        """Where the node is, for a reader: `order.items[].price`; empty for the root."""
        return path_of(self.document, self.pointer)

    def __repr__(self) -> str:
        return f"<{self.label} at {self.path or 'the root'}>"

    @property
    def label(self) -> str:
        """The name of the node in messages: `record com.example.User`, `long (timestamp-millis)`, `array`."""
        return str(getattr(self, "type", ""))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Primitive(Node):
    """`null`, `boolean`, `int`, `long`, `float`, `double`, `bytes` or `string`, with its logical type if any."""

    type: str
    logical: Logical | None

    @property
    def label(self) -> str:
        return f"{self.type} ({self.logical.name})" if self.logical else self.type


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Named(Node):
    """The base class of record, enum and fixed.

    Args:
        name: without namespace.
        namespace: None for the null namespace.
        aliases: full names, as Avro keeps them (an alias written `.Name` inside a namespace stays `.Name`, and
            matches nothing).
    """

    #: `record`, `enum` or `fixed`.
    type: ClassVar[str]
    name: str
    namespace: str | None
    aliases: tuple[str, ...]
    doc: str | None

    @property
    def fullname(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name

    @property
    def label(self) -> str:
        return f"{getattr(self, 'type', 'type')} {self.fullname}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Field(Node):
    """A field of a record.

    Args:
        type: the node of its type.
        default: the JSON value; MISSING when there is none.
        order: `ascending`, `descending` or `ignore`.
    """

    name: str
    type: AnyType
    default: Any
    doc: str | None
    aliases: tuple[str, ...]
    order: str

    @property
    def has_default(self) -> bool:
        return self.default is not MISSING

    @property
    def label(self) -> str:
        return f"field {self.name}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Record(Named):
    """A record, or an `error`, which behaves the same."""

    fields: tuple[Field, ...]
    by_name: Mapping[str, Field]
    is_error: bool

    type: ClassVar[str] = "record"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Enum(Named):
    """`default` is the symbol that a reader uses in place of an unknown one; None when there is none."""

    symbols: tuple[str, ...]
    default: str | None
    type: ClassVar[str] = "enum"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fixed(Named):
    """`size` in bytes."""

    size: int
    logical: Logical | None
    type: ClassVar[str] = "fixed"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Array(Node):
    items: AnyType
    type: ClassVar[str] = "array"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Map(Node):
    """Keys are strings."""

    values: AnyType
    type: ClassVar[str] = "map"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Union(Node):
    branches: tuple[AnyType, ...]
    type: ClassVar[str] = "union"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reference(Node):
    """A named type, used by its name.

    Args:
        fullname: of the type it stands for.
        forward: the type was not complete where it is used: it is recursive, or defined further on.
    """

    fullname: str
    forward: bool
    type: ClassVar[str] = "reference"

    @property
    def label(self) -> str:
        return self.fullname


NamedType = Record | Enum | Fixed
AnyType = Primitive | Record | Enum | Fixed | Array | Map | Union | Reference


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A parsed schema.

    Args:
        root: the node of the whole text (a Reference when the text is only the name of a known type).
        named: every named type that it defines or was given, by full name.
        own: full names of the types that its own text defines, in the order of their definition.
        where: the name that the caller gave, e.g. `schemas/users/value.avsc`; messages begin with it.
    """

    root: AnyType
    named: Mapping[str, NamedType]
    own: tuple[str, ...]
    document: Document
    where: str

    def resolve(self, node: AnyType) -> Primitive | Record | Enum | Fixed | Array | Map | Union:
        """The type that `node` stands for; `node` itself unless it is a Reference."""
        return self.named[node.fullname] if isinstance(node, Reference) else node

    @property
    def type(self) -> NamedType | None:
        """The type that the whole text stands for, if it has a full name."""
        root = self.resolve(self.root)
        return root if isinstance(root, Named) else None

    @property
    def fullname(self) -> str:
        """Full name of the root; the type's name (`array`) when it has none."""
        return self.type.fullname if self.type else self.resolve(self.root).type

    def walk(self) -> Iterator[Field | AnyType]:
        """Yield every node of the text, fields included, in the order of the text, without following references."""
        waiting: list[Field | AnyType] = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(children(node)))

    @property
    def references(self) -> tuple[str, ...]:
        """Full names that the text uses but does not define, in the order of the text, each once."""
        own = set(self.own)
        used = (node.fullname for node in self.walk() if isinstance(node, Reference))
        return tuple(dict.fromkeys(name for name in used if name not in own))


def children(node: Field | AnyType) -> tuple[Field | AnyType, ...]:
    """The nodes directly inside `node`; a Reference has none."""
    if isinstance(node, Field):
        return (node.type,)
    if isinstance(node, Record):
        return node.fields
    if isinstance(node, Array):
        return (node.items,)
    if isinstance(node, Map):
        return (node.values,)
    return node.branches if isinstance(node, Union) else ()


def path_of(document: Document, pointer: Pointer) -> str:
    """The path of the place `pointer` of a schema's text, such as `order.items[].price`.

    A field adds its name, an array `[]`, a map `{}`, a branch of a union with several types besides null its name
    in parentheses: `payment(Card).number`.
    """
    path, value = "", document.value
    names = steps(pointer)
    for index, step in enumerate(names):
        parent = value
        try:
            value = parent[step]
        except (KeyError, IndexError, TypeError):
            break
        if step == "items" and isinstance(parent, dict):
            path += "[]"
        elif step == "values" and isinstance(parent, dict):
            path += "{}"
        elif isinstance(step, int) and index and names[index - 1] == "fields":
            name = value.get("name") if isinstance(value, dict) else None
            path = join(path, name if isinstance(name, str) else f"#{step}")
        elif isinstance(step, int) and isinstance(parent, list) and (not index or names[index - 1] != "symbols"):
            path += branch_label(parent, value)
    return path


def join(path: str, name: str) -> str:
    """The path of a field, from the path of its record."""
    return f"{path}.{name}" if path else name


def branch_label(branches: list[Any], branch: Any) -> str:
    """What a union's branch (as JSON) adds to a path: nothing where there is only one type besides null."""
    if sum(one != "null" for one in branches) < 2 or branch == "null":
        return ""
    name = branch if isinstance(branch, str) else None
    if isinstance(branch, dict):
        name = branch.get("name", branch.get("type"))
    return f"({name.rpartition('.')[2]})" if isinstance(name, str) else ""
