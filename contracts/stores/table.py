"""A table of a store: its columns, and those for the position of the event that wrote each row.

Every row has the position of the event that wrote it, so that you can find the event of a row, and an older event can
never overwrite a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass

from avro_data_contracts.contracts.stores.spec import SinkSpec

EVENT_TIMESTAMP = "kafka_timestamp"
EVENT_PARTITION = "kafka_partition"
EVENT_OFFSET = "kafka_offset"
#: The bookkeeping columns.
POSITION = (EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET)
#: Compared in this order, these decide which of two events is newer.
EVENT_ORDER = (EVENT_TIMESTAMP, EVENT_OFFSET, EVENT_PARTITION)
WRITE_TIME = "kafka_write_time"  # not a column of a table: Cassandra keeps it with each cell
DELETED = "kafka_deleted"  # not a column either: the row is to be deleted
RESERVED = (*POSITION, WRITE_TIME, DELETED)


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
    """

    name: str
    type: str
    nullable: bool
    is_json: bool | None = None


@dataclass(frozen=True)
class Leftover:
    """A column whose field is gone.  `label`: the newest version that had the field, in words."""

    column: Column
    label: str


@dataclass(frozen=True)
class Table:
    """A table of one store.

    Attributes:
        columns: the fields of the value, in their order, without the event's position.
        left: further columns that exist, but that no field writes now.
    """

    sink: SinkSpec
    columns: tuple[Column, ...]
    left: tuple[Leftover, ...] = ()

    @property
    def position(self) -> tuple[Column, ...]:
        """The bookkeeping columns: Kafka timestamp (ms precision), partition and offset of the row's event."""
        types = zip(POSITION, self.sink.position_types, strict=True)
        return tuple(Column(name, type_, nullable=False) for name, type_ in types)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        return self.columns + self.position


@dataclass(frozen=True)
class Refusal:
    """A table, or a change of a table, that is impossible.  `column` is empty for the whole table."""

    column: str
    why: str
    fix: str
