"""Whether a default fits the type of its field.  Source: Avro 1.12.1, `Schema.isValidDefault`.

A union takes the default of any of its branches.  Text fits string, bytes, enum and fixed alike: Avro checks neither
the symbols nor the size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import copysign
from typing import Any, Final

from avro_data_contracts.contracts.avro.jsonpos import JAVA_BLANKS
from avro_data_contracts.contracts.avro.nodes import MISSING, AnyType, Array, Map, Record, Reference, Union
from avro_data_contracts.contracts.avro.redefinition import same_json
from avro_data_contracts.contracts.avro.trampoline import Step, run

#: Maps a reference to its type (None for one that is not known yet, which takes any object), and a record whose
#: default is an object to itself.  It may refuse that record by raising an exception of its own.
Resolve = Callable[[Reference | Record], AnyType | None]

_RANGES: Final = {"int": 2**31, "long": 2**63}


def fits(node: AnyType, value: Any, resolve: Resolve) -> bool:
    """True when the JSON `value` is a valid default of `node`."""
    if not isinstance(value, (dict, list)) and not isinstance(node, (Union, Reference)):
        return _leaf_fits(node.type, value)
    return bool(run(_Check(resolve).fits(node, value)))


def _leaf_fits(kind: str, value: Any) -> bool:
    if kind in ("string", "bytes", "enum", "fixed"):
        return isinstance(value, str)
    if kind in _RANGES:
        return type(value) is int and -_RANGES[kind] <= value < _RANGES[kind]
    if kind in ("float", "double"):
        return type(value) in (int, float)
    return type(value) is bool if kind == "boolean" else kind == "null" and value is None


class _Check:
    """One check of one default.  `known` remembers the result for each object with each record.

    So the work does not multiply for unions inside unions, and the check ends for a record whose defaults lead back
    into it (such a default does not fit: nobody could ever write its value down).
    """

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        self.known: dict[tuple[int, int], bool] = {}

    def fits(self, node: AnyType, value: Any) -> Step:
        if value is MISSING:
            return False
        if isinstance(node, Union):
            for branch in node.branches:
                if (yield self.fits(branch, value)):
                    return True
            return False
        if isinstance(node, Array):
            return isinstance(value, list) and (yield self._all_fit(node.items, value))
        if isinstance(node, Map):
            return isinstance(value, dict) and (yield self._all_fit(node.values, list(value.values())))
        if isinstance(node, Record):
            return isinstance(value, dict) and (yield self._record_fits(node, value))
        if isinstance(node, Reference):
            target = self.resolve(node)
            if target is None:
                return isinstance(value, dict)
            return (yield self.fits(target, value))
        return _leaf_fits(node.type, value)

    def _all_fit(self, node: AnyType, values: list[Any]) -> Step:
        for value in values:
            if not (yield self.fits(node, value)):
                return False
        return True

    def _record_fits(self, record: Record, value: dict[str, Any]) -> Step:
        self.resolve(record)
        key = (id(record), id(value))
        if key not in self.known:
            self.known[key] = False
            self.known[key] = yield self._fields_fit(record, value)
        return self.known[key]

    def _fields_fit(self, record: Record, value: dict[str, Any]) -> Step:
        for field in record.fields:
            if not (yield self.fits(field.type, value.get(field.name, field.default))):
                return False
        return True


_JAVA_DOUBLE: Final = re.compile(
    r"[+-]?(?:(?P<nan>NaN)|(?P<infinity>Infinity)"
    r"|(?P<decimal>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?"
    r"|(?P<hex>0[xX](?:[0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?)"
)


def double_from_text(text: str) -> float | None:
    """The number that a text default of a float or double field stands for (`"NaN"`, `"1.5"`); None for none.

    The grammar is that of Java's `Double.parseDouble`.
    """
    found = _JAVA_DOUBLE.fullmatch(text.strip(JAVA_BLANKS))
    if found is None:
        return None
    if found["nan"] or found["infinity"]:
        return float(found[0])
    sign = -1.0 if found[0].startswith("-") else 1.0
    if found["hex"]:
        try:
            return sign * float.fromhex(found["hex"])
        except OverflowError:
            return sign * float("inf")
    return sign * float(found["decimal"])


def same_value(one: Any, other: Any) -> bool:
    """Compare JSON values, however their numbers are written: 1 equals 1.0, but not true."""
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            waiting.extend((left[key], right[key]) for key in left)
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            waiting.extend(zip(left, right, strict=True))
        elif type(left) in (int, float) and type(right) in (int, float):
            # A double tells -0.0 from 0.0.
            if left != right or (not left and copysign(1, left) != copysign(1, right)):
                return False
        elif not same_json(left, right):
            return False
    return True
