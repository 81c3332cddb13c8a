"""Contexts of Confluent's registry: subject names as contracts write them, and as the registry returns them.

A context is a registry inside a registry, with its own subjects and ids: `http://host/contexts/.staging`.  The
    registry
returns its subjects qualified, as `:.staging:orders-value`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

DEFAULT = "."
_URL = re.compile(r"(?P<root>.*)/contexts/(?P<name>[^/]+)")
_QUALIFIED = re.compile(r":(?P<context>\.[^:]*):(?P<subject>.*)", re.DOTALL)


@dataclass(frozen=True)
class Context:
    """The context that a base URL means.

    Attributes:
        name: with its leading dot; `.` is the default one.
        root: the URL of the registry itself, without a context.
    """

    name: str
    root: str

    @classmethod
    def of(cls, url: str) -> Context:
        found = _URL.fullmatch(url)
        if found is None:
            return cls(DEFAULT, url)
        name = unquote(found["name"]).strip(":")
        return cls(name if name.startswith(".") else f".{name}", found["root"])

    def own(self, subject: str) -> str:
        """Return a subject's name without this context; a subject of another context keeps its qualified name."""
        found = _QUALIFIED.fullmatch(subject)
        return found["subject"] if found and found["context"] == self.name else subject


def is_qualified(subject: str) -> bool:
    """Whether the name contains a context; after `own`, only names of other contexts do."""
    return _QUALIFIED.fullmatch(subject) is not None
