"""The YAML of contract.yaml, read by a loader that says where a value is wrong."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

#: The loader in C, where it is installed: it is eight times as fast.
_FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_FASTEST):  # type: ignore[misc]
    """A safe loader that raises every error as a `yaml.YAMLError` with the place."""


def _timestamp(loader: Any, node: yaml.ScalarNode) -> Any:
    """Convert a date; YAML takes text like 2026-13-45 for a date, but Python has no such day."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value} is not a date: {error}", node.start_mark
        ) from None


def _number(loader: Any, node: yaml.ScalarNode) -> Any:
    """Convert a number that everybody reads alike: for YAML 1.1, 010 is 8, and 1:30 is 90."""
    if ":" in node.value or re.fullmatch(r"[-+]?0[0-7_]+", node.value):
        what = f"{node.value} is not decimal: write the number in decimal, or in quotes if it is a text"
        raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
    is_float = node.tag == FLOAT
    return loader.construct_yaml_float(node) if is_float else loader.construct_yaml_int(node)


INT: Final = "tag:yaml.org,2002:int"
FLOAT: Final = "tag:yaml.org,2002:float"
Loader.add_constructor(INT, _number)
Loader.add_constructor(FLOAT, _number)
TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
Loader.add_constructor(TIMESTAMP, _timestamp)


def load(text: str) -> Any:
    """Parse the values.  Raises yaml.YAMLError, ValueError (a number too long) or RecursionError."""
    return yaml.load(text, Loader=Loader)  # noqa: S506 - it is a safe one


def compose(text: str) -> yaml.Node | None:
    """Parse the tree with its places.  Raises as `load`."""
    return yaml.compose(text, Loader=Loader)


def size(node: yaml.Node) -> int:
    """How many values a node has, those of its aliases included."""
    return _size(node, {})


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    if id(node) not in known:
        known[id(node)] = 1  # an alias inside of what it stands for
        inner = node.value if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) else ()
        parts = (each for one in inner for each in (one if isinstance(one, tuple) else (one,)))
        known[id(node)] = 1 + sum(_size(one, known) for one in parts)
    return known[id(node)]
