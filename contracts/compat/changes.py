"""The changes between two schemas, in words for people who read them.  Pure.

This module says what is different; `contracts.compat.levels` decides whether it may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from avro_data_contracts.contracts.avro.defaults import same_value
from avro_data_contracts.contracts.avro.jsonpos import dump
from avro_data_contracts.contracts.avro.logical import meant
from avro_data_contracts.contracts.avro.nodes import (
    TAGS,
    AnyType,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Node,
    Record,
    Schema,
    Union,
    join,
)
from avro_data_contracts.contracts.avro.paths import branch_segment
from avro_data_contracts.contracts.avro.redefinition import same_json
from avro_data_contracts.contracts.avro.type_words import logical_words, words
from avro_data_contracts.contracts.compat import likeness
from avro_data_contracts.contracts.compat.resolution import PROMOTIONS

#: A doc shorter than this may be the same for fields that have nothing in common.
TELLING_DOC = 12
#: With more pairs of fields than this, nobody has renamed anything.
MOST_PAIRS = 2500


class Kind(StrEnum):
    """The kind of a change."""

    added = "added"
    removed = "removed"
    renamed = "renamed"
    looks_renamed = "looks renamed"
    retyped = "retyped"
    nullability = "nullability"
    logical = "logical type"
    logical_read = "logical type read"
    decimal = "decimal"
    precision = "precision"
    default = "default"
    symbols = "symbols"
    enum_default = "enum default"
    size = "size"
    type_name = "type name"
    namespace = "namespace"
    doc = "doc"
    alias = "alias"
    order = "order"
    tags = "tags"
    attribute = "attribute"
    moved = "moved"
    setting = "setting"


@dataclass(frozen=True, eq=False)
class Change:
    """One difference.

    Args:
        path: in the names of the newer schema; a removed thing keeps its old path.
        old, new: in words; empty for a side that lacks it.
        node: the subject of the change, in the newer schema if it still exists there; None outside schemas.
        attribute: the attribute of `node` whose place in the text is the place of the change; empty for the node
            itself.
        before, after: the values, where programs need them: fields, logical types, lists of symbols or tags.
    """

    kind: Kind
    path: str
    old: str
    new: str
    node: Node | None
    attribute: str = ""
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        told = f"{self.old} -> {self.new}" if self.old and self.new else self.old or self.new
        if self.kind is Kind.moved or not told:
            return str(self.kind)
        return f"{self.kind}: {told}"


def between(old: Schema, new: Schema) -> tuple[Change, ...]:
    """List every difference, in the order of the newer text; a type that is used twice appears once."""
    return tuple(Comparison(old, new).everything())


@dataclass(frozen=True)
class Pair:
    """Two types in the same place, and its path.

    Args:
        unread: attributes of the field and the containers around the old type, where nobody reads a logical type.
    """

    old: AnyType
    new: AnyType
    path: str
    unread: tuple[Mapping[str, Any], ...] = ()


class Comparison:
    """One comparison of two whole schemas; each pair of types is reported once."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self.old, self.new = old, new
        self.seen: set[tuple[int, int]] = set()

    def everything(self) -> list[Change]:
        found: list[Change] = []
        waiting = [Pair(self.old.root, self.new.root, "")]
        while waiting:
            pair = waiting.pop()
            changes, inner = self._pair(pair)
            found += changes
            waiting.extend(reversed(inner))
        return found

    def _pair(self, pair: Pair) -> tuple[list[Change], list[Pair]]:
        old, new = self.old.resolve(pair.old), self.new.resolve(pair.new)
        if (id(old), id(new)) in self.seen:
            return [], []
        self.seen.add((id(old), id(new)))
        if isinstance(old, Union) or isinstance(new, Union):
            changes, inner = self._unions(old, new, pair.path)
            return changes, [replace(one, unread=pair.unread) for one in inner]
        unread = (*pair.unread, *unread_of(old))
        if old.type != new.type:
            # The new use is where a reader looks for it, whether it is a definition or a name.
            retyped = Change(Kind.retyped, pair.path, words(old), words(new), pair.new, "", old, new)
            # A wider type reads the same number, but for a date it may be another day.
            read = old.type in PROMOTIONS.get(new.type, ())
            return [retyped, *(self._logical(old, new, pair.path, unread) if read else [])], []
        changes = [*self.names(old, new, pair.path), *self._logical(old, new, pair.path, unread)]
        if isinstance(old, Record) and isinstance(new, Record):
            inner_changes, inner = self.fields(old, new, pair.path)
            return changes + inner_changes, inner
        if isinstance(old, Enum) and isinstance(new, Enum):
            changes += self.enum(old, new, pair.path)
        elif isinstance(old, Fixed) and isinstance(new, Fixed) and old.size != new.size:
            changes.append(
                Change(Kind.size, pair.path, f"{old.size} bytes", f"{new.size} bytes", new, "size", old, new)
            )
        elif isinstance(old, Array) and isinstance(new, Array):
            return changes, [Pair(old.items, new.items, f"{pair.path}[]", unread)]
        elif isinstance(old, Map) and isinstance(new, Map):
            return changes, [Pair(old.values, new.values, f"{pair.path}{{}}", unread)]
        return changes, []

    # -- unions --------------------------------------------------------------------------------------------------

    def _unions(self, old: AnyType, new: AnyType, path: str) -> tuple[list[Change], list[Pair]]:
        before = self._branches(self.old, old)
        after = self._branches(self.new, new)
        gone = [key for key in before if key not in after]
        come = [key for key in after if key not in before]
        node = new
        if set(gone) | set(come) == {"null"}:
            kind, inner = Kind.nullability, self._matching(new, before, after, path)
            return [Change(kind, path, self._told(before), self._told(after), node, "", old, new)], inner
        inner = self._matching(new, before, after, path)
        rest_old = [key for key in gone if key != "null"]
        rest_new = [key for key in come if key != "null"]
        if not gone and not come:
            if list(before) != list(after):
                return [Change(Kind.moved, path, self._told(before), self._told(after), node, "", old, new)], inner
            return [], inner
        if len(rest_old) == len(rest_new) == 1 and len(gone) == len(come):
            # One type became another, as without a union around them.
            one, other = before[rest_old[0]], after[rest_new[0]]
            inner.append(Pair(one, other, path + self._segment(new, other)))
            return [], inner
        return [Change(Kind.retyped, path, self._told(before), self._told(after), node, "", old, new)], inner

    @staticmethod
    def _branches(schema: Schema, node: AnyType) -> dict[str, AnyType]:
        found: dict[str, AnyType] = {}
        for branch in node.branches if isinstance(node, Union) else (node,):
            target = schema.resolve(branch)
            key = f"{target.type} {target.name}" if isinstance(target, Named) else target.type
            found.setdefault(key, branch)
        return found

    def _matching(self, new: AnyType, before: dict[str, Any], after: dict[str, Any], path: str) -> list[Pair]:
        both = [key for key in after if key in before]
        return [Pair(before[key], after[key], path + self._segment(new, after[key])) for key in both]

    @staticmethod
    def _segment(union: AnyType, branch: AnyType) -> str:
        return branch_segment(union, branch) if isinstance(union, Union) else ""

    @staticmethod
    def _told(branches: dict[str, AnyType]) -> str:
        return " or ".join(words(branch) for branch in branches.values())

    # -- named types and logical types -----------------------------------------------------------------------------

    def names(self, old: AnyType, new: AnyType, path: str) -> list[Change]:
        found = []
        if isinstance(old, Named) and isinstance(new, Named):
            if old.name != new.name:
                found.append(Change(Kind.type_name, path, old.fullname, new.fullname, new, "name", old, new))
            elif old.namespace != new.namespace:
                told = (old.namespace or "none", new.namespace or "none")
                found.append(Change(Kind.namespace, path, *told, new, "namespace"))
            found += _described(old, new, path)
            found += _listed(Kind.alias, path, old.aliases, new.aliases, new, "aliases")
        found += _attributes(old, new, path)
        return found

    @staticmethod
    def _logical(old: AnyType, new: AnyType, path: str, unread: Sequence[Mapping[str, Any]]) -> list[Change]:
        one, other = getattr(old, "logical", None), getattr(new, "logical", None)
        if one == other:
            return []
        kind = Kind.logical
        if (
            one is None
            and other is not None
            and any(meant(new.type, props, other, getattr(new, "size", 0)) for props in unread)
        ):
            kind = Kind.logical_read
        if one is not None and other is not None and one.name == other.name:  # no other type has parameters
            kind = Kind.precision if one.scale == other.scale else Kind.decimal
        return [Change(kind, path, logical_words(one), logical_words(other), new, "logicalType", one, other)]

    @staticmethod
    def enum(old: Enum, new: Enum, path: str) -> list[Change]:
        found = []
        gone = [one for one in old.symbols if one not in new.symbols]
        come = [one for one in new.symbols if one not in old.symbols]
        if gone or come:
            told = (f"without {', '.join(gone)}" if gone else "", f"with {', '.join(come)}" if come else "")
            found.append(Change(Kind.symbols, path, *told, new, "symbols", old, new))
        elif old.symbols != new.symbols:
            found.append(Change(Kind.moved, path, ", ".join(old.symbols), ", ".join(new.symbols), new, "symbols"))
        if old.default != new.default:
            told = (old.default or "none", new.default or "none")
            found.append(Change(Kind.enum_default, path, *told, new, "default", old.default, new.default))
        return found

    # -- fields ----------------------------------------------------------------------------------------------------

    def fields(self, old: Record, new: Record, path: str) -> tuple[list[Change], list[Pair]]:
        found: list[Change] = []
        inner: list[Pair] = []
        matched = {field.name: before for field, before in self.matched(old, new)}
        taken = {field.name for field in matched.values()}
        gone = [field for field in old.fields if field.name not in taken]
        come = [field for field in new.fields if field.name not in matched]
        for before, after in self._alike(gone, come):
            at = join(path, after.name)
            found.append(Change(Kind.looks_renamed, at, before.name, after.name, after, "name", before, after))
        for field in gone:
            at = join(path, field.name)
            found.append(Change(Kind.removed, at, words(field.type, self.old), "", new, "fields", field))
        for field in new.fields:
            at = join(path, field.name)
            known = matched.get(field.name)
            if known is None:
                found.append(Change(Kind.added, at, "", _added(field, self.new), field, "name", None, field))
                continue
            if known.name != field.name:
                found.append(Change(Kind.renamed, at, known.name, field.name, field, "name", known, field))
            found += self._field(known, field, at)
            inner.append(Pair(known.type, field.type, at, unread_of(known)))
        order = [matched[field.name].name for field in new.fields if field.name in matched]
        if order != [field.name for field in old.fields if field.name in taken]:
            found.append(Change(Kind.moved, path, "", "", new, "fields"))
        return found, inner

    @staticmethod
    def matched(old: Record, new: Record) -> Iterator[tuple[Field, Field]]:
        """Each new field that has an old field, found by its name or an alias, and that old field."""
        for field in new.fields:
            if field.name in old.by_name:
                yield field, old.by_name[field.name]
                continue
            known = next((name for name in field.aliases if name in old.by_name), None)
            if known is not None and known not in new.by_name:
                yield field, old.by_name[known]

    @staticmethod
    def _field(old: Field, new: Field, path: str) -> list[Change]:
        found = [*_described(old, new, path), *_listed(Kind.alias, path, old.aliases, new.aliases, new, "aliases")]
        if not _same_default(old, new):
            told = (_default(old), _default(new))
            found.append(Change(Kind.default, path, *told, new, "default", old, new))
        if old.order != new.order:
            found.append(Change(Kind.order, path, old.order, new.order, new, "order"))
        found += _attributes(old, new, path)
        return found

    def _alike(self, gone: Sequence[Field], come: Sequence[Field]) -> list[tuple[Field, Field]]:
        """Pairs of a removed and an added field that look like one field, the most similar first; each field once."""
        if len(gone) * len(come) > MOST_PAIRS:
            return []
        pairs = [
            (_likeness(one, other), index, one, other)
            for index, one in enumerate(gone)
            for other in come
            if words(one.type, self.old) == words(other.type, self.new)
        ]
        found: list[tuple[Field, Field]] = []
        used: set[int] = set()
        for ratio, _, one, other in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
            if ratio >= likeness.ALIKE and id(one) not in used and id(other) not in used:
                used |= {id(one), id(other)}
                found.append((one, other))
        return found


def _likeness(one: Field, other: Field) -> float:
    """How alike two fields of one type are by their names, from 0 to 1; 1 if doc and default agree and say enough."""
    if len(one.doc or "") >= TELLING_DOC and one.doc == other.doc and _same_default(one, other):
        return 1.0
    return likeness.of_names(one.name, other.name)


def _added(field: Field, schema: Schema) -> str:
    return f"{words(field.type, schema)}, {'default ' + _default(field) if field.has_default else 'no default'}"


def _default(field: Field) -> str:
    if not field.has_default:
        return "none"
    text = dump(field.default)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _same_default(old: Field, new: Field) -> bool:
    return old.has_default == new.has_default and (not old.has_default or same_value(old.default, new.default))


def _described(old: Any, new: Any, path: str) -> list[Change]:
    if (old.doc or "") == (new.doc or ""):
        return []
    return [Change(Kind.doc, path, _short(old.doc), _short(new.doc), new, "doc", old.doc or "", new.doc or "")]


def _short(text: str | None) -> str:
    return "none" if not text else repr(text if len(text) <= 60 else f"{text[:57]}...")


def _listed(kind: Kind, path: str, old: Sequence[str], new: Sequence[str], node: Node, at: str) -> list[Change]:
    if set(old) == set(new):
        return []
    return [Change(kind, path, ", ".join(old) or "none", ", ".join(new) or "none", node, at, tuple(old), tuple(new))]


def unread_of(node: Node) -> tuple[Mapping[str, Any], ...]:
    """The attributes of a node with a logical type that nobody reads."""
    return (node.props,) if "logicalType" in node.props and getattr(node, "logical", None) is None else ()


#: The attributes of a logical type: part of the logical type where Avro recognises it.
_LOGICAL = frozenset({"logicalType", "precision", "scale"})


def _attributes(old: Node, new: Node, path: str) -> list[Change]:
    if old.props is new.props:
        return []
    found = []
    recognised = getattr(old, "logical", None) is not None or getattr(new, "logical", None) is not None
    for key in dict.fromkeys([*old.props, *new.props]):
        if key in _LOGICAL and recognised:
            continue
        one, other = old.props.get(key), new.props.get(key)
        if not same_json(one, other):
            kind = Kind.tags if key == TAGS else Kind.attribute
            label = "" if key == TAGS else f"{key} "
            was, now = ("none" if value is None else label + _short_json(value) for value in (one, other))
            found.append(Change(kind, path, was, now, new, key, one, other))
    return found


def _short_json(value: Any) -> str:
    text = dump(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
