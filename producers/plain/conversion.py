"""Turns plain JSON into a record of a contract, exactly; refuses what the contract's types cannot hold.

`plain` compiles a schema into one function, as `producers.strict` does.  That goes over the result again before it is
written, and so has the last word about ranges, digits and defaults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any, Final

from avro_data_contracts.contracts.avro.names import stands_for
from avro_data_contracts.contracts.avro.nodes import (
    MISSING,
    AnyType,
    Enum,
    Fixed,
    Primitive,
    Record,
    Schema,
    Union,
    join,
)
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.values import numbers, texts
from avro_data_contracts.contracts.values.kinds import kind
from avro_data_contracts.contracts.values.scalars import Check, Misfit, null, scalar
from avro_data_contracts.producers.plain import epochs, native
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.strict import Compiler, branch_name

#: Of the types that hold a number exactly, the first one wins.
_NUMBERS: Final = ("int", "long", "decimal", "double", "float")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_TRUTHS: Final = {"true": True, "t": True, "yes": True, "y": True, "1": True} | {
    "false": False,
    "f": False,
    "no": False,
    "n": False,
    "0": False,
}

#: Check; whether it is only a text, which `producers.strict` looks at; whether it may be null.
_Shape = tuple[Check, bool, bool]
Plain = Callable[[object], dict[str, Any]]


class Unfit(Rejection):
    """A record that does not fit the contract's schema.  `field` is the path; empty for the record itself."""

    stage = "VALUE_CONVERTER"

    def __init__(self, misfit: Misfit) -> None:
        super().__init__("INVALID_RECORD", misfit.told("field"), field=misfit.path)


def plain(schema: Schema, asked: Asked | None = None, *, typed: bool = False, datetimes: bool = False) -> Plain:
    """Compile the conversion of a schema whose root is a record.

    Args:
        asked: what is to be read more generously (`--coerce`).
        typed: also take Python's own dates, times, UUIDs and bytes, which Parquet has: as `producers.strict` does.
        datetimes: give a timestamp as a datetime, and not as a number, which takes less time to write.

    Returns:
        A function that takes a JSON value (whole numbers as int, others as Decimal; see `plain.json_text`), and
        returns what `Publisher.send` takes.  It raises Unfit.  A missing field that has a default, or may be null,
        stays missing: the publisher fills it in.
    """
    check = PlainCompiler(schema, asked or Asked(), typed=typed, datetimes=datetimes).check(schema.root)

    def convert(value: object) -> dict[str, Any]:
        try:
            record: dict[str, Any] = check(value)
        except Misfit as misfit:
            raise Unfit(misfit) from None
        except RecursionError:
            raise Unfit(Misfit("is nested too deeply")) from None
        return record

    return convert


class PlainCompiler(Compiler):
    """Makes the functions that convert values of JSON.

    Args:
        lenient: also read numbers, true and false in text: CSV has nothing else.
        typed, datetimes: as in `plain`.
    """

    def __init__(
        self,
        schema: Schema,
        asked: Asked,
        *,
        lenient: bool = False,
        typed: bool = False,
        datetimes: bool = False,
    ) -> None:
        super().__init__(schema)
        self._datetimes = datetimes
        self._asked = asked
        self._lenient = lenient
        self._typed = typed
        self._from_texts = asked.numbers or lenient
        self._strict = Compiler(schema)
        #: The field that is being compiled; empty in a union, whose numbers may belong to another type.
        self._at = ""

    def scalar(self, node: Primitive | Enum | Fixed) -> Check:
        made = self._of_json(node)
        return native.also(type_name(node), made, self._asked.zone) if self._typed else made

    def _of_json(self, node: Primitive | Enum | Fixed) -> Check:
        made = self._logical(type_name(node), node)
        if made is not None:
            return made
        if node.type == "boolean":
            if self._asked.booleans:
                return _boolean
            return _true_or_false if self._lenient else scalar(node)
        if node.type in ("int", "long"):
            return numbers.whole(from_texts=self._from_texts)
        if node.type in ("float", "double"):
            return numbers.double(from_texts=self._from_texts, single=node.type == "float")
        if node.type in ("bytes", "fixed"):
            return texts.raw
        return _text_of(scalar(node)) if node.type in ("string", "enum") else null

    def _logical(self, name: str, node: Primitive | Enum | Fixed) -> Check | None:
        asked = self._asked
        digits = {"millis": 3, "micros": 6, "nanos": 9}.get(name.rpartition("-")[2], 0)
        made: Check | None = None
        if name == "decimal":
            return numbers.decimal()
        if name == "duration":
            return texts.duration
        if name == "uuid":
            return texts.uuid_bytes if isinstance(node, Fixed) else _text_of(scalar(node))
        if name == "date":
            made = texts.date
        elif name.startswith("time-"):
            made = texts.time(digits)
        elif "timestamp-" in name:
            local = name.startswith("local-")
            made = texts.timestamp(digits, local=local, zone=asked.zone)
            if self._datetimes and digits in (3, 6):
                return texts.as_datetime(made, digits, local=local)
            if asked.unit:
                return epochs.in_unit(made, asked.unit, digits, from_texts=self._from_texts)
            if asked.epoch and self._at:
                see = asked.epochs.of(self._at, digits).see
                return texts.or_number(made, epoch=True, from_texts=self._from_texts, see=see)
        return made and texts.or_number(made, epoch=asked.epoch, from_texts=self._from_texts)

    def record(self, node: Record) -> Check:
        fields = {field.name: self._shape(field.name, field.type) for field in node.fields}
        needed = tuple(field.name for field in node.fields if not (field.has_default or fields[field.name][2]))
        return _record(fields, needed, extra=self._asked.extra_fields)

    def field(self, name: str, node: AnyType) -> Check:
        """Return the check of a field of the record that is being compiled."""
        outer, self._at = self._at, join(self._at, name) if self._at else name
        made = self.check(node)
        self._at = outer
        return made

    def _shape(self, name: str, node: AnyType) -> _Shape:
        node = self.resolve(node)
        branches = [self.resolve(one) for one in node.branches] if isinstance(node, Union) else [node]
        real = [one for one in branches if one.type != "null"]
        is_text = len(real) == 1 and isinstance(real[0], (Primitive, Enum)) and real[0].type in ("string", "enum")
        return self.field(name, node), is_text, len(real) < len(branches)

    def union(self, node: Union) -> Check:
        branches = [self.resolve(branch) for branch in node.branches]
        real = [branch for branch in branches if branch.type != "null"]
        if len(real) == 1 and len(branches) == 2:
            return _nullable(self.check(real[0]))
        outer, self._at = self._at, ""
        fronts = [_Branch(one, self.check(one), self._strict.check(one)) for one in branches]
        self._at = outer
        return _several(fronts, first=self._asked.first_type)


class _Branch:
    """A type of a union.

    Attributes:
        name: fastavro's.
        fields: the number of fields of a record, 0 for others.
    """

    def __init__(self, node: AnyType, convert: Check, strict: Check) -> None:
        self.name = branch_name(node)
        self.fields = len(node.fields) if isinstance(node, Record) else 0
        label = type_name(node) if isinstance(node, (Primitive, Fixed)) else node.type
        self.rank = _NUMBERS.index(label) if label in _NUMBERS else len(_NUMBERS)
        self.label = self.name.rpartition(".")[2] if isinstance(node, (Record, Enum, Fixed)) else label
        self._convert, self._strict = convert, strict

    def take(self, value: Any) -> Any:
        """Return the converted value.  Raises Misfit, also for what could not be written."""
        converted = self._convert(value)
        self._strict(converted)
        return converted


def _several(branches: list[_Branch], *, first: bool) -> Check:
    labels = ", ".join(one.label for one in branches)

    def several(value: Any) -> Any:
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

    return several


def _most_exact(value: Any, found: list[tuple[_Branch, Any]]) -> list[tuple[_Branch, Any]]:
    """Return those that keep a number as it is written, and records that have all of its fields and no others."""
    if isinstance(value, dict):
        whole = [one for one in found if one[0].fields == len(value)]
        return whole if whole and all(one[0].fields for one in found) else found
    if isinstance(value, str):
        return found
    best = min(one.rank for one, _ in found)
    return [one for one in found if one[0].rank == best]


def _nullable(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _record(fields: dict[str, _Shape], needed: tuple[str, ...], *, extra: bool) -> Check:
    required = frozenset(needed)
    unknown: _Shape = (_left_out if extra else _unknown, False, False)

    def record(value: Any) -> Any:
        if type(value) is not dict:
            raise Misfit(f"is {kind(value)}, not an object")
        changed = None
        name = ""
        looked = other_names = False
        shape = fields.get
        try:
            for name, given in value.items():
                field = shape(name)
                if field is None:
                    if not looked:
                        looked, other_names = True, any(_other_name(one, fields) for one in value)
                        if other_names:
                            break
                    field = unknown
                check, is_text, may_be_null = field
                # Most values are one of these two, and a call for each would cost more than the rest.
                if (is_text and type(given) is str) or (may_be_null and given is None):
                    continue
                converted = check(given)
                if converted is not given:
                    if changed is None:
                        changed = dict(value)
                    changed[name] = converted
        except Misfit as misfit:
            raise misfit.inside(name if name in fields else _shown(name)) from None
        if other_names:
            return record(_renamed(value, fields))  # outside of `try`, so that a misfit has one name
        if not required <= value.keys():
            raise Misfit("is missing").inside(next(one for one in needed if one not in value))
        if extra and changed is not None:
            return {name: one for name, one in changed.items() if one is not MISSING}
        return value if changed is None else changed

    return record


def _other_name(name: str, fields: Container[str]) -> str:
    """The field that a name stands for; empty for none, or if it is a field's own name."""
    other = stands_for(name) if name not in fields else ""
    return other if other in fields else ""


def _renamed(value: dict[str, Any], fields: Container[str]) -> dict[str, Any]:
    """Return the object with the names of fields, for names that stand for one."""
    found: dict[str, Any] = {}
    for name, given in value.items():
        own = _other_name(name, fields) or name
        if own in found:
            raise Misfit("is there twice, under two names").inside(own)
        found[own] = given
    return found


def _unknown(value: Any) -> Any:
    raise Misfit("is not in the contract, and would be lost (--coerce extra-fields leaves it out)")


def _left_out(value: Any) -> Any:
    return MISSING


def _shown(name: str) -> str:
    """An unknown field's name, unless it looks like data."""
    return name if _NAME.fullmatch(name) else "(of another name)"


def _text_of(check: Check) -> Check:
    def text(value: Any) -> Any:
        if type(value) is not str:
            raise Misfit(f"is {kind(value)}, not text")
        return check(value)

    return text


def _true_or_false(value: Any) -> Any:
    if value == "true" or value is True:
        return True
    if value == "false" or value is False:
        return False
    raise Misfit("is not true or false")


def _boolean(value: Any) -> Any:
    if type(value) is bool:
        return value
    word = value.lower() if type(value) is str else str(value) if type(value) is int else ""
    if word not in _TRUTHS:
        raise Misfit("is not true or false, nor a word for one of them")
    return _TRUTHS[word]
