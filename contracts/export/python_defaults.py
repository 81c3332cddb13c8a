"""Defaults of Avro fields as Python expressions."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from avro_data_contracts.contracts.avro.defaults import double_from_text, fits
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Enum, Field, Fixed, Map, Record, Schema, Union
from avro_data_contracts.contracts.avro.raw import from_raw
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.export import python_names as names
from avro_data_contracts.contracts.export.python_types import Types


class _Misfit(Exception):
    """The default does not fit, as Avro allows for some types: nobody can use it, so the field has none."""


@dataclass(frozen=True)
class Default:
    """An expression; `factory` makes a new value each time, because a value can be changed."""

    text: str
    factory: str = ""


class Defaults:
    """The defaults of one schema.

    Args:
        attributes: of the fields of a record.
    """

    def __init__(
        self,
        schema: Schema,
        types: Types,
        classes: Mapping[str, str],
        attributes: Callable[[Record], Mapping[str, str]],
    ) -> None:
        self._schema = schema
        self._types = types
        self._classes = classes
        self._attributes = attributes

    def of(self, field: Field) -> Default | None:
        """The default of a field; None if it has to be given.  Without one, null is, as for the producer."""
        if not field.has_default:
            return Default("None") if nullability(self._schema, field.type)[1] else None
        try:
            text = self._text(field.type, field.default)
        except _Misfit:
            return None
        if text in ("[]", "{}"):
            return Default(text, {"[]": "list", "{}": "dict"}[text])
        node = self._schema.resolve(field.type)
        is_mutable = isinstance(node, Record | Array | Map) or (isinstance(node, Union) and text[:1] in "[{(")
        is_mutable = is_mutable or (isinstance(node, Union) and isinstance(field.default, dict))
        return Default(text, f"lambda: {text}" if is_mutable else "")

    def _text(self, node: AnyType, value: Any) -> str:
        node = self._schema.resolve(node)
        if isinstance(node, Union):
            return self._in_union(node, value)
        if isinstance(node, Record):
            attributes = self._attributes(node)
            given = {one.name: value.get(one.name, one.default) for one in node.fields}
            parts = [f"{attributes[one.name]}={self._text(one.type, given[one.name])}" for one in node.fields]
            return f"{self._classes[node.fullname]}({', '.join(parts)})"
        if isinstance(node, Array):
            return f"[{', '.join(self._text(node.items, one) for one in value)}]"
        if isinstance(node, Map):
            return f"{{{', '.join(f'{key!r}: {self._text(node.values, one)}' for key, one in value.items())}}}"
        if isinstance(node, Enum):
            if value not in node.symbols:
                raise _Misfit
            return f"{self._classes[node.fullname]}.{names.members(node)[value]}"
        return self._scalar(node, value)

    def _in_union(self, node: Union, value: Any) -> str:
        chosen = next((one for one in node.branches if fits(one, value, self._schema.resolve)), None)
        if chosen is None:
            raise _Misfit
        text = self._text(chosen, value)
        inner = self._schema.resolve(chosen)
        branches = [one for one in self._types.branches(node) if one.node is inner and one.tagged]
        return f"({branches[0].name!r}, {text})" if branches else text

    def _scalar(self, node: AnyType, value: Any) -> str:
        if node.type in ("float", "double"):
            number = double_from_text(value) if isinstance(value, str) else float(value)
            if number is None:
                raise _Misfit
            return repr(number) if math.isfinite(number) else f'float("{number}")'
        try:
            if node.type in ("bytes", "fixed"):
                value = value.encode("latin-1")
                if isinstance(node, Fixed) and len(value) != node.size:
                    raise _Misfit
            if type_name(node) == "decimal" and not value:
                raise _Misfit
            if type_name(node) == "uuid":
                found = uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(value)
                return f'_uuid.UUID("{found}")'
            return _expression(from_raw(node, value))
        except (ValueError, OverflowError):
            raise _Misfit from None


def _expression(value: Any) -> str:
    if isinstance(value, datetime):
        zone = "" if value.tzinfo is None else ", tzinfo=_dt.UTC"
        parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
        return f"_dt.datetime({', '.join(map(str, parts))}{zone})"
    if isinstance(value, date | time):
        return f"_dt.{value!r}".replace("datetime.", "")
    return f"_decimal.{value!r}" if type(value).__name__ == "Decimal" else repr(value)
