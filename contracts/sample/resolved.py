"""A record as a reader with another schema sees it: Avro's schema resolution, on values instead of bytes."""

from __future__ import annotations

from typing import Any

from avro_data_contracts.contracts.avro.defaults import double_from_text, fits
from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Enum,
    Map,
    Named,
    NamedType,
    Record,
    Schema,
    Union,
)
from avro_data_contracts.contracts.avro.raw import from_raw, to_raw
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.compat.resolution import PROMOTIONS
from avro_data_contracts.contracts.sample import plain
from avro_data_contracts.contracts.sample.scalars import rounded


class Unreadable(Exception):
    """The reader's schema has no value for this one."""


class Resolver:
    """Reads values of one schema with another, which can read it."""

    def __init__(self, writer: Schema, reader: Schema) -> None:
        self._writer = writer
        self._reader = reader

    def read(self, value: Any) -> Any:
        """Return the reader's value.

        Raises:
            Unreadable: this value has none, as a symbol that the reader does not know.
        """
        return self._read(self._writer.root, self._reader.root, value)

    def _read(self, written: AnyType, read: AnyType, value: Any) -> Any:
        written, read = self._writer.resolve(written), self._reader.resolve(read)
        if isinstance(written, Union):
            written, value = self._chosen(written, value)
        if isinstance(read, Union):
            return self._into(written, read, value)
        if isinstance(written, Record) and isinstance(read, Record):
            return self._record(written, read, value)
        if isinstance(written, Array) and isinstance(read, Array):
            return [self._read(written.items, read.items, one) for one in value]
        if isinstance(written, Map) and isinstance(read, Map):
            return {key: self._read(written.values, read.values, one) for key, one in value.items()}
        if isinstance(written, Enum) and isinstance(read, Enum):
            if value in read.symbols or read.default is not None:
                return value if value in read.symbols else read.default
            raise Unreadable
        return _scalar(written, read, value)

    def _chosen(self, union: Union, value: Any) -> tuple[AnyType, Any]:
        """The type of a union's value, and the value alone."""
        if isinstance(value, tuple):
            return plain.branch(self._writer, union, value[0]), value[1]
        branches = [self._writer.resolve(one) for one in union.branches]
        return next(one for one in branches if (one.type == "null") is (value is None)), value

    def _into(self, written: AnyType, union: Union, value: Any) -> Any:
        """The value in the type of the reader's union that reads it, as Avro chooses it."""
        branches = [self._reader.resolve(one) for one in union.branches]
        same = [one for one in branches if one.type == written.type]
        if isinstance(written, Named):
            named = [one for one in same if isinstance(one, NamedType)]
            alike = [one for one in named if one.fullname == written.fullname or written.fullname in one.aliases]
            same = [*(alike or [one for one in named if one.name == written.name])] or same
        chosen = next(iter([*same, *(one for one in branches if written.type in PROMOTIONS.get(one.type, ()))]), None)
        if chosen is None:
            raise Unreadable
        found = self._read(written, chosen, value)
        return tagged(self._reader, union, chosen, found)

    def _record(self, written: Record, read: Record, value: Any) -> dict[str, Any]:
        found = {}
        for field in read.fields:
            names = [one for one in (field.name, *field.aliases) if one in written.by_name]
            if names:
                found[field.name] = self._read(written.by_name[names[0]].type, field.type, value[names[0]])
            elif field.has_default:
                found[field.name] = default(self._reader, field.type, field.default)
            else:
                raise Unreadable
        return found


def tagged(schema: Schema, union: Union, chosen: AnyType, value: Any) -> Any:
    """A value of a union: alone where it has one type besides null, else with the name of its type."""
    if chosen.type == "null" or sum(schema.resolve(one).type != "null" for one in union.branches) == 1:
        return value
    return (chosen.fullname if isinstance(chosen, Named) else chosen.type, value)


def default(schema: Schema, node: AnyType, value: Any) -> Any:
    """The Python value of a default in JSON.

    Raises:
        Unreadable: it does not fit, or Python has no such value.
    """
    node = schema.resolve(node)
    if isinstance(node, Union):
        branch = next((one for one in node.branches if fits(one, value, schema.resolve)), None)
        if branch is None:
            raise Unreadable
        return tagged(schema, node, schema.resolve(branch), default(schema, branch, value))
    if isinstance(node, Record):
        given = {one.name: value.get(one.name, one.default) for one in node.fields}
        return {one.name: default(schema, one.type, given[one.name]) for one in node.fields}
    if isinstance(node, Array):
        return [default(schema, node.items, one) for one in value]
    if isinstance(node, Map):
        return {key: default(schema, node.values, one) for key, one in value.items()}
    if isinstance(node, Enum) and value not in node.symbols:  # Avro does not check them
        raise Unreadable
    try:
        if node.type in ("bytes", "fixed"):
            value = value.encode("latin-1")
        elif node.type in ("float", "double"):
            value = double_from_text(value) if isinstance(value, str) else float(value)
            if value is None:
                raise Unreadable
            value = rounded(value) if node.type == "float" else value
        return from_raw(node, value)
    except (ValueError, OverflowError):
        raise Unreadable from None


def _scalar(written: AnyType, read: AnyType, value: Any) -> Any:
    if type_name(written) == type_name(read):
        return value
    raw = to_raw(written, value)
    try:
        if written.type != read.type:
            raw = _promoted(written.type, read.type, raw)
        return from_raw(read, raw)
    except (ValueError, OverflowError):
        raise Unreadable from None


def _promoted(written: str, read: str, raw: Any) -> Any:
    if read in ("float", "double") and written in ("int", "long", "float"):
        return rounded(float(raw)) if read == "float" else float(raw)
    if (written, read) == ("string", "bytes"):
        return raw.encode()
    if (written, read) == ("bytes", "string"):
        return raw.decode()
    if (written, read) == ("int", "long"):
        return raw
    raise Unreadable
