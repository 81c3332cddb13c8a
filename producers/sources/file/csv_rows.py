"""CSV with a header, as RFC 4180 and the usual delimiters have it: quotes inside quotes are doubled."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.start import dialect
from avro_data_contracts.producers.dead_letter import Row
from avro_data_contracts.producers.plain.cells import Cells, UnfitHeader, cells
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.file.failure import Broken, Unreadable
from avro_data_contracts.producers.sources.file.inputs import Input
from avro_data_contracts.producers.sources.file.lines import LONGEST, lines
from avro_data_contracts.producers.sources.file.reading import Place, Wanted
from avro_data_contracts.producers.sources.file.streams import Stream, Streamed
from avro_data_contracts.producers.sources.source import Item, Outcome

#: Bytes that are not UTF-8, as `surrogateescape` has them.
_ESCAPED: Final = re.compile("[\udc80-\udcff]")


class CsvRows(Streamed):
    """See `reading.Reader`."""

    unit = "line"

    def __init__(self, given: Input, wanted: Wanted) -> None:
        super().__init__(given)
        self._wanted = wanted
        self.place = Place()
        self.number = 0
        self._read = Place()
        self._row = _Row()

    def items(self, after: Place) -> Iterator[Item]:
        self.place = after
        csv.field_size_limit(LONGEST)
        texts = self._texts(after)
        first = next(texts, None)
        if first is None:
            return
        rows = csv.reader(chain([first], texts), delimiter=dialect.delimiter(first), strict=True)
        self._row = _Row(1, len(first))
        header = next(self._rows(rows), [])
        convert = self._convert(header)
        self._row = _Row(self._read.number + 1, in_header=False)
        for row in self._rows(rows):
            self.place, self.number = self._read, self._row.line
            yield Item(_given(header, row), _outcome(header, row, convert))

    def _convert(self, header: list[str]) -> Cells:
        where = f"{self._stream.name}, line 1"
        if any(map(_ESCAPED.search, header)):
            raise ConfigurationError("the header is not UTF-8", where=where, fix="save the file as UTF-8")
        if len(set(header)) < len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise ConfigurationError(f"two columns are called {twice!r}", where=where, fix="rename one of them")
        try:
            wanted = self._wanted
            return cells(wanted.schema, header, wanted.asked, final=wanted.final)
        except UnfitHeader as error:
            raise ConfigurationError(f"no row fits: {error}", where=where, fix="correct the header") from None

    def _texts(self, after: Place) -> Iterator[str]:
        """Yield the lines for csv's reader, which takes more than one where a cell has a line feed.

        A run that goes on needs the header again, so it reads from the beginning, and leaves out what is done.
        """
        went_on = not after.end
        for number, content, size, end, _ in lines(self._stream, Place()):
            self._read = Place(number, end)
            if not went_on and not self._row.in_header:
                if end <= after.end:
                    self._row = _Row(number + 1, in_header=False)
                    continue
                self._stream.head.check(after.head, self._stream.name)
                went_on = True
            self._row.size += size
            if self._row.size > LONGEST:
                what = f"the row has more than {LONGEST:,} bytes; is a quote not closed?"
                raise Broken(what, where=self._row.place(self._stream))
            yield content.decode(errors="surrogateescape") + "\n"
        if not went_on and self._read.end >= after.end:
            self._stream.head.check(after.head, self._stream.name)
        elif not went_on:
            raise Unreadable("it is shorter than what an earlier run read of it", where=self._stream.name)

    def _rows(self, rows: Iterator[list[str]]) -> Iterator[list[str]]:
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                if self._stream.may_be_cut:  # somebody was writing this row
                    return
                raise Broken(
                    f"this is not CSV: {dialect.words(error)}", where=self._row.place(self._stream)
                ) from None
            if row is None:
                return
            if row:
                yield row
            self._row = _Row(self._read.number + 1, in_header=self._row.in_header)


@dataclass
class _Row:
    """The row that is being read: the line where it begins, and its bytes so far."""

    line: int = 1
    size: int = 0
    in_header: bool = True

    def place(self, stream: Stream) -> str:
        return f"{stream.name}, line {self.line:,}"


def _given(header: list[str], row: list[str]) -> Row:
    return Row(zip(header, row, strict=True) if len(row) == len(header) else {"cells": row})


def _outcome(header: list[str], row: list[str], convert: Cells) -> Outcome:
    if len(row) != len(header):
        return Rejection("RAGGED_ROW", f"the row has {len(row)} cells, and the header {len(header)}")
    if any(map(_ESCAPED.search, row)):
        return Rejection("NOT_UTF8", "the row is not UTF-8")
    try:
        return convert(row)
    except Rejection as rejection:
        return rejection
