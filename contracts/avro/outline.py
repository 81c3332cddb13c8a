"""The names in the text of a schema: which types it defines, and which it uses.  No parsing, and no errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from avro_data_contracts.contracts.avro import protocols
from avro_data_contracts.contracts.avro.jsonpos import Document, JsonError, Pointer, load, load_once
from avro_data_contracts.contracts.avro.names import qualify
from avro_data_contracts.contracts.avro.nodes import PRIMITIVES


@dataclass(frozen=True, slots=True)
class Outline:
    """The names in one schema.

    Args:
        name: full name of the type at the root; empty if the root has none.
        defined: full names of all types that it defines, at any depth.
        used: each name in the place of a type, as its namespace completes it and as written -> its first place.
        part: which item of an array, or of a protocol's types, it is; None for a whole text.
    """

    name: str
    defined: frozenset[str]
    used: Mapping[tuple[str, str], Pointer]
    part: int | None = None


def outline(text: str) -> Outline | None:
    """The names in a text, of a protocol those in its messages; None if it is not JSON."""
    found = _read(text)
    return found[0] if found else None


def position(text: str, part: int | None, at: Pointer) -> tuple[int, int]:
    """Line and column of a place in a text that is JSON."""
    return document(text, part).position(at)


def document(text: str, part: int | None) -> Document:
    """The JSON of a text, or of one of its `parts`."""
    if part is None:
        return load(text)
    whole = load_once(text)
    return whole.part(part, protocols.TYPES if protocols.is_protocol(whole.value) else ())


def parts(text: str) -> tuple[Outline, ...] | None:
    """The names in a text; of each item, if the text is an array or a protocol; None if it is not JSON."""
    found = _read(text)
    return found[1] if found else None


@lru_cache(maxsize=100_000)
def _read(text: str) -> tuple[Outline, tuple[Outline, ...]] | None:
    try:
        value = load(text).value
    except JsonError:
        return None
    if protocols.is_protocol(value):
        space = protocols.namespace(value)
        sent = _outline(list(protocols.in_messages(value)), space=space)
        return sent, tuple(_outline(item, number, space) for number, item in enumerate(protocols.types(value)))
    whole = _outline(value)
    if not isinstance(value, list):
        return whole, (whole,)
    return whole, tuple(_outline(item, number) for number, item in enumerate(value))


def _outline(root: Any, part: int | None = None, space: str | None = None) -> Outline:
    defined: dict[str, None] = {}
    used: dict[tuple[str, str], Pointer] = {}
    first = ""
    waiting: list[tuple[Any, str | None, Pointer]] = [(root, space, ())]
    while waiting:
        value, space, at = waiting.pop()
        if isinstance(value, list):
            waiting.extend((item, space, (at, number)) for number, item in reversed(list(enumerate(value))))
        elif isinstance(value, str):
            if value not in PRIMITIVES:
                used.setdefault((f"{space}.{value}" if space and "." not in value else value, value), at)
        elif isinstance(value, dict):
            kind, written = value.get("type"), value.get("name")
            if kind in ("record", "error", "enum", "fixed") and isinstance(written, str):
                namespace = value.get("namespace")
                name = qualify(written, namespace if isinstance(namespace, str) else space)
                defined[name.full] = None
                first = name.full if value is root else first
                fields = value.get("fields") if kind in ("record", "error") else None
                listed = list(enumerate(fields)) if isinstance(fields, list) else []
                for number, field in reversed(listed):
                    if isinstance(field, dict) and "type" in field:
                        waiting.append((field["type"], name.namespace, (((at, "fields"), number), "type")))
            elif kind in ("array", "map"):
                key = "items" if kind == "array" else "values"
                waiting.append((value.get(key), space, (at, key)))
            else:
                waiting.append((kind, space, (at, "type")))
    return Outline(first, frozenset(defined), used, part)
