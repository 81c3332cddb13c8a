"""A contract's records as Python classes: dataclasses, pydantic models, or the types of plain dictionaries.  Pure.

The text needs only the standard library (and pydantic for its models), Python 3.11 or later, and passes mypy with
`--strict`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Field, Named, NamedType, Record, Schema, children
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, FindingsError
from avro_data_contracts.contracts.export import python_names as names
from avro_data_contracts.contracts.export.python_defaults import Defaults
from avro_data_contracts.contracts.export.python_types import Style, Types

_WIDTH: Final = 110
_MODULES: Final = {
    "_abc": "import collections.abc as _abc",
    "_dataclasses": "import dataclasses as _dataclasses",
    "_dt": "import datetime as _dt",
    "_decimal": "import decimal as _decimal",
    "_enum": "import enum as _enum",
    "_t": "import typing as _t",
    "_uuid": "import uuid as _uuid",
    "_pydantic": "import pydantic as _pydantic",
}
_FIELDS = '''
def _fields(record: _abc.Mapping[str, _t.Any], /, **names: tuple[str, ...]) -> dict[str, _t.Any]:
    """The values by attribute, from a record that has them under one of several names."""
    if others := sorted(record.keys() - {name for known in names.values() for name in known}):
        raise ValueError(f"the class has no field {', '.join(others)}")  # its value would be lost
    return {
        attribute: next(record[name] for name in known if name in record)
        for attribute, known in names.items()
        if any(name in record for name in known)
    }
'''
_BARE = '''
def _bare(value: _t.Any) -> _t.Any:
    """The value alone: a decoder may give the name of its type with it."""
    return value[1] if isinstance(value, tuple) else value
'''
_TO_UUID = """
def _to_uuid(value: _uuid.UUID | str | bytes) -> _uuid.UUID:
    if isinstance(value, _uuid.UUID):
        return value
    return _uuid.UUID(bytes=value) if isinstance(value, bytes) else _uuid.UUID(value)
"""
_HELPERS: Final = {"_fields(": _FIELDS, "_bare(": _BARE, "_to_uuid(": _TO_UUID}


def of(contract: Contract, style: Style) -> str:
    """Return the text of a module with a class for each record and enum of the value and the key.

    Raises:
        ConfigurationError: key and value have two types with one name.
    """
    schemas = [one.schema for one in contract.subjects]
    classes = classes_of(contract)
    unions: list[str] = []
    parts: list[str] = []
    written: set[str] = set()
    for schema in reversed(schemas):  # the value first
        writer = _Writer(schema, classes, style, unions)
        found = [one for one in _in_order(schema) if one.fullname not in written]
        written |= {one.fullname for one in found}
        parts += [writer.enum(one) for one in found if isinstance(one, Enum)]
        parts += [writer.record(one) for one in found if isinstance(one, Record)]
    for schema in reversed(schemas):
        root = schema.resolve(schema.root)
        if not isinstance(root, Record | Enum):
            alias = names.free(contract.name.rpartition("/")[2].title(), classes.values(), "Value")
            annotation = Types(schema, classes, style, unions).annotation(root)
            parts.append(f'{alias}: _t.TypeAlias = "{annotation}"')
    body = "\n\n\n".join([*parts, *unions])
    return _module(contract, style, body)


def classes_of(contract: Contract) -> dict[str, str]:
    """Return the name of the class of each record and enum, by the full name of the type.  Raises as `of`."""
    return names.classes(_types(contract).values())


def compare(text: str, file: Path, command: str) -> None:
    """Compare a module with the file that should hold it.

    Args:
        command: what writes the file.

    Raises:
        FindingsError: the file differs.
        ConfigurationError: it cannot be read.
    """
    try:
        found = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"the file cannot be read: {why}", where=str(file), fix=f"run: {command}") from None
    if found != text:
        raise FindingsError(
            "the file does not match the contract as it is now", where=str(file), fix=f"run: {command}"
        )


def _module(contract: Contract, style: Style, body: str) -> str:
    helpers = [text.strip("\n") for mark, text in _HELPERS.items() if re.search(rf"(?<!\w){re.escape(mark)}", body)]
    whole = "\n\n\n".join([body, *helpers])
    used = [line for name, line in _MODULES.items() if re.search(rf"(?<!\w){name}\.", whole)]
    standard = [line for line in used if "pydantic" not in line]
    imports = "\n".join(standard) + ("\n\n" + _MODULES["_pydantic"] if len(standard) < len(used) else "")
    about = " ".join(contract.spec.description.split()) or f"Records of the topic {contract.topic}."
    head = f'"""{_quoted(about)}\n\nWritten by `contracts export python {contract.name} --style {style.value}`.\n"""'
    return f"{head}\n\nfrom __future__ import annotations\n\n{imports}\n\n\n{whole}\n"


def _types(contract: Contract) -> dict[str, NamedType]:
    """Records and enums by full name."""
    found: dict[str, NamedType] = {}
    texts: dict[str, str] = {}
    for subject in reversed(contract.subjects):
        for one in _in_order(subject.schema):
            text = to_json(_alone(subject.schema, one))
            if texts.setdefault(one.fullname, text) != text:
                raise ConfigurationError(
                    f"key and value have different types with the name {one.fullname}",
                    where=contract.file,
                    fix="give them different names, or the same definition",
                )
            found.setdefault(one.fullname, one)
    return found


def _alone(schema: Schema, node: NamedType) -> Schema:
    return Schema(node, schema.named, tuple(schema.named), schema.document, schema.where)


def _in_order(schema: Schema) -> Iterator[NamedType]:
    """The types that a schema uses, what is inside of one before it."""
    seen: set[str] = set()
    waiting: list[tuple[AnyType | Field, bool]] = [(schema.root, False)]
    while waiting:
        node, inside_done = waiting.pop()
        node = node if isinstance(node, Field) else schema.resolve(node)
        if inside_done:
            assert isinstance(node, Record | Enum)
            yield node
            continue
        if isinstance(node, Named):
            if node.fullname in seen:
                continue
            seen.add(node.fullname)
            if isinstance(node, Record | Enum):
                waiting.append((node, True))
        waiting.extend((one, False) for one in reversed(children(node)))


class _Writer:
    """Writes the classes of one schema."""

    def __init__(self, schema: Schema, classes: dict[str, str], style: Style, unions: list[str]) -> None:
        self._schema = schema
        self._classes = classes
        self._style = style
        self._types = Types(schema, classes, style, unions)
        self._hidden = {*classes.values()}
        self._defaults = Defaults(schema, self._types, classes, self.attributes)

    def attributes(self, record: Record) -> dict[str, str]:
        return dict(names.attributes(record, self._hidden, is_pydantic=self._style is Style.pydantic))

    def enum(self, node: Enum) -> str:
        name = self._classes[node.fullname]
        if self._style is Style.typeddict:
            listed = ", ".join(f'"{symbol}"' for symbol in node.symbols)
            alias = f"{name}: _t.TypeAlias = _t.Literal[{listed}]" if listed else f"{name}: _t.TypeAlias = _t.Never"
            return "\n".join([*_comment(node.doc, ""), alias])
        lines = [f"class {name}(_enum.StrEnum):", *_docstring(node.doc or f"The enum {node.fullname}.", "    "), ""]
        return "\n".join([*lines, *(f'    {one} = "{symbol}"' for symbol, one in names.members(node).items())])

    def record(self, node: Record) -> str:
        if self._style is Style.typeddict:
            return self._typed_dict(node)
        attributes = self.attributes(node)
        head = (
            "@_dataclasses.dataclass(kw_only=True, slots=True)\nclass {}:"
            if self._style is Style.dataclass
            else "class {}(_pydantic.BaseModel):"
        )
        lines = [head.format(self._classes[node.fullname])]
        lines += [*_docstring(node.doc or f"The record {node.fullname}.", "    "), ""]
        if self._style is Style.pydantic:
            lines += [
                '    model_config = _pydantic.ConfigDict(strict=True, extra="forbid", populate_by_name=True)',
                "",
            ]
        for field in node.fields:
            lines += [
                *_comment(field.doc, "    "),
                f"    {self._field(field, attributes[field.name], names.known(node, field))}",
            ]
        if node.fields:
            lines.append("")
        return "\n".join([*lines, *self._to_record(node, attributes), "", *self._from_record(node, attributes)])

    def _field(self, field: Field, attribute: str, known: tuple[str, ...]) -> str:
        annotation = f"{attribute}: {self._types.annotation(field.type)}"
        default = self._defaults.of(field)
        given = default and (f"default_factory={default.factory}" if default.factory else f"default={default.text}")
        if self._style is Style.pydantic and (known != (attribute,)):
            listed = ", ".join(f'"{one}"' for one in known)
            facts = [*([given] if given else []), f"validation_alias=_pydantic.AliasChoices({listed})"]
            return f'{annotation} = _pydantic.Field({", ".join(facts)}, serialization_alias="{field.name}")'
        if default and default.factory:
            made = "_pydantic.Field" if self._style is Style.pydantic else "_dataclasses.field"
            return f"{annotation} = {made}({given})"
        return f"{annotation} = {default.text}" if default else annotation

    def _to_record(self, node: Record, attributes: dict[str, str]) -> list[str]:
        lines = ["    def to_record(self) -> dict[str, _t.Any]:", '        """Return what a producer sends."""']
        if not node.fields:
            return [*lines, "        return {}"]
        written = [
            f'            "{one.name}": {self._types.written(one.type, f"self.{attributes[one.name]}")},'
            for one in node.fields
        ]
        return [*lines, "        return {", *written, "        }"]

    def _from_record(self, node: Record, attributes: dict[str, str]) -> list[str]:
        lines = [
            "    @classmethod",
            "    def from_record(cls, record: _abc.Mapping[str, _t.Any]) -> _t.Self:",
            '        """Return the object of a decoded record."""',
            "        given = _fields(",
            "            record,",
        ]
        for field in node.fields:
            known = names.known(node, field)
            listed = ", ".join(f'"{one}"' for one in known) + ("," if len(known) == 1 else "")
            lines.append(f"            {attributes[field.name]}=({listed}),")
        lines.append("        )")
        for field in node.fields:
            given = f'given["{attributes[field.name]}"]'
            if (converted := self._types.read(field.type, given)) != given:
                lines.append(f'        if "{attributes[field.name]}" in given:')
                lines.append(f"            {given} = {converted}")
        return [*lines, "        return cls(**given)"]

    def _typed_dict(self, node: Record) -> str:
        name = self._classes[node.fullname]
        fields = []
        is_class = all(names.is_key(field.name, self._hidden) for field in node.fields)
        for field in node.fields:
            annotation = self._types.annotation(field.type)
            if field.has_default or nullability(self._schema, field.type)[1]:
                annotation = f"_t.NotRequired[{annotation}]"
            comment = _comment(field.doc, "    ")
            fields += [
                *comment,
                f"    {field.name}: {annotation}" if is_class else f'    "{field.name}": "{annotation}",',
            ]
        if is_class:
            about = _docstring(node.doc or f"The record {node.fullname}.", "    ")
            return "\n".join([f"class {name}(_t.TypedDict):", *about, *([""] if fields else []), *fields])
        return "\n".join([*_comment(node.doc, ""), f'{name} = _t.TypedDict("{name}", {{', *fields, "})"])


def _docstring(text: str, indent: str) -> list[str]:
    lines = textwrap.wrap(_quoted(text), _WIDTH - len(indent) - 6) or [""]
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}" for line in lines[1:]), f'{indent}"""']


def _quoted(text: str) -> str:
    """A text inside of three quotes."""
    clean = "".join(one if one.isprintable() else " " for one in " ".join(text.split()))
    return clean.replace("\\", "\\\\").replace('"', "'")


def _comment(text: Any, indent: str) -> list[str]:
    clean = "".join(one if one.isprintable() else " " for one in " ".join(str(text or "").split()))
    return [f"{indent}#: {line}" for line in textwrap.wrap(clean, _WIDTH - len(indent) - 3)]
