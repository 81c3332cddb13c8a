"""What a contract file says of others: its topic, schemas, subjects and tables, even if today's rules refuse it.

No schema of contract.yaml is loaded for that, so it costs a tenth of `spec.parse_spec`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

import yaml

from avro_data_contracts.contracts.catalog import yaml_text
from avro_data_contracts.contracts.catalog.folder import beside, default_value
from avro_data_contracts.contracts.catalog.header import header_of
from avro_data_contracts.contracts.stores.spec import DELETIONS

#: A text with it may write a word in another way.
HIDING: Final = "\\"

_WORD: Final = re.compile(r"\w+")


class Names(NamedTuple):
    """The topic of a contract.yaml, and the files that it names."""

    topic: str
    key: str | None
    value: str


@dataclass(frozen=True)
class Head:
    """A contract file.

    Args:
        names: None if it names no topic.
        files: the schemas that it names, or probably names if nobody can read it, from the root of its path.
        shared: what no two contracts may have, or only if they agree: its topic, subjects and tables.
        has_approvals: whether it approves findings.
    """

    names: Names | None
    files: frozenset[str]
    shared: frozenset[str]
    has_approvals: bool


@lru_cache(maxsize=20_000)
def read(text: str, path: str) -> Head:
    """Read a contract file.

    Args:
        path: its path; the last part of it says which schema the value has by default.
    """
    document = _document(text)
    names = _names(document, path)
    listed = names[1:] if names else ("key.avsc", default_value(path))
    folder = PurePosixPath(path).parent.as_posix()
    files = frozenset(beside(folder, one) for one in listed if one)
    return Head(names, files, frozenset(_shared(document, names)), bool(document.get("approvals")))


@lru_cache(maxsize=20_000)
def tables_of_view(text: str) -> frozenset[str]:
    """What no contract or other view may have, of a view: the names of its tables."""
    return frozenset(one for one in _tables(_document(header_of(text))) if isinstance(one, str))


def may_have(names: Iterable[str], text: str) -> bool:
    """Whether a contract file may have one of these topics or subjects; a no is certain."""
    return HIDING in text or any(word_of(name) in text for name in names)


@lru_cache(maxsize=20_000)
def word_of(name: str) -> str:
    """A word that a contract file with this topic, subject or file has in its text, unless that has `HIDING`.

    A subject `orders-value` can be that of the topic `orders`, and a quote in a name is doubled.
    """
    return max(_WORD.findall(name.removesuffix("-value").removesuffix("-key")), key=len, default="")


def names_in(text: str, path: str) -> Names | None:
    """The topic and the files of a contract file; None if it names no topic."""
    return read(text, path).names


def files_of(text: str, path: str) -> frozenset[str]:
    """The schemas that a contract file names, or probably names."""
    return read(text, path).files


def _names(document: dict[Any, Any], path: str) -> Names | None:
    topic, key, value = document.get("topic"), document.get("key"), document.get("value", default_value(path))
    if not isinstance(topic, str) or not isinstance(value, str) or not value:
        return None
    return Names(topic, key if isinstance(key, str) and key else None, value)


def _shared(document: dict[Any, Any], names: Names | None) -> list[str]:
    found = [document.get("subject"), document.get("key_subject")]
    if names:
        found += [names.topic, f"{names.topic}-key", f"{names.topic}-value"]
    found += _tables(document)
    return [one for one in found if isinstance(one, str)]


def _document(text: str) -> dict[Any, Any]:
    """The mapping in a text; an empty one if it is not valid, or is something else."""
    try:
        document = yaml_text.load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _tables(document: dict[Any, Any]) -> list[Any]:
    found: list[Any] = []
    sinks = document.get("sinks")
    for sink in sinks.values() if isinstance(sinks, dict) else ():
        table = sink.get("table") if isinstance(sink, dict) else None
        # With `tombstones: delete`, the stream of `orders` also writes to `orders__deleted`.
        found += [table, table.removesuffix(DELETIONS)] if isinstance(table, str) else []
    return found
