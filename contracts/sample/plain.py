"""The plain JSON form of a record (docs/reference/sample.md).

A union's value stands alone, so a value is written only where one type of the union takes its JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Enum,
    Fixed,
    Map,
    Named,
    Primitive,
    Record,
    Schema,
    Union,
    join,
)
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.errors import ConfigurationError

_EPOCH: Final = datetime(1970, 1, 1)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_NONES: Final = ("NaN", "Infinity", "-Infinity")
_DURATION: Final = ("months", "days", "milliseconds")
_WHOLE: Final = ("int", "long", "timestamp-nanos", "local-timestamp-nanos")


def line(schema: Schema, value: Any) -> str:
    """A value as one line of JSON.

    Raises:
        ConfigurationError: several types of a union have such a value, and JSON cannot say which one is meant.
    """
    return dump(of(schema, value))


def dump(value: Any) -> str:
    """JSON in one line, in which every text is legible."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def of(schema: Schema, value: Any) -> Any:
    """A value as what JSON has.  Raises as `line`."""
    return _of(schema, schema.root, value, "")


def of_type(schema: Schema, node: AnyType, value: Any) -> Any:
    """A value of a type inside the schema.  Raises as `line`."""
    return _of(schema, node, value, "")


def _of(schema: Schema, node: AnyType, value: Any, path: str) -> Any:
    node = schema.resolve(node)
    if isinstance(node, Union):
        if isinstance(value, tuple):
            if not is_clear(schema, node, value):
                raise ConfigurationError(
                    "several types of the union have values with this JSON, which cannot say which one is meant",
                    where=path or "the value",
                    fix="use the records in Python (contracts.sample.records), which name the type",
                )
            return _of(schema, branch(schema, node, value[0]), value[1], path)
        return None if value is None else _of(schema, nullability(schema, node)[0], value, path)
    if isinstance(node, Record):
        return {one.name: _of(schema, one.type, value[one.name], join(path, one.name)) for one in node.fields}
    if isinstance(node, Array):
        return [_of(schema, node.items, one, f"{path}[]") for one in value]
    if isinstance(node, Map):
        return {key: _of(schema, node.values, one, f"{path}{{}}") for key, one in value.items()}
    return _scalar(node, value)


def branch(schema: Schema, union: Union, name: str) -> AnyType:
    """The type of a union that has this name."""
    for one in union.branches:
        node = schema.resolve(one)
        if name == (node.fullname if isinstance(node, Named) else node.type):
            return node
    raise KeyError(name)


def _scalar(node: AnyType, value: Any) -> Any:
    name = type_name(node)
    if name.endswith("timestamp-nanos"):
        return _nanos(value, zone="" if name.startswith("local") else "Z")
    if name == "duration":
        return dict(zip(_DURATION, struct.unpack("<III", value), strict=True))
    if name == "uuid":
        return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else ("NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date | time) else value


def _nanos(value: int, zone: str) -> str:
    micros, rest = divmod(value, 1_000)
    moment = _EPOCH + timedelta(microseconds=micros)
    return f"{moment.isoformat(timespec='microseconds')}{rest:03d}{zone}"


def is_clear(schema: Schema, union: Union, value: tuple[str, Any]) -> bool:
    """Whether a reader of the JSON of a union's value finds the type again."""
    name, inner = value
    node = branch(schema, union, name)
    try:
        written = _of(schema, node, inner, "")
    except ConfigurationError:  # a union inside
        return False
    taking = [one for one in map(schema.resolve, union.branches) if takes(schema, one, written)]
    if isinstance(written, int) and not isinstance(written, bool):
        # A whole number is read as a whole number, and the value is the same in each of them.
        taking = [one for one in taking if type_name(one) not in ("float", "double")]
        return all(type_name(one) in _WHOLE for one in taking)
    if isinstance(written, float):
        return all(one.type in ("float", "double") for one in taking)
    return taking == [node]


def takes(schema: Schema, node: AnyType, value: Any) -> bool:
    """Whether the type may read this JSON as one of its values; in doubt, it may."""
    node = schema.resolve(node)
    if isinstance(node, Union):
        return any(takes(schema, one, value) for one in node.branches)
    if isinstance(node, Record):
        return isinstance(value, Mapping) and _record_takes(schema, node, value)
    if isinstance(node, Array):
        return isinstance(value, list) and all(takes(schema, node.items, one) for one in value)
    if isinstance(node, Map):
        return isinstance(value, Mapping) and all(takes(schema, node.values, one) for one in value.values())
    return _scalar_takes(node, value)


def _record_takes(schema: Schema, node: Record, value: Mapping[str, Any]) -> bool:
    if not value.keys() <= node.by_name.keys():
        return False
    return all(
        takes(schema, field.type, value[field.name])
        if field.name in value
        else field.has_default or takes(schema, field.type, None)
        for field in node.fields
    )


def _scalar_takes(node: Primitive | Enum | Fixed, value: Any) -> bool:
    name = type_name(node)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "null":
        return value is None
    if name == "boolean":
        return isinstance(value, bool)
    if name in ("int", "long"):
        end = 2**31 if name == "int" else 2**63
        return is_number and float(value).is_integer() and -end <= value < end
    if name in ("float", "double"):
        return is_number or value in _NONES
    if name == "decimal":
        return is_number or (isinstance(value, str) and _NUMBER.fullmatch(value) is not None)
    if name == "duration":
        return isinstance(value, Mapping) and set(value) == set(_DURATION)
    return isinstance(value, str) and _text_takes(node, name, value)


def _text_takes(node: Primitive | Enum | Fixed, name: str, value: str) -> bool:
    if isinstance(node, Enum):
        return value in node.symbols
    if name == "uuid":
        return _UUID.fullmatch(value) is not None
    if name in ("bytes", "fixed", "big-decimal"):
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return False
        return not isinstance(node, Fixed) or len(data) == node.size
    if name == "string":
        return True
    return _READ[name.partition("-")[0]](value)


def _reads(read: Callable[[str], Any]) -> Callable[[str], bool]:
    def taken(value: str) -> bool:
        try:
            read(re.sub(r"(\.\d{6})\d+", r"\1", value))
        except ValueError:
            return False
        return True

    return taken


_READ: Final[Mapping[str, Callable[[str], bool]]] = {
    "date": _reads(date.fromisoformat),
    "time": _reads(time.fromisoformat),
    "timestamp": _reads(datetime.fromisoformat),
    "local": _reads(datetime.fromisoformat),
}
