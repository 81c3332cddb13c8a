"""Read an Avro schema as Confluent Schema Registry 8.3.1 does: Avro Java 1.12.1, strict names, valid defaults.

    schema = parse(text, where="schemas/users/value.avsc")
    for node in schema.walk(): ...

The parts of a schema are in `contracts.avro.nodes`, and can be imported from here; `to_json` and `normalise` write a
schema.  Where the registry does something odd, this module does the same, and a comment says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avro_data_contracts.contracts.avro.attributes import (
    ENUM_RESERVED,
    FIELD_RESERVED,
    SCHEMA_RESERVED,
    Attributes,
    props,
    text,
)
from avro_data_contracts.contracts.avro.defaults import double_from_text, fits
from avro_data_contracts.contracts.avro.jsonpos import Pointer
from avro_data_contracts.contracts.avro.logical import logical_of
from avro_data_contracts.contracts.avro.nodes import (
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
)
from avro_data_contracts.contracts.avro.redefinition import same
from avro_data_contracts.contracts.avro.resolving import check_resolved
from avro_data_contracts.contracts.avro.slips import fix_of_unknown, kind, no_type, quoted, show
from avro_data_contracts.contracts.avro.text import SchemaText
from avro_data_contracts.contracts.avro.trampoline import Step, run
from avro_data_contracts.contracts.avro.writing import normalised, to_json
from avro_data_contracts.contracts.errors import InvalidSchema

__all__ = [
    "MISSING", "PRIMITIVES", "AnyType", "Array", "Enum", "Field", "Fixed", "Logical", "Map", "Named", "NamedType",
    "Node", "Primitive", "Record", "Reference", "Schema", "Union", "normalise", "parse", "parse_stored", "to_json",
]  # fmt: skip


def parse(
    text: str, *, where: str = "", named: Mapping[str, NamedType] | None = None, part: int | None = None
) -> Schema:
    """Parse a new schema.

    Args:
        text: Avro JSON; comments are allowed, of two equal keys the last one wins (see `Document.duplicates`).
        where: the name of the text in messages, e.g. its file.
        named: types of other schemas that this one may use, by full name (`Schema.named` of those).
        part: the schema is only this item of the array, or of the types of the protocol, that the text is.

    Raises:
        InvalidSchema: the registry would refuse it as invalid (error 42201).
    """
    return _Parser(SchemaText(text, where, part), named or {}, stored=False).schema()


def parse_stored(
    text: str, *, where: str = "", named: Mapping[str, NamedType] | None = None, part: int | None = None
) -> Schema:
    """Parse a schema that the registry has accepted before, without checks of defaults and namespaces.

    Raises:
        InvalidSchema: the text cannot be parsed even so.
    """
    return _Parser(SchemaText(text, where, part), named or {}, stored=True).schema()


def normalise(text: str, *, named: Mapping[str, NamedType] | None = None) -> str:
    """Return one text for all texts that the registry takes for the same version (see `writing.normalised`).

    Raises:
        InvalidSchema: the registry can never have stored it.
    """
    return normalised(parse_stored(text, named=named))


class _Parser:
    """Parses one text, once.  `known` holds the named types that are complete so far."""

    def __init__(self, text: SchemaText, named: Mapping[str, NamedType], *, stored: bool) -> None:
        self.document = text.document
        self.where = text.where
        self.space = text.space
        self.invalid = text.invalid
        self.redefined = text.redefined
        self.unknown = text.unknown
        self.attributes = Attributes(text, stored=stored)
        self.stored = stored
        self.known: dict[str, NamedType] = dict(named)
        self.own: list[str] = []
        self.forward: list[Reference] = []

    def schema(self) -> Schema:
        value = self.document.value
        root = self._leaf(value, self.space, ()) or run(self._compound(value, self.space, ()))
        if isinstance(root, Reference) and root.forward:
            raise self._unknown(root)
        for reference in self.forward:
            if reference.fullname not in self.known:
                raise self._unknown(reference)
        if isinstance(root, Named):
            # Of two equal definitions of one type the first one wins.
            root = self.known[root.fullname]
        schema = Schema(root, self.known, tuple(self.own), self.document, self.where)
        if not self.stored and (self.forward or len(self.own) < len(self.known)):
            fault = check_resolved(schema)
            if fault is not None:
                raise self.invalid(fault.what, fault.pointer, fault.fix)
        return schema

    def _unknown(self, reference: Reference) -> InvalidSchema:
        name = reference.fullname
        return self.unknown(name, reference.pointer, fix_of_unknown(name, self.document.value, reference.pointer))

    # -- any type ------------------------------------------------------------------------------------------------

    def _leaf(self, value: Any, space: str | None, at: Pointer) -> AnyType | None:
        """The node of a name or of a primitive; None for a type that contains others."""
        if isinstance(value, str):
            return self._find(value, space, at)
        if isinstance(value, dict):
            word = value.get("type")
            if isinstance(word, str) and word in PRIMITIVES:
                unknown = props(value, SCHEMA_RESERVED)
                return Primitive(self.document, at, unknown, word, logical_of(word, unknown) if unknown else None)
        return None

    def _compound(self, value: Any, space: str | None, at: Pointer) -> Step:
        if isinstance(value, list):
            return (yield self._union(value, space, at))
        if not isinstance(value, dict):
            fix = 'write "null"' if value is None else "write a type's name, an object or an array"
            raise self.invalid(f"{show(value)} is not a type", at, fix)
        word = value.get("type")
        if not isinstance(word, str):
            what, fix = no_type(value)
            raise self.invalid(what, at, fix)
        if word in ("record", "error"):
            return (yield self._record(value, space, at))
        if word == "enum":
            return self._enum(value, space, at)
        if word == "fixed":
            return self._fixed(value, space, at)
        if word == "array":
            items = yield self._inner(value, "items", space, at)
            return Array(self.document, at, self.attributes.copied_props(value, at), items)
        if word == "map":
            values = yield self._inner(value, "values", space, at)
            return Map(self.document, at, self.attributes.copied_props(value, at), values)
        return self._find(word, space, at)

    def _find(self, name: str, space: str | None, at: Pointer) -> Primitive | Reference:
        if name in PRIMITIVES:
            return Primitive(self.document, at, NO_PROPS, name, None)
        full = f"{space}.{name}" if space and "." not in name else name
        if full in self.known:
            return Reference(self.document, at, NO_PROPS, full, False)
        if name in self.known:
            # A short name that is not in its namespace is looked up in the null namespace.
            return Reference(self.document, at, NO_PROPS, name, False)
        reference = Reference(self.document, at, NO_PROPS, full, True)
        self.forward.append(reference)
        return reference

    def _inner(self, value: dict[str, Any], key: str, space: str | None, at: Pointer) -> Step:
        if key not in value:
            raise self.invalid(f"the {value['type']} has no {quoted(key)}", at, f'add "{key}": the type of its {key}')
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
                raise self.invalid("a union is directly inside another union", branch.pointer, "merge the two unions")
            name = _branch_name(branch)
            if name in seen:
                raise self.invalid(f"the union has {quoted(name)} twice", branch.pointer, "remove one of the two")
            seen.add(name)
        return Union(self.document, at, NO_PROPS, tuple(branches))

    # -- named types ---------------------------------------------------------------------------------------------

    def _record(self, value: dict[str, Any], space: str | None, at: Pointer) -> Step:
        name = self.attributes.type_name(value, space, at)
        listed = value.get("fields")
        if not isinstance(listed, list):
            raise self.invalid(f"the record {name.full} has no fields", at, 'add "fields": [...]; it may be empty')
        fields: list[Field] = []
        by_name: dict[str, Field] = {}
        around = (at, "fields")
        for index, inner in enumerate(listed):
            field = yield from self._field(inner, name.namespace, (around, index))
            if field.name in by_name:
                raise self.invalid(
                    f"the record {name.full} has the field {quoted(field.name)} twice",
                    field.pointer,
                    "rename one of the two",
                )
            by_name[field.name] = field
            fields.append(field)
        record = Record(
            self.document,
            at,
            self.attributes.copied_props(value, at),
            name.name,
            name.namespace,
            self.attributes.type_aliases(value, name, at),
            text(value, "doc"),
            tuple(fields),
            by_name,
            value["type"] == "error",
        )
        self._define(record)
        return record

    def _field(self, value: Any, space: str | None, at: Pointer) -> Step:
        name = value.get("name") if isinstance(value, dict) else None
        if not isinstance(name, str):
            raise self.invalid("a field has no name", at, 'add "name"')
        if "type" not in value:
            raise self.invalid(f"the field {quoted(name)} has no type", at, 'add "type"')
        inner, place = value["type"], (at, "type")
        node = self._leaf(inner, space, place) or (yield self._compound(inner, space, place))
        self.attributes.check_field_name(name, at)
        default = value.get("default", MISSING)
        if default is not MISSING:
            default = self._default(default, name, node, at)
        return Field(
            self.document,
            at,
            props(value, FIELD_RESERVED),
            name,
            node,
            default,
            text(value, "doc"),
            self.attributes.aliases(value, at),
            self.attributes.order(value, at),
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
        """Whether its type is not known yet.  The types of other schemas are complete, recursive ones too."""
        return node.forward and node.document is self.document

    def _bad_default(self, default: Any, name: str, node: AnyType, at: Pointer) -> InvalidSchema:
        return self.invalid(
            f"the default {show(default)} of the field {quoted(name)} does not fit {kind(node)}",
            (at, "default"),
            "use a default of the field's type, or remove it",
        )

    def _enum(self, value: dict[str, Any], space: str | None, at: Pointer) -> Enum:
        name = self.attributes.type_name(value, space, at)
        symbols, default = self.attributes.symbols(value, name, at)
        unknown = props(value, ENUM_RESERVED)
        aliases = self.attributes.type_aliases(value, name, at)
        doc = text(value, "doc")
        enum = Enum(self.document, at, unknown, name.name, name.namespace, aliases, doc, symbols, default)
        self._define(enum)
        return enum

    def _fixed(self, value: dict[str, Any], space: str | None, at: Pointer) -> Fixed:
        name = self.attributes.type_name(value, space, at)
        size = self.attributes.size(value, name, at)
        unknown = props(value, SCHEMA_RESERVED)
        aliases = self.attributes.type_aliases(value, name, at)
        logical = logical_of("fixed", unknown, size)
        doc = text(value, "doc")
        fixed = Fixed(self.document, at, unknown, name.name, name.namespace, aliases, doc, size, logical)
        self._define(fixed)
        return fixed

    def _define(self, node: NamedType) -> None:
        self.attributes.check_namespace(node.namespace, node.pointer)
        full = node.fullname
        if full not in self.known:
            self.known[full] = node
            self.own.append(full)
        elif not same(self.known[full], node, self.known, self._is_open):
            raise self.redefined(full, node.pointer, "rename one, or use the first by its name")


def _branch_name(branch: AnyType) -> str:
    if isinstance(branch, (Named, Reference)):
        return branch.fullname
    return branch.type
