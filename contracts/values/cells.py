"""The cell of a CSV as a value of an Avro type without parts.  docs/reference/conversions.md has the table."""

from __future__ import annotations

from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Primitive
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.values import numbers, texts
from avro_data_contracts.contracts.values.scalars import Check, Misfit, scalar

_TRUTHS: Final = {"true": True, "false": False}
_EMPTY: Final = ("string", "bytes")


def of(node: Primitive, *, nullable: bool) -> Check:
    """Return what makes the value of a cell, as fastavro writes it; it raises Misfit.

    Args:
        nullable: whether an empty cell is null.
    """
    made, fits = _of_text(node), scalar(node)
    may_be_empty = node.logical is None and node.type in _EMPTY

    def cell(text: Any) -> Any:
        if not text and nullable:
            return None
        if not text and not may_be_empty:
            raise Misfit("is empty")
        return fits(made(text))

    return cell


def _of_text(node: Primitive) -> Check:
    name = type_name(node)
    digits = {"millis": 3, "micros": 6}.get(name.rpartition("-")[2], 0)
    if "timestamp-" in name:
        return texts.timestamp(digits, local=name.startswith("local-"), zone=None)
    if name.startswith("time-"):
        return texts.time(digits)
    named: dict[str, Check] = {
        "date": texts.date,
        "decimal": numbers.decimal(),
        "boolean": _boolean,
        "int": numbers.whole(from_texts=True),
        "long": numbers.whole(from_texts=True),
        "float": numbers.double(from_texts=True, single=True),
        "double": numbers.double(from_texts=True, single=False),
        "bytes": texts.raw,
    }
    return named.get(name, _as_it_is)


def _as_it_is(text: Any) -> Any:
    return text


def _boolean(text: Any) -> Any:
    if text not in _TRUTHS:
        raise Misfit("is not true or false")
    return _TRUTHS[text]
