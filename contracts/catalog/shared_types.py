"""Named types that the schemas of one state of the files may use, read as leniently as history is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from contracts.avro import parsing
from contracts.avro.nodes import NamedType, Schema
from contracts.errors import InvalidSchema


class SharedTypes:
    """The named types that other schemas of one state may use."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._by_name: dict[str, str] = {}
        for text in files.values():
            name = full_name(text)
            if name:
                self._by_name.setdefault(name, text)
        self._by_word: dict[str, list[str]] = {}
        for name in self._by_name:
            for word in {name, name.rpartition(".")[2]}:
                self._by_word.setdefault(word, []).append(name)
        self._parsed: dict[str, Mapping[str, NamedType]] = {}

    def texts(self, text: str) -> list[str]:
        """The texts of the types that `text` mentions, and those that these mention."""
        found: dict[str, str] = {}
        waiting = [text]
        while waiting:
            for name in self._mentioned(waiting.pop()):
                if name not in found:
                    found[name] = self._by_name[name]
                    waiting.append(self._by_name[name])
        return list(found.values())

    def named(self, text: str, open_: tuple[str, ...] = ()) -> dict[str, NamedType]:
        """The types for `parsing.parse`."""
        found: dict[str, NamedType] = {}
        for name in self._mentioned(text):
            if name in open_:
                continue
            if name not in self._parsed:
                inner = self._by_name[name]
                try:
                    known = self.named(inner, (*open_, name))
                    self._parsed[name] = dict(parsing.parse_stored(inner, named=known).named)
                except InvalidSchema:
                    self._parsed[name] = {}
            found.update(self._parsed[name])
        return found

    def _mentioned(self, text: str) -> list[str]:
        if not self._by_name:
            return []
        own = full_name(text)
        found = (self._by_word.get(word) for word in _words(text))
        return sorted({name for names in found for name in names or () if name != own})


@lru_cache(maxsize=100_000)
def _words(text: str) -> frozenset[str]:
    """Everything in quotes."""
    return frozenset(re.findall(r'"([^"\\]+)"', text))


@lru_cache(maxsize=100_000)
def full_name(text: str) -> str:
    """Full name that an .avsc defines; empty where it is not the JSON of a named type (found when it is parsed)."""
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return ""
    name = document.get("name") if isinstance(document, dict) else None
    space = document.get("namespace") if isinstance(document, dict) else None
    if not isinstance(name, str):
        return ""
    return f"{space}.{name}" if isinstance(space, str) and space and "." not in name else name


def schema_of(text: str, where: str, files: Mapping[str, str]) -> Schema:
    """A schema for `diff`, its references found among `files`.

    Raises:
        InvalidSchema: it is none, even by the rules for stored schemas.
    """
    return parsing.parse_stored(text, where=where, named=SharedTypes(files).named(text))
