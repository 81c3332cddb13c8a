"""Reads an Avro schema as Confluent Schema Registry 8.3.1 does: Avro Java 1.12.1, strict names, valid defaults.

    schema = parse(text, where="schemas/users/value.avsc")
    for node in schema.walk(): ...

What a schema is made of is in `contracts.avro.nodes`, and can be imported from here; `to_json` and `normalise` write
one.  Some of what the registry does is odd, and followed all the same; each oddity says so where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Final

from contracts.avro.defaults import double_from_text, fits
from contracts.avro.jsonpos import Document, JsonError, Pointer, load
from contracts.avro.logical import logical_of
from contracts.avro.names import Name, fault_of, qualify, stored_fault_of
from contracts.avro.nodes import (
    MISSING,
    NO_PROPS,
    PRIMITIVES,
    AnyType,
    Array,
    Enum,
    Field,
    Fixed,
    Logical,
    Map,
    Named,
    NamedType,
    Node,
    Primitive,
    Record,
    Reference,
    Schema,
    Union,
    path_of,
)
from contracts.avro.redefinition import same
from contracts.avro.resolving import check_resolved
from contracts.avro.slips import fix_of_unknown, kind, no_type, quoted, show
from contracts.avro.trampoline import Step, run
from contracts.avro.writing import normalised, to_json
from contracts.errors import InvalidSchema

__all__ = [
    "MISSING", "PRIMITIVES", "AnyType", "Array", "Enum", "Field", "Fixed", "Logical", "Map", "Named", "NamedType",
    "Node", "Primitive", "Record", "Reference", "Schema", "Union", "normalise", "parse", "parse_stored", "to_json",
]  # fmt: skip

_SCHEMA_RESERVED: Final = frozenset(
    {"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}
)
_ENUM_RESERVED: Final = _SCHEMA_RESERVED | {"default"}
_FIELD_RESERVED: Final = frozenset({"default", "doc", "name", "order", "type", "aliases"})
_ORDERS: Final = frozenset({"ascending", "descending", "ignore"})
#: Java cannot make a longer array, and Avro refuses to read one.
_MAX_FIXED: Final = 2**31 - 1 - 8


def parse(text: str, *, where: str = "", named: Mapping[str, NamedType] | None = None) -> Schema:
    """Reads a new schema.

    Args:
        text: Avro JSON; comments are allowed, of two equal keys the last one counts (see `Document.duplicates`).
        where: the name of the text in messages, e.g. its file.
        named: types of other schemas that it may use, by full name (`Schema.named` of those).

    Raises:
        InvalidSchema: the registry would refuse it as invalid (error 42201).
    """
    return _Parser(_load(text, where), where, named or {}, stored=False).schema()


def parse_stored(text: str, *, where: str = "", named: Mapping[str, NamedType] | None = None) -> Schema:
    """Reads a schema that the registry took before: defaults and namespaces are not checked any more.

    Raises:
        InvalidSchema: not even that way can it be read.
    """
    return _Parser(_load(text, where), where, named or {}, stored=True).schema()


def normalise(text: str, *, named: Mapping[str, NamedType] | None = None) -> str:
    """One text for all texts that the registry takes for the same version (see `contracts.avro.writing.normalised`).

    Raises:
        InvalidSchema: the registry could not even have stored it.
    """
    return normalised(parse_stored(text, named=named))


def _load(text: str, where: str) -> Document:
    try:
        return load(text)
    except JsonError as error:
        raise InvalidSchema(
            f"not valid JSON: {error.what}",
            where=_place(where, error.line, error.column),
            fix="correct the text there",
            line=error.line,
            column=error.column,
        ) from None


def _place(where: str, line: int, column: int) -> str:
    return f"{where}:{line}:{column}" if where else f"line {line}, column {column}"


class _Parser:
    """One reading of one text.  `known` are the named types that are complete so far."""

    def __init__(self, document: Document, where: str, named: Mapping[str, NamedType], *, stored: bool) -> None:
        self.document = document
        self.where = where
        self.stored = stored
        self.known: dict[str, NamedType] = dict(named)
        self.own: list[str] = []
        self.forward: list[Reference] = []
        self.fault_of = stored_fault_of if stored else fault_of

    def schema(self) -> Schema:
        value = self.document.value
        root = self._leaf(value, None, ()) or run(self._compound(value, None, ()))
        if isinstance(root, Reference) and root.forward:
            raise self._invalid(
                f"nothing defines the type {quoted(root.fullname)}", (), fix_of_unknown(root.fullname)
            )
        for reference in self.forward:
            if reference.fullname not in self.known:
                raise self._invalid(
                    f"nothing defines the type {quoted(reference.fullname)}",
                    reference.pointer,
                    fix_of_unknown(reference.fullname),
                )
        if isinstance(root, Named):
            # Of two equal definitions of one type the first one counts.
            root = self.known[root.fullname]
        schema = Schema(root, self.known, tuple(self.own), self.document, self.where)
        if not self.stored and (self.forward or len(self.own) < len(self.known)):
            fault = check_resolved(schema)
            if fault is not None:
                raise self._invalid(fault.what, fault.pointer, fault.fix)
        return schema

    # -- any type ------------------------------------------------------------------------------------------------

    def _leaf(self, value: Any, space: str | None, at: Pointer) -> AnyType | None:
        """The node of a name or of a primitive; None for what has something inside."""
        if isinstance(value, str):
            return self._find(value, space, at)
        if isinstance(value, dict):
            word = value.get("type")
            if isinstance(word, str) and word in PRIMITIVES:
                props = self._props(value, _SCHEMA_RESERVED)
                return Primitive(self.document, at, props, word, logical_of(word, props) if props else None)
        return None

    def _compound(self, value: Any, space: str | None, at: Pointer) -> Step:
        if isinstance(value, list):
            return (yield self._union(value, space, at))
        if not isinstance(value, dict):
            raise self._invalid(f"{show(value)} is not a type", at, "write a type's name, an object or an array")
        word = value.get("type")
        if not isinstance(word, str):
            what, fix = no_type(value)
            raise self._invalid(what, at, fix)
        if word in ("record", "error"):
            return (yield self._record(value, space, at))
        if word == "enum":
            return self._enum(value, space, at)
        if word == "fixed":
            return self._fixed(value, space, at)
        if word == "array":
            items = yield self._inner(value, "items", space, at)
            return Array(self.document, at, self._copied_props(value, at), items)
        if word == "map":
            values = yield self._inner(value, "values", space, at)
            return Map(self.document, at, self._copied_props(value, at), values)
        return self._find(word, space, at)

    def _find(self, name: str, space: str | None, at: Pointer) -> Primitive | Reference:
        if name in PRIMITIVES:
            return Primitive(self.document, at, NO_PROPS, name, None)
        full = f"{space}.{name}" if space and "." not in name else name
        if full in self.known:
            return Reference(self.document, at, NO_PROPS, full, False)
        if name in self.known:
            # A short name that its namespace does not have is looked up in the null namespace.
            return Reference(self.document, at, NO_PROPS, name, False)
        reference = Reference(self.document, at, NO_PROPS, full, True)
        self.forward.append(reference)
        return reference

    def _inner(self, value: dict[str, Any], key: str, space: str | None, at: Pointer) -> Step:
        if key not in value:
            raise self._invalid(f"{value['type']} without {quoted(key)}", at, f'add "{key}": the type of its {key}')
        inner = value[key]
        return self._leaf(inner, space, (at, key)) or (yield self._compound(inner, space, (at, key)))

    def _union(self, value: list[Any], space: str | None, at: Pointer) -> Step:
        branches: list[AnyType] = []
        for index, inner in enumerate(value):
            place = (at, index)
            branches.append(self._leaf(inner, space, place) or (yield self._compound(inner, space, place)))
        seen: set[str] = set()
        for branch in branches:
            if isinstance(branch, Union):
                raise self._invalid("a union directly inside a union", branch.pointer, "make it one union")
            name = _branch_name(branch)
            if name in seen:
                raise self._invalid(f"the union has {quoted(name)} twice", branch.pointer, "remove one of the two")
            seen.add(name)
        return Union(self.document, at, NO_PROPS, tuple(branches))

    # -- named types ---------------------------------------------------------------------------------------------

    def _record(self, value: dict[str, Any], space: str | None, at: Pointer) -> Step:
        name = self._name(value, space, at)
        listed = value.get("fields")
        if not isinstance(listed, list):
            raise self._invalid(f"the record {name.full} has no fields", at, 'add "fields": [...]; it may be empty')
        fields: list[Field] = []
        by_name: dict[str, Field] = {}
        around = (at, "fields")
        for index, inner in enumerate(listed):
            field = yield from self._field(inner, name.namespace, (around, index))
            if field.name in by_name:
                raise self._invalid(
                    f"the record {name.full} has the field {quoted(field.name)} twice",
                    field.pointer,
                    "rename one of the two",
                )
            by_name[field.name] = field
            fields.append(field)
        record = Record(
            self.document,
            at,
            self._copied_props(value, at),
            name.name,
            name.namespace,
            self._type_aliases(value, name, at),
            _text(value, "doc"),
            tuple(fields),
            by_name,
            value["type"] == "error",
        )
        self._define(record)
        return record

    def _field(self, value: Any, space: str | None, at: Pointer) -> Step:
        name = value.get("name") if isinstance(value, dict) else None
        if not isinstance(name, str):
            raise self._invalid("a field without a name", at, 'add "name"')
        if "type" not in value:
            raise self._invalid(f"the field {quoted(name)} has no type", at, 'add "type"')
        inner, place = value["type"], (at, "type")
        node = self._leaf(inner, space, place) or (yield self._compound(inner, space, place))
        fault = self.fault_of(name)
        if fault:
            raise self._invalid(f"the field name {quoted(name)} {fault}", (at, "name"), "rename the field")
        default = value.get("default", MISSING)
        if default is not MISSING:
            default = self._default(default, name, node, at)
        return Field(
            self.document,
            at,
            self._props(value, _FIELD_RESERVED),
            name,
            node,
            default,
            _text(value, "doc"),
            self._listed_aliases(value, at),
            self._order(value, at),
        )

    def _default(self, default: Any, name: str, node: AnyType, at: Pointer) -> Any:
        if isinstance(default, str) and node.type in ("float", "double"):
            number = double_from_text(default)
            if number is None:
                raise self._bad_default(default, name, node, at)
            return number
        if not self.stored and not fits(node, default, self._complete):
            raise self._bad_default(default, name, node, at)
        return default

    def _complete(self, node: Reference | Record) -> AnyType | None:
        if isinstance(node, Record):
            return node
        return None if self._is_open(node) else self.known[node.fullname]

    def _is_open(self, node: Reference) -> bool:
        """What it stands for is not known yet.  The types of other schemas are complete, recursive ones too."""
        return node.forward and node.document is self.document

    def _bad_default(self, default: Any, name: str, node: AnyType, at: Pointer) -> InvalidSchema:
        return self._invalid(
            f"the default {show(default)} of the field {quoted(name)} does not fit {kind(node)}",
            (at, "default"),
            "give a default of the field's type, or remove it",
        )

    def _order(self, value: dict[str, Any], at: Pointer) -> str:
        if "order" not in value:
            return "ascending"
        order = value["order"]
        # Upper case first: so does the registry, and some letters beyond ASCII become one within.
        known = order.upper().lower() if isinstance(order, str) else None
        if known not in _ORDERS:
            raise self._invalid(
                f"{show(order)} is not an order", (at, "order"), "write ascending, descending or ignore"
            )
        return known

    def _enum(self, value: dict[str, Any], space: str | None, at: Pointer) -> Enum:
        name = self._name(value, space, at)
        symbols = value.get("symbols")
        if not isinstance(symbols, list):
            raise self._invalid(f"the enum {name.full} has no symbols", at, 'add "symbols": [...]')
        seen: set[str] = set()
        for index, symbol in enumerate(symbols):
            place = ((at, "symbols"), index)
            fault = self.fault_of(symbol) if isinstance(symbol, str) else "is not a string"
            if fault:
                raise self._invalid(f"the symbol {show(symbol)} {fault}", place, "rename the symbol")
            if symbol in seen:
                raise self._invalid(f"the symbol {quoted(symbol)} is there twice", place, "remove one of the two")
            seen.add(symbol)
        # A default that is no string counts as none.
        default = _text(value, "default")
        if default is not None and default not in seen:
            raise self._invalid(
                f"the default {quoted(default)} is not a symbol of the enum {name.full}",
                (at, "default"),
                "add the symbol, or take one that is there",
            )
        props = self._props(value, _ENUM_RESERVED)
        aliases = self._type_aliases(value, name, at)
        doc = _text(value, "doc")
        enum = Enum(self.document, at, props, name.name, name.namespace, aliases, doc, tuple(symbols), default)
        self._define(enum)
        return enum

    def _fixed(self, value: dict[str, Any], space: str | None, at: Pointer) -> Fixed:
        name = self._name(value, space, at)
        size = value.get("size")
        if type(size) is not int or not 0 <= size <= _MAX_FIXED:
            place = (at, "size") if "size" in value else at
            raise self._invalid(
                f"the size of the fixed {name.full} is {show(size) if 'size' in value else 'missing'}",
                place,
                'write "size": a whole number of bytes, at least 0',
            )
        props = self._props(value, _SCHEMA_RESERVED)
        aliases = self._type_aliases(value, name, at)
        logical = logical_of("fixed", props, size)
        doc = _text(value, "doc")
        fixed = Fixed(self.document, at, props, name.name, name.namespace, aliases, doc, size, logical)
        self._define(fixed)
        return fixed

    def _name(self, value: dict[str, Any], space: str | None, at: Pointer) -> Name:
        written = value.get("name")
        if not isinstance(written, str):
            raise self._invalid(f"the {value['type']} has no name", at, 'add "name"')
        namespace = value.get("namespace")
        name = qualify(written, namespace if isinstance(namespace, str) else space)
        fault = self.fault_of(name.name)
        if fault:
            raise self._invalid(f"the name {quoted(written)} {fault}", (at, "name"), "rename the type")
        if name.full in PRIMITIVES:
            raise self._invalid(f"a {value['type']} named like the primitive {name.full!r}", at, "rename the type")
        return name

    def _define(self, node: NamedType) -> None:
        if node.namespace and not self.stored:
            for part in node.namespace.split("."):
                fault = fault_of(part)
                if fault:
                    raise self._invalid(
                        f"in the namespace {quoted(node.namespace)} the part {quoted(part)} {fault}",
                        node.pointer,
                        "correct the namespace",
                    )
        full = node.fullname
        if full not in self.known:
            self.known[full] = node
            self.own.append(full)
        elif not same(self.known[full], node, self.known, self._is_open):
            raise self._invalid(
                f"{full} is defined twice, differently", node.pointer, "rename one, or use the first by its name"
            )

    # -- attributes ----------------------------------------------------------------------------------------------

    def _props(self, value: dict[str, Any], reserved: Set[str]) -> Mapping[str, Any]:
        if value.keys() <= reserved:
            return NO_PROPS
        return {key: inner for key, inner in value.items() if key not in reserved}

    def _copied_props(self, value: dict[str, Any], at: Pointer) -> Mapping[str, Any]:
        """The props of a record, array or map: Avro copies these, and cannot copy a number beyond 64 bits."""
        props = self._props(value, _SCHEMA_RESERVED)
        for key, inner in props.items():
            if _has_huge_integer(inner):
                raise self._invalid(
                    f"the attribute {quoted(key)} holds a whole number beyond 64 bits",
                    (at, key),
                    "write it as a string",
                )
        return props

    def _listed_aliases(self, value: dict[str, Any], at: Pointer) -> tuple[str, ...]:
        if "aliases" not in value:
            return ()
        listed = value["aliases"]
        if not isinstance(listed, list):
            raise self._invalid("aliases that are no array", (at, "aliases"), 'write "aliases": ["..."]')
        for index, alias in enumerate(listed):
            if not isinstance(alias, str):
                raise self._invalid(
                    f"the alias {show(alias)} is not a string", ((at, "aliases"), index), "write it in quotes"
                )
        return tuple(dict.fromkeys(listed))

    def _type_aliases(self, value: dict[str, Any], name: Name, at: Pointer) -> tuple[str, ...]:
        found: dict[str, str] = {}
        for index, written in enumerate(self._listed_aliases(value, at)):
            alias = qualify(written, name.namespace)
            fault = fault_of(alias.name) if not self.stored else ""
            if fault:
                raise self._invalid(
                    f"the alias {quoted(written)} {fault}", ((at, "aliases"), index), "correct the alias"
                )
            # An alias in the null namespace of a type in another one keeps its dot, and so never matches a name.
            out_of_reach = alias.namespace is None and name.namespace is not None
            found.setdefault(alias.full, f".{alias.name}" if out_of_reach else alias.full)
        return tuple(found.values())

    def _invalid(self, what: str, at: Pointer, fix: str) -> InvalidSchema:
        line, column = self.document.position(at)
        path = path_of(self.document, at)
        return InvalidSchema(
            what, where=_place(self.where, line, column), fix=fix, path=path, line=line, column=column
        )


def _branch_name(branch: AnyType) -> str:
    if isinstance(branch, (Named, Reference)):
        return branch.fullname
    return branch.type


def _text(value: dict[str, Any], key: str) -> str | None:
    found = value.get(key)
    return found if isinstance(found, str) else None


def _has_huge_integer(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif type(one) is int and not -(2**63) <= one < 2**63:
            return True
    return False
