"""A schema as text: self-contained, or in the one form that all texts with the same meaning share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from avro_data_contracts.contracts.avro.defaults import fits
from avro_data_contracts.contracts.avro.jsonpos import dump
from avro_data_contracts.contracts.avro.nodes import (
    PRIMITIVES,
    TAGS,
    AnyType,
    Array,
    Enum,
    Field,
    Fixed,
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
from avro_data_contracts.contracts.avro.trampoline import Step, run


def to_json(schema: Schema, inline: bool = True) -> str:
    """Write `schema` as compact Avro JSON.

    Args:
        inline: define every named type where it is first used, even those of other schemas, so that the text is
            complete in itself.  Otherwise types of other schemas stay names, as a registry with references expects.
    """
    outside = set() if inline else set(schema.named) - set(schema.own)
    return dump(run(_Writer(schema, outside).value(schema.root, None)))


def normalised(schema: Schema, *, tags: bool = True) -> str:
    """Return one text for all schemas that the registry takes for the same version.

    Layout, the order of attributes and aliases, the spelling of names, and the place of a type's definition do not
    count; docs, aliases, defaults, order, unknown attributes and the order of fields, symbols and branches do.
    A whole-number default of a float or double is written `1.0`, as a registry with `normalize` keeps it.

    Args:
        tags: whether to keep the tags of records and fields.
    """
    without = frozenset() if tags else frozenset({TAGS})
    return dump(_sorted(run(_Writer(schema, set(), full_names=True, without=without).value(schema.root, None))))


def described_alike(schema: Schema) -> str:
    """Like `normalised`, but without docs and aliases: schemas with the same text write the same bytes."""
    return dump(_sorted(run(_Writer(schema, set(), full_names=True, described=False).value(schema.root, None))))


def first_difference(old: Schema, new: Schema) -> str:
    """The first difference in the meaning of two schemas, e.g. `fields.0.doc: none -> ""`; empty for none."""
    waiting: list[tuple[str, Any, Any]] = [("", *(json.loads(normalised(one)) for one in (old, new)))]
    while waiting:
        at, one, other = waiting.pop()
        if one == other and type(one) is type(other):
            continue
        pairs: list[tuple[str, Any, Any]] = []
        if isinstance(one, dict) and isinstance(other, dict):
            pairs = [(key, one.get(key, _NONE), other.get(key, _NONE)) for key in dict.fromkeys([*one, *other])]
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            pairs = [(str(index), *pair) for index, pair in enumerate(zip(one, other, strict=True))]
        else:
            before, after = ("none" if value is _NONE else dump(value) for value in (one, other))
            return f"{at or 'the schema'}: {before} -> {after}"
        waiting.extend((f"{at}.{key}" if at else key, *pair) for key, *pair in reversed(pairs))
    return ""


#: Stands for the value of a key that an object lacks.
_NONE: Final = object()


class _Writer:
    def __init__(
        self,
        schema: Schema,
        written: set[str],
        *,
        full_names: bool = False,
        described: bool = True,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.schema = schema
        self.without = without
        self.written = written
        self.full_names = full_names
        self.described = described

    def value(self, node: AnyType, space: str | None) -> Step:
        if isinstance(node, Primitive):
            props = self._props(node)
            return {"type": node.type, **props} if props else node.type
        if isinstance(node, Union):
            branches = []
            for branch in node.branches:
                branches.append((yield self.value(branch, space)))
            return branches
        if isinstance(node, Array):
            return {"type": "array", "items": (yield self.value(node.items, space)), **self._props(node)}
        if isinstance(node, Map):
            return {"type": "map", "values": (yield self.value(node.values, space)), **self._props(node)}
        named = self.schema.resolve(node) if isinstance(node, Reference) else node
        name = node.fullname
        if name in self.written:
            return name.rpartition(".")[2] if self._may_be_short(name, space) else name
        self.written.add(name)
        assert isinstance(named, NamedType)
        return (yield self._definition(named, space))

    def _may_be_short(self, name: str, space: str | None) -> bool:
        """Whether a short name finds a type in the null namespace, before its own type is complete."""
        namespace, _, short = name.rpartition(".")
        if self.full_names or namespace != (space or "") or short in _TYPE_WORDS:
            return False
        return not namespace or short not in self.schema.named

    def _definition(self, node: NamedType, space: str | None) -> Step:
        kind = "error" if isinstance(node, Record) and node.is_error else node.type
        result: dict[str, Any] = {"type": kind}
        if self.full_names:
            result["name"] = node.fullname
        else:
            result["name"] = node.name
            if node.namespace != space:
                result["namespace"] = node.namespace or ""
        if node.doc is not None and self.described:
            result["doc"] = node.doc
        if isinstance(node, Record):
            fields = []
            for field in node.fields:
                fields.append((yield self._field(field, node.namespace)))
            result["fields"] = fields
        elif isinstance(node, Enum):
            result["symbols"] = list(node.symbols)
            if node.default is not None:
                result["default"] = node.default
        elif isinstance(node, Fixed):
            result["size"] = node.size
        result.update(self._props(node))
        if node.aliases and self.described:
            result["aliases"] = self._aliases(node)
        return result

    def _aliases(self, node: Named) -> list[str]:
        if self.full_names:
            return sorted(node.aliases)
        around = f"{node.namespace}." if node.namespace else ""
        return [
            alias[len(around) :] if around and alias.startswith(around) and "." not in alias[len(around) :] else alias
            for alias in node.aliases
        ]

    def _field(self, field: Field, space: str | None) -> Step:
        result: dict[str, Any] = {"name": field.name, "type": (yield self.value(field.type, space))}
        if field.doc is not None and self.described:
            result["doc"] = field.doc
        if field.has_default:
            is_plain = not self.full_names or not isinstance(field.default, (int, list, dict))
            result["default"] = field.default if is_plain else (yield self._default(field.type, field.default))
        if field.order != "ascending":
            result["order"] = field.order
        if field.aliases and self.described:
            result["aliases"] = sorted(field.aliases) if self.full_names else list(field.aliases)
        result.update(self._props(field))
        return result

    def _props(self, node: Node) -> Mapping[str, Any]:
        if not self.without & node.props.keys():
            return node.props
        return {name: value for name, value in node.props.items() if name not in self.without}

    def _default(self, node: AnyType, value: Any) -> Step:
        """The default of a type, with whole numbers written as floats where the type is float or double."""
        if isinstance(node, Reference):
            node = self.schema.resolve(node)
        if isinstance(node, Union):
            resolve = self.schema.resolve
            branch = next((one for one in node.branches if fits(one, value, resolve)), None)
            return value if branch is None else (yield self._default(branch, value))
        if isinstance(node, Array) and isinstance(value, list):
            items = []
            for item in value:
                items.append((yield self._default(node.items, item)))
            return items
        if isinstance(node, Map) and isinstance(value, dict):
            values = {}
            for key, item in value.items():
                values[key] = yield self._default(node.values, item)
            return values
        if isinstance(node, Record) and isinstance(value, dict):
            inner = {}
            for key, item in value.items():
                known = node.by_name.get(key)
                inner[key] = item if known is None else (yield self._default(known.type, item))
            return inner
        if node.type in ("float", "double") and type(value) is int and abs(value) < _TOO_LARGE:
            return float(value)
        return value


#: From this value on, a whole number does not fit a double.
_TOO_LARGE: Final = 2**1023

#: A type with such a name is written in full, because its short name would be read as the keyword.
_TYPE_WORDS = PRIMITIVES | {"record", "enum", "array", "map", "union", "fixed"}


def _sorted(value: Any) -> Any:
    """Sort the keys of every object in `value`, in place and without recursion."""
    holder = [value]
    waiting: list[Any] = [holder]
    while waiting:
        one = waiting.pop()
        for key, inner in one.items() if isinstance(one, dict) else enumerate(one):
            if isinstance(inner, dict):
                inner = one[key] = {name: inner[name] for name in sorted(inner)}
            elif isinstance(inner, list):
                inner = one[key] = list(inner)
            if isinstance(inner, (dict, list)):
                waiting.append(inner)
    return holder[0]
