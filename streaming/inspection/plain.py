"""Decoded records as plain JSON (docs/reference/conversions.md), with personal data masked.

fastavro reads the bytes.  It converts each logical type while it reads, where the branch of a union is still known:
the schema that it gets has logical types of our own, which it finds among its readers.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import math
import uuid
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any, Final

import fastavro
from fastavro import _read_py

from avro_data_contracts.contracts.avro import parsing
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
)
from avro_data_contracts.contracts.avro.shapes import decimal_digits, type_name
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.streaming.inspection.masks import Beside, Laid, Masks

MASK: Final = "***"
_OWN_TAGS: Final = Masks()
_EPOCH: Final = dt.datetime(1970, 1, 1)
#: More digits than any decimal has, so that nothing is rounded.
_EXACT: Final = Context(prec=100_000)
_DAY_S: Final = 86_400
_PER_SECOND: Final = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}

#: Reads the body of a message.
Read = Callable[[bytes], Any]


class Undecodable(ValueError):
    """Bytes that are not a record of the schema.  The text contains none of them."""


def reader(schema: Schema, *, masks: Masks | None = _OWN_TAGS) -> Read:
    """Return what reads bodies written with a schema, as plain JSON.

    Args:
        masks: what is personal beside that which the schema itself tags; None: nothing is masked.

    Returns:
        A function that raises Undecodable.
    """
    node = schema.resolve(schema.root)
    parsed = fastavro.parse_schema(_Schemas(schema).of(node))
    read = _schemaless(schema)
    show = _Shown(schema, masks).of

    def plain(body: bytes) -> Any:
        source = io.BytesIO(body)
        found = _whole(lambda: read(source, parsed, None, return_record_name=True), source, body)
        try:
            return show(node, found, masks.roots if masks else ())
        except RecursionError:
            raise Undecodable("the record is nested too deeply") from None

    return plain


def resolved(writer: Schema, contract: Schema) -> Read:
    """Return what reads bodies as the contract has them, with the numbers and bytes that Avro has, for rules."""
    ours, theirs = (fastavro.parse_schema(_bare(json.loads(to_json(one)))) for one in (contract, writer))
    read = _schemaless(writer)

    def raw(body: bytes) -> Any:
        source = io.BytesIO(body)
        return _whole(lambda: read(source, theirs, ours), source, body)

    return raw


def _schemaless(schema: Schema) -> Callable[..., Any]:
    """fastavro's reader in C has no limit: a deeply nested recursive type would crash the process."""
    recursive = any(types.recursions(parsing.parse_stored(to_json(schema))))
    return _read_py.schemaless_reader if recursive else fastavro.schemaless_reader


def _whole(read: Callable[[], Any], source: io.BytesIO, body: bytes) -> Any:
    try:
        found = read()
    except Exception as error:  # whatever fastavro raises; its message may quote a value
        raise Undecodable(f"the body does not fit its schema ({type(error).__name__})") from None
    if left := len(body) - source.tell():
        raise Undecodable(f"{left} bytes follow the record")
    return found


class _Shown:
    """Masks what is personal, and takes the names of records out.

    Args:
        masks: as for `reader`.
    """

    def __init__(self, schema: Schema, masks: Masks | None) -> None:
        self._schema = schema
        self._masks = masks
        # There are few pairs of a type and what lies beside it, and many records.  The keys are identities of nodes
        # and of tuples that stay: the roots', and those that are kept here.
        self._kept: dict[tuple[int, ...], tuple[Beside, ...]] = {}
        self._masked: dict[tuple[int, int], bool] = {}
        self._fields: dict[tuple[int, int], tuple[Laid, ...]] = {}
        self._items: dict[tuple[int, int], tuple[Beside, ...]] = {}

    def of(self, node: AnyType, value: Any, beside: tuple[Beside, ...]) -> Any:
        """Return a value as it is shown.  `beside`: what lies beside its type in the schemas of the masks."""
        node = self._schema.resolve(node)
        if isinstance(node, Union):
            node, value = self._branch(node, value)
        if value is None:
            return None
        if self._is_masked(node, beside):
            return MASK
        if isinstance(node, Record) and isinstance(value, dict):
            return self._record(node, value, beside)
        if isinstance(node, Array) and isinstance(value, list):
            further = self._further(node, beside)
            return [self.of(node.items, item, further) for item in value]
        if isinstance(node, Map) and isinstance(value, dict):
            further = self._further(node, beside)
            return {key: self.of(node.values, item, further) for key, item in value.items()}
        return value

    def _record(self, record: Record, values: dict[str, Any], beside: tuple[Beside, ...]) -> dict[str, Any]:
        if self._masks is None:
            return {field.name: self.of(field.type, values[field.name], ()) for field in record.fields}
        at = (id(record), id(beside))
        if at not in self._fields:
            found = self._masks.fields(record, beside)
            self._fields[at] = tuple((field, is_tagged, self._same(further)) for field, is_tagged, further in found)
        shown = {}
        for field, is_tagged, further in self._fields[at]:
            value = values[field.name]
            shown[field.name] = MASK if is_tagged and value is not None else self.of(field.type, value, further)
        return shown

    def _is_masked(self, node: AnyType, beside: tuple[Beside, ...]) -> bool:
        if self._masks is None:
            return False
        at = (id(node), id(beside))
        if at not in self._masked:
            self._masked[at] = self._masks.is_masked(self._schema, node, beside)
        return self._masked[at]

    def _further(self, node: Array | Map, beside: tuple[Beside, ...]) -> tuple[Beside, ...]:
        if self._masks is None:
            return ()
        at = (id(node), id(beside))
        if at not in self._items:
            self._items[at] = self._same(self._masks.items(node, beside))
        return self._items[at]

    def _same(self, beside: tuple[Beside, ...]) -> tuple[Beside, ...]:
        """The one tuple of these places, also in a recursive type, which has them at each of its depths."""
        return self._kept.setdefault(tuple(id(place) for _, place in beside), beside)

    def _branch(self, union: Union, value: Any) -> tuple[AnyType, Any]:
        """The type of a value of a union, as far as it matters here, and the value itself."""
        branches = [self._schema.resolve(one) for one in union.branches]
        if isinstance(value, tuple):  # as fastavro names records
            name, value = value
            return next(one for one in branches if isinstance(one, Named) and one.fullname == name), value
        if isinstance(value, list):
            return next((one for one in branches if isinstance(one, Array)), union), value
        if isinstance(value, _Duration):
            return union, value
        if isinstance(value, dict):
            return next((one for one in branches if isinstance(one, Map)), union), value
        return union, value


class _Schemas:
    """Makes the schema that fastavro reads with: each named type once."""

    def __init__(self, schema: Schema) -> None:
        self._resolve = schema.resolve
        self._seen: set[str] = set()

    def of(self, node: AnyType) -> Any:
        node = self._resolve(node)
        if isinstance(node, Named):
            if node.fullname in self._seen:
                return node.fullname
            self._seen.add(node.fullname)
        if isinstance(node, Record):
            fields = [{"name": field.name, "type": self.of(field.type)} for field in node.fields]
            return {"type": "record", "name": node.fullname, "fields": fields}
        if isinstance(node, Array):
            return {"type": "array", "items": self.of(node.items)}
        if isinstance(node, Map):
            return {"type": "map", "values": self.of(node.values)}
        if isinstance(node, Union):
            return [self.of(branch) for branch in node.branches]
        if isinstance(node, Enum):
            return {"type": "enum", "name": node.fullname, "symbols": list(node.symbols)}
        assert isinstance(node, (Primitive, Fixed))
        made: dict[str, Any] = {"type": node.type}
        if isinstance(node, Fixed):
            made |= {"name": node.fullname, "size": node.size}
        convert, name = _conversion(node)
        if convert is not None:
            made["logicalType"] = f"plain-{name}"
            for readers in (fastavro.read.LOGICAL_READERS, _read_py.LOGICAL_READERS):  # type: ignore[attr-defined]
                readers.setdefault(f"{node.type}-plain-{name}", lambda data, *_: convert(data))
        return made


class _Duration(dict[str, int]):
    """The three numbers of a duration."""


def _conversion(node: Primitive | Fixed) -> tuple[Callable[[Any], Any] | None, str]:
    """Return what makes a value plain, and a name for it; None for what is plain already."""
    name = type_name(node)
    unit = name.rpartition("-")[2]
    if name == "decimal":
        scale = decimal_digits(node)[1]
        return lambda data: Decimal(int.from_bytes(data, "big", signed=True)).scaleb(
            -scale, _EXACT
        ), f"decimal-{scale}"
    if name == "duration":
        return _duration, name
    if name == "uuid":
        return (lambda data: str(uuid.UUID(bytes=bytes(data))), name) if isinstance(node, Fixed) else (None, "")
    if name == "date":
        return _date, name
    if name.startswith("time-"):
        return lambda data: _time(data, _PER_SECOND[unit]), name
    if "timestamp-" in name:
        zone = "" if name.startswith("local-") else "Z"
        return lambda data: _moment(data, _PER_SECOND[unit], zone), name
    if node.type in ("bytes", "fixed"):
        return lambda data: base64.b64encode(data).decode(), "bytes"
    return (_number, "number") if node.type in ("float", "double") else (None, "")


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _duration(data: bytes) -> dict[str, int]:
    names = ("months", "days", "milliseconds")
    return _Duration({name: int.from_bytes(data[4 * at : 4 * at + 4], "little") for at, name in enumerate(names)})


def _date(days: int) -> Any:
    """A date; the number itself if the calendar has no such year."""
    try:
        return (_EPOCH.date() + dt.timedelta(days=days)).isoformat()
    except OverflowError:
        return days


def _time(value: int, per_second: int) -> Any:
    seconds, rest = divmod(value, per_second)
    if not 0 <= seconds < _DAY_S:
        return value
    clock = (_EPOCH + dt.timedelta(seconds=seconds)).time().isoformat()
    return clock + _fraction(rest, per_second)


def _moment(value: int, per_second: int, zone: str) -> Any:
    seconds, rest = divmod(value, per_second)
    try:
        at = _EPOCH + dt.timedelta(seconds=seconds)
    except OverflowError:
        return value
    return f"{at.isoformat()}{_fraction(rest, per_second)}{zone}"


def _fraction(rest: int, per_second: int) -> str:
    return f".{rest:0{len(str(per_second)) - 1}}" if rest else ""


def _bare(schema: Any) -> Any:
    """A schema without logical types, so that fastavro gives what Avro has."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _bare(schema[key]) for key in ("type", "items", "values") if key in schema}
    if "fields" in schema:
        inner["fields"] = [{**field, "type": _bare(field["type"])} for field in schema["fields"]]
    return {key: value for key, value in (schema | inner).items() if key != "logicalType"}
