"""Common mistakes in Avro schemas, in words for a message."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from contracts.avro.jsonpos import dump
from contracts.avro.nodes import PRIMITIVES, AnyType, Union


def no_type(value: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with an object whose "type" is not a name, and how to fix it."""
    if "type" not in value:
        return 'the object has no "type"', 'add "type"'
    return (
        f'"type" is {show(value["type"])} where a name is expected',
        'replace this object by that type: {"type": {"type": ...}} is one level too many',
    )


def fix_of_unknown(name: str) -> str:
    """How to fix a type that nothing defines, such as a complex type as a bare word, or a misspelt primitive."""
    short = name.rpartition(".")[2]
    if short in ("record", "enum", "array", "map", "fixed"):
        return f'write {{"type": {{"type": "{short}", ...}}}}: the {short} needs its own object'
    near = get_close_matches(short, PRIMITIVES, 1, 0.75)
    if near:
        return f"write {near[0]!r}"
    return "define it, correct its name or namespace, or declare the schema that defines it as a reference"


def show(value: Any) -> str:
    """A JSON value, shortened for a message."""
    text = dump(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def quoted(name: str) -> str:
    """A name in quotes, shortened for a message."""
    return repr(name if len(name) <= 120 else f"{name[:117]}...")


def kind(node: AnyType) -> str:
    """The types that `node` accepts, for a message."""
    if isinstance(node, Union):
        return " or ".join(branch.label for branch in node.branches) or "an empty union"
    return node.label
