"""Checks `masks` of a contract.yaml against the schema, before anything is masked.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Field, Map, Record, Schema, Union
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.masks import masked, plan
from avro_data_contracts.contracts.masks.plan import Leaf
from avro_data_contracts.contracts.masks.spec import Kind, MaskSpec
from avro_data_contracts.contracts.stores.rooms import ROOMS
from avro_data_contracts.contracts.stores.spec import SinkSpec

#: Returns the line of a key of a rule, from the number of the rule and the key.
Line = Callable[[int, str], int]
#: With any other mask, different keys could become one.
_OF_KEYS: Final = frozenset({Kind.hash})


def check(specs: Sequence[MaskSpec], schema: Schema, sinks: Iterable[SinkSpec], file: str, line: Line) -> None:
    """Check the rules.

    Args:
        sinks: the tables whose keys may be masked only so that they stay different.

    Raises:
        ConfigurationError: a rule names nothing, two rules are about one field, a mask does not fit a type or a key.
    """
    for number, one in enumerate(specs):
        for key, what, fix in (*_nothing(one, schema), *_clashes(number, specs, schema)):
            raise ConfigurationError(f"masks: {one}: {what}", file=file, line=line(number, key), fix=fix)
    for store in ROOMS:
        for path, field, number in plan.masked_fields(specs, schema, store):
            if found := masked.misfit(schema, field.type, specs[number].mask):
                what, fix = found
                raise ConfigurationError(f"masks: {path}: {what}", file=file, line=line(number, "mask"), fix=fix)
    for sink in sinks:
        for name, what, fix in unfit_keys(specs, schema, sink):
            number = next(rule for path, _, rule in plan.masked_fields(specs, schema, sink.kind) if path == name)
            raise ConfigurationError(f"masks: {what}", file=file, line=line(number, "mask"), fix=fix)
        for number, what, fix in _emptied(specs, schema, sink):
            raise ConfigurationError(f"masks: {what}", file=file, line=line(number, "mask"), fix=fix)


def _nothing(one: MaskSpec, schema: Schema) -> Iterator[tuple[str, str, str]]:
    """Yield why a rule names nothing."""
    if one.field is not None:
        followed = paths.follow(schema, one.field)
        if not any(isinstance(node, Field) for node in followed.places.values()):
            choices = few(followed.choices) if followed.choices else "a path such as address.city"
            yield "field", "the value has no such field", f"write {choices}"
        return
    known = sorted({tag for node in schema.walk() for tag in plan.tags_of(node)} | _shared_tags(schema))
    if (one.tag or "").upper() not in known:
        yield "tag", "no field or type of the value has this tag", f"tags of the value: {few(known) or 'none'}"


def _shared_tags(schema: Schema) -> set[str]:
    """The tags in the types that other files define."""
    found: set[str] = set()
    for named in schema.named.values():
        found |= plan.tags_of(named)
        if isinstance(named, Record):
            for field in named.fields:
                found |= plan.all_tags(schema, field)
    return found


def _clashes(number: int, specs: Sequence[MaskSpec], schema: Schema) -> Iterator[tuple[str, str, str]]:
    """Yield why a rule and an earlier one cannot both hold."""
    one = specs[number]
    for other in specs[:number]:
        if not one.shares_a_store_with(other):
            continue
        if one.field is not None and other.field is not None:
            mine, theirs = (paths.follow(schema, path).places for path in (one.field, other.field))
            if any(a == b or paths.is_within(a, b) or paths.is_within(b, a) for a in mine for b in theirs):
                what = f"a rule before it masks {other.field}, which is the same field, around it or in it"
                yield "field", what, "keep one of the two, or give them different stores"
        elif one.tag is not None and other.tag is not None:
            both = _with_tags(schema, one.tag, other.tag)
            if one.tag.upper() == other.tag.upper() or (both and one.mask != other.mask):
                about = f"{both} has both tags" if both else "it is the same tag"
                what = f"a rule before it masks the tag {other.tag} with {other.mask}, and {about}"
                yield (
                    "tag",
                    what,
                    f"keep one of the two, or write a rule for the field ({both})"
                    if both
                    else ("keep one of the two, or give them different stores"),
                )


def _with_tags(schema: Schema, one: str, other: str) -> str:
    """The name of a field with both tags; empty if there is none."""
    wanted = {one.upper(), other.upper()}
    for named in schema.named.values():
        for field in named.fields if isinstance(named, Record) else ():
            if wanted <= plan.all_tags(schema, field):
                return field.name
    return ""


def unfit_keys(specs: Sequence[MaskSpec], schema: Schema, sink: SinkSpec) -> Iterator[tuple[str, str, str]]:
    """Yield the columns of a primary key that a mask would make null or alike, why, and what to do."""
    found = plan.of(specs, schema, sink.kind)
    for name in sink.key_fields:
        one = found.fields.get(name) if found is not None else None
        if isinstance(one, Leaf) and one.how.kind not in _OF_KEYS:
            what = f"{name} is in the primary key of {sink.kind} {sink.qualified}, and {one.how} is no key"
            fix = "hash it: different values stay different"
            if one.how.kind is not Kind.null and one.how.kind is not Kind.drop:
                what = f"{name} is in the primary key of {sink.kind} {sink.qualified}, and {one.how} makes rows one"
            yield name, what, f"{fix}; or name other stores in the rule"


def _emptied(specs: Sequence[MaskSpec], schema: Schema, sink: SinkSpec) -> Iterator[tuple[int, str, str]]:
    """Yield the records of which nothing is left."""
    waiting: list[tuple[str, AnyType, plan.Plan | None]] = [("", schema.root, plan.of(specs, schema, sink.kind))]
    while waiting:
        path, node, one = waiting.pop()
        inner, _ = nullability(schema, node)
        if isinstance(one, plan.OfRecord) and isinstance(inner, Record):
            masks = [one.fields.get(field.name) for field in inner.fields]
            dropped = [mask for mask in masks if isinstance(mask, Leaf) and mask.how.kind is Kind.drop]
            if path and len(dropped) == len(masks):
                yield dropped[0].rule, f"every field of {path} is dropped", f"drop {path} itself"
            waiting += [
                (f"{path}.{field.name}" if path else field.name, field.type, mask)
                for field, mask in zip(inner.fields, masks, strict=True)
                if mask is not None and not isinstance(mask, Leaf)
            ]
        elif isinstance(one, plan.OfItems):
            assert isinstance(inner, Array | Map)
            items = inner.items if isinstance(inner, Array) else inner.values
            waiting.append((f"{path}{'{}' if one.is_map else '[]'}", items, one.inner))
        elif isinstance(one, plan.OfUnion) and isinstance(inner, Union):
            branches = [branch for branch in inner.branches if branch.type != "null"]
            for number, inside in one.branches.items():
                waiting.append((path + paths.branch_segment(inner, branches[number]), branches[number], inside))
