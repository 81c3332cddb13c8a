"""A contract's history, made up: fifty versions, each from the one before by one change, and records of each."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

Json = Any
WIDER = {"int": "long", "long": "double", "float": "double", "string": "bytes"}
KINDS: list[tuple[Json, Json]] = [
    ("int", 7),
    ("float", 0.5),
    ("string", "é"),
    (["null", "long"], None),
    ({"type": "array", "items": "string"}, ["x"]),
    ({"type": "map", "values": "int"}, {}),
    ("boolean", True),
    (["null", "string", "int"], None),
]


def history(count: int, rng: random.Random) -> list[Json]:
    """`count` schemas, oldest first; each reads what all before it wrote."""
    found = [_first()]
    while len(found) < count:
        schema = copy.deepcopy(found[-1])
        CHANGES[len(found) % len(CHANGES)](schema, len(found), rng)
        found.append(schema)
    return found


def _first() -> Json:
    members = [{"name": "sku", "type": "string"}, {"name": "count", "type": "int"}]
    line = {"type": "record", "name": "Line", "fields": members}
    colour = {"type": "enum", "name": "Colour", "symbols": ["UNKNOWN", "RED", "BLUE"], "default": "UNKNOWN"}
    fields = [
        ("id", "int"), ("whole", "int"), ("large", "long"), ("part", "float"), ("text", "string"),
        ("other", "string"), ("colour", colour), ("numbers", {"type": "array", "items": "int"}),
        ("lines", {"type": "array", "items": line}), ("spare_a", "int"), ("spare_b", "string"),
        ("spare_c", ["null", "string"]), ("spare_d", "double"),
    ]  # fmt: skip
    return {"type": "record", "name": "Changing", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def _field(schema: Json, name: str) -> Json:
    """The field that began as `name`."""
    return next(one for one in schema["fields"] if name in (one["name"], *one.get("aliases", ())))


def _add(schema: Json, number: int, rng: random.Random) -> None:
    kind, default = rng.choice(KINDS)
    schema["fields"].append({"name": f"added_{number}", "type": copy.deepcopy(kind), "default": default})


def _reorder(schema: Json, _: int, rng: random.Random) -> None:
    # Where a named type is defined and where it is used may not change places: each is used once.
    rng.shuffle(schema["fields"])


def _rename(schema: Json, number: int, rng: random.Random) -> None:
    one = rng.choice([one for one in schema["fields"] if one["name"] != "id"])
    one["aliases"] = [*one.get("aliases", ()), one["name"]]
    one["name"] = f"{one['name'].split('_as_')[0]}_as_{number}"


def _widen(schema: Json, number: int, rng: random.Random) -> None:
    one = rng.choice([one for one in schema["fields"] if one["name"] != "id" and one["type"] in list(WIDER)])
    one["type"] = WIDER[one["type"]]


def _widen_items(schema: Json, number: int, rng: random.Random) -> None:
    items = _field(schema, "numbers")["type"]
    if items["items"] not in WIDER:
        return _rename(schema, number, rng)
    items["items"] = WIDER[items["items"]]


def _remove(schema: Json, number: int, rng: random.Random) -> None:
    spare = [one for one in schema["fields"] if one["name"].startswith(("spare", "added"))]
    schema["fields"].remove(rng.choice(spare))


def _more_symbols(schema: Json, number: int, rng: random.Random) -> None:
    _field(schema, "colour")["type"]["symbols"].append(f"COLOUR_{number}")


def _fewer_symbols(schema: Json, number: int, rng: random.Random) -> None:
    symbols = _field(schema, "colour")["type"]["symbols"]
    symbols.remove(rng.choice([one for one in symbols if one != "UNKNOWN"]))


def _nest(schema: Json, number: int, rng: random.Random) -> None:
    members = _field(schema, "lines")["type"]["items"]["fields"]
    members.insert(rng.randrange(len(members)), {"name": f"more_{number}", "type": ["null", "int"], "default": None})


def _make_nullable(schema: Json, number: int, rng: random.Random) -> None:
    one = rng.choice([one for one in schema["fields"] if one["name"] != "id" and isinstance(one["type"], str)])
    one["type"] = ["null", one["type"]]
    if "default" in one:
        one["default"] = None


CHANGES: list[Callable[[Json, int, random.Random], None]] = [
    _add, _reorder, _add, _more_symbols, _rename, _widen, _remove, _nest, _add, _widen_items, _fewer_symbols,
    _make_nullable, _rename,
]  # fmt: skip


def later(schema: Json, number: int) -> Json:
    """A version that a stream with `schema` reads although it does not know it: other order, a symbol and a field
    more, and the optional ones gone."""
    found = copy.deepcopy(schema)
    rng = random.Random(number)
    _more_symbols(found, 1000 + number, rng)
    added = [one for one in found["fields"] if one["name"].startswith("added")]
    if added:
        found["fields"].remove(rng.choice(added))
    found["fields"].append({"name": f"unknown_{number}", "type": "string", "default": ""})
    rng.shuffle(found["fields"])
    return found


def value(kind: Json, rng: random.Random) -> Any:
    """A value of that type."""
    if isinstance(kind, list):
        return value(rng.choice(kind), rng)
    name = kind["type"] if isinstance(kind, dict) else kind
    if name == "record":
        return {one["name"]: value(one["type"], rng) for one in kind["fields"]}
    if name == "array":
        return [value(kind["items"], rng) for _ in range(rng.randrange(3))]
    if name == "map":
        return {f"k{at}": value(kind["values"], rng) for at in range(rng.randrange(3))}
    if name == "enum":
        return rng.choice(kind["symbols"])
    made: dict[str, Callable[[], Any]] = {
        "null": lambda: None,
        "boolean": lambda: rng.random() < 0.5,
        "int": lambda: rng.randint(-(2**31), 2**31 - 1),
        "long": lambda: rng.randint(-(2**63), 2**63 - 1),
        # Quarters: a float of four bytes that every reader writes in the same way.
        "float": lambda: rng.randint(-1000, 1000) / 4,
        "double": rng.random,
        "string": lambda: rng.choice(["", "é", "日本 '\"", "plain", str(rng.random())]),
        "bytes": lambda: rng.randbytes(rng.randrange(5)),
    }
    return made[name]()
