"""Records of files and pipes: `python -m producers --from`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Final

import structlog

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.sources.file import inputs
from avro_data_contracts.producers.sources.file.inputs import Format, Input
from avro_data_contracts.producers.sources.file.reading import Opens, Place, Reader, Wanted
from avro_data_contracts.producers.sources.source import Item, Request

log = structlog.get_logger()

#: Module and class of each format.  Loaded when a file needs it: Parquet has an extra of its own.
_READERS: Final[dict[Format, tuple[str, str]]] = {
    "jsonl": ("json_lines", "JsonLines"),
    "csv": ("csv_rows", "CsvRows"),
    "parquet": ("parquet", "ParquetRows"),
}


class FileSource:
    """The files of `--from`.  See `producers.sources.source.Source`.

    Args:
        given: a file, a folder, or `-`.
        format_: `--format`; None: the names tell.
        asked: `--coerce`.
        final: give `Checked` records.

    Raises:
        ConfigurationError: there is no such file, or nothing tells what is in it.
    """

    def __init__(
        self,
        given: str,
        schema: Schema,
        *,
        format_: str | None = None,
        asked: Asked | None = None,
        final: bool = False,
    ) -> None:
        self._given = given
        self._inputs = inputs.find(given, format_)
        self._wanted = Wanted(schema, asked or Asked(), final)
        self._reader: Reader | None = None
        self._at = 0
        self._ended: dict[int, Place] = {}
        self._before: dict[str, list[Any]] = {}

    @property
    def where(self) -> str:
        if len(self._inputs) == 1:
            return self._inputs[0].name
        return f"{self._given} ({len(self._inputs)} files)"

    @property
    def position(self) -> str:
        if self._reader is None or not self._reader.number:
            return ""
        return f"{self._inputs[self._at].name}, {self._reader.unit} {self._reader.number}"

    @property
    def fraction(self) -> float | None:
        """How much is read, 0 to 1; None if that cannot be known."""
        total = sum(one.size for one in self._inputs)
        now = self._reader.fraction if self._reader else 0.0
        if now is None or not total:
            return None
        before = sum(one.size for one in self._inputs[: self._at])
        return min((before + now * self._inputs[self._at].size) / total, 1.0)

    def notices(self) -> list[str]:
        return self._wanted.asked.epochs.notices()

    @property
    def place(self) -> tuple[int, Place]:
        """Which file, and where in it the latest item ends."""
        return self._at, self._reader.place if self._reader else Place()

    def state(self, place: tuple[int, Place]) -> dict[str, list[Any]]:
        """Return path -> line or row, bytes and head, of every file up to that place."""
        at, inside = place
        # A place inside a file that is closed by now has no head: it is certain in a moment that the file is done.
        head = self._reader.head(inside.end) if self._reader and at == self._at else ""
        inside = self._ended[at] if self._ended.get(at, Place()).end == inside.end else inside._replace(head=head)
        ends = {number: end for number, end in self._ended.items() if number < at} | {at: inside}
        return {**self._before, **{self._inputs[number].path: list(end) for number, end in ends.items()}}

    def resume(self, state: dict[str, list[Any]]) -> None:
        """Go on where an earlier run stopped; a file that it did not reach is read from its beginning."""
        self._before = state

    def items(self, request: Request) -> Iterator[Item]:
        for number, one in enumerate(self._inputs):
            after = Place(*self._before.get(one.path, ()))
            reader = _open(one, self._wanted)
            self._at, self._reader = number, reader
            try:
                yield from reader.items(after)
            finally:
                reader.close()
            self._ended[number] = reader.place._replace(head=reader.head(reader.place.end))
            for note in reader.notes:
                log.warning("the file has changed", file=one.name, note=note)
            if not reader.place.number:
                log.warning("the file has no records", file=one.name)


def _open(one: Input, wanted: Wanted) -> Reader:
    module, name = _READERS[one.format]
    opens: Opens = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    return opens(one, wanted)
