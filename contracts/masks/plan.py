"""What is masked in a value, and how: a tree beside the tree of its schema.  Pure.

A mask is for a field.  A type with the tag masks the fields that have it, and those with an array, a map or a union
of it.  A rule that names a field wins over the rule of a tag, and a masked field masks everything in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Field,
    Map,
    Node,
    Record,
    Schema,
    Union,
    children,
    join,
)
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.masks.spec import How, MaskSpec


@dataclass(frozen=True)
class Leaf:
    """A field that is masked.  `rule`: which rule says so, by its number."""

    how: How
    rule: int


@dataclass(frozen=True)
class OfRecord:
    """A record with masked fields, by their names."""

    fields: Mapping[str, Plan]


@dataclass(frozen=True)
class OfItems:
    """An array, or a map, with something masked in each of its items."""

    inner: Plan
    is_map: bool


@dataclass(frozen=True)
class OfUnion:
    """A union of several types, with something masked in some: by their numbers among the types besides null."""

    branches: Mapping[int, Plan]


#: Types that use each other can have more paths to one field than anybody can count.
_MOST: Final = 10_000
_MOST_RECORDS: Final = 50_000
#: What a path goes on with behind a field.
_ENDS: Final = ".[{("

Plan = Leaf | OfRecord | OfItems | OfUnion


def of(specs: Sequence[MaskSpec], schema: Schema, store: str | None = None) -> OfRecord | None:
    """Return what is masked in the records of a schema; None if nothing is.

    A rule for a field or a tag that is not there is passed over, because an earlier version may lack it.

    Args:
        store: the kind of a store; None: wherever a rule holds.
    """
    wanted = [(number, one) for number, one in enumerate(specs) if store is None or one.applies_to(store)]
    if not wanted:
        return None
    found = _Planning(wanted, schema).of(schema.root, "", ())
    return found if isinstance(found, OfRecord) else None


def at(plan: Plan | None, names: Sequence[str]) -> Plan | None:
    """Return what is masked at a path of fields: the mask of the field, of one around it, or those inside of it."""
    for name in names:
        if not isinstance(plan, OfRecord):
            break
        plan = plan.fields.get(name)
    return plan


def words(plan: Plan | None) -> str:
    """Return the masks as one text, which two plans share if they mask alike; empty for none."""
    if plan is None:
        return ""
    if isinstance(plan, Leaf):
        return str(plan.how)
    if isinstance(plan, OfItems):
        return f"{'{}' if plan.is_map else '[]'} {words(plan.inner)}"
    if isinstance(plan, OfUnion):
        return ", ".join(f"({number}) {words(one)}" for number, one in sorted(plan.branches.items()))
    return ", ".join(f"{name}: {words(one)}" for name, one in sorted(plan.fields.items()))


def leaves(plan: Plan | None) -> Iterator[Leaf]:
    """Yield every mask."""
    if isinstance(plan, Leaf):
        yield plan
    elif isinstance(plan, OfRecord):
        for one in plan.fields.values():
            yield from leaves(one)
    elif isinstance(plan, OfItems):
        yield from leaves(plan.inner)
    elif isinstance(plan, OfUnion):
        for one in plan.branches.values():
            yield from leaves(one)


def masked_fields(
    specs: Sequence[MaskSpec], schema: Schema, store: str | None = None
) -> Iterator[tuple[str, Field, int]]:
    """Yield every field that a rule masks, with its path and the number of the rule.  `store`: as in `of`."""
    wanted = [(number, one) for number, one in enumerate(specs) if store is None or one.applies_to(store)]
    yield from _Planning(wanted, schema).listed() if wanted else ()


def tags_of(node: Node) -> set[str]:
    """Return the tags of a field or type, in upper case."""
    return {word for tag in node.tags for word in tag.upper().replace(",", " ").split()}


def all_tags(schema: Schema, field: Field) -> set[str]:
    """Return the tags of a field and of the types that its values are made of, as far as the next fields."""
    return tags_of(field).union(*map(tags_of, _types_of(schema, field)))


def _types_of(schema: Schema, field: Field) -> Iterator[AnyType]:
    """Yield the types that the values of a field are made of, as far as the next fields."""
    waiting: list[Field | AnyType] = [field.type]
    while waiting:
        node = waiting.pop()
        assert not isinstance(node, Field)
        node = schema.resolve(node)
        yield node
        if not isinstance(node, Record):
            waiting += children(node)


class _Enough(ConfigurationError):
    """More fields are masked than anybody means."""

    def __init__(self) -> None:
        super().__init__(
            f"more than {_MOST:,} fields are masked, or records with masked fields are in each other in more ways",
            where="masks",
            fix="mask a field around them, by its path",
        )


class _Planning:
    def __init__(self, specs: Sequence[tuple[int, MaskSpec]], schema: Schema) -> None:
        self._schema = schema
        self._by_path: dict[str, tuple[int, MaskSpec]] = {}
        self._by_tag = [(number, one) for number, one in specs if one.tag is not None]
        self._tags = {(one.tag or "").upper() for _, one in self._by_tag}
        for number, one in specs:
            for path, node in (paths.follow(schema, one.field).places if one.field is not None else {}).items():
                if isinstance(node, Field):
                    self._by_path.setdefault(path, (number, one))
        self._listed: list[tuple[str, Field, int]] = []
        self._entered = 0
        self._of_tags: dict[int, tuple[int, MaskSpec] | None] = {}
        # Without these, every path would be taken to types that use each other, and they may be more than 10^12.
        self._tagged = self._with_tags()
        self._within = {path[:at] for path in self._by_path for at, one in enumerate(path) if one in _ENDS}

    def listed(self) -> list[tuple[str, Field, int]]:
        with suppress(_Enough):
            self.of(self._schema.root, "", ())
        return self._listed

    def _with_tags(self) -> set[str]:
        """Return the records that have a field with one of the tags, in them or in a type inside of them."""
        if not self._tags:
            return set()
        records = [one for one in self._schema.named.values() if isinstance(one, Record)]
        found = {
            one.fullname for one in records if any(self._tags & all_tags(self._schema, field) for field in one.fields)
        }
        around: dict[str, set[str]] = {}
        for one in records:
            for inner in (node for field in one.fields for node in _types_of(self._schema, field)):
                if isinstance(inner, Record):
                    around.setdefault(inner.fullname, set()).add(one.fullname)
        waiting = list(found)
        while waiting:
            more = around.get(waiting.pop(), set()) - found
            found |= more
            waiting += more
        return found

    def of(self, node: AnyType, path: str, around: tuple[str, ...]) -> Plan | None:
        """Return what is masked in a type.  `around`: the records that it is in."""
        node = self._schema.resolve(node)
        if isinstance(node, Record):
            if node.fullname in around:  # no store has a table for it
                return None
            if node.fullname not in self._tagged and path and path not in self._within:
                return None
            self._entered += 1
            if self._entered > _MOST_RECORDS:
                raise _Enough
            inside = {
                one.name: self._field(one, join(path, one.name), (*around, node.fullname)) for one in node.fields
            }
            fields = {name: one for name, one in inside.items() if one is not None}
            return OfRecord(fields) if fields else None
        if isinstance(node, Array | Map):
            is_map = isinstance(node, Map)
            items = node.items if isinstance(node, Array) else node.values
            inner = self.of(items, f"{path}{'{}' if is_map else '[]'}", around)
            return OfItems(inner, is_map) if inner is not None else None
        return self._union(node, path, around) if isinstance(node, Union) else None

    def _union(self, node: Union, path: str, around: tuple[str, ...]) -> Plan | None:
        branches = [one for one in node.branches if one.type != "null"]
        found = [self.of(one, path + paths.branch_segment(node, one), around) for one in branches]
        if len(branches) == 1:
            return found[0]
        some = {number: one for number, one in enumerate(found) if one is not None}
        return OfUnion(some) if some else None

    def _field(self, field: Field, path: str, around: tuple[str, ...]) -> Plan | None:
        chosen = self._by_path.get(path) or self._by_its_tags(field)
        if chosen is None:
            return self.of(field.type, path, around)
        if len(self._listed) == _MOST:
            raise _Enough
        self._listed.append((path, field, chosen[0]))
        return Leaf(chosen[1].mask, chosen[0])

    def _by_its_tags(self, field: Field) -> tuple[int, MaskSpec] | None:
        """Return the rule for the tags of a field, which is the same wherever the field is."""
        if id(field) not in self._of_tags:
            tags = all_tags(self._schema, field) if self._by_tag else set()
            self._of_tags[id(field)] = next((one for one in self._by_tag if (one[1].tag or "").upper() in tags), None)
        return self._of_tags[id(field)]
