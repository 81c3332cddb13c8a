"""Checks that a Python value fits its Avro type exactly.  fastavro writes many that do not as different values.

`compile_record` turns a schema into one function.  The function returns the record ready for fastavro: a decimal as
its bytes, a value of a union with the name of its type, for which fastavro would search.  It raises `Misfit` for a
value that Avro would hold as a different one: a number out of range, a fraction for an int, a local time without its
zone, microseconds for milliseconds, a text for a list.

It takes only Python's own types and their subclasses: docs/reference/producer.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from avro_data_contracts.contracts.avro.defaults import double_from_text, fits
from avro_data_contracts.contracts.avro.nodes import (
    MISSING,
    AnyType,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Primitive,
    Record,
    Schema,
    Union,
)
from avro_data_contracts.contracts.values.scalars import Check, Misfit, null, scalar, text

#: What is written if a field is missing.
Fill = Callable[[], Any]
#: Name, check, what is written if it is missing, `as_text`, whether it may be null.
_Field = tuple[str, Check, Fill, str | None, bool]

#: Of the branches that can hold a number, the one that keeps most of it comes first.
_NUMBERS: Final = ("int", "long", "double", "float")


def compile_record(schema: Schema) -> Check:
    """Return the check of a schema whose root is a record."""
    return Compiler(schema).check(schema.root)


class Compiler:
    """Makes the functions of one schema: one for each named type, so a recursive type ends.

    `producers.plain` has another one, for values that are not Python's yet.
    """

    def __init__(self, schema: Schema) -> None:
        self.resolve = schema.resolve
        self._named: dict[str, Check] = {}

    def check(self, node: AnyType) -> Check:
        node = self.resolve(node)
        if not isinstance(node, Named):
            return self._made(node)
        if node.fullname not in self._named:
            # A recursive type needs its own check while it is made, and calls it later.
            self._named[node.fullname] = lambda value: self._named[node.fullname](value)
            self._named[node.fullname] = self._made(node)
        return self._named[node.fullname]

    def _made(self, node: AnyType) -> Check:
        if isinstance(node, Record):
            return self.record(node)
        if isinstance(node, Array):
            return _array(self.check(node.items))
        if isinstance(node, Map):
            return _map(self.check(node.values))
        if isinstance(node, Union):
            return self.union(node)
        assert isinstance(node, (Primitive, Enum, Fixed))
        return self.scalar(node)

    def scalar(self, node: Primitive | Enum | Fixed) -> Check:
        return scalar(node)

    def record(self, node: Record) -> Check:
        return _record(tuple(self._field(field) for field in node.fields))

    def may_be_null(self, node: AnyType) -> bool:
        node = self.resolve(node)
        branches = node.branches if isinstance(node, Union) else (node,)
        return any(self.resolve(one).type == "null" for one in branches)

    def union(self, node: Union) -> Check:
        branches = [self.resolve(branch) for branch in node.branches]
        real = [branch for branch in branches if branch.type != "null"]
        if len(real) == 1 and len(branches) == 2:
            return _nullable(self.check(real[0]), branch_name(real[0]))
        ordered = sorted(branches, key=_rank)
        return _several({branch_name(branch): (branch, self.check(branch)) for branch in ordered})

    def _field(self, field: Field) -> _Field:
        may_be_null = self.may_be_null(field.type)
        return field.name, self.check(field.type), self.fill(field), self.as_text(field.type), may_be_null

    def as_text(self, node: AnyType) -> str | None:
        """Return the name with which a text is written: empty outside of a union.  None for other types, and if a
        text may be something else."""
        node = self.resolve(node)
        branches = [self.resolve(one) for one in node.branches] if isinstance(node, Union) else [node]
        real = [one.label for one in branches if one.type != "null"]
        return None if real != ["string"] else "" if node is branches[0] else "string"

    def fill(self, field: Field) -> Fill:
        """Return what makes the value of a missing field, on first use."""
        known: list[Any] = []
        may_be_null = self.may_be_null(field.type)

        def fill() -> Any:
            if not field.has_default:
                if may_be_null:
                    return None
                raise Misfit("is missing")
            if not known:
                try:
                    known.append(self.check(field.type)(self._value(field.type, field.default)))
                except (Misfit, UnicodeEncodeError):
                    raise Misfit("is missing, and its default does not fit") from None
            return known[0]

        return fill

    def _value(self, node: AnyType, default: Any) -> Any:
        """Return the Python value of a default in JSON."""
        node = self.resolve(node)
        if isinstance(node, Union):
            branch = next((one for one in node.branches if fits(one, default, self.resolve)), None)
            if branch is None:
                raise Misfit("does not fit")
            return None if default is None else (branch_name(self.resolve(branch)), self._value(branch, default))
        if isinstance(node, Record):
            given = {field.name: default.get(field.name, field.default) for field in node.fields}
            return {field.name: self._value(field.type, given[field.name]) for field in node.fields}
        if isinstance(node, Array):
            return [self._value(node.items, item) for item in default]
        if isinstance(node, Map):
            return {key: self._value(node.values, item) for key, item in default.items()}
        if node.type in ("bytes", "fixed"):
            return default.encode("latin-1")
        if node.type in ("float", "double") and isinstance(default, str):
            return double_from_text(default)
        return default


def branch_name(node: AnyType) -> str:
    """Return the name that fastavro has for a branch of a union."""
    return node.fullname if isinstance(node, Named) else node.type


def _rank(node: AnyType) -> int:
    plain = isinstance(node, Primitive) and node.logical is None and node.type in _NUMBERS
    return _NUMBERS.index(node.type) if plain else len(_NUMBERS)


def _record(fields: tuple[_Field, ...]) -> Check:
    def record(value: Any) -> Any:
        if type(value) is not dict:
            value = _as_dict(value, "is not a record")
        changed = None
        name = ""
        get = value.get
        try:
            for name, check, fill, as_text, may_be_null in fields:
                given = get(name, MISSING)
                # Most values are one of these two, and a call for each would cost more than the rest of the check.
                if given is None and may_be_null:
                    continue
                if as_text is not None and type(given) is str and given.isascii():
                    if not as_text:
                        continue
                    written: Any = (as_text, given)
                else:
                    written = fill() if given is MISSING else check(given)
                if written is not given:
                    if changed is None:
                        changed = dict(value)
                    changed[name] = written
        except Misfit as misfit:
            raise misfit.inside(name) from None
        return value if changed is None else changed

    return record


def _as_dict(value: Any, why: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise Misfit(why)
    return dict(value)


def _array(check: Check) -> Check:
    def array(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise Misfit("is not a list")
        try:
            return [check(item) for item in value]
        except Misfit as misfit:
            raise misfit.inside("[]") from None

    return array


def _map(check: Check) -> Check:
    def mapping(value: Any) -> Any:
        value = _as_dict(value, "is not a map")
        try:
            return {text(key): check(item) for key, item in value.items()}
        except Misfit as misfit:
            raise misfit.inside("{}") from None

    return mapping


def _nullable(check: Check, name: str) -> Check:
    def nullable(value: Any) -> Any:
        if value is None:
            return None
        if type(value) is tuple:
            chosen, value = _named(value, ("null", name))
            if chosen == "null":
                return null(value)
        return (name, check(value))

    return nullable


def _named(value: tuple[Any, ...], names: Any) -> tuple[str, Any]:
    """Return name and value of a branch that the caller chose, in fastavro's form."""
    if len(value) != 2 or not isinstance(value[0], str) or value[0] not in names:
        raise Misfit("is a tuple, which in a union must be the name of one of its types and the value")
    return value[0], value[1]


def _several(branches: dict[str, tuple[AnyType, Check]]) -> Check:
    """Return the check of a union of several types.  The first type by `_rank` that takes the value wins; of records
    and maps, the one that keeps most of it."""
    containers = {name: check for name, (node, check) in branches.items() if isinstance(node, (Record, Map))}
    fields = {name: set(node.by_name) for name, (node, _) in branches.items() if isinstance(node, Record)}
    others = {name: check for name, (_, check) in branches.items() if name not in containers}
    hinted = "map" not in containers

    def chosen(name: str, value: Any) -> Any:
        try:
            return (name, branches[name][1](value))
        except Misfit as misfit:
            raise misfit.inside(f"({name.rpartition('.')[2]})") from None

    def several(value: Any) -> Any:
        if type(value) is tuple:
            return chosen(*_named(value, branches))
        if isinstance(value, Mapping):
            if hinted and value.get("-type") in containers:  # fastavro's other way to name a branch
                return chosen(value["-type"], value)
            keys = set(value)

            def lost(name: str) -> tuple[int, int]:
                """Return how many items of the value a branch would leave out, and how many it would add."""
                return (len(keys - fields[name]), len(fields[name] - keys)) if name in fields else (0, 0)

            tried = {name: containers[name] for name in sorted(containers, key=lost)}
        else:
            tried = others
        for name, check in tried.items():
            try:
                return (name, check(value))
            except Misfit:
                continue
        raise Misfit(f"fits none of the types {', '.join(branches)}")

    return several
