"""What each kind of file gives: records with their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.file.inputs import Input
from avro_data_contracts.producers.sources.source import Record


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


class Found(NamedTuple):
    """A record, as `producers.sources.source.Item` has it, and its place.

    Attributes:
        place: where it ends.
        number: of the line where it begins, or of its row.
    """

    given: Any
    outcome: Record | Rejection
    place: Place
    number: int


class Reader(Protocol):
    """One open file.

    Attributes:
        fraction: how much of it is read, 0 to 1; None if that cannot be known.
        unit: what `Place.number` counts.
        notes: what happened to the file while it was read; known at the end.
    """

    unit: str

    @property
    def fraction(self) -> float | None: ...

    @property
    def notes(self) -> list[str]: ...

    def head(self, end: int) -> str:
        """Return `Place.head` for a place with that end."""
        ...

    def found(self, after: Place) -> Iterator[Found]:
        """Yield what comes after that place.

        Raises:
            ConfigurationError: the place has a head, and it is another file's.
            ContractsError: the file cannot be read on.
        """
        ...

    def close(self) -> None: ...


#: Opens a file for records of a schema.
Opens = Callable[[Input, Schema, Asked], Reader]
