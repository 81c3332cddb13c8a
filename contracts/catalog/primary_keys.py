"""The primary keys of a contract's tables: which fields may be one, and what a tombstone needs.  Pure."""

from __future__ import annotations

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import Record, Union
from avro_data_contracts.contracts.catalog.contract import DELETIONS, Contract
from avro_data_contracts.contracts.errors import ConfigurationError

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
            file=contract.value.file,
            line=root.line,
            fix="keep one record in this file, and move the other types into an .avsc of their own"
            if isinstance(root, Union) and contract.value.schema.own
            else "wrap the type in a record",
        )
    names = [f.name for f in root.fields]
    for sink in contract.sinks:
        for column in sink.primary_key:
            if column not in names:
                raise ConfigurationError(
                    f"sinks.{sink.kind}.primary_key: there is no field {column!r}",
                    file=contract.file,
                    path=f"sinks.{sink.kind}.primary_key",
                    fix=f"fields of {contract.value.file}: {', '.join(names)}",
                )
            field = root.by_name[column]
            if isinstance(schema.resolve(field.type), Union):
                raise ConfigurationError(
                    f"sinks.{sink.kind}.primary_key: field {column!r} may be null",
                    file=contract.value.file,
                    line=field.line,
                    fix="give the field one type without null, because a primary key is never null",
                )
    if contract.deletes:
        _check_tombstones(contract)


def _check_tombstones(contract: Contract) -> None:
    """A tombstone has only a key, which must name one row in each store."""
    assert contract.key is not None
    schema, values = contract.key.schema, contract.value.schema
    root = schema.resolve(schema.root)
    if not isinstance(root, Record):
        raise ConfigurationError(
            "tombstones: delete needs a record as its key",
            file=contract.key.file,
            line=root.line,
            fix="wrap the type in a record, or set reject",
        )
    for sink in contract.sinks:
        if len(sink.table) > (longest := _LONGEST_TABLE - len(DELETIONS)):
            raise ConfigurationError(
                f"tombstones: delete needs a table <table>{DELETIONS}, but the name {sink.table} is too long",
                file=contract.file,
                path=f"sinks.{sink.kind}.table",
                fix=f"name a table of at most {longest} characters in sinks.{sink.kind}, or set reject",
            )
        for column in sink.primary_key:
            field = root.by_name.get(column)
            if field is None:
                raise ConfigurationError(
                    f"tombstones: delete needs the primary key in the record's key, which has no field {column!r}",
                    file=contract.key.file,
                    line=root.line,
                    fix=f"add the field ({sink.kind}.primary_key is {', '.join(sink.primary_key)}), or set reject",
                )
            nodes = schema.resolve(field.type), values.resolve(contract.value.record.by_name[column].type)
            mine, theirs = map(shapes.type_name, nodes)
            if mine != theirs or nodes[0].type != nodes[1].type or mine not in _DELETABLE:
                raise ConfigurationError(
                    f"tombstones: delete cannot find rows by {column!r}, {mine} in the key and {theirs} in the value",
                    file=contract.key.file,
                    line=field.line,
                    fix=f"give both the same type, one of {', '.join(sorted(_DELETABLE))}; or set reject",
                )
