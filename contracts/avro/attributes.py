"""The attributes of a schema's JSON objects, apart from the types inside them.

These are names, aliases, symbols, sizes, orders, and whatever Avro does not know and keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Final

from avro_data_contracts.contracts.avro.jsonpos import Pointer
from avro_data_contracts.contracts.avro.names import Name, fault_of, qualify, stored_fault_of
from avro_data_contracts.contracts.avro.nodes import NO_PROPS, PRIMITIVES
from avro_data_contracts.contracts.avro.slips import quoted, show
from avro_data_contracts.contracts.avro.text import SchemaText

SCHEMA_RESERVED: Final = frozenset(
    {"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}
)
ENUM_RESERVED: Final = SCHEMA_RESERVED | {"default"}
FIELD_RESERVED: Final = frozenset({"default", "doc", "name", "order", "type", "aliases"})
_ORDERS: Final = frozenset({"ascending", "descending", "ignore"})
#: Java cannot make a longer array, and Avro refuses to read one.
_MAX_FIXED: Final = 2**31 - 1 - 8


class Attributes:
    """Reads the attributes of one schema's objects; each method raises `InvalidSchema` for what the registry refuses.

    Args:
        stored: the registry took the schema before, by rules that are more lenient about names.
    """

    def __init__(self, text: SchemaText, *, stored: bool) -> None:
        self._invalid = text.invalid
        self._stored = stored
        self._fault_of = stored_fault_of if stored else fault_of

    def type_name(self, value: dict[str, Any], space: str | None, at: Pointer) -> Name:
        """The name of a record, enum or fixed inside the namespace `space`."""
        written = value.get("name")
        if not isinstance(written, str):
            raise self._invalid(f"the {value['type']} has no name", at, 'add "name"')
        namespace = value.get("namespace")
        name = qualify(written, namespace if isinstance(namespace, str) else space)
        fault = self._fault_of(name.name)
        if fault:
            raise self._invalid(f"the name {quoted(written)} {fault}", (at, "name"), "rename the type")
        if name.full in PRIMITIVES:
            raise self._invalid(f"a {value['type']} named like the primitive {name.full!r}", at, "rename the type")
        return name

    def check_field_name(self, name: str, at: Pointer) -> None:
        fault = self._fault_of(name)
        if fault:
            raise self._invalid(f"the field name {quoted(name)} {fault}", (at, "name"), "rename the field")

    def check_namespace(self, namespace: str | None, at: Pointer) -> None:
        if not namespace or self._stored:
            return
        for part in namespace.split("."):
            fault = fault_of(part)
            if fault:
                raise self._invalid(
                    f"in the namespace {quoted(namespace)} the part {quoted(part)} {fault}",
                    at,
                    "correct the namespace",
                )

    def order(self, value: dict[str, Any], at: Pointer) -> str:
        if "order" not in value:
            return "ascending"
        order = value["order"]
        # Upper case first: so does the registry, and some letters beyond ASCII become one within.
        known = order.upper().lower() if isinstance(order, str) else None
        if known not in _ORDERS:
            raise self._invalid(
                f"{show(order)} is not an order", (at, "order"), "write ascending, descending or ignore"
            )
        return known

    def symbols(self, value: dict[str, Any], name: Name, at: Pointer) -> tuple[tuple[str, ...], str | None]:
        """The symbols of an enum, and its default."""
        symbols = value.get("symbols")
        if not isinstance(symbols, list):
            raise self._invalid(f"the enum {name.full} has no symbols", at, 'add "symbols": [...]')
        seen: set[str] = set()
        for index, symbol in enumerate(symbols):
            place = ((at, "symbols"), index)
            fault = self._fault_of(symbol) if isinstance(symbol, str) else "is not a string"
            if fault:
                raise self._invalid(f"the symbol {show(symbol)} {fault}", place, "rename the symbol")
            if symbol in seen:
                raise self._invalid(f"the enum has the symbol {quoted(symbol)} twice", place, "remove one of the two")
            seen.add(symbol)
        # A default that is not a string counts as none.
        default = text(value, "default")
        if default is not None and default not in seen:
            raise self._invalid(
                f"the default {quoted(default)} is not a symbol of the enum {name.full}",
                (at, "default"),
                "add the symbol, or choose one that the enum has",
            )
        return tuple(symbols), default

    def size(self, value: dict[str, Any], name: Name, at: Pointer) -> int:
        """The size of a fixed, in bytes."""
        size = value.get("size")
        if type(size) is not int or not 0 <= size <= _MAX_FIXED:
            place = (at, "size") if "size" in value else at
            raise self._invalid(
                f"the size of the fixed {name.full} is {show(size) if 'size' in value else 'missing'}",
                place,
                'write "size": a whole number of bytes, at least 0',
            )
        return size

    def copied_props(self, value: dict[str, Any], at: Pointer) -> Mapping[str, Any]:
        """The props of a record, array or map: Avro copies these, and cannot copy a number beyond 64 bits."""
        found = props(value, SCHEMA_RESERVED)
        for key, inner in found.items():
            if _has_huge_integer(inner):
                raise self._invalid(
                    f"the attribute {quoted(key)} holds a whole number beyond 64 bits",
                    (at, key),
                    "write it as a string",
                )
        return found

    def aliases(self, value: dict[str, Any], at: Pointer) -> tuple[str, ...]:
        """The aliases as they are written."""
        if "aliases" not in value:
            return ()
        listed = value["aliases"]
        if not isinstance(listed, list):
            raise self._invalid('"aliases" is not an array', (at, "aliases"), 'write "aliases": ["..."]')
        for index, alias in enumerate(listed):
            if not isinstance(alias, str):
                raise self._invalid(
                    f"the alias {show(alias)} is not a string", ((at, "aliases"), index), "write it in quotes"
                )
        return tuple(dict.fromkeys(listed))

    def type_aliases(self, value: dict[str, Any], name: Name, at: Pointer) -> tuple[str, ...]:
        """The aliases of a named type, as full names."""
        found: dict[str, str] = {}
        for index, written in enumerate(self.aliases(value, at)):
            alias = qualify(written, name.namespace)
            fault = fault_of(alias.name) if not self._stored else ""
            if fault:
                raise self._invalid(
                    f"the alias {quoted(written)} {fault}", ((at, "aliases"), index), "correct the alias"
                )
            # An alias in the null namespace of a type in another one keeps its dot, and so never matches a name.
            out_of_reach = alias.namespace is None and name.namespace is not None
            found.setdefault(alias.full, f".{alias.name}" if out_of_reach else alias.full)
        return tuple(found.values())


def props(value: dict[str, Any], reserved: Set[str]) -> Mapping[str, Any]:
    """The attributes that Avro does not know, and keeps."""
    if value.keys() <= reserved:
        return NO_PROPS
    return {key: inner for key, inner in value.items() if key not in reserved}


def text(value: dict[str, Any], key: str) -> str | None:
    """An attribute that is a string; None for any other, which counts as missing."""
    found = value.get(key)
    return found if isinstance(found, str) else None


def _has_huge_integer(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif type(one) is int and not -(2**63) <= one < 2**63:
            return True
    return False
