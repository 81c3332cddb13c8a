"""The bytes of a row in a page of PostgreSQL.  Pure.

Source: PostgreSQL's heap tuples (`htup_details.h`, `heap_compute_data_size`).  A row is in one page.  Only values
of variable length can be moved out of it, and then a pointer stays behind (TOAST).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Fixed, Record, Schema
from avro_data_contracts.contracts.stores.position import (
    EVENT_OFFSET,
    EVENT_PARTITION,
    EVENT_TIMESTAMP,
    EVENT_TOPIC,
    EVENTS,
)
from avro_data_contracts.contracts.stores.postgres import columns
from avro_data_contracts.contracts.stores.spec import SinkSpec

#: A page of 8,192 bytes, without its header and one line pointer.
MOST: Final = 8160
POINTER: Final = 18
#: A value as short as this, with its length in one byte, is never moved out of the row.
_STAYS: Final = 24
_HEADER: Final = 23
#: Bytes and alignment, by the first word of the type in SQL.
_FIXED: Final = {
    "boolean": (1, 1),
    "integer": (4, 4),
    "real": (4, 4),
    "date": (4, 4),
    "bigint": (8, 8),
    "double": (8, 8),
    "time": (8, 8),
    "timestamp": (8, 8),
    "interval": (16, 8),
    "uuid": (16, 1),
}
#: The columns of the event's position; the topic's id is a text of 22 characters.
_POSITION: Final = {
    EVENT_TIMESTAMP: (8, 8),
    EVENT_PARTITION: (4, 4),
    EVENT_OFFSET: (8, 8),
    EVENT_TOPIC: (23, 1),
    EVENTS: (8, 8),
}


def full(record: Record, schema: Schema, sink: SinkSpec) -> int:
    """Return the bytes of a row with a value in every field, a long one where it can be moved out of the row.

    If one null makes the row larger, because the row then has a bit for each column, that size counts.
    """
    widths = [_width(schema, field.type, full=True) for field in record.fields]
    position = [_POSITION[name] for name in sink.bookkeeping]
    nullable = _nullable(record, schema)
    whole, at_most = _bytes(widths, position), _bytes(widths, position, nulls=any(nullable))
    if whole > MOST or at_most <= MOST:
        return max(whole, at_most)
    holes = ([*widths[:at], (0, 1), *widths[at + 1 :]] for at, null in enumerate(nullable) if null)
    return max(whole, *(_bytes(one, position, nulls=True) for one in holes))


def least(record: Record, schema: Schema, sink: SinkSpec) -> int:
    """Return the bytes of the smallest possible row: null and the shortest values where the schema allows them."""
    nullable = _nullable(record, schema)
    required = [
        _width(schema, field.type, full=False)
        for field, null in zip(record.fields, nullable, strict=True)
        if not null
    ]
    position = [_POSITION[name] for name in sink.bookkeeping]
    return _bytes(required, position, columns_of=len(nullable), nulls=any(nullable))


def _nullable(record: Record, schema: Schema) -> list[bool]:
    return [shapes.nullability(schema, field.type)[1] for field in record.fields]


def _bytes(
    widths: Iterable[tuple[int, int]],
    position: Sequence[tuple[int, int]],
    *,
    columns_of: int = 0,
    nulls: bool = False,
) -> int:
    """The bytes of a row with these columns and those of the event's position.

    Args:
        columns_of: the number of fields of the record, if some are null and have no width here.
        nulls: whether the row has a bit for each column that says whether it is null.
    """
    widths = [*widths, *position]
    bits = max(len(widths), columns_of + len(position)) if nulls else 0
    header = _up(_HEADER + math.ceil(bits / 8), 8)
    at = header
    for size, unit in widths:
        at = _up(at, unit) + size
    return _up(at, 8)


def _up(at: int, unit: int) -> int:
    return -(-at // unit) * unit


def _width(schema: Schema, node: AnyType, *, full: bool) -> tuple[int, int]:
    sql = columns.of(schema, node).name
    known = _FIXED.get(sql.partition(" ")[0])
    if known is not None:
        return known
    node, _ = shapes.nullability(schema, node)
    lengths = list(_lengths(node))
    if not lengths:
        return (POINTER if full else 1), 1
    # One byte for the length.
    inside = [1 + length if 1 + length <= _STAYS else POINTER for length in lengths]
    return (max(inside) if full else min(inside)), 1


def _lengths(node: AnyType) -> Iterator[int]:
    """The lengths that a value may have, if the schema says so; nothing if any length is possible."""
    if isinstance(node, Enum):
        yield from map(len, node.symbols)
    elif isinstance(node, Fixed) and node.logical is None:
        yield node.size
    elif shapes.type_name(node) == "decimal":
        precision, scale = shapes.decimal_digits(node)
        # Two bytes, and two more for each four digits on each side of the point.
        yield 2
        yield 2 + 2 * (math.ceil((precision - scale) / 4) + math.ceil(scale / 4))
