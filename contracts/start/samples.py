"""Infers an Avro schema from sample records.  Pure, and deterministic.

What a sample cannot tell stays undecided, in words: a `doc` that begins with TODO.  Maps and enums are never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from avro_data_contracts.contracts.avro.names import fault_of, stands_for

#: A schema needs a namespace, and neither a sample nor a table has one.
NAMESPACE = "todo"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?")
_LONGS = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Guess:
    """A type, and what is doubtful about it; empty if nothing is."""

    type: Any
    doubt: str = ""


def record(name: str, records: Sequence[Mapping[str, Any]], namespace: str = "") -> dict[str, Any]:
    """The schema of these records.  Numbers with a fraction are `Decimal`."""
    return _Names(namespace).record(name, records)


def type_name(words: str) -> str:
    """A name of a type, made of words."""
    parts = re.findall(r"[A-Za-z0-9]+", words)
    name = "".join(part[:1].upper() + part[1:] for part in parts) or "Record"
    return f"_{name}" if name[0].isdigit() else name


def field_name(written: str, taken: Iterable[str]) -> str:
    """A name that Avro allows and that no other field has."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", written) or "_"
    name = f"_{name}" if name[0].isdigit() else name
    known, number = set(taken), 2
    free = name
    while free in known:
        free, number = f"{name}_{number}", number + 1
    return free


class _Names:
    """The names of records that are taken."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._taken: set[str] = set()

    def record(self, wanted: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}{number}", number + 1
        is_root = not self._taken
        self._taken.add(name)
        names: dict[str, str] = {}  # field -> as the sample has it
        for key in dict.fromkeys(key for one in records for key in one):
            names[field_name(stands_for(key) or key, names)] = key
        fields: dict[str, dict[str, Any]] = {}
        for free, key in names.items():
            values = [one.get(key) for one in records]
            fields[free] = field(free, self._guess(name, key, values), None in values, _renamed(free, key, names))
        head = {"type": "record", "name": name}
        if is_root and self._namespace:
            head["namespace"] = self._namespace
        return {**head, "fields": list(fields.values())}

    def _guess(self, around: str, key: str, values: Sequence[Any]) -> Guess:
        there = [one for one in values if one is not None]
        if not there:
            return Guess("string", "the sample has only null here")
        groups: dict[str, list[Any]] = {}
        for one in there:
            groups.setdefault(_group(one), []).append(one)
        guesses = [self._of_group(around, key, group, some) for group, some in groups.items()]
        if len(guesses) == 1:
            return guesses[0]
        return Guess([one.type for one in guesses], f"the sample has {' and '.join(groups)} here")

    def _of_group(self, around: str, key: str, group: str, values: Sequence[Any]) -> Guess:
        if group == "objects":
            return Guess(self.record(f"{around}{type_name(key)}", values))
        if group == "lists":
            items = [item for one in values for item in one]
            inner = self._guess(around, key, items)
            if not items:
                return Guess({"type": "array", "items": "string"}, "the sample has only empty lists here")
            return Guess(
                {"type": "array", "items": optional(inner.type) if None in items else inner.type}, inner.doubt
            )
        if group == "booleans":
            return Guess("boolean")
        return _number(values) if group == "numbers" else _text(values)


def _renamed(field: str, key: str, names: Mapping[str, str]) -> str:
    """What the owner has to know about the name of a field; empty if that is nothing."""
    if field != (key if key in names else stands_for(key)):
        return f"called {key!r} in the sample: give it another name there, for no data finds this field by it"
    return f"called {key!r} in the sample, which Avro does not allow" if fault_of(key) else ""


def field(name: str, guess: Guess, nullable: bool, note: str = "", doc: str = "") -> dict[str, Any]:
    """A field; a nullable one has the default null."""
    made: dict[str, Any] = {"name": name, "type": optional(guess.type) if nullable else guess.type}
    if nullable:
        made["default"] = None
    doubts = "; ".join(one for one in (note, guess.doubt) if one)
    words = " ".join(one for one in (doc, f"TODO: {doubts}" if doubts else "") if one)
    return {**made, "doc": words} if words else made


def optional(type_: Any) -> list[Any]:
    """The type, or null."""
    return ["null", *type_] if isinstance(type_, list) else ["null", type_]


def decimal(precision: int, scale: int) -> dict[str, Any]:
    """A decimal, as bytes."""
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def _group(value: Any) -> str:
    if isinstance(value, bool):
        return "booleans"
    if isinstance(value, (int, Decimal)):
        return "numbers"
    if isinstance(value, Mapping):
        return "objects"
    return "lists" if isinstance(value, list) else "texts"


def _number(values: Sequence[int | Decimal]) -> Guess:
    if all(isinstance(one, int) for one in values):
        if all(one in _LONGS for one in values):
            return Guess("long")
        digits = max(len(str(abs(one))) for one in values)
        return Guess(decimal(digits, 0), f"{digits} digits are the most in the sample; allow as many as can come")
    exact = [Decimal(one).as_tuple() for one in values]
    scales = {-one.exponent for one in exact if isinstance(one.exponent, int)}
    if len(scales) > 1 or min(scales) < 1:
        return Guess("double")
    scale = scales.pop()
    digits = max(scale, *(len(one.digits) for one in exact))
    doubt = f"{digits} digits, {scale} of them after the point, are the most in the sample; double for measurements"
    return Guess(decimal(digits, scale), doubt)


def _text(values: Sequence[str]) -> Guess:
    if all(map(_UUID.fullmatch, values)):
        return Guess({"type": "string", "logicalType": "uuid"})
    if all(_DATE.fullmatch(one) and _is_day(one) for one in values):
        return Guess({"type": "int", "logicalType": "date"})
    moments = [_MOMENT.fullmatch(one) for one in values]
    if all(moments) and all(map(_is_moment, values)):
        found = [one for one in moments if one]
        zones = {bool(one[4]) for one in found}
        digits = max(len(one[3] or "") for one in found)
        if len(zones) > 1:
            return Guess("string", "some times in the sample have an offset from UTC, and some have none")
        unit = "millis" if digits <= 3 else "micros" if digits <= 6 else "nanos"
        return Guess({"type": "long", "logicalType": f"{'' if zones == {True} else 'local-'}timestamp-{unit}"})
    return Guess("string")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return False
    return True
