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
from avro_data_contracts.contracts.start.numbers import MOST_DIGITS, decimal, digits_of, fits_double

#: A schema needs a namespace, and neither a sample nor a table has one.
NAMESPACE = "todo"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?")
_LONGS = range(-(2**63), 2**63)

#: Of numbers that `numbers` has no type for.
NEITHER = f"some numbers of the sample have more digits than a double or a decimal of {MOST_DIGITS} digits keeps"
#: What people write where a value is missing.
NOTHING = frozenset(("na", "n/a", "#n/a", "nan", "null", "nil", "none", "-", "--", "?", ".", "missing"))


@dataclass(frozen=True)
class Guess:
    """A type, and what is doubtful about it; empty if nothing is."""

    type: Any
    doubt: str = ""


def record(
    name: str,
    records: Sequence[Mapping[str, Any]],
    namespace: str = "",
    doubts: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The schema of these records.  Numbers with a fraction are `Decimal`.

    Args:
        doubts: key -> what is doubtful about its values, as the file had them.
    """
    return _Names(namespace).record(name, records, doubts or {})


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

    def record(self, wanted: str, records: Sequence[Mapping[str, Any]], doubts: Mapping[str, str]) -> dict[str, Any]:
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
            note = "; ".join(one for one in (_renamed(free, key, names), doubts.get(key)) if one)
            fields[free] = field(free, self._guess(name, key, values), None in values, note)
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
        doubt = f"the sample has {' and '.join(groups)} here"
        words = nothing_in(groups.get("texts", ()))
        if words and len(words) == len(set(groups["texts"])):
            doubt += f"; if {listed(words)} says that there is no value, send null for it, and take string out"
        return Guess([one.type for one in guesses], doubt)

    def _of_group(self, around: str, key: str, group: str, values: Sequence[Any]) -> Guess:
        if group == "objects":
            return Guess(self.record(f"{around}{type_name(key)}", values, {}))
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


def nothing_in(texts: Iterable[str]) -> list[str]:
    """Those that people write where a value is missing, each once."""
    return [one for one in dict.fromkeys(texts) if one.strip().lower() in NOTHING]


def listed(words: Sequence[str]) -> str:
    """`'NA' or '-'`."""
    return " or ".join(map(repr, words))


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
    found = digits_of(values)
    most = f"{found.precision} digits, {found.scale} of them after the point, are the most in the sample"
    if found.precision <= MOST_DIGITS and found.same_scale:
        return Guess(decimal(found.precision, found.scale), f"{most}; double for measurements")
    longer = next((one for one in values if not fits_double(one)), None)
    if longer is None:
        return Guess("double")
    if found.precision <= MOST_DIGITS:
        doubt = f"{most}, and a double would lose some of them; for a double, send fewer digits"
        return Guess(decimal(found.precision, found.scale), doubt)
    return Guess("double", f"{NEITHER}: send fewer digits, or the numbers as text, and make this a string")


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
