"""Where a record that cannot be read breaks, for people: the byte, the field, and the bytes around it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.avro.type_words import words
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.streaming.decode import framing, programs, walk
from avro_data_contracts.streaming.decode.framing import Headers, SchemaKey
from avro_data_contracts.streaming.decode.named_schemas import NamedSchemas, contract_of
from avro_data_contracts.streaming.decode.programs import Line
from avro_data_contracts.streaming.decode.reasons import Reason

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
        at: the byte at which the reader stopped, counted from 0; None: it could not be looked for.
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

    @property
    def told(self) -> str:
        """The place in words, for a line of text; without what is wrong."""
        if self.at is None:
            return f"the record {self.words}"
        field = f", in {self.field} ({self.type}), which begins at byte {self.begin:,}" if self.field else ""
        return f"at byte {self.at:,} of {self.size:,}, counted from 0{field}"

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


class Breaks:
    """Says where the values of a topic break.

    Args:
        contracts: those of the topic.
        reveal: see `of_body`.
    """

    #: Only for these reasons of the stream is there such a place.
    REASONS: Final = frozenset({Reason.DECODE_ERROR, Reason.BAD_MAGIC, Reason.TOO_SHORT})

    def __init__(self, schemas: NamedSchemas, contracts: Sequence[Contract], *, reveal: bool) -> None:
        self._schemas = schemas
        self._contracts = contracts
        self._reveal = reveal
        self._lines: dict[SchemaKey, list[Line]] = {}

    def of(self, data: bytes | None, headers: Headers, reasons: Collection[str]) -> Break | None:
        """Return where a value breaks; None if it does not.

        Args:
            headers: the record's own.
            reasons: why it was rejected, or cannot be decoded.

        Raises:
            ServiceError: the registry does not answer.
        """
        if data is None:
            return None
        name, body = framing.parted(data, headers, framing.VALUE_HEADER)
        # The place is that of the id, if no registry can have it.
        of_id = name is None and Reason.UNKNOWN_SCHEMA_ID in reasons
        if not (of_id or self.REASONS.intersection(reasons)):
            return None
        if name is None:
            in_header = any(one == framing.VALUE_HEADER for one, _ in headers)
            return None if in_header else of_framing(data, reveal=self._reveal)
        known = self._schemas.of(name)
        if (schema := known.schema) is None:
            return Break(len(data), f"could not be looked at: {known.fault[1]}")
        if name not in self._lines:
            contract = contract_of(self._contracts, schema)
            self._lines[name] = programs.lines(schema, contract.reader if contract else schema)
        return of_body(data, len(data) - len(body), schema, self._lines[name], reveal=self._reveal)


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
    begin = 0
    if len(value) < framing.BYTES:
        at, told = len(value), f"it ends before the {framing.BYTES} bytes of the schema id"
    elif (schema_id := framing.too_large(value, (), framing.VALUE_HEADER)) is not None:
        at = begin = len(framing.MAGIC)
        told = f"schema id {schema_id} is larger than a registry assigns"
    else:
        at, told = 0, "the first byte of a schema id is 0"
    return Break(len(value), told, at, begin, rows=_around(value, at) if reveal else ())


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
