"""A store: the tables that it can have, and the statements that create and change them.  Pure.

Each store has a room beside this module (`contracts/stores/<kind>/`); `contracts.stores.known` finds its
`store.STORE` by the name of the room.  The code that talks to the server is in `streaming/stores/<kind>/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from avro_data_contracts.contracts.avro.nodes import AnyType, Record, Schema
from avro_data_contracts.contracts.stores.table import Column, ColumnType, Refusal, Table

if TYPE_CHECKING:
    from avro_data_contracts.contracts.settings import Settings

#: What to do when a column cannot get another type.
FIX_TYPE = "add another field with the new type; or name another table, and read the topic from its beginning"


@dataclass(frozen=True)
class Changed:
    """A change of an existing table that is not about its columns.

    Attributes:
        statements: without semicolons; a second run changes nothing.
        notes: what readers of the table should know.
    """

    statements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Store(ABC):
    """One kind of store.

    Attributes:
        spec: the model of its part of `contract.yaml`; its `kind` names the store.
        title: its name for people.
        most_key_bytes: the limit for all texts and bytes of a primary key together.
    """

    # `Any`: each store's methods take its own model.
    spec: ClassVar[type[Any]]
    title: ClassVar[str]
    most_key_bytes: ClassVar[int]

    @property
    def kind(self) -> str:
        return str(self.spec.kind)

    @abstractmethod
    def column_type(self, schema: Schema, node: AnyType) -> ColumnType:
        """Return the column type of a field of that type, which has no problem (`types.problem`)."""

    def dataset(self, sink: Any, settings: Settings) -> tuple[str, str]:
        """Return the namespace (the server) and the name of a table, as OpenLineage names datasets."""
        return self.kind, str(sink.qualified)

    @abstractmethod
    def create(self, table: Table) -> list[str]:
        """Return statements, without semicolons, that create the table and its keyspace or schema if missing."""

    def told_of_new(self, table: Table) -> tuple[str, ...]:
        """Return what one should know of a table that is created, beyond its statements."""
        return ()

    @abstractmethod
    def add(self, table: Table, column: Column) -> list[str]:
        """Return statements that add a column unless it exists."""

    @abstractmethod
    def retype(self, table: Table, old: Column, new: Column, since: str) -> list[str] | Refusal:
        """Return statements that give a column another type; every value stays the same.

        Args:
            since: when the column had the old type, in words; empty, or with a space in front.
        """

    def rewrites(self, old: Column, new: Column) -> bool:
        """True when such a change of type makes the server rewrite the whole table, which is locked meanwhile."""
        return False

    def settings_changed(self, old: Table, new: Table) -> Iterator[Changed]:
        """Yield what else of an existing table becomes what the contract says: its indexes, how long rows stay."""
        yield from ()

    def drop_not_null(self, table: Table, column: Column) -> list[str]:
        """Return statements that let a column be null."""
        return []

    def name_refusal(self, name: str) -> Refusal | None:
        """Return why a field of that name cannot be a column."""
        return None

    def target_refusals(self, sink: Any) -> Iterator[Refusal]:
        """Yield why a table cannot be where the sink says, each at the key of the sink that says it."""
        yield from ()

    def table_refusals(self, table: Table) -> Iterator[Refusal]:
        """Yield what the store cannot have of what the sink says of its columns, which all have a type."""
        yield from ()

    def key_room(self, sink: Any) -> int:
        """Return the most bytes that all texts and bytes of a primary key may have together."""
        return self.most_key_bytes

    def partition_of(self, sink: Any) -> tuple[str, ...]:
        """Return the columns that decide where a row is; empty if the store does not keep rows together by a key."""
        return ()

    def never_empty(self, sink: Any) -> tuple[str, ...]:
        """Return the columns of the primary key whose text or bytes cannot be empty."""
        return ()

    def size_refusals(self, sink: Any, record: Record, schema: Schema) -> Iterator[Refusal]:
        """Yield the refusal of a table with more columns than the store allows, or of one that can never have a row.

        Args:
            record: the record of the value, including fields that no store can hold, with the sink's `columns`.
        """
        yield from ()

    def full_row_refusals(self, sink: Any, record: Record, schema: Schema) -> Iterator[Refusal]:
        """Yield the refusal of a table that `size_refusals` accepts, but with no room for a row with a value in every
        field."""
        yield from ()
