"""Paths into a schema: `order.items[].price` in messages, `order.items.price` as people write them."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.avro.nodes import AnyType, Field, Record, Schema, children


def field_at(schema: Schema, path: str) -> Field | None:
    """The field at `order.items.price`, through arrays, maps and unions; None when there is none."""
    nodes: list[AnyType] = [schema.root]
    found: Field | None = None
    for name in path.replace("[]", "").replace("{}", "").split("."):
        found = next((node.by_name[name] for node in _records(schema, nodes) if name in node.by_name), None)
        if found is None:
            return None
        nodes = [found.type]
    return found


def _records(schema: Schema, nodes: list[AnyType]) -> Iterator[Record]:
    waiting = list(nodes)
    while waiting:
        node = schema.resolve(waiting.pop())
        if isinstance(node, Record):
            yield node
        else:
            waiting.extend(one for one in children(node) if not isinstance(one, Field))


def plain(path: str) -> str:
    """Convert `order.items[].price` to `order.items.price`, as a consumer writes it."""
    for mark in ("[]", "{}"):
        path = path.replace(mark, "")
    while "(" in path:
        before, _, rest = path.partition("(")
        path = before + rest.partition(")")[2]
    return path


def overlap(one: str, other: str) -> bool:
    """Whether one of two paths is the other one, or inside it."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.") or not one or not other
