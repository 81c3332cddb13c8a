"""Protocols, the JSON of .avpr files: the types that one lists are read like an array of types.

Source: Avro 1.12.1 specification, "Protocol Declaration".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from avro_data_contracts.contracts.avro.names import qualify

#: Where a protocol has its types.
TYPES = ("types",)


def is_protocol(value: Any) -> bool:
    """Whether the JSON is a protocol, not a schema."""
    return isinstance(value, dict) and isinstance(value.get("protocol"), str) and "type" not in value


def types(value: Any) -> list[Any]:
    """The types that a protocol lists."""
    listed = value.get("types", [])
    return listed if isinstance(listed, list) else []


def namespace(value: Any) -> str | None:
    """The namespace of types that have none of their own."""
    written = value.get("namespace")
    return qualify(value["protocol"], written if isinstance(written, str) else None).namespace or None


def in_messages(value: Any) -> Iterator[Any]:
    """The types, mostly names, that the messages send, return or raise."""
    messages = value.get("messages")
    for message in messages.values() if isinstance(messages, dict) else ():
        if isinstance(message, dict):
            request, errors = message.get("request"), message.get("errors")
            yield from (one.get("type") for one in request or () if isinstance(one, dict))
            yield message.get("response")
            yield from errors if isinstance(errors, list) else ()
