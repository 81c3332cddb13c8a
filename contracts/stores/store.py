"""A store: what tables it can have, and the statements that make and change them.  Pure.

Each has a room beside this module (`contracts/stores/<kind>/`), whose `store.STORE` is found by the room's name
(`contracts.stores.known`).  What talks to the server stands in `streaming/stores/<kind>/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from contracts.avro.nodes import AnyType, Record, Schema
from contracts.stores.table import Column, ColumnType, Refusal, Table

#: What to do where a column cannot get another type.
FIX_TYPE = "add a field of the new type beside it; or name another table, and read the topic from its beginning"


class Store(ABC):
    """One kind of store.

    Attributes:
        spec: the model of its part of `contract.yaml`; its `kind` names the store.
        title: what people call it.
        most_key_bytes: texts and bytes of a primary key together.
        partitions: the first field of a primary key is a partition key, which is never empty.
    """

    # `Any`: each store's methods take its own model.
    spec: ClassVar[type[Any]]
    title: ClassVar[str]
    most_key_bytes: ClassVar[int]
    partitions: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        return str(self.spec.kind)

    @abstractmethod
    def column_type(self, schema: Schema, node: AnyType) -> ColumnType:
        """The column of a field of that type, which has no problem (`types.problem`)."""

    @abstractmethod
    def create(self, table: Table) -> list[str]:
        """Statements, without semicolon, that create the table, and what it stands in, where they are not there."""

    @abstractmethod
    def add(self, table: Table, column: Column) -> list[str]:
        """Statements that add a column where it is not there."""

    @abstractmethod
    def retype(self, table: Table, old: Column, new: Column, since: str) -> list[str] | Refusal:
        """Statements that give a column another type; every value stays what it is.

        Args:
            since: in words, when the column had the old type; empty, or with a space in front.
        """

    def rewrites(self, old: Column, new: Column) -> bool:
        """True when such a change of type makes the server rewrite the whole table, which is locked meanwhile."""
        return False

    def drop_not_null(self, table: Table, column: Column) -> list[str]:
        """Statements that let a column be null."""
        return []

    def name_refusal(self, name: str) -> Refusal | None:
        """Why a field of that name cannot be a column."""
        return None

    def place_refusals(self, sink: Any) -> Iterator[tuple[str, Refusal]]:
        """Keys of the sink whose name cannot be used, and why."""
        yield from ()

    def size_refusals(self, record: Record, schema: Schema) -> Iterator[Refusal]:
        """A table of more columns than the store takes, or one that can never have a row.

        Args:
            record: the value's; fields that no store can hold are in it, too.
        """
        yield from ()

    def full_row_refusals(self, record: Record, schema: Schema) -> Iterator[Refusal]:
        """A table, of those that `size_refusals` lets pass, that has no room for a row whose every field has a
        value."""
        yield from ()
