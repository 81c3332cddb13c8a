"""A reader of Avro's binary form that forgives nothing, and knows none of the code that wrote it.

`decode` gives plain values: an int for every logical type on `int` or `long`, bytes for those on `bytes` and `fixed`;
`Branch` for a union, whatever its types are.  The whole body has to be read.  Anything else is an AssertionError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Branch:
    """The value of a union, and which of its types it has."""

    kind: Any
    value: Any


def decode(schema: Any, body: bytes) -> Any:
    """The value of a body.

    Args:
        schema: Avro JSON; names are without namespace, and a named type is defined where it stands first.
    """
    reader = _Reader(body)
    value = reader.read(schema)
    assert reader.at == len(body), f"{len(body) - reader.at} bytes are left"
    return value


class _Reader:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0
        self.named: dict[str, Any] = {}

    def take(self, count: int) -> bytes:
        assert 0 <= count <= len(self.body) - self.at, "the body is too short"
        self.at += count
        return self.body[self.at - count : self.at]

    def number(self, bits: int) -> int:
        shift = encoded = 0
        while True:
            (byte,) = self.take(1)
            encoded |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        assert encoded < 2**bits, f"beyond {bits} bits"
        return (encoded >> 1) ^ -(encoded & 1)

    def read(self, schema: Any) -> Any:
        if isinstance(schema, list):
            kind = schema[self.number(32)]
            return Branch(kind, self.read(kind))
        if isinstance(schema, str) and schema in self.named:
            schema = self.named[schema]
        kind = schema if isinstance(schema, str) else schema["type"]
        if isinstance(schema, dict) and "name" in schema:
            self.named[schema["name"]] = schema
        return getattr(self, f"read_{kind}")(schema)

    def read_null(self, schema: Any) -> None:
        return None

    def read_boolean(self, schema: Any) -> bool:
        (byte,) = self.take(1)
        assert byte in (0, 1)
        return byte == 1

    def read_int(self, schema: Any) -> int:
        return self.number(32)

    def read_long(self, schema: Any) -> int:
        return self.number(64)

    def read_float(self, schema: Any) -> float:
        return struct.unpack("<f", self.take(4))[0]

    def read_double(self, schema: Any) -> float:
        return struct.unpack("<d", self.take(8))[0]

    def read_bytes(self, schema: Any) -> bytes:
        return self.take(self.number(64))

    def read_string(self, schema: Any) -> str:
        return self.read_bytes(schema).decode("utf-8", "strict")

    def read_fixed(self, schema: Any) -> bytes:
        return self.take(schema["size"])

    def read_enum(self, schema: Any) -> str:
        index = self.number(32)
        assert 0 <= index < len(schema["symbols"])
        return schema["symbols"][index]

    def blocks(self) -> Any:
        while count := self.number(64):
            if count < 0:
                count, _ = -count, self.number(64)
            yield from range(count)

    def read_array(self, schema: Any) -> list[Any]:
        return [self.read(schema["items"]) for _ in self.blocks()]

    def read_map(self, schema: Any) -> dict[str, Any]:
        return {self.read_string("string"): self.read(schema["values"]) for _ in self.blocks()}

    def read_record(self, schema: Any) -> dict[str, Any]:
        return {field["name"]: self.read(field["type"]) for field in schema["fields"]}
