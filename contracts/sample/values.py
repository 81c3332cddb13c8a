"""Turns a schema, and what is asked of its fields, into functions that draw values.

A value of a union of several types is a pair of the type's name and the value, as `producers.publish` takes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Field,
    Map,
    Named,
    Primitive,
    Record,
    Schema,
    Union,
    children,
)
from avro_data_contracts.contracts.sample import plain
from avro_data_contracts.contracts.sample.asked import Asked
from avro_data_contracts.contracts.sample.chance import Chance, NotFound, weighted
from avro_data_contracts.contracts.sample.scalars import scalar
from avro_data_contracts.contracts.sample.texts import text

#: Draws a value with at most so many levels inside it, if its type allows that.
Draw = Callable[[Chance, int], Any]
Names = tuple[str, ...]

_NOTHING: Final = Asked()
_STRING: Final = "string"
_LENGTHS: Final = {0: 1, 1: 4, 2: 3, 3: 2}
_NULLS: Final = 0.15
_MORE_LEVELS: Final = 4
_TRIES: Final = 20


class Values:
    """The values of one schema.

    Args:
        asked: of fields, by path; the empty path is the value itself.
        keys: names of the root's fields that are part of a key.
    """

    def __init__(
        self, schema: Schema, asked: Mapping[Names, Asked] | None = None, keys: frozenset[str] = frozenset()
    ) -> None:
        self._schema = schema
        self._asked = asked or {}
        self._keys = keys
        self._inner = {names[:end] for names in self._asked for end in range(len(names) + 1)}
        self._named: dict[str, Draw] = {}
        self._heights = _Heights(schema)
        if math.isinf(self._heights.of(schema.root)):
            raise NotFound
        self._levels = _levels(schema) + _MORE_LEVELS

    def drawn(self) -> Callable[[Chance], Any]:
        """Return what draws a value.

        Raises:
            NotFound: a field has no value that is asked for.
        """
        draw = self.draw(self._schema.root, (), None)
        return lambda chance: draw(chance, self._levels)

    def at(self, fields: tuple[Field, ...], asked: Asked) -> Callable[[Chance], Any]:
        """Return what draws a value, not null, of the field at a path.

        Args:
            asked: in addition to what was asked before.
        """
        names = tuple(field.name for field in fields)
        before = self._asked.get(names, _NOTHING)
        both = replace(
            before,
            required=True,
            null=False,
            bounds=before.bounds + asked.bounds,
            lengths=before.lengths + asked.lengths,
            excluded=before.excluded | asked.excluded,
            patterns=before.patterns + asked.patterns,
            unlike=before.unlike + asked.unlike,
        )
        if asked.one_of is not None:
            both = both.among(asked.one_of)
        draw = self.draw(fields[-1].type, names, fields[-1], both)
        return lambda chance: draw(chance, self._levels)

    def may_be_null(self, field: Field) -> bool:
        """Whether the field's type has null, and no rule asks for something else."""
        node = self._schema.resolve(field.type)
        return isinstance(node, Union) and any(one.type == "null" for one in node.branches)

    def asked_of(self, names: Names) -> Asked:
        return self._asked.get(names, _NOTHING)

    def draw(self, node: AnyType, names: Names | None, field: Field | None, asked: Asked | None = None) -> Draw:
        """Return what draws values of a type.

        Args:
            names: its path through records; None where no rule can reach it.
            field: the field that has the type, or whose type it is inside of.
            asked: instead of what the constructor was told of the path.
        """
        node = self._schema.resolve(node)
        if asked is None:
            asked = self._asked.get(names, _NOTHING) if names is not None else _NOTHING
        if names is not None and names not in self._inner and asked is _NOTHING:
            names = None
        if isinstance(node, Union):
            return self._union(node, names, field, asked)
        if asked.null:
            raise NotFound
        if isinstance(node, Record):
            return self._record(node, names)
        if isinstance(node, Array | Map):
            return self._container(node, field, asked)
        draw = scalar(node, asked, field, is_key=self._is_key(names, field))
        return lambda chance, left: draw(chance)

    def _is_key(self, names: Names | None, field: Field | None) -> bool:
        return names is not None and len(names) == 1 and field is not None and field.name in self._keys

    def _union(self, node: Union, names: Names | None, field: Field | None, asked: Asked) -> Draw:
        branches = [self._schema.resolve(one) for one in node.branches]
        real = [one for one in branches if one.type != "null"]
        nullable = len(real) < len(branches)
        if asked.null or not real:
            if not nullable or asked.required:
                raise NotFound
            return lambda chance, left: None
        may_be_null = nullable and not asked.required
        if len(real) == 1:
            inner = self.draw(real[0], names, field, asked)
            height = self._heights.of(real[0])
            if not may_be_null:
                return inner
            return lambda chance, left: (
                None if left < height or chance.random.random() < _NULLS else inner(chance, left)
            )
        return self._several(node, real, field, may_be_null=may_be_null)

    def _several(self, node: Union, real: list[Any], field: Field | None, *, may_be_null: bool) -> Draw:
        named = [(_name(one), self.draw(one, None, field), self._heights.of(one)) for one in real]
        least = min(height for _, _, height in named)

        def drawn(chance: Chance, left: int) -> Any:
            if may_be_null and (left < least or chance.random.random() < _NULLS):
                return None
            possible = [one for one in named if one[2] <= max(left, least)]
            found: Any = None
            for _ in range(_TRIES):
                name, draw, _ = chance.choice(possible)
                found = (name, draw(chance, left))
                if plain.is_clear(self._schema, node, found):
                    return found
            return None if may_be_null else found

        return drawn

    def _record(self, node: Record, names: Names | None) -> Draw:
        if names is None and node.fullname in self._named:
            return self._named[node.fullname]
        if names is None:
            # A recursive type needs its own function while that is made, and calls it later.
            self._named[node.fullname] = lambda chance, left: self._named[node.fullname](chance, left)
        fields = [
            (field.name, self.draw(field.type, None if names is None else (*names, field.name), field))
            for field in node.fields
        ]

        def drawn(chance: Chance, left: int) -> dict[str, Any]:
            inner = left - 1 if chance.spend() else 0
            return {name: draw(chance, inner) for name, draw in fields}

        if names is None:
            self._named[node.fullname] = drawn
        return drawn

    def _container(self, node: Array | Map, field: Field | None, asked: Asked) -> Draw:
        inner = node.items if isinstance(node, Array) else node.values
        least, most = asked.span()
        if most is not None and least > most:
            raise NotFound
        height = self._heights.of(inner)
        if least and math.isinf(height):
            raise NotFound
        item = None if math.isinf(height) else self.draw(inner, None, field)
        key = text(_string(node), _NOTHING, None, is_key=False)
        is_array = isinstance(node, Array)

        def drawn(chance: Chance, left: int) -> Any:
            wanted = 0 if left <= height or item is None or not chance.spend() else weighted(chance, _LENGTHS)
            wanted = max(wanted, least) if most is None else min(max(wanted, least), most)
            if item is None or not wanted:
                return [] if is_array else {}
            if is_array:
                return [item(chance, left - 1) for _ in range(wanted)]
            found: dict[str, Any] = {}
            for number in range(wanted * 2):
                if len(found) == wanted:
                    break
                name = key(chance)
                found[name if number < wanted else f"{name} {number}"] = item(chance, left - 1)
            return found

        return drawn


def _name(node: AnyType) -> str:
    return node.fullname if isinstance(node, Named) else node.type


def _string(node: AnyType) -> Primitive:
    return Primitive(node.document, node.pointer, {}, _STRING, None)


class _Heights:
    """The least number of levels of a value of each type; infinite for a record that always contains itself."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._named = dict.fromkeys((name for name, one in schema.named.items() if isinstance(one, Record)), math.inf)
        changed = True
        while changed:
            changed = False
            for name in self._named:
                record = schema.named[name]
                assert isinstance(record, Record)
                height = 1 + max((self.of(field.type) for field in record.fields), default=0.0)
                if height < self._named[name]:
                    self._named[name] = height
                    changed = True

    def of(self, node: AnyType) -> float:
        node = self._schema.resolve(node)
        if isinstance(node, Record):
            return self._named.get(node.fullname, math.inf)
        if isinstance(node, Union):
            return min((self.of(one) for one in node.branches), default=math.inf)
        return 1.0 if isinstance(node, Array | Map) else 0.0


def _levels(schema: Schema) -> int:
    """Levels of records and containers in the schema; recursion counts once."""
    found: dict[int, int] = {}
    waiting: list[tuple[AnyType | Field, bool]] = [(schema.root, False)]
    while waiting:
        node, inside_done = waiting.pop()
        node = node if isinstance(node, Field) else schema.resolve(node)
        inside = [one if isinstance(one, Field) else schema.resolve(one) for one in children(node)]
        if inside_done:
            deepest = max((found[id(one)] for one in inside), default=0)
            found[id(node)] = deepest + isinstance(node, Record | Array | Map)
        elif id(node) not in found:
            found[id(node)] = 0
            waiting.append((node, True))
            waiting.extend((one, False) for one in inside)
    return found[id(schema.resolve(schema.root))]
