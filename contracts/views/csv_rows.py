"""The rows of reference data in a CSV.  Pure.

A cell becomes a value as in every CSV (docs/reference/conversions.md): exactly, or it is a problem of its line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Primitive, Schema
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.values import cells
from avro_data_contracts.contracts.values.scalars import Check, Misfit

#: A table with more rows is no reference data: each process of the stream has it in memory.
MOST_ROWS: Final = 100_000
#: More problems of a file are not told.
_MOST_PROBLEMS: Final = 20
_SHAPE: Final = "the first line has the names of the columns, with commas between them"


@dataclass(frozen=True)
class Fault:
    """What is wrong with a line of the file."""

    line: int
    what: str
    fix: str


@dataclass(frozen=True)
class CsvRows:
    """The rows of a file.

    Attributes:
        rows: column -> value, as fastavro writes it.
        faults: if there are any, rows may be missing.
    """

    rows: tuple[Mapping[str, Any], ...]
    faults: tuple[Fault, ...]


@lru_cache(maxsize=200)
def read(text: str, schema: Schema, key: tuple[str, ...]) -> CsvRows:
    """Read the text of a file.

    Args:
        schema: of a row, a record without nested types.
        key: the columns that no two rows have alike.
    """
    rows: list[Mapping[str, Any]] = []
    faults: list[Fault] = []
    for one in _Reading(text, schema, key).items():
        if isinstance(one, Fault):
            faults.append(one)
            if len(faults) >= _MOST_PROBLEMS:
                break
        else:
            rows.append(one)
    if not rows and not faults:
        faults.append(Fault(1, "the file has no rows", "add rows, or remove the reference"))
    return CsvRows(tuple(rows), tuple(faults))


class _Reading:
    def __init__(self, text: str, schema: Schema, key: tuple[str, ...]) -> None:
        self._reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
        self._key = key
        self._checks = {name: _check(schema, name) for name in _names(schema)}

    def items(self) -> Iterator[Mapping[str, Any] | Fault]:
        lines = self._lines()
        _, header = next(lines, (1, []))
        if isinstance(header, Fault):
            yield header
            return
        if fault := self._of_header(header):
            yield fault
            return
        places = {name: header.index(name) for name in self._checks}
        seen: dict[tuple[Any, ...], int] = {}
        for line, cells_ in lines:
            if isinstance(cells_, Fault):
                yield cells_
                return
            if len(cells_) != len(header):
                what = f"the row has {len(cells_)} cells, and the header {len(header)}"
                yield Fault(line, what, "quote a cell with a comma or a line feed in it")
                continue
            try:
                row = {name: self._value(name, cells_[at]) for name, at in places.items()}
            except Misfit as misfit:
                yield Fault(line, f"{misfit.path} {misfit.why}", "correct the cell, or the type in the header")
                continue
            own = tuple(row[name] for name in self._key)
            if first := seen.get(own):
                yield Fault(line, f"the row has the {', '.join(self._key)} of line {first}", "remove one of the two")
                continue
            seen[own] = line
            if len(seen) > MOST_ROWS:
                yield Fault(line, f"the file has more than {MOST_ROWS:,} rows", "keep it in a table, and query that")
                return
            yield row

    def _value(self, name: str, cell: str) -> Any:
        try:
            return self._checks[name](cell)
        except Misfit as misfit:
            raise misfit.inside(name) from None

    def _of_header(self, header: Sequence[str]) -> Fault | None:
        if not header:
            return Fault(1, "the file is empty", _SHAPE)
        if missing := [name for name in self._checks if name not in header]:
            return Fault(1, f"the file has no column {', '.join(missing)}", _SHAPE)
        if twice := [name for name in self._checks if header.count(name) > 1]:
            return Fault(1, f"two columns are called {twice[0]}", "rename one of them")
        return None

    def _lines(self) -> Iterator[tuple[int, list[str] | Fault]]:
        """Yield the rows, each with the line where it begins; empty lines are not rows."""
        while True:
            line = self._reader.line_num + 1
            try:
                row = next(self._reader, None)
            except csv.Error as error:
                yield line, Fault(line, f"this is not CSV: {error}", "correct the line; is a quote not closed?")
                return
            if row is None:
                return
            if row:
                yield line, row


def _names(schema: Schema) -> list[str]:
    return [field.name for field in _fields(schema)]


def _fields(schema: Schema) -> Any:
    root: Any = schema.root
    return root.fields


def _check(schema: Schema, name: str) -> Check:
    field = next(one for one in _fields(schema) if one.name == name)
    node, nullable = nullability(schema, field.type)
    assert isinstance(node, Primitive)
    return cells.of(node, nullable=nullable)
