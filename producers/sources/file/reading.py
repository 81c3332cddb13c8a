"""What each kind of file gives: records with their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.sources.file.inputs import Input
from avro_data_contracts.producers.sources.source import Item


class Place(NamedTuple):
    """Where a record ends in its file.

    Attributes:
        number: of its line, from 1; of its row in Parquet.
        end: bytes of the uncompressed file up to there; in Parquet the rows.
        head: which file it is, for a later run: a digest of its first bytes, and how many they are.
    """

    number: int = 0
    end: int = 0
    head: str = ""


class Reader(Protocol):
    """One open file.

    Attributes:
        fraction: how much of it is read, 0 to 1; None if that cannot be known.
        unit: what `Place.number` counts.
        notes: what happened to the file while it was read; known at the end.
        place: where the latest item ends.
        number: of the line where the latest item begins, or of its row; 0 before the first.
    """

    unit: str
    place: Place
    number: int

    @property
    def fraction(self) -> float | None: ...

    @property
    def notes(self) -> list[str]: ...

    def head(self, end: int) -> str:
        """Return `Place.head` for a place with that end."""
        ...

    def items(self, after: Place) -> Iterator[Item]:
        """Yield what comes after that place.

        Raises:
            ConfigurationError: the place has a head, and it is another file's.
            ContractsError: the file cannot be read on.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What records are to be made of a file.

    Attributes:
        final: they are `Checked`.
    """

    schema: Schema
    asked: Asked
    final: bool


#: Opens a file.
Opens = Callable[[Input, Wanted], Reader]
