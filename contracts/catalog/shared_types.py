"""Named types that several schemas use: each has an .avsc of its own, and is found by its full name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from contracts.avro import parsing
from contracts.avro.nodes import NamedType, Schema
from contracts.catalog.contract import Role, Subject
from contracts.errors import ConfigurationError, InvalidSchema


class SharedTypes:
    """The named types that the schemas of one state of the files may use.

    Args:
        files: path -> text of the .avsc files that are not the key or the value of a contract.
        root: the folder of the paths, for messages.
    """

    def __init__(self, files: Mapping[str, str], root: str = "") -> None:
        self._files = files
        self._root = root
        self._paths: dict[str, str] = {}
        for path, text in files.items():
            if name := _full_name(text):
                self._paths.setdefault(name, path)
        self._by_word: dict[str, list[str]] = {}
        for name in self._paths:
            for word in {name, name.rpartition(".")[2]}:
                self._by_word.setdefault(word, []).append(name)
        self._subjects: dict[str, Subject] = {}
        self._open: list[str] = []
        self._stored: dict[str, Mapping[str, NamedType]] = {}

    # -- the files of today: every fault is an error -----------------------------------------------------------------

    def check_unique(self) -> None:
        """Raise ConfigurationError where two files define the same type."""
        for path, text in self._files.items():
            name = _full_name(text)
            if name and self._paths[name] != path:
                raise ConfigurationError(
                    f"{name} is already defined in {self._shown(self._paths[name])}",
                    where=self._shown(path),
                    fix="define a shared type once: delete or rename one of the two",
                )

    def subject(self, name: str, role: Role, where: str, text: str) -> Subject:
        """The subject of an .avsc, with its references resolved.

        Raises:
            InvalidSchema: the text, or a type that it uses, is not a valid schema; or types refer to each other in a
                circle.
        """
        named: dict[str, NamedType] = {}
        for one in self._mentioned(text, name):
            named.update(self._subject_of(one).schema.named)
        schema = parsing.parse(text, where=where, named=named)
        owners = {one.name: one for one in map(self._owner, schema.references)}
        return Subject(name, role, where, text, schema, tuple(owners.values()))

    def _owner(self, name: str) -> Subject:
        """The subject whose text defines the type: the one with its name, or another that contains it."""
        if name in self._paths:
            return self._subject_of(name)
        return next(one for one in self._subjects.values() if name in one.schema.own)

    def _subject_of(self, name: str) -> Subject:
        if name not in self._subjects:
            where = self._shown(self._paths[name])
            if name in self._open:
                circle = " -> ".join([*self._open[self._open.index(name) :], name])
                raise InvalidSchema(
                    f"the references form a circle: {circle}",
                    where=where,
                    fix="define the types of the circle in one file",
                )
            self._open.append(name)
            subject = self.subject(name, "type", where, self._text(name))
            self._open.pop()
            self._subjects[name] = subject
        return self._subjects[name]

    # -- the files of history: a type with a fault counts as missing -------------------------------------------------

    def texts(self, text: str) -> list[str]:
        """The texts of the types that `text` mentions, and of those that these mention."""
        found: dict[str, str] = {}
        waiting = [text]
        while waiting:
            one = waiting.pop()
            for name in self._mentioned(one, _full_name(one)):
                if name not in found:
                    found[name] = self._text(name)
                    waiting.append(found[name])
        return list(found.values())

    def named(self, text: str, open_: tuple[str, ...] = ()) -> dict[str, NamedType]:
        """The types that `text` may use, for `parsing.parse_stored`."""
        found: dict[str, NamedType] = {}
        for name in self._mentioned(text, _full_name(text)):
            if name in open_:
                continue
            if name not in self._stored:
                inner = self._text(name)
                try:
                    known = self.named(inner, (*open_, name))
                    self._stored[name] = dict(parsing.parse_stored(inner, named=known).named)
                except InvalidSchema:
                    self._stored[name] = {}
            found.update(self._stored[name])
        return found

    # -- both --------------------------------------------------------------------------------------------------------

    def _mentioned(self, text: str, own: str) -> list[str]:
        """Names of the types that `text` mentions, without its `own`."""
        if not self._paths:
            return []
        found = (self._by_word.get(word) for word in _type_words(text))
        return sorted({name for names in found for name in names or () if name != own})

    def _text(self, name: str) -> str:
        return self._files[self._paths[name]]

    def _shown(self, path: str) -> str:
        return PurePosixPath(self._root, path).as_posix()


def schema_of(text: str, where: str, files: Mapping[str, str]) -> Schema:
    """The schema of a text for `diff`, with its references found among `files`.

    Raises:
        InvalidSchema: the text is not a schema, even by the rules for stored schemas.
    """
    return parsing.parse_stored(text, where=where, named=SharedTypes(files).named(text))


@lru_cache(maxsize=100_000)
def _full_name(text: str) -> str:
    """The full name that an .avsc defines; empty where it is not the JSON of a named type, which parsing reports."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    name = document.get("name") if isinstance(document, dict) else None
    space = document.get("namespace") if isinstance(document, dict) else None
    if not isinstance(name, str):
        return ""
    return f"{space}.{name}" if isinstance(space, str) and space and "." not in name else name


@lru_cache(maxsize=100_000)
def _type_words(text: str) -> frozenset[str]:
    """Every name in a place where a schema has a type, as written."""
    try:
        waiting: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        # Avro allows comments, but `json` does not: then everything in quotes may be a type.
        return frozenset(re.findall(r'"([^"\\]+)"', text))
    words: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            words.add(one)
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            waiting.extend(one[key] for key in ("type", "items", "values") if key in one)
            if isinstance(fields := one.get("fields"), list):
                waiting.extend(field for field in fields if isinstance(field, dict))
    return frozenset(words)
