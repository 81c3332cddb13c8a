"""A table of a store: its columns, and those of the event that wrote each row.

Every table carries the position of the event that wrote the row, so that a row leads back to its event and an older
event can never overwrite a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.stores.spec import SinkSpec

EVENT_TIMESTAMP = "kafka_timestamp"
EVENT_PARTITION = "kafka_partition"
EVENT_OFFSET = "kafka_offset"
#: The bookkeeping columns.
POSITION = (EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET)
#: Which of two events is the newer one: these, compared in this order.
EVENT_ORDER = (EVENT_TIMESTAMP, EVENT_OFFSET, EVENT_PARTITION)
WRITE_TIME = "kafka_write_time"  # no column of a table: what Cassandra keeps beside each cell
DELETED = "kafka_deleted"  # likewise: a row that is to be deleted
RESERVED = (*POSITION, WRITE_TIME, DELETED)


@dataclass(frozen=True)
class ColumnType:
    """What an Avro type becomes in one store.

    Attributes:
        name: as the store itself writes it.
        is_json: its values are JSON.
    """

    name: str
    is_json: bool = False


@dataclass(frozen=True)
class Column:
    """One column: its name, which is the field's, and its type in the store's own words.

    `is_json`: its text is JSON; None where nobody knows, for a store does not tell.
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
        left: further columns that are there, and that no field writes any more.
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
    """A table, or a change of one, that no statement can bring about.  `column` is empty for the whole table."""

    column: str
    why: str
    fix: str
