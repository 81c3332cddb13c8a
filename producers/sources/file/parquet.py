"""Parquet, in batches of rows.  It needs the extra `parquet`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from avro_data_contracts import extras
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.producers.dead_letter import Row
from avro_data_contracts.producers.plain.conversion import checked, plain
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.file.failure import Unreadable
from avro_data_contracts.producers.sources.file.heads import BYTES, Head
from avro_data_contracts.producers.sources.file.inputs import STDIN, Input
from avro_data_contracts.producers.sources.file.reading import Place, Wanted
from avro_data_contracts.producers.sources.source import Convert, Item, Outcome

ROWS: Final = 1_000


class ParquetRows:
    """See `reading.Reader`."""

    unit = "row"

    def __init__(self, given: Input, wanted: Wanted) -> None:
        extras.require("parquet")
        if given.path == STDIN:
            raise ConfigurationError(
                "Parquet cannot be read from a pipe", where="--from -", fix="name the file: --from FILE.parquet"
            )
        self._name = given.name
        self.notes: list[str] = []
        convert: Any = checked if wanted.final else plain
        self._convert: Convert = convert(wanted.schema, wanted.asked, typed=True)
        self._head = Head()
        self._read = 0
        self.place = Place()
        self.number = 0
        import pyarrow
        from pyarrow import parquet

        self._errors = (pyarrow.ArrowException, OSError)
        try:
            # The footer is at the end, so the size belongs to what tells two files apart.
            with open(given.path, "rb") as file:
                self._head.add(str(os.fstat(file.fileno()).st_size).encode() + file.read(BYTES))
            self._file = parquet.ParquetFile(given.path)
        except self._errors as error:
            raise self._unreadable(error) from None
        self._rows: int = self._file.metadata.num_rows

    @property
    def fraction(self) -> float | None:
        return self._read / self._rows if self._rows else 1.0

    def head(self, end: int) -> str:
        return self._head.text(BYTES)

    def close(self) -> None:
        self._file.close()

    def items(self, after: Place) -> Iterator[Item]:
        self.place = after
        if after.head:
            self._head.check(after.head, self._name)
        for record in self._records():
            self._read += 1
            if self._read > after.end:
                self.place, self.number = Place(self._read, self._read), self._read
                yield Item(Row(record), self._outcome(record))

    def _records(self) -> Iterator[dict[str, Any]]:
        batches = self._file.iter_batches(batch_size=ROWS)
        while True:
            try:
                batch = next(batches, None)
                # A timestamp in nanoseconds that a datetime cannot hold is a ValueError.
                rows = None if batch is None else batch.to_pylist(maps_as_pydicts="strict")
            except (*self._errors, ValueError, KeyError) as error:
                raise self._unreadable(error) from None
            if rows is None:
                return
            yield from rows

    def _outcome(self, record: dict[str, Any]) -> Outcome:
        try:
            return self._convert(record)
        except Rejection as rejection:
            return rejection

    def _unreadable(self, error: Exception) -> Unreadable:
        where = f"{self._name}, after row {self._read:,}" if self._read else self._name
        return Unreadable(f"cannot read it as Parquet: {str(error).splitlines()[0][:200]}", where=where)
