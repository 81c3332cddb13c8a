"""What a consumer of a path depends on: everything on the way to it, and everything inside it.  Pure.

A type that is used twice is compared once, at the first place.  So nodes decide what a change is about, not paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from avro_data_contracts.contracts.avro.nodes import Node, Record, Schema, Union
from avro_data_contracts.contracts.avro.paths import follow, inside
from avro_data_contracts.contracts.compat import resolution
from avro_data_contracts.contracts.compat.changes import Change, Kind
from avro_data_contracts.contracts.compat.resolution import Difference

#: The node of such a change is the old one.
GONE = frozenset({Kind.removed, Kind.renamed, Kind.looks_renamed})
_ABOUT_FIELDS = frozenset({resolution.READER_FIELD_MISSING_DEFAULT_VALUE, resolution.READER_FIELD_MATCHES_SEVERAL})


class Reach:
    """The nodes of a schema that a path reaches, by identity, with the path by which the consumer reads them."""

    def __init__(self, schema: Schema, path: str) -> None:
        found = follow(schema, path)
        self.places = found.places
        self._inside: dict[int, str] = {}
        waiting = list(reversed(found.places.items()))
        while waiting:
            at, node = waiting.pop()
            if id(node) not in self._inside:
                self._inside[id(node)] = at
                waiting.extend(reversed([*inside(schema, at, node)]))
        self._passed: dict[int, str] = {}
        for at, node in found.passed:
            self._passed.setdefault(id(node), at)

    def path(self, node: Node) -> str | None:
        """The path of a node; None if it is out of reach."""
        return self._inside.get(id(node), self._passed.get(id(node)))

    def has(self, node: object) -> bool:
        """Whether the node is within reach."""
        return id(node) in self._inside or id(node) in self._passed

    def has_inside(self, node: object) -> bool:
        """Whether the node is what the path names, or inside it."""
        return id(node) in self._inside


class Reading:
    """A consumer's path in the old schema and in the new one."""

    def __init__(self, path: str, old: Schema, new: Schema) -> None:
        self._schemas = old, new
        self.old, self.new = Reach(old, path), Reach(new, path)

    def touched_by(self, change: Change) -> str | None:
        """The path at which the consumer notices a change; None if it does not."""
        if change.kind in GONE:
            return self.old.path(change.before)
        if change.node is None or (isinstance(change.before, Node) and not self.old.has(change.before)):
            return None
        return self.new.path(change.node)

    def hits(self, one: Difference) -> bool:
        """Whether the old schema, which reads, fails at something that the consumer reads."""
        if one.rule in _ABOUT_FIELDS and isinstance(one.reader, Record):
            return self.old.has(one.reader.by_name.get(one.names[0]))
        return self.old.has(one.reader) and (isinstance(one.reader, Union) or self.new.has(one.writer))

    def lost(self, changes: Iterable[Change]) -> Iterator[str]:
        """Paths that the old schema has and the new one lacks.  `changes`: those that the consumer notices."""
        _, new = self._schemas
        for change in changes:
            if change.kind in GONE:
                yield self.old.path(change.before) or ""
            elif change.kind is Kind.retyped and self.old.has_inside(change.before):
                yield from self._dropped(change)
        for path in self.old.places:
            if not follow(new, path).places:
                yield path

    def _dropped(self, change: Change) -> Iterator[str]:
        """Records that a union no longer has."""
        old, new = self._schemas
        if not isinstance(change.before, Union):  # one type of a union in place of another
            path = self.old.path(change.before) or ""
            if isinstance(change.before, Record) and path.endswith(")"):
                yield path
            return
        after = change.after.branches if isinstance(change.after, Union) else (change.after,)
        kept = {getattr(new.resolve(one), "name", "") for one in after}
        for branch in change.before.branches:
            target = old.resolve(branch)
            if isinstance(target, Record) and target.name not in kept:
                yield self.old.path(branch) or ""
