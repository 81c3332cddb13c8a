"""Which type of a union a value of JSON has: the one that keeps it as it is written."""

from __future__ import annotations

from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Fixed, Primitive, Record
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.values.scalars import Check, Misfit
from avro_data_contracts.producers.strict import branch_name

#: Of the types that hold a number exactly, the first one wins.
_NUMBERS: Final = ("int", "long", "decimal", "double", "float")


class Branch:
    """A type of a union.

    Args:
        take: returns the converted value; raises Misfit, also for what could not be written.

    Attributes:
        name: fastavro's.
        fields: the number of fields of a record, 0 for others.
    """

    def __init__(self, node: AnyType, take: Check) -> None:
        self.name = branch_name(node)
        self.fields = len(node.fields) if isinstance(node, Record) else 0
        label = type_name(node) if isinstance(node, (Primitive, Fixed)) else node.type
        self.rank = _NUMBERS.index(label) if label in _NUMBERS else len(_NUMBERS)
        self.label = self.name.rpartition(".")[2] if isinstance(node, (Record, Enum, Fixed)) else label
        self.take = take


def several(branches: list[Branch], *, first: bool) -> Check:
    labels = ", ".join(one.label for one in branches)

    def chosen(value: Any) -> Any:
        found, why = [], Misfit("")
        for branch in branches:
            try:
                found.append((branch, branch.take(value)))
            except Misfit as misfit:
                why = misfit.inside(f"({branch.label})")
        if not found:
            # Only one type can hold an object or a list in most unions, so its own reason says more.
            raise why if isinstance(value, (dict, list)) else Misfit(f"fits none of the types {labels}")
        if len(found) > 1 and not first:
            found = _most_exact(value, found)
        if len(found) > 1 and not first:
            raise Misfit(f"fits several types: {', '.join(one.label for one, _ in found)} (--coerce first-type)")
        branch, converted = found[0]
        return None if converted is None else (branch.name, converted)

    return chosen


def _most_exact(value: Any, found: list[tuple[Branch, Any]]) -> list[tuple[Branch, Any]]:
    """Return those that keep a number as it is written, and records that have all of its fields and no others."""
    if isinstance(value, dict):
        whole = [one for one in found if one[0].fields == len(value)]
        return whole if whole and all(one[0].fields for one in found) else found
    if isinstance(value, str):
        return found
    best = min(one.rank for one, _ in found)
    return [one for one in found if one[0].rank == best]


def nullable(check: Check, name: str) -> Check:
    """Return the check of a union of null and one type.

    Args:
        name: the type's, to be written with the value; empty for the value alone.
    """
    if name:
        return lambda value: None if value is None else (name, check(value))
    return lambda value: None if value is None else check(value)
