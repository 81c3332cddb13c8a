"""A table of a store: its columns, and those for the position of the event that wrote each row."""

from __future__ import annotations

from dataclasses import dataclass

from avro_data_contracts.contracts.stores.spec import SinkSpec


@dataclass(frozen=True)
class ColumnType:
    """The type of a column in one store.

    Attributes:
        name: as the store writes it.
        is_json: whether its values are JSON.
    """

    name: str
    is_json: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its name, which is that of the field, and its type as the store writes it.

    `is_json`: whether its text is JSON; None where this is unknown, because a store does not say so.
    `path`: inside the value, of what fills it; empty where this is unknown.
    `mask`: what is masked of its values, in words; empty if nothing is, None where this is unknown.
    """

    name: str
    type: str
    nullable: bool
    is_json: bool | None = None
    path: str = ""
    mask: str | None = None


@dataclass(frozen=True)
class Leftover:
    """A column whose field is gone.  `label`: the newest version that had the field, in words."""

    column: Column
    label: str


@dataclass(frozen=True)
class Table:
    """A table of one store.

    Attributes:
        columns: the fields of the value, in their order, then those of the sink's `columns`, without the event's
            position.
        left: further columns that exist, but that no field writes now.
        dropped: fields that have no column, because a mask drops them.
    """

    sink: SinkSpec
    columns: tuple[Column, ...]
    left: tuple[Leftover, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def position(self) -> tuple[Column, ...]:
        """The bookkeeping columns: Kafka timestamp (ms precision), partition and offset of the row's event.

        A table with a row for each event has its topic's id too; one with a row for each group, a count of events.
        """
        moment, part, offset = self.sink.position_types
        types = (moment, offset) if self.sink.groups else (moment, part, offset, "text")
        return tuple(Column(*pair, nullable=False) for pair in zip(self.sink.bookkeeping, types, strict=False))

    @property
    def all_columns(self) -> tuple[Column, ...]:
        return self.columns + self.position


@dataclass(frozen=True)
class Refusal:
    """A table, or a change of a table, that is impossible.

    Attributes:
        column: empty for the whole table.
        at: the keys and numbers of the sink that it is about; empty for a field of the value.
    """

    column: str
    why: str
    fix: str
    at: tuple[str | int, ...] = ()
