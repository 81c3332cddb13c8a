"""Changes of logical types, where the same bytes mean something else.  Pure.

These are the changes of `contracts.compat.changes` that matter for meaning, and cheap enough for every version.
"""

from __future__ import annotations

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Primitive, Record, Schema, Union, join
from avro_data_contracts.contracts.compat.changes import Change, Comparison, Kind, Pair, unread_of

#: The same bytes mean something else.
OTHERWISE = frozenset({Kind.logical, Kind.decimal})
#: And a value may be larger than one side can hold.
KINDS = OTHERWISE | {Kind.precision}


def between(old: Schema, new: Schema) -> tuple[Change, ...]:
    """The changes of `changes.between` that have one of `KINDS`."""
    return tuple(one for one in _Meanings(old, new).everything() if one.kind in KINDS)


class _Meanings(Comparison):
    """Skips everything that says nothing about meaning, and fields that clearly mean the same."""

    def names(self, old: AnyType, new: AnyType, path: str) -> list[Change]:
        return []

    @staticmethod
    def enum(old: Enum, new: Enum, path: str) -> list[Change]:
        return []

    def fields(self, old: Record, new: Record, path: str) -> tuple[list[Change], list[Pair]]:
        inner = [
            Pair(before.type, field.type, join(path, field.name), unread_of(before))
            for field, before in self.matched(old, new)
            if not _alike(before.type, field.type)
        ]
        return [], inner


def _alike(old: AnyType, new: AnyType) -> bool:
    """Whether both are the same primitive types, alone or in unions with one order; False when unsure."""
    if isinstance(old, Primitive):
        return isinstance(new, Primitive) and old.type == new.type and old.logical == new.logical
    if isinstance(old, Union) and isinstance(new, Union) and len(old.branches) == len(new.branches):
        return all(map(_alike, old.branches, new.branches))
    return False
