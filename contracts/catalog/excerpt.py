"""The part of the files that a change concerns.  Pure.

Whoever compares two states of a thousand contracts, of which one changed, need not parse the others.  What concerns a
contract: its own files and views; the types that it uses, at any depth; contracts with the same topic, subject or
table; and those whose tables its views join.

Texts are searched for words first, which is quick; only where a word occurs, the text is read.  An excerpt may have
more than is needed, never less: reading it gives the same contracts, and the same faults in them, as reading all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from avro_data_contracts.contracts.avro import outline
from avro_data_contracts.contracts.catalog import heads, view_references
from avro_data_contracts.contracts.catalog.folder import (
    CONTRACT_FILE,
    contract_name,
    default_heads,
    heads_of_view,
    is_head,
    is_schema_file,
)

#: More words than these are looked up in an index of all words, which takes as long as to search for so many.
_FEW = 30

_WORD = re.compile(r"\w+")


def of_change(now: Mapping[str, str], before: Mapping[str, str], changed: Collection[str]) -> frozenset[str]:
    """Return the paths of the files to read, of both states.

    Contracts with approvals are always among them, because an approval can end without a change.

    Args:
        now: path -> text of all files.
        before: path -> text of the files that `changed` names, as they were.
        changed: the paths of the files that are not the same, or are there in one state only.
    """
    if len(changed) > len(now) / 2:
        return frozenset((*now, *before))
    texts = {path: tuple(dict.fromkeys(_both(path, now, before))) for path in (*now, *before)}
    reach = _Reach(texts, frozenset(changed))
    reach.affect(changed)
    reach.affect(reach.with_approvals())
    # Its name is its topic, which only reading it tells.
    reach.affect(path for path in texts if path == CONTRACT_FILE)
    return reach.closure()


def of_contracts(texts: Mapping[str, str], names: Collection[str]) -> frozenset[str]:
    """Return the paths of the contract files `names`, and of what concerns them, their types' other users too."""
    reach = _Reach({path: (text,) for path, text in texts.items()}, frozenset())
    reach.affect(names)
    reach.affect(path for path in reach.closure() if is_schema_file(path))
    return reach.closure()


def _both(path: str, now: Mapping[str, str], before: Mapping[str, str]) -> Iterable[str]:
    return (state[path] for state in (before, now) if path in state)


@dataclass(frozen=True)
class _Types:
    """The full names in the text of a schema.

    Args:
        roots: of the types that the file is.
        defined: of all types in it.
        used: of those that it uses, both as their namespace completes them and as written.
        foreign: the pairs of these two, of those that a part of it uses and does not define.
    """

    roots: frozenset[str]
    defined: frozenset[str]
    used: frozenset[str]
    foreign: frozenset[tuple[str, str]]


@lru_cache(maxsize=100_000)
def _types(text: str) -> _Types | None:
    """None if it is not JSON."""
    parts, whole = outline.parts(text), outline.outline(text)
    if parts is None or whole is None:
        return None
    each = (whole, *parts)
    return _Types(
        frozenset(one.name for one in parts if one.name),
        frozenset(name for one in each for name in one.defined),
        frozenset(name for one in each for both in one.used for name in both),
        frozenset(both for one in each for both in one.used if one.defined.isdisjoint(both)),
    )


class _Words:
    """Finds the texts that have a word, and perhaps some that have not.

    Args:
        hiding: what a text contains if it may write a word in another way.
    """

    def __init__(self, texts: Mapping[str, tuple[str, ...]], hiding: str) -> None:
        self._texts = texts
        self._hiding = {path for path, several in texts.items() if any(hiding in one for one in several)}
        self._index: dict[str, set[str]] | None = None

    def having(self, words: Collection[str]) -> set[str]:
        """The paths of the texts that have one of these names, or of all texts if one is nothing but punctuation."""
        parts = {heads.word_of(word) for word in words}
        if not parts:
            return set()
        if "" in parts:
            return set(self._texts)
        if len(parts) > _FEW or self._index is not None:
            index = self._words()
            return self._hiding.union(*(index.get(part, ()) for part in parts))
        found = (
            path for path, several in self._texts.items() if any(part in one for one in several for part in parts)
        )
        return self._hiding.union(found)

    def _words(self) -> dict[str, set[str]]:
        if self._index is None:
            self._index = {}
            for path, several in self._texts.items():
                for word in {word for one in several for word in _WORD.findall(one)}:
                    self._index.setdefault(word, set()).add(path)
        return self._index


class _Reach:
    """Follows what concerns what, until nothing more does.

    A file is affected if what it means may have changed; it is needed if an affected one cannot be read without it.

    Args:
        texts: path -> its texts, one for each state in which they differ.
    """

    def __init__(self, texts: Mapping[str, tuple[str, ...]], changed: Collection[str]) -> None:
        self._heads = {path: several for path, several in texts.items() if is_head(path)}
        self._schemas = {path: several for path, several in texts.items() if is_schema_file(path)}
        self._changed = changed
        self._views: dict[str, dict[str, tuple[str, ...]]] = {}  # head -> its views
        for path, several in texts.items():
            for head in heads_of_view(path):
                if head in self._heads:
                    self._views.setdefault(head, {})[path] = several
        self._joined: dict[str, set[str]] = {}  # head -> the files with reference data of its views
        self._joining: dict[str, set[str]] = {}  # such a file -> the heads
        self._foreign: dict[str, set[str]] = {}  # head -> the contracts whose tables its views join
        for head, views in self._views.items():
            for path, several in views.items():
                for text in several:
                    for file in view_references.files_of(text, path):
                        self._joined.setdefault(head, set()).add(file)
                        self._joining.setdefault(file, set()).add(head)
                    if names := view_references.contracts_of(text):
                        self._foreign.setdefault(head, set()).update(names)
        # A view names tables too.
        with_views = {
            path: (*several, *(text for view in self._views.get(path, {}).values() for text in view))
            for path, several in self._heads.items()
        }
        self._in_heads = _Words(with_views, heads.HIDING)
        self._in_schemas = _Words(self._schemas, "\\u")
        self._affected: dict[str, None] = {}
        self._needed: dict[str, None] = {}
        self._done: dict[str, bool] = {}  # path -> whether it was affected

    def affect(self, paths: Iterable[str]) -> None:
        """Note files whose meaning may have changed."""
        self._affected |= dict.fromkeys(path for path in paths if not self._done.get(path))

    def _need(self, paths: Iterable[str]) -> None:
        self._needed |= dict.fromkeys(path for path in paths if path not in self._done)

    def with_approvals(self) -> list[str]:
        """The contract files that approve findings."""
        return [
            path
            for path in self._in_heads.having(["approvals"])
            if any(one.has_approvals for one in self._heads_of(path))
        ]

    def closure(self) -> frozenset[str]:
        """Return every path that is affected or needed."""
        while self._affected or self._needed:
            affected, needed = self._affected, self._needed
            self._affected, self._needed = {}, {}
            self.affect(head for path in affected for head in heads_of_view(path) if head in self._heads)
            self.affect(head for path in affected for head in self._joining.get(path, ()))
            self._done |= dict.fromkeys(needed, False) | dict.fromkeys(affected, True)
            self._from_heads([path for path in (*affected, *needed) if path in self._heads])
            self._to_heads(affected, needed)
            self._of_joins(affected, needed)
            self._to_schemas(affected, needed)
            if not self._affected and not self._needed:
                self.affect(self._namesakes())
        found = [path for path in self._done if path in self._heads or path in self._schemas]
        of_views = (one for path in found for one in (*self._views.get(path, ()), *self._joined.get(path, ())))
        return frozenset((*found, *of_views))

    def _from_heads(self, paths: Iterable[str]) -> None:
        """The schemas that these contracts name."""
        for path in paths:
            files = {file for one in self._heads_of(path) for file in one.files}
            (self.affect if path in self._changed else self._need)(files & self._schemas.keys())

    def _to_heads(self, affected: Collection[str], needed: Collection[str]) -> None:
        """The contracts that name one of these schemas, or share something with one of these contracts."""
        shared = {name for path in affected for name in self._shared(path)}
        for paths, note in ((affected, self.affect), (needed, self._need)):
            schemas = {path for path in paths if is_schema_file(path)}  # also if nobody can read them
            by_default = {head for path in schemas for head in default_heads(path)}
            having = self._in_heads.having({PurePosixPath(path).name for path in schemas})
            note(
                path
                for path in (having | by_default) & self._heads.keys()
                if any(not schemas.isdisjoint(one.files) for one in self._heads_of(path))
            )
        having = self._in_heads.having(shared)
        self.affect(path for path in having if not shared.isdisjoint(self._shared_by(path)))
        if named := {name for path in affected if path in self._heads for name in self._names(path)}:
            self.affect(path for path in self._heads if not named.isdisjoint(self._names(path)))

    def _of_joins(self, affected: Collection[str], needed: Collection[str]) -> None:
        """The contracts whose tables the views of these join, and those whose views join theirs."""
        if not self._foreign:
            return
        wanted = {name for path in (*affected, *needed) for name in self._foreign.get(path, ())}
        self._need(path for path in self._heads if not wanted.isdisjoint(self._names(path)))
        changed = {name for path in affected if path in self._heads for name in self._names(path)}
        self.affect(head for head, names in self._foreign.items() if not changed.isdisjoint(names))

    def _names(self, path: str) -> Collection[str]:
        """What a contract is called; in the folder itself it has the name of its topic."""
        if path != CONTRACT_FILE:
            return (contract_name(path),)
        return {one.names.topic for one in self._heads_of(path) if one.names}

    def _shared(self, path: str) -> Iterable[str]:
        """What no other contract may have, of a contract or of the types in a schema: a record may be a subject."""
        if path not in self._heads:
            return {name for one in self._types_of(path) for name in one.roots}
        found = self._shared_by(path)
        topics = {one.names.topic for one in self._heads_of(path) if one.names}
        records = {name for one in self._heads_of(path) for file in one.files for name in self._shared(file)}
        return found | records | {f"{topic}-{record}" for topic in topics for record in records}

    def _shared_by(self, head: str) -> set[str]:
        """What no other contract may have, of a contract file and its views."""
        views = self._views.get(head, {}).values()
        of_views = {name for several in views for text in several for name in heads.tables_of_view(text)}
        return of_views.union(*(one.shared for one in self._heads_of(head)))

    def _to_schemas(self, affected: Collection[str], needed: Collection[str]) -> None:
        """The schemas that use types of the affected ones, and those with the types that any of these use."""
        changed = [one for path in affected for one in self._types_of(path)]
        read = [*changed, *(one for path in needed for one in self._types_of(path))]
        roots = {name for one in changed for name in one.roots}
        # A shared type is a subject too, and so may a record be, alone or with a topic in front.
        shared = {name for path in affected for name in self._shared(path)}
        subjects = {part for name in shared for part in (name, *_after_hyphens(name))}
        defined = {name for one in changed for name in one.defined}
        used = {name for one in read for name in one.used}
        foreign = {name for one in read for both in one.foreign for name in both}
        for path in self._in_schemas.having({name.rpartition(".")[2] for name in defined | used | subjects}):
            types = self._types_of(path)
            if any(
                not roots.isdisjoint(one.used) or _uses(one, defined) or not subjects.isdisjoint(one.roots)
                for one in types
            ):
                self.affect([path])
            elif (
                any(not one.roots.isdisjoint(used) or not one.defined.isdisjoint(foreign) for one in types)
                or len(types) < len(self._schemas[path])  # it is not JSON
            ):
                self._need([path])

    def _namesakes(self) -> Iterable[str]:
        """The schemas with types that are called like one that nothing defines: the error names them."""
        read = [one for path in self._done for one in self._types_of(path)]
        known = {name for path in self._done for name in self._lasting(path)}
        short = {both[1].rpartition(".")[2] for one in read for both in one.foreign if known.isdisjoint(both)}
        for path in self._in_schemas.having(short):
            if any(name.rpartition(".")[2] in short for one in self._types_of(path) for name in one.defined):
                yield path

    def _lasting(self, path: str) -> frozenset[str]:
        """The types that the file defines in both states."""
        defined = [one.defined for one in self._types_of(path)]
        if path in self._changed and len(defined) < 2:
            return frozenset()
        return frozenset.intersection(*defined) if defined else frozenset()

    def _heads_of(self, path: str) -> list[heads.Head]:
        return [heads.read(text, path) for text in self._heads[path]]

    def _types_of(self, path: str) -> list[_Types]:
        """One for each text that is JSON."""
        return [one for text in self._schemas.get(path, ()) if (one := _types(text)) is not None]


def _after_hyphens(name: str) -> list[str]:
    return [name[at + 1 :] for at, character in enumerate(name) if character == "-"]


def _uses(types: _Types, names: Collection[str]) -> bool:
    return any(name in names for both in types.foreign for name in both)
