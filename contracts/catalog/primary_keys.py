"""The primary keys of a contract's tables: which fields may be one, and what a tombstone needs.  Pure."""

from __future__ import annotations

from typing import TypedDict

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import Node, Record, Schema, Union
from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.places import position_of
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores import fields
from avro_data_contracts.contracts.stores.position import COORDINATES
from avro_data_contracts.contracts.stores.spec import DELETIONS, SinkSpec
from avro_data_contracts.contracts.stores.table import Refusal

# A field of one of these types has the same value in a key, in every store and in its driver.
_DELETABLE = frozenset({"boolean", "int", "long", "string", "enum", "bytes", "fixed", "uuid", "date"})
_LONGEST_TABLE = 48  # Cassandra's limit


def check(contract: Contract) -> None:
    """Check the primary keys of a contract's sinks.

    Raises:
        ConfigurationError: a key names no field, or one that cannot be a key.
    """
    if not contract.sinks:
        return
    schema = contract.value.schema
    root = schema.resolve(schema.root)
    if not isinstance(root, Record):
        raise ConfigurationError(
            "a contract with sinks needs a record as its value",
            **_at(contract.value, root),
            fix=_one_record(contract.value.schema, root),
        )
    names = [f.name for f in root.fields]
    for sink in contract.sinks:
        for column in sink.key_fields:
            path = f"sinks.{sink.kind}.{sink.path_of(column)[0]}"
            if column not in names:
                inside = f"{column!r} is a path inside the value, and a key is made of fields of the value itself"
                raise ConfigurationError(
                    f"{path}: {inside if column in sink.columns else f'there is no field {column!r}'}",
                    file=contract.file,
                    path=path,
                    fix=f"fields of {position_of(contract.value, root)[0]}: {', '.join(names)}",
                )
            field = root.by_name[column]
            if isinstance(schema.resolve(field.type), Union):
                raise ConfigurationError(
                    f"{path}: field {column!r} may be null",
                    **_at(contract.value, field),
                    fix="give the field one type without null, because a primary key is never null",
                )
        _check_position(contract, sink)
        _check_columns(contract, sink)
    if contract.deletes:
        _check_tombstones(contract)


def _check_position(contract: Contract, sink: SinkSpec) -> None:
    """Of the event's position, only its time may be in a key, and only where a row is an event."""
    named = tuple(column for column in sink.key if column in sink.bookkeeping)
    if sink.appends:  # the sink adds its coordinates at the end
        named = tuple(one for one in named if one in COORDINATES and sink.path_of(one) != ("primary_key",))
    for column in named:
        path = f"sinks.{sink.kind}.{sink.path_of(column)[0]}"
        what = "is in the key already" if sink.appends else "is another one in each event of a key"
        raise ConfigurationError(
            f"{path}: {column} {what}",
            file=contract.file,
            path=path,
            fix="remove it"
            if sink.appends
            else "name fields of the value; or write `mode: append`, for a row of each event",
        )


def _check_columns(contract: Contract, sink: SinkSpec) -> None:
    """Each path of `columns` leads to a field that can be a column."""
    for name in sink.columns:
        found = fields.further(contract.value.record, contract.value.schema, sink, name)
        if isinstance(found, Refusal):
            at = f"sinks.{sink.kind}.columns.{name}"
            what = found.why.removeprefix(f"column {name}: ")
            raise ConfigurationError(f"{at}: {what}", file=contract.file, path=at, fix=found.fix)


def _one_record(schema: Schema, root: object) -> str:
    """How the value becomes a record."""
    if not isinstance(root, Union):
        return "wrap the type in a record"
    if schema.own:
        return "keep one record in this file, and move the other types into an .avsc of their own"
    return "write a contract for each of its records (docs/how-to/several-types.md)"


def _check_tombstones(contract: Contract) -> None:
    """A tombstone has only a key, which must name one row in each store."""
    assert contract.key is not None
    schema, values = contract.key.schema, contract.value.schema
    enveloped = contract.spec.envelope
    said, or_reject = "tombstones: delete", ", or set reject"
    if enveloped is not None:
        said, or_reject = f"envelope: {enveloped}", ""
    root = schema.resolve(schema.root)
    if not isinstance(root, Record):
        raise ConfigurationError(
            f"{said} needs a record as its key",
            **_at(contract.key, root),
            fix=f"wrap the type in a record{or_reject}",
        )
    for sink in contract.sinks:
        if sink.appends:
            raise ConfigurationError(
                f"{said} finds no row in sinks.{sink.kind}, where each event has a row of its own",
                file=contract.file,
                path="tombstones" if enveloped is None else f"sinks.{sink.kind}.mode",
                fix="write `mode: upsert`"
                if enveloped
                else "set reject, and the tombstones become dead letters; or write `mode: upsert`",
            )
        if len(sink.table) > (longest := _LONGEST_TABLE - len(DELETIONS)):
            raise ConfigurationError(
                f"{said} needs a table <table>{DELETIONS}, but the name {sink.table} is too long",
                file=contract.file,
                path=f"sinks.{sink.kind}.table",
                fix=f"name a table of at most {longest} characters in sinks.{sink.kind}{or_reject}",
            )
        for column in sink.primary_key:
            field = root.by_name.get(column)
            if field is None:
                raise ConfigurationError(
                    f"{said} needs the primary key in the record's key, which has no field {column!r}",
                    **_at(contract.key, root),
                    fix=f"add the field ({sink.kind}.primary_key is {', '.join(sink.primary_key)}){or_reject}",
                )
            nodes = schema.resolve(field.type), values.resolve(contract.value.record.by_name[column].type)
            mine, theirs = map(shapes.type_name, nodes)
            if mine != theirs or nodes[0].type != nodes[1].type or mine not in _DELETABLE:
                raise ConfigurationError(
                    f"{said} cannot find rows by {column!r}, {mine} in the key and {theirs} in the value",
                    **_at(contract.key, field),
                    fix=f"give both the same type, one of {', '.join(sorted(_DELETABLE))}{or_reject}",
                )


class _Place(TypedDict):
    file: str
    line: int


def _at(subject: Subject, node: Node) -> _Place:
    """The place of a node, which may be in the file of a shared type."""
    file, line, _ = position_of(subject, node)
    return {"file": file, "line": line}
