"""Where a record that cannot be read breaks, for people: the byte, the field, and the bytes around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.avro.type_words import words
from avro_data_contracts.streaming.decode import framing, walk
from avro_data_contracts.streaming.decode.programs import Line

_A_ROW: Final = 16
#: Rows of bytes before and after the one where the reader stopped.
_BEFORE, _AFTER = 3, 2


@dataclass(frozen=True)
class FieldRead:
    """A field of the record.

    Attributes:
        state: `read`, `broken` or `not reached`.
        begin, end: its bytes; None: unknown, or not shown.
    """

    name: str
    type: str
    state: str
    begin: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Row:
    """Some bytes of a value.  `begin`: the first one.  `text`: what is printable of them."""

    begin: int
    bytes: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Break:
    """Where a value breaks.

    Attributes:
        at: the byte at which the reader stopped, counted from 0; None: it was not looked for.
        begin: the first byte of what it was reading.
        size: bytes of the value.
        field: path of the field; empty for the record itself, and for what comes before it.
        type: its type in the schema that the record was written with.
        words: what is wrong.
        fields: those of the record.
        rows: bytes around the place; none if they may be personal data.
    """

    size: int
    words: str
    at: int | None = None
    begin: int | None = None
    field: str = ""
    type: str = ""
    fields: tuple[FieldRead, ...] = ()
    rows: tuple[Row, ...] = ()

    def document(self) -> dict[str, Any]:
        """The place as JSON."""
        found: dict[str, Any] = {
            "at": self.at, "begin": self.begin, "field": self.field or None, "type": self.type or None,
            "why": self.words,
        }  # fmt: skip
        if self.rows:
            hexes = "".join(each for row in self.rows for each in row.bytes)
            found["bytes"] = {"from": self.rows[0].begin, "hex": hexes}
        return found


def of_body(value: bytes, start: int, schema: Schema, lines: Sequence[Line], *, reveal: bool) -> Break | None:
    """Return where a value breaks whose body begins at `start`; None if the strict reader can read it.

    Args:
        schema: the record was written with it; `lines` are its nodes.
        reveal: with bytes, which may be personal data, and with the bounds of the fields, which tell their lengths.
    """
    try:
        found = walk.broken(value, start, lines)
    except walk.TooLong:
        return Break(len(value), f"has more than {walk.MOST_VALUES:,} values; the place was not looked for")
    if found is None:
        return None
    return Break(
        size=len(value),
        words=found.words,
        at=found.at,
        begin=found.begin,
        field=found.path,
        type=words(found.type, schema),
        fields=tuple(_field(one, schema, reveal) for one in found.fields),
        rows=_around(value, found.at) if reveal else (),
    )


def of_framing(value: bytes, *, reveal: bool) -> Break:
    """Return where a value breaks that does not begin with the id of a schema."""
    if len(value) < framing.BYTES:
        at, told = len(value), f"it ends before the {framing.BYTES} bytes of the schema id"
    else:
        at, told = 0, "the first byte of a schema id is 0"
    return Break(len(value), told, at, 0, rows=_around(value, at) if reveal else ())


def _field(one: walk.Step, schema: Schema, reveal: bool) -> FieldRead:
    state = "read" if one.end is not None else "not reached" if one.begin is None else "broken"
    bounds = (one.begin, one.end) if reveal else (None, None)
    return FieldRead(one.name, words(one.type, schema), state, *bounds)


def _around(value: bytes, at: int) -> tuple[Row, ...]:
    middle = at // _A_ROW
    first, last = max(0, middle - _BEFORE), middle + _AFTER
    rows = []
    for begin in range(first * _A_ROW, min(len(value), (last + 1) * _A_ROW), _A_ROW):
        part = value[begin : begin + _A_ROW]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        rows.append(Row(begin, tuple(f"{byte:02x}" for byte in part), text))
    return tuple(rows)
