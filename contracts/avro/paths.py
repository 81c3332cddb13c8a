"""Paths into a schema: `order.items[].price` and `payment(Card).number` in messages.

People may leave the marks out: `order.items.price` is through the array, `payment.number` through every type of the
union that has such a field.  A mark that is there must fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Field,
    Map,
    Named,
    Record,
    Reference,
    Schema,
    Union,
    join,
)

_SPLIT = re.compile(r"\.(?![^()]*\))")  # a dot in parentheses is part of a full name
_STEP = re.compile(r"([^\[\](){}]*)((?:\[\]|\{\}|\([^()]+\))*)")
_MARK = re.compile(r"\[\]|\{\}|\(([^()]+)\)")
#: Labels that people leave out, because the path goes on inside these types.
_CONTAINERS = frozenset({"array", "map"})

#: With more places than this, only one of those with the same node is followed.
_MOST_PLACES = 100

Place = tuple[str, Field | AnyType]


@dataclass
class Followed:
    """Where a path leads in a schema.

    Args:
        places: what it names, by their paths with all marks; empty where it leads nowhere.
        passed: everything on the way, as far as it goes, with the other types of unions.
        choices: where it leads nowhere: the paths that would lead one step further.
    """

    places: dict[str, Field | AnyType]
    passed: list[Place] = field(default_factory=list)
    choices: tuple[str, ...] = ()


def follow(schema: Schema, path: str) -> Followed:
    """Follow a path from the root; an empty one is the root itself."""
    found = Followed({"": schema.root})
    for number, part in enumerate(_SPLIT.split(path)):
        step = _STEP.fullmatch(part)
        if step is None or (not part and path):
            return Followed({}, found.passed, found.choices)
        name, marks = step.groups()
        if name or number:
            _enter(schema, found, name)
        for mark in _MARK.finditer(marks):
            _mark(schema, found, mark[0], mark[1])
        if not found.places:
            break
    return found


def field_at(schema: Schema, path: str) -> Field | None:
    """The first field that a path names; None when there is none."""
    return next((node for node in follow(schema, path).places.values() if isinstance(node, Field)), None)


def _enter(schema: Schema, found: Followed, name: str) -> None:
    """Go on to the fields of that name."""
    opened = [place for start in found.places.items() for place in _open(schema, *start)]
    found.passed += opened
    records = [(at, node) for at, node in opened if isinstance(node, Record)]
    found.places = {join(at, name): node.by_name[name] for at, node in records if name in node.by_name}
    if len(found.places) > _MOST_PLACES:  # a recursive union doubles them with every step
        once = {id(node): (at, node) for at, node in reversed(found.places.items())}
        found.places = dict(reversed(once.values()))
    found.choices = () if found.places else tuple(join(at, one) for at, node in records for one in node.by_name)


def _mark(schema: Schema, found: Followed, mark: str, label: str | None) -> None:
    """Go on to the items, the values, or the types of the union that a mark names."""
    opened = [place for start in found.places.items() for place in _open(schema, *start, deep=label is not None)]
    found.passed += opened
    if label is not None:
        found.places = {at: node for at, node in opened if _is_labelled(node, label)}
        found.choices = () if found.places else tuple(dict.fromkeys(at for at, _ in opened if at.endswith(")")))
        return
    inner = {f"{at}[]": node.items for at, node in opened if isinstance(node, Array)}
    inner |= {f"{at}{{}}": node.values for at, node in opened if isinstance(node, Map)}
    found.places = {at: node for at, node in inner.items() if at.endswith(mark)}
    found.choices = () if found.places else tuple(inner)


def _open(schema: Schema, at: str, node: Field | AnyType, *, deep: bool = True) -> Iterator[Place]:
    """The node, and the types that its values may have; with `deep` also those of the values inside containers."""
    waiting: list[Place] = [(at, node)]
    while waiting:
        here, one = waiting.pop()
        yield here, one
        waiting.extend(reversed([*inside(schema, here, one, containers=deep)] if not isinstance(one, Record) else []))


def inside(schema: Schema, at: str, node: Field | AnyType, *, containers: bool = True) -> Iterator[Place]:
    """What is directly inside a node, with paths; a reference has the type that it stands for."""
    if isinstance(node, Field):
        yield at, node.type
    elif isinstance(node, Reference):
        yield at, schema.resolve(node)
    elif isinstance(node, Union):
        for branch in node.branches:
            yield at + branch_segment(node, branch), branch
    elif isinstance(node, Record):
        for one in node.fields:
            yield join(at, one.name), one
    elif isinstance(node, Array) and containers:
        yield f"{at}[]", node.items
    elif isinstance(node, Map) and containers:
        yield f"{at}{{}}", node.values


def _is_labelled(node: Field | AnyType, label: str) -> bool:
    if isinstance(node, (Named, Reference)):
        return label in (node.fullname, _short(node.fullname))
    return not isinstance(node, (Field, Union)) and label == node.type


def branch_segment(union: Union, branch: AnyType) -> str:
    """The part that a union's branch adds to a path (see `contracts.avro.nodes.branch_label`)."""
    if sum(one.type != "null" for one in union.branches) < 2 or branch.type == "null":
        return ""
    if isinstance(branch, (Named, Reference)):
        return f"({_short(branch.fullname)})"
    return f"({branch.type})"


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def without_labels(path: str) -> str:
    """The path through every type of a union."""
    return re.sub(r"\([^()]*\)", "", path).removeprefix(".")


def is_within(path: str, around: str) -> bool:
    """Whether `path` is `around` or inside it; a mark that only one of the two has does not count."""
    inner, outer = _steps(path), _steps(around)
    return len(inner) >= len(outer) and all(map(_may_be_same, inner, outer))


def overlap(one: str, other: str) -> bool:
    """Whether one of two paths is the other one, or inside it."""
    return is_within(one, other) or is_within(other, one)


def _steps(path: str) -> list[tuple[str, str]]:
    """Names and labels; first the root, which has no name."""
    found = []
    for part in _SPLIT.split(path):
        name = part.partition("[")[0].partition("{")[0].partition("(")[0]
        labels = [_short(mark[1]) for mark in _MARK.finditer(part) if mark[1]]
        found.append((name, next((one for one in reversed(labels) if one not in _CONTAINERS), "")))
    return found if not found[0][0] else [("", ""), *found]


def _may_be_same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] == other[0] and (one[1] == other[1] or not one[1] or not other[1])


def most_exact(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths without those that are inside another one."""
    found: list[str] = []
    for path in dict.fromkeys(paths):
        if not any(is_within(path, other) for other in found):
            found.append(path)
    return tuple(found)
