"""Avro types in generated Python: annotations, and expressions that turn a value into a record's and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Enum,
    Map,
    Named,
    Primitive,
    Record,
    Schema,
    Union,
)
from avro_data_contracts.contracts.avro.shapes import type_name


class Style(StrEnum):
    """What a record becomes."""

    dataclass = "dataclass"
    pydantic = "pydantic"
    typeddict = "typeddict"


#: Type -> annotation, and the class that `isinstance` asks for.
_SCALARS: Final[Mapping[str, str]] = {
    "null": "None",
    "boolean": "bool",
    **dict.fromkeys(("int", "long", "timestamp-nanos", "local-timestamp-nanos"), "int"),
    **dict.fromkeys(("float", "double"), "float"),
    "string": "str",
    **dict.fromkeys(("bytes", "fixed", "duration", "big-decimal"), "bytes"),
    "decimal": "_decimal.Decimal",
    "uuid": "_uuid.UUID",
    "date": "_dt.date",
    **dict.fromkeys(("time-millis", "time-micros"), "_dt.time"),
    **dict.fromkeys(("timestamp-millis", "timestamp-micros"), "_dt.datetime"),
    **dict.fromkeys(("local-timestamp-millis", "local-timestamp-micros"), "_dt.datetime"),
}
_PYDANTIC: Final[Mapping[str, str]] = {
    **dict.fromkeys(("timestamp-millis", "timestamp-micros"), "_pydantic.AwareDatetime"),
    **dict.fromkeys(("local-timestamp-millis", "local-timestamp-micros"), "_pydantic.NaiveDatetime"),
}
#: In this order, so that no class comes before one of its subclasses.
_ORDER: Final = ("bool", "int", "float", "_dt.datetime", "_dt.date", "_dt.time", "_decimal.Decimal", "_uuid.UUID")


@dataclass(frozen=True)
class Branch:
    """A type of a union of several.

    Attributes:
        name: in Avro.
        kind: what tells its values from others in Python.
        tagged: a value is a pair of the name and the value, because another type has such values too.
    """

    node: AnyType
    name: str
    kind: str
    tagged: bool


class Types:
    """The types of one schema.

    Args:
        classes: full name -> class.
    """

    def __init__(self, schema: Schema, classes: Mapping[str, str], style: Style, unions: list[str]) -> None:
        self._schema = schema
        self._classes = classes
        self._style = style
        self._unions = unions
        self._functions: dict[int, str] = {}

    # -- annotations -------------------------------------------------------------------------------------------------

    def annotation(self, node: AnyType) -> str:
        """The type of the values."""
        node = self._schema.resolve(node)
        if isinstance(node, Union):
            parts = [
                f'tuple[_t.Literal["{one.name}"], {self.annotation(one.node)}]'
                if one.tagged
                else self.annotation(one.node)
                for one in self.branches(node)
            ]
            nones = ["None"] if any(self._schema.resolve(one).type == "null" for one in node.branches) else []
            return " | ".join(dict.fromkeys([*parts, *nones])) or "_t.Never"
        if isinstance(node, Array):
            return f"list[{self.annotation(node.items)}]"
        if isinstance(node, Map):
            return f"dict[str, {self.annotation(node.values)}]"
        if isinstance(node, Record | Enum):
            return self._classes[node.fullname]
        name = type_name(node)
        if self._style is Style.pydantic and name in _PYDANTIC:
            return _PYDANTIC[name]
        return _SCALARS[name]

    def branches(self, union: Union) -> list[Branch]:
        """The types besides null."""
        real = [node for node in map(self._schema.resolve, union.branches) if node.type != "null"]
        kinds = [self._kind(node) for node in real]
        found = []
        for node, kind in zip(real, kinds, strict=True):
            alike = [other for other, same in zip(real, kinds, strict=True) if same == kind]
            # A whole number is the same in each type of whole numbers that holds it.
            is_number = all(isinstance(one, Primitive) and one.logical is None for one in alike)
            tagged = len(alike) > 1 and not (is_number and kind in ("int", "float"))
            found.append(Branch(node, _name(node), kind, tagged))
        return found

    def _kind(self, node: AnyType) -> str:
        if isinstance(node, Record):
            return "dict" if self._style is Style.typeddict else self._classes[node.fullname]
        if isinstance(node, Enum):
            return "str" if self._style is Style.typeddict else self._classes[node.fullname]
        if isinstance(node, Array):
            return "list"
        return "dict" if isinstance(node, Map) else _SCALARS[type_name(node)]

    # -- conversions -------------------------------------------------------------------------------------------------

    def written(self, node: AnyType, value: str, depth: int = 0) -> str:
        """An expression for what the record holds, from one for the attribute."""
        node = self._schema.resolve(node)
        if isinstance(node, Record):
            return f"{value}.to_record()"
        if isinstance(node, Enum):
            return f"{value}.value"
        return self._converted(node, value, depth, "written")

    def read(self, node: AnyType, value: str, depth: int = 0) -> str:
        """An expression for the attribute, from one for what the record holds."""
        node = self._schema.resolve(node)
        if isinstance(node, Record):
            return f"{self._classes[node.fullname]}.from_record(_bare({value}))"
        if isinstance(node, Enum):
            return f"{self._classes[node.fullname]}(_bare({value}))"
        if type_name(node) == "uuid":
            return f"_to_uuid(_bare({value}))"
        if isinstance(node, Named):
            return f"_bare({value})"
        return self._converted(node, value, depth, "read")

    def _converted(self, node: AnyType, value: str, depth: int, way: str) -> str:
        convert = self.written if way == "written" else self.read
        inner, other = f"item{depth or ''}", f"key{depth or ''}"
        if isinstance(node, Array):
            found = convert(node.items, inner, depth + 1)
            return value if found == inner else f"[{found} for {inner} in {value}]"
        if isinstance(node, Map):
            found = convert(node.values, inner, depth + 1)
            return value if found == inner else f"{{{other}: {found} for {other}, {inner} in {value}.items()}}"
        if not isinstance(node, Union):
            return value
        branches = self.branches(node)
        if len(branches) > 1:
            return f"_{way}_{self._function(node)}({value})"
        if not branches:
            return value
        found = convert(branches[0].node, value, depth)
        if found == value or len(branches) == len(node.branches):
            return found
        return f"(None if {value} is None else {found})"

    def _function(self, union: Union) -> str:
        """The number of the functions that convert a union of several types; they are written on first use."""
        if id(union) not in self._functions:
            number = str(len(self._functions) + 1 + sum(one.startswith("def _written") for one in self._unions))
            self._functions[id(union)] = number
            branches = self.branches(union)
            texts = [self._written_function(number, branches), self._read_function(number, branches)]
            self._unions.extend(texts)
        return self._functions[id(union)]

    def _written_function(self, number: str, branches: list[Branch]) -> str:
        lines = [f"def _written_{number}(value: _t.Any) -> _t.Any:", "    if value is None:", "        return None"]
        if any(one.tagged for one in branches):
            lines.append("    if isinstance(value, tuple):")
            lines.append("        name, inner = value")
            for one in (one for one in branches if one.tagged):
                lines.append(f'        if name == "{one.name}":')
                lines.append(f'            return ("{one.name}", {self.written(one.node, "inner", 1)})')
        for one in sorted((one for one in branches if not one.tagged), key=_rank):
            lines.append(f"    if isinstance(value, {one.kind}):")
            # The producer finds the type of a number, which may be any that holds it.
            plain = one.kind in ("int", "float")
            found = self.written(one.node, "value", 1)
            lines.append(f"        return {found}" if plain else f'        return ("{one.name}", {found})')
        lines.append('    raise TypeError(f"no type of the union has values of {type(value).__name__}")')
        return "\n".join(lines)

    def _read_function(self, number: str, branches: list[Branch]) -> str:
        lines = [f"def _read_{number}(value: _t.Any) -> _t.Any:", "    if isinstance(value, tuple):"]
        lines.append("        name, inner = value")
        for one in branches:
            found = self.read(one.node, "inner", 1)
            lines.append(f'        if name == "{one.name}":')
            lines.append(
                f'            return ("{one.name}", {found})' if one.tagged else f"            return {found}"
            )
        lines.append('        raise ValueError(f"the union has no type {name}")')
        lines += ["    if value is None:", "        return None"]
        lines.append("    found: list[_t.Any] = []")
        for one in sorted(branches, key=_rank):
            lines.append(f"    if {self._test(one)}:")
            found = self.read(one.node, "value", 1)
            lines.append(
                f'        found.append(("{one.name}", {found}))' if one.tagged else f"        found.append({found})"
            )
        lines.append("    if len(found) == 1 or (found and isinstance(value, (int, float))):")
        lines.append("        return found[0]")
        lines.append(
            '    raise ValueError("it is not clear which type of the union has this value: give (name, value)")'
        )
        return "\n".join(lines)

    def _test(self, one: Branch) -> str:
        """Whether a value of a decoded record, without its name, may be of the type."""
        node = one.node
        if isinstance(node, Record):
            names = ", ".join(repr(field.name) for field in node.fields)
            return f"isinstance(value, dict) and value.keys() == {{{names}}}" if names else "value == {}"
        if isinstance(node, Enum):
            return f"value in {node.symbols!r}"
        if one.kind == "_dt.date":
            return "isinstance(value, _dt.date) and not isinstance(value, _dt.datetime)"
        if one.kind == "int":
            return "isinstance(value, int) and not isinstance(value, bool)"
        return f"isinstance(value, {one.kind})"


def _name(node: AnyType) -> str:
    return node.fullname if isinstance(node, Named) else node.type


def _rank(one: Branch) -> int:
    """Enums come before texts, of which they are a kind; the rest is as in `_ORDER`."""
    if one.kind in _ORDER:
        return _ORDER.index(one.kind)
    return len(_ORDER) + (isinstance(one.node, Primitive) or one.kind in ("list", "dict", "bytes"))
