"""How many bytes a row takes in a page of PostgreSQL.  Pure.

Source: PostgreSQL's heap tuples (`htup_details.h`, `heap_compute_data_size`).  A row lies in one page.  Only what
varies in length can leave it, and then a pointer stays behind (TOAST).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from contracts.avro import shapes
from contracts.avro.nodes import AnyType, Enum, Fixed, Record, Schema
from contracts.stores.postgres import columns

#: Of a page of 8,192 bytes: without its header and one line pointer.
MOST: Final = 8160
POINTER: Final = 18
#: What is as short as this, with its length in one byte, is never moved out of the row.
_STAYS: Final = 24
_HEADER: Final = 23
#: Bytes, and the multiple that the place is rounded up to, by the type's first word in SQL.
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
#: Of the event's position: timestamp, partition, offset.
_POSITION: Final = ((8, 8), (4, 4), (8, 8))


def full(record: Record, schema: Schema) -> int:
    """Bytes of a row whose every field has a value, a long one where it can be moved out of the row.

    Where one null makes it larger, for the row then says of each column whether it is there, that is the answer.
    """
    widths = [_width(schema, field.type, full=True) for field in record.fields]
    nullable = _nullable(record, schema)
    whole, at_most = _bytes(widths), _bytes(widths, nulls=any(nullable))
    if whole > MOST or at_most <= MOST:
        return max(whole, at_most)
    holes = ([*widths[:at], (0, 1), *widths[at + 1 :]] for at, null in enumerate(nullable) if null)
    return max(whole, *(_bytes(one, nulls=True) for one in holes))


def least(record: Record, schema: Schema) -> int:
    """Bytes of the smallest row that there can be: null and the shortest values wherever the schema lets them."""
    nullable = _nullable(record, schema)
    required = [
        _width(schema, field.type, full=False)
        for field, null in zip(record.fields, nullable, strict=True)
        if not null
    ]
    return _bytes(required, columns_of=len(nullable), nulls=any(nullable))


def _nullable(record: Record, schema: Schema) -> list[bool]:
    return [shapes.nullability(schema, field.type)[1] for field in record.fields]


def _bytes(widths: Iterable[tuple[int, int]], *, columns_of: int = 0, nulls: bool = False) -> int:
    """Of a row with these columns and the event's position.

    Args:
        columns_of: fields of the record, where some are null and have no width here.
        nulls: a bit for each column says whether it is there.
    """
    widths = [*widths, *_POSITION]
    bits = max(len(widths), columns_of + len(_POSITION)) if nulls else 0
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
    # A byte for the length.
    inside = [1 + length if 1 + length <= _STAYS else POINTER for length in lengths]
    return (max(inside) if full else min(inside)), 1


def _lengths(node: AnyType) -> Iterator[int]:
    """Lengths that a value may have, where the schema says them; nothing where any is possible."""
    if isinstance(node, Enum):
        yield from map(len, node.symbols)
    elif isinstance(node, Fixed) and node.logical is None:
        yield node.size
    elif shapes.type_name(node) == "decimal":
        precision, scale = shapes.decimal_digits(node)
        # Two bytes, and two for each four digits on each side of the point.
        yield 2
        yield 2 + 2 * (math.ceil((precision - scale) / 4) + math.ceil(scale / 4))
