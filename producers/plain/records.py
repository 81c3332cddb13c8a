"""An object of JSON to a record: each field by its name, and nothing that would be lost."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from avro_data_contracts.contracts.avro.names import stands_for
from avro_data_contracts.contracts.values.kinds import kind
from avro_data_contracts.contracts.values.scalars import Check, Misfit
from avro_data_contracts.producers.strict import Fill

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")

#: The check of a field's values but null, the name of their type if that is written with them (else empty), whether
#: they are nothing but text, and whether null is one.
Shape = tuple[Check, str, bool, bool]


@dataclass(frozen=True)
class Fields:
    """The fields of a record.

    Attributes:
        shapes: name -> its shape.
        fills: what makes the value of a missing field, by name; one that is not here stays missing.
        extra: leave out a field that is not here, instead of refusing it.
    """

    shapes: Mapping[str, Shape]
    fills: Sequence[tuple[str, Fill]]
    extra: bool


def record(fields: Fields) -> Check:
    """Return the check of a record."""
    shapes, count, extra = fields.shapes, len(fields.shapes), fields.extra

    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise Misfit(f"is {kind(value)}, not an object")
        found = value.copy()
        name = ""
        shape = shapes.get
        unknown = False
        try:
            for name, given in value.items():
                field = shape(name)
                if field is None:
                    unknown = True
                    break
                convert, named, is_text, may_be_null = field
                # Most values are one of these two, and a call for each would cost more than the rest.
                if given is None and may_be_null:
                    continue
                if is_text and type(given) is str and given.isascii():
                    if named:
                        found[name] = (named, given)
                else:
                    found[name] = (named, convert(given)) if named else convert(given)
        except Misfit as misfit:
            raise misfit.inside(name) from None
        if unknown:
            return check(_known(value, shapes, extra=extra))
        return found if len(found) == count else filled(found, fields.fills)

    return check


def filled(found: dict[str, Any], fills: Sequence[tuple[str, Fill]]) -> dict[str, Any]:
    """Give each missing field its value.  Raises Misfit with the field's name."""
    for name, fill in fills:
        if name not in found:
            try:
                found[name] = fill()
            except Misfit as misfit:
                raise misfit.inside(name) from None
    return found


def _known(value: dict[str, Any], names: Container[str], *, extra: bool) -> dict[str, Any]:
    """Return an object that has unknown names with the names of fields.  Raises Misfit for a name that stays one."""
    if any(_other_name(one, names) for one in value):
        return _renamed(value, names)
    if extra:
        return {name: given for name, given in value.items() if name in names}
    unknown = next(name for name in value if name not in names)
    misfit = Misfit("is not in the contract, and would be lost (--coerce extra-fields leaves it out)")
    raise misfit.inside(_shown(unknown))


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


def _shown(name: str) -> str:
    """An unknown field's name, unless it looks like data."""
    return name if _NAME.fullmatch(name) else "(of another name)"
