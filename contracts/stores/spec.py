"""The part of `contract.yaml` about a table: each store has its own model with these parts."""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, ClassVar, Final, Self, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from avro_data_contracts.contracts.stores.position import COORDINATES, EVENT_ORDER, EVENTS, bookkeeping, reserved

#: The form of the name of a table; of a rule too.
NAME: Final = r"^[a-z][a-z0-9_]*$"
#: The name of a table, a column, a keyspace or a schema.
Identifier = Annotated[str, StringConstraints(pattern=NAME, max_length=48)]

#: The ending of the name of the table that records which rows were deleted, and by which event.
DELETIONS: Final = "__deleted"


class Mode(StrEnum):
    """What a table has a row for: each primary key (its newest event), or each event."""

    upsert = "upsert"
    append = "append"


@dataclass(frozen=True)
class Fixed:
    """Something of a table that cannot change once the table exists.

    Attributes:
        name: of it, in messages.
        value: as the contract has it, in messages.
        key: of the sink that says it; empty if none does, because it is the default.
        decides: whether the things after it mean nothing if it differs.
    """

    name: str
    value: str
    key: str
    decides: bool = False


class SinkSpec(BaseModel, ABC):
    """A table of one store.

    `primary_key`: the fields that identify a row; none in a table with a row for each event.
    `columns`: further columns, with the path inside the value that each one holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Key of the store under `sinks`, and its name in metrics, checkpoints and consumer groups.
    kind: ClassVar[str]
    #: Column types of the event's position: Kafka timestamp (ms), partition, offset.
    position_types: ClassVar[tuple[str, str, str]]
    #: Whether the table has a row for each group of events: that of an aggregation (`grouped`).
    groups: ClassVar[bool] = False

    table: Identifier
    primary_key: list[str] = Field(min_length=1)
    columns: dict[Identifier, str] = Field(default_factory=dict)

    @property
    @abstractmethod
    def qualified(self) -> str:
        """The name of the table for people."""

    @property
    @abstractmethod
    def quoted(self) -> str:
        """The table in the store's statements; in quotes, even a reserved word can be a name."""

    @property
    def appends(self) -> bool:
        """Whether the table has a row for each event, and not for each primary key."""
        return False

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the table's primary key, in their order."""
        return tuple(self.primary_key)

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields of the value that are in the table's primary key."""
        return tuple(name for name in self.key if name not in self.bookkeeping)

    @property
    def bookkeeping(self) -> tuple[str, ...]:
        """The columns that say which event wrote a row, in their order."""
        return bookkeeping(appends=self.appends, groups=self.groups)

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that decide which of two versions of a row is newer, compared in their order."""
        return (EVENTS,) if self.groups else EVENT_ORDER

    @property
    def reserved(self) -> tuple[str, ...]:
        """The names that no field may have, in lower case."""
        return reserved(appends=self.appends, lives=self.stays_s is not None, groups=self.groups)

    @property
    def stays_s(self) -> int | None:
        """How long a row stays after its event, in seconds; None: for ever."""
        return None

    @property
    def fixed(self) -> tuple[Fixed, ...]:
        """What cannot change once the table exists, in the order in which it is compared."""
        return (Fixed("primary key", f"({', '.join(self.key)})", self.said("primary_key"), decides=True),)

    def of_deletions(self) -> Self:
        """Return the table that keeps what was deleted from this one: it has its key, and nothing else of it."""
        return self.model_copy(update={"table": self.table + DELETIONS, "columns": {}})

    def tables(self, *, deletes: bool) -> list[Self]:
        """Return the tables of a sink.  `deletes`: whether tombstones delete rows."""
        return [self, *([self.of_deletions()] if deletes else [])]

    def said(self, *keys: str) -> str:
        """Return the first of these keys that the contract has; empty if it has none."""
        return next((key for key in keys if key in self.model_fields_set), "")

    def path_of(self, column: str) -> tuple[str | int, ...]:
        """Return the keys and numbers of the sink that put a column into the table's primary key."""
        return ("primary_key", self.primary_key.index(column)) if column in self.primary_key else ("primary_key",)


class ModedSpec(SinkSpec):
    """A table with a row for each primary key, or for each event: its topic, partition and offset are its key."""

    mode: Mode = Mode.upsert
    primary_key: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_what_a_row_is(self) -> ModedSpec:
        if self.mode is Mode.upsert and not self.primary_key:
            raise ValueError(
                "primary_key is missing: name the fields that identify a row, or write `mode: append` for a row of "
                "each event"
            )
        if self.mode is Mode.append and self.primary_key:
            raise ValueError(
                "`mode: append` has a row for each event, whose topic, partition and offset are the key: remove "
                f"primary_key{self._instead_of_primary_key}"
            )
        return self

    #: What sorts the rows of a table with a row for each event, in words.
    _instead_of_primary_key: ClassVar[str] = ""

    @property
    def appends(self) -> bool:
        return self.mode is Mode.append

    @property
    def key(self) -> tuple[str, ...]:
        return COORDINATES if self.appends else tuple(self.primary_key)

    @property
    def fixed(self) -> tuple[Fixed, ...]:
        row = "group" if self.groups else "event" if self.appends else "key"
        return (
            Fixed("mode", f"{self.mode.value} (a row for each {row})", self.said("mode"), decides=True),
            *super().fixed,
        )


@lru_cache
def _of_groups(model: type[SinkSpec]) -> type[SinkSpec]:
    return cast(type[SinkSpec], types.new_class(f"Grouped{model.__name__}", (model,), exec_body=_has_groups))


def _has_groups(namespace: dict[str, object]) -> None:
    namespace.update(__module__=__name__, groups=True)


def grouped(sink: SinkSpec) -> SinkSpec:
    """Return the same table, with a row for each group of events.

    No contract says so: the SQL of the view does.  So it is not a key of the model.
    """
    return _of_groups(type(sink)).model_construct(_fields_set=sink.model_fields_set, **dict(sink))
