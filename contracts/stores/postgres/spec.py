"""`sinks.postgres` of a contract.yaml."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from avro_data_contracts.contracts.stores.position import COORDINATES
from avro_data_contracts.contracts.stores.postgres import names
from avro_data_contracts.contracts.stores.spec import Fixed, Identifier, ModedSpec


class Every(StrEnum):
    """The time that one partition holds, in UTC."""

    hour = "hour"
    day = "day"
    month = "month"
    year = "year"


class IndexType(StrEnum):
    """PostgreSQL's kinds of index that a contract can declare."""

    btree = "btree"
    brin = "brin"
    hash = "hash"
    gin = "gin"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PartitionSpec(_Part):
    """Partitions by time.

    `column`: a date or a timestamp of the primary key; of a table with a row for each event, any, or kafka_timestamp.
    `ahead`: how many partitions there are before their time begins.
    """

    column: str
    every: Every
    ahead: int = Field(3, ge=0, le=1000)


class IndexSpec(_Part):
    """An index."""

    columns: list[str] = Field(min_length=1)
    type: IndexType = IndexType.btree


class PostgresSpec(ModedSpec):
    """A PostgreSQL table."""

    kind: ClassVar[str] = "postgres"
    position_types: ClassVar[tuple[str, str, str]] = ("timestamp with time zone", "integer", "bigint")

    schema_name: Identifier = Field("public", alias="schema")
    partition_by: PartitionSpec | None = None
    indexes: list[IndexSpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _partition_is_in_the_key(self) -> PostgresSpec:
        if self.partition_by is not None and not self.appends and self.partition_by.column not in self.primary_key:
            raise ValueError(
                f"partition_by: {self.partition_by.column} is not in the primary key, and with another "
                f"{self.partition_by.column} one key would get a second row, in another partition: add it to "
                "primary_key if no event of a key changes it; otherwise write `mode: append`, or use no partitions"
            )
        return self

    @property
    def qualified(self) -> str:
        return f"{self.schema_name}.{self.table}"

    @property
    def quoted(self) -> str:
        return f'"{self.schema_name}"."{self.table}"'

    @property
    def key(self) -> tuple[str, ...]:
        if self.appends and self.partition_by is not None:
            # PostgreSQL wants the column of the partitions in the primary key; an event never changes it.
            return tuple(dict.fromkeys((*COORDINATES, self.partition_by.column)))
        return super().key

    @property
    def fixed(self) -> tuple[Fixed, ...]:
        by = f"by {self.partition_by.column}" if self.partition_by is not None else "none"
        mode, key = super().fixed
        return mode, Fixed("partitioning", by, self.said("partition_by"), decides=True), key

    def of_deletions(self) -> Self:
        return super().of_deletions().model_copy(update={"partition_by": None, "indexes": []})

    def path_of(self, column: str) -> tuple[str | int, ...]:
        if self.partition_by is not None and column == self.partition_by.column and self.appends:
            return "partition_by", "column"
        return super().path_of(column)

    def index_name(self, index: IndexSpec) -> str:
        """Return the name of an index, of at most 63 bytes; another index of any table has another name."""
        readable = "_".join((self.table, *index.columns, index.type.value))
        return names.with_digest(readable, self.table, index.columns, index.type.value)
