"""What each operation of Debezium does to a row, as Spark expressions on the decoded envelope."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pyspark.sql import Column
from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import Array, Map, Record, Schema
from avro_data_contracts.contracts.catalog.envelope import (
    AFTER,
    DELETE,
    MESSAGE,
    OP,
    TRUNCATE,
    UNAVAILABLE,
    WRITES,
)
from avro_data_contracts.streaming.decode.reasons import DELETES, ChangeReason

_TRUNCATED = (
    "the table was truncated in the database, and its rows stay here: delete them, or name another table and take a "
    "new snapshot"
)
_MESSAGE = "a message that an application wrote into the log of the database (op m) has no row"
_UNKNOWN = (
    f"op is none of {', '.join((*WRITES, DELETE, TRUNCATE, MESSAGE))}, so nobody knows what happened to the row"
)
_NO_ROW = f"op says that there is a row in `{AFTER}`, and it is null"


def verdicts(rows: Schema, read: Column) -> list[tuple[Column, str, str]]:
    """Return the conditions under which an envelope has no row to store, each with its reason and its words.

    The first that holds decides.  That of a delete has the reason `DELETES`.

    Args:
        rows: the schema of the rows.
        read: the decoded envelope, a struct of `op` and `after`.
    """
    op, row = read.getField(OP), read.getField(AFTER)
    return [
        (op.eqNullSafe(DELETE), DELETES, ""),
        (op.eqNullSafe(TRUNCATE), ChangeReason.CHANGE_TRUNCATE, _TRUNCATED),
        (op.eqNullSafe(MESSAGE), ChangeReason.CHANGE_MESSAGE, _MESSAGE),
        (op.isNull() | ~op.isin(*WRITES), ChangeReason.CHANGE_UNKNOWN, _UNKNOWN),
        (row.isNull(), ChangeReason.CHANGE_WITHOUT_ROW, _NO_ROW),
        *_incomplete(rows, row),
    ]


def _incomplete(rows: Schema, row: Column) -> Iterator[tuple[Column, str, str]]:
    """Yield the columns whose value Debezium did not get, and wrote a placeholder for."""
    root = rows.resolve(rows.root)
    assert isinstance(root, Record)
    for field in root.fields:
        node, _ = shapes.nullability(rows, field.type)
        if (test := _is_placeholder(rows, node)) is not None:
            words = (
                f"{field.name} was not changed, so the database did not log it, and nobody knows it: set the table's "
                "REPLICA IDENTITY to FULL, then take a new snapshot of it"
            )
            yield test(row.getField(field.name)), ChangeReason.CHANGE_INCOMPLETE, words


def _is_placeholder(rows: Schema, node: object) -> Callable[[Column], Column] | None:
    if isinstance(node, Array):
        inner = _is_placeholder(rows, shapes.nullability(rows, node.items)[0])
        return None if inner is None else lambda value: (F.size(value) == 1) & inner(value.getItem(0))
    if isinstance(node, Map):
        return lambda value: (F.size(value) == 1) & F.map_keys(value).getItem(0).eqNullSafe(UNAVAILABLE)
    match getattr(node, "type", ""):
        case "string":
            return lambda value: value.eqNullSafe(UNAVAILABLE)
        case "bytes" if getattr(node, "logical", None) is None:
            return lambda value: value.eqNullSafe(F.lit(UNAVAILABLE.encode()))
    return None
